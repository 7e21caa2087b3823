"""The request for a verification, and the variants of the model that are run for it, built before
any run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.model import OperatorId
from ..record import Record
from .board import Board
from .changed_functions import changed_operators
from .evidence import CONSTANTS, DECLARED
from .footprint import hold_to
from .frontier import Frontier, cut_copy, frontier
from .joined_models import join
from .judges import JUDGES, available
from .object_api import pack, parse
from .twin import declared_model, twin
from .variants import FLOAT_KERNELS, Form

__all__ = ["LARGEST_MODEL", "Case", "Order", "build_case", "constants_form"]

LARGEST_MODEL = 512 << 20  # bytes; the float twin is up to four times as large

_CHEAP = 16 << 20  # elements of all tensors: up to this size, hundreds of inputs take seconds

Array = npt.NDArray[Any]
Data = bytes | memoryview
Progress = Callable[[str, float], None]


class Order(Record, frozen=True, kw_only=True):
    """The arguments of a verification. `before`, `after`: original and aligned file; `reading`: the
    original with the parameters by which it is interpreted (biases as declared or as run); `count`:
    number of samples; `asked`: names of judges; `edited`: (subgraph, operator) of changed
    operators; `allowed`: judges that may refuse; `seconds`: time limit of a process; `memory`:
    limit in bytes.
    """

    before: Data
    reading: Data
    after: Data
    calibration: Mapping[str | int, Array] | None
    count: int
    seed: int
    asked: tuple[str, ...]
    edited: frozenset[OperatorId] | None
    allowed: frozenset[str]
    report: Progress
    seconds: float | None
    memory: int
    board: Board = Board()
    figures: bool = False  # whether to compute figures of the original's operators too
    kernel_runtimes: frozenset[str] = frozenset()  # runtimes that a certificate covers

    @property
    def same(self) -> bool:
        """Whether the file is compared with itself, so that each variant runs once."""
        return self.before == self.after and self.reading == self.before

    @property
    def certified(self) -> bool:
        """Whether a certificate covers every runtime that would run here, so that no kernel has to
        be compared on samples.
        """
        return (
            bool(self.kernel_runtimes)
            and not self.figures
            and set(self.running) <= self.kernel_runtimes
        )

    @property
    def running(self) -> list[str]:
        """The requested judges that compute outputs on this machine."""
        return [name for name in self.asked if JUDGES[name].runs and available(name) is None]


class Case(Record, frozen=True, kw_only=True):
    """What a verification runs and compares, determined before any run. `forms`: the variants to
    run; the frontiers: the tensors to compare in each file.
    """

    frontier_before: Frontier
    frontier_after: Frontier
    forms: tuple[Form, ...]
    changed: frozenset[int] | None  # operators to be compared one by one; None: all of them
    model: Any  # the original, unpacked, with biases read as requested
    elements: int  # number of elements of all tensors of the main subgraph

    @property
    def cheap(self) -> bool:
        """Whether running one input takes little time, by the number of elements of all tensors, so
        that many inputs can be run.
        """
        return self.elements <= _CHEAP


def build_case(order: Order) -> Case:
    """Build all variants of an order. Raises UnsupportedError for a model that cannot be run as
    float.
    """
    size = max(len(order.before), len(order.after))
    if size > LARGEST_MODEL:
        msg = f"size: the model has {size} bytes; models above {LARGEST_MODEL} are not run"
        raise UnsupportedError(msg)
    before, after = parse(order.reading), parse(order.after)
    for model in (before, after):
        hold_to(order.memory, model)
    first, second = frontier(before), frontier(after)
    if len(first.probes) != len(second.probes):
        raise UnsupportedError("the two files have no corresponding outputs to compare")
    if not first.probes:
        raise UnsupportedError("no output is quantized or float" + _notes(first))
    forms = [
        *_declared(order, first, second),
        Form(name="twin", data=twin(order.reading, first), kernels=FLOAT_KERNELS),
    ]
    copies = {
        "after": (order.after, _runnable(order.after, after, second), bool(second.dropped)),
        "before": (order.before, _runnable(order.before, before, first), bool(first.dropped)),
    }
    if order.same:
        del copies["before"]
    forms += [
        Form(name=f"{which}:{name}", data=data, kernels=(name,), loaded=True)
        if order.certified
        else _real(f"{which}:{name}", name, data, (copy, part))
        for name in order.running  # kernel variants of one runtime take about the same time
        for which, (data, copy, part) in copies.items()
    ]
    changed = None if order.same else changed_operators(before, after)
    if _elements(before) > _CHEAP:
        forms = _joined_runs(order, forms, first, second)
    return Case(
        frontier_before=first,
        frontier_after=second,
        forms=tuple(forms),
        changed=changed,
        model=before,
        elements=_elements(before),
    )


def _declared(order: Order, first: Frontier, second: Frontier) -> list[Form]:
    """The declared readings of both files, joined into one model if possible, to share
    computations.
    """
    after = declared_model(order.after, second)
    forms = [Form(name="declared:after", data=pack(after), kernels=FLOAT_KERNELS)]
    if order.same:
        return forms
    before = declared_model(order.reading, first)
    forms.insert(0, Form(name="declared:before", data=pack(before), kernels=FLOAT_KERNELS))
    joined = join(before, after)
    if joined is None:
        return forms
    return [Form(name=DECLARED, data=pack(joined), kernels=FLOAT_KERNELS, of=tuple(forms))]


def _joined_runs(order: Order, forms: list[Form], first: Frontier, second: Frontier) -> list[Form]:
    """The forms with LiteRT's builtin runs of both files joined into one model, since a builtin
    kernel computes an operator the same in any graph. Runs of a delegate stay separate: which
    operators it runs depends on their neighbours.
    """
    runs = [form for form in forms if form.kernels == ("litert",) and not form.loaded]
    if len(runs) != 2 or first.dropped or second.dropped:
        return forms
    files = {"before": (order.before, first), "after": (order.after, second)}
    models = [
        cut_copy(parse(data), border)
        for data, border in (files[form.name.partition(":")[0]] for form in runs)
    ]
    joined = join(*models)
    if joined is None:
        return forms
    both = Form(name="both:litert", data=pack(joined), kernels=("litert",), of=tuple(runs))
    return [both if form is runs[0] else form for form in forms if form is not runs[1]]


def constants_form(order: Order, case: Case) -> Form:
    """The aligned file's float twin, which shows the effect of requantized constants alone."""
    data = twin(order.after, case.frontier_after)
    return Form(name=CONSTANTS, data=data, kernels=FLOAT_KERNELS)


def _notes(found: Frontier) -> str:
    """Text on what is not compared, each part preceded by a semicolon; "" if everything is."""
    return "".join(f"; {note}" for note in found.notes)


def _runnable(data: Data, model: Any, found: Frontier) -> bytes | None:
    """A copy of the file, packed, with the compared tensors as outputs; None if these are the
    file's outputs already.
    """
    if [probe.tensor for probe in found.probes] == model.subgraphs[0].outputs:
        return None
    return pack(cut_copy(parse(data), found))


def _real(name: str, kernels: str, data: Data, copy: tuple[bytes | None, bool]) -> Form:
    """The variant that runs a file in a runtime's kernels. `copy`: (what _runnable returns, whether
    the copy is only a part of the file).
    """
    copied, part = copy
    if copied is None:
        return Form(name=name, data=data, kernels=(kernels,))
    return Form(name=name, data=copied, kernels=(kernels,), accept=data, part=part)


def _elements(model: Any) -> int:
    """The number of elements of all tensors of subgraph 0 together, at least 1."""
    shapes = [tensor.shape for tensor in model.subgraphs[0].tensors if tensor.shape is not None]
    return max(sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes), 1)
