"""Comparison operator by operator: each output against a float kernel on the operator's actual
inputs.

Errors do not accumulate, so that a kernel that ignores declared parameters is found even if the
outputs show nothing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import INTEGER_LIMITS
from ..record import Record, replace
from ..verdicts import Histogram
from .changed_functions import match_operators
from .object_api import pack, parse
from .process import Ended, acceptance, call_worker
from .samples import Samples
from .step_scores import OutputFigure, Steps
from .twin import FloatGraph, float_graph
from .unpacked import is_constant, operator_name, tensor_name
from .variants import RUN_SECONDS, THREADS

__all__ = ["PreparedSteps", "check_steps", "prepare_steps"]

_SAMPLES = 4
# Tolerance in LSB of the output for the 99.9th percentile of the deviation. Rounding causes 0.5 LSB,
# fixed-point multipliers up to 1.
_TOLERANCE = 2.5
# Operators whose kernels approximate a function by tables or Newton steps, and their tolerance (LSB).
_APPROXIMATE = frozenset(
    ["SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION", "HARD_SWISH", "DIV", "RSQRT", "EXP"]
)
_APPROXIMATE_TOLERANCE = 4.0
_WIDE_TOLERANCE = 16.0  # int16: the same approximations, in steps 256 times finer
_NOT_RECOMPUTED = frozenset(
    [
        "IF",
        "WHILE",
        "CALL",
        "CALL_ONCE",
        "VAR_HANDLE",
        "READ_VARIABLE",
        "ASSIGN_VARIABLE",
        "STABLEHLO_CASE",
        "STABLEHLO_COMPOSITE",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "LSTM",
        "SVDF",
        "RNN",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_RNN",
    ]
)


class PreparedSteps(Record, frozen=True, kw_only=True):
    """A prepared comparison: the worker's request `job`, whose files are written (None if nothing
    is to be compared), and what is needed to read the results.
    """

    plan: _Plan
    job: dict[str, Any] | None

    def moved_from(self, original: PreparedSteps) -> PreparedSteps:
        """The same comparison with histograms added, for tensors whose parameters differ from those
        in the other file (`original`).
        """
        pairs = match_operators(original.plan.names, self.plan.names)
        before: dict[int, list[dict[str, Any]]] = {}
        for check in original.plan.checks:
            before.setdefault(check["operator"], []).append(check)
        checks, seen = [], Counter[int]()
        for check in self.plan.checks:
            operator = check["operator"]
            earlier = before.get(pairs.get(operator, -1), [])
            was = earlier[seen[operator]] if seen[operator] < len(earlier) else None
            seen[operator] += 1
            checks.append(check if was is None or _same(check, was) else check | {"was": was})
        job = None if self.job is None else self.job | {"checks": checks}
        return replace(self, plan=replace(self.plan, checks=checks), job=job)

    def read(self, ended: Ended | None) -> Steps:
        """The results in a worker's answer; None: it was not run."""
        plan = self.plan
        nothing = Steps(
            lsb={},
            tolerance={},
            names=plan.names,
            places=plan.places,
            not_judged=plan.not_judged,
        )
        if ended is None:
            return nothing
        found = acceptance(ended)
        if found.status != "accepted":
            return replace(nothing, why=f"{found.status}: {found.reason}")
        lsb: dict[int, float] = {}
        figures: dict[int, tuple[OutputFigure, ...]] = {}
        results = zip(plan.checks, ended.answer["worst"], ended.answer["figures"], strict=True)
        for check, worst, sums in results:
            operator = check["operator"]
            lsb[operator] = max(lsb.get(operator, 0.0), float(worst))
            mine = _output_figure(check, float(worst), sums)
            figures[operator] = (*figures.get(operator, ()), mine)
        return replace(nothing, lsb=lsb, tolerance=plan.tolerance, figures=figures)


def prepare_steps(
    data: bytes | memoryview,
    records: list[dict[str, Any]],
    samples: Samples,
    folder: Path,
    *,
    only: frozenset[int] | None = None,
    dropped: frozenset[int] = frozenset(),
) -> PreparedSteps:
    """Prepare the comparison of the file's operators, or of `only` some of them, with their
    recomputation on a few samples of each kind. `records`: of the samples' files; `dropped`:
    operators of the file that are not in `data`. Raises UnsupportedError if there is no float form.
    """
    plan = _plan(data, only, dropped)
    if not plan.checks:
        return PreparedSteps(plan=plan, job=None)
    folder.mkdir()
    (folder / "model.tflite").write_bytes(data)
    (folder / "recompute.tflite").write_bytes(plan.recompute)
    job = {
        "task": "stepwise",
        "model": str(folder / "model.tflite"),
        "recompute": str(folder / "recompute.tflite"),
        "kernels": "litert",
        "threads": THREADS,
        "inputs": records,
        "sequences": _few(samples),
        "sources": plan.sources,
        "checks": plan.checks,
    }
    return PreparedSteps(plan=plan, job=job)


def _few(samples: Samples) -> list[tuple[int, int]]:
    """(first, last) of the samples to use: the first sequence of a model with variables; else some
    samples of each kind.
    """
    if samples.stateful:
        return [samples.sequences[0]]
    each = -(-_SAMPLES // len(samples.kinds))
    return [(kind.first, min(kind.first + each, kind.last)) for kind in samples.kinds]


def check_steps(prepared: PreparedSteps, folder: Path, *, seconds: float | None = None) -> Steps:
    """Run the prepared comparison in a separate process; `folder` must not exist."""
    if prepared.job is None:
        return prepared.read(None)
    folder.mkdir()
    return prepared.read(call_worker(prepared.job, folder, seconds=seconds or RUN_SECONDS))


class _Plan(Record, frozen=True, kw_only=True):
    """A float model that recomputes operators (`recompute`), with its inputs (`sources`) and the
    outputs to compare (`checks`).
    """

    recompute: bytes
    sources: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    tolerance: dict[int, float]
    names: tuple[str, ...]
    places: tuple[int, ...]
    not_judged: tuple[int, ...]


def _same(check: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two checked outputs have equal parameters and type. `check`, `other`: the plans'
    entries of the outputs.
    """
    return all(check[key] == other[key] for key in ("scale", "zero_point", "kind"))


def _output_figure(check: dict[str, Any], worst: float, sums: dict[str, Any]) -> OutputFigure:
    """The figure of one checked output. `worst`: largest deviation in steps; `sums`: the worker's
    sums. `check`: the plan's entry of the output.
    """
    return OutputFigure(
        tensor=check["tensor"],
        name=check["name"],
        lsb=worst,
        signal=sums["signal"],
        noise=sums["noise"],
        largest=sums["largest"],
        arrives=tuple(
            Histogram(low=low, high=high, counts=tuple(counts), below=below, above=above)
            for low, high, below, above, counts in sums["arrives"]
        ),
    )


def _plan(data: bytes | memoryview, only: frozenset[int] | None, dropped: frozenset[int]) -> _Plan:
    """Build the float model in which every activation is an input and every operator's outputs are
    outputs. `only`: operators to compare, None: all; `dropped`: operators to leave out.
    """
    model = parse(data)
    graph = model.subgraphs[0]
    names = tuple(operator_name(model, operator) for operator in graph.operators)
    before = [list(operator.outputs) for operator in graph.operators]
    floats = float_graph(model, graph)
    checks: list[dict[str, Any]] = []
    tolerance: dict[int, float] = {}
    not_judged: list[int] = []
    used: list[int] = []
    outputs: list[int] = []
    for index, operator in enumerate(floats.take_operators()):
        checked = [t for t in before[index] if t in floats.declared]
        if only is not None and index not in only:
            continue
        if names[index] in _NOT_RECOMPUTED or names[index].startswith("CUSTOM:"):
            not_judged += [index] if checked else []
            continue
        if not checked:
            continue  # operators on indices or floats, which have no quantized output
        floats.add(operator)
        used += [t for t in operator.inputs if t >= 0]
        for tensor in checked:
            _, fresh = floats.rename_output(operator, tensor)
            checks.append(_check(floats, index, tensor, len(outputs)))
            outputs.append(fresh)
        tolerance[index] = _tolerance(names[index], checks[-1]["kind"])
    graph.inputs = _activations(floats, used)
    graph.outputs = outputs
    model.subgraphs = model.subgraphs[:1]
    model.signatureDefs = []
    return _Plan(
        recompute=pack(model),
        sources=[_record(floats, tensor) for tensor in graph.inputs],
        checks=checks,
        tolerance=tolerance,
        names=names,
        places=tuple(_places(len(names), dropped)),
        not_judged=tuple(not_judged),
    )


def _places(count: int, dropped: frozenset[int]) -> Iterator[int]:
    """The indices in the file of `count` operators, where `dropped` ones are missing."""
    every = (index for index in itertools.count() if index not in dropped)
    return itertools.islice(every, count)


def _tolerance(name: str, kind: str) -> float:
    """The accepted deviation in steps of an operator with outputs of a type (`kind`)."""
    if kind == "int16":
        return _WIDE_TOLERANCE
    return _APPROXIMATE_TOLERANCE if name in _APPROXIMATE else _TOLERANCE


def _activations(floats: FloatGraph, used: list[int]) -> list[int]:
    """Indices of the activations that have to be inputs of the recomputing model: every used tensor
    that none of its operators writes.
    """
    graph = floats.graph
    written = {t for operator in floats.prologue for t in operator.outputs}
    return [
        tensor
        for tensor in dict.fromkeys(used)
        if tensor not in written and not is_constant(floats.model, graph.tensors[tensor])
    ]


def _record(floats: FloatGraph, tensor: int) -> dict[str, Any]:
    """The tensor with its declared parameters, as a request for a worker."""
    record: dict[str, Any] = {"tensor": tensor, "scale": None, "zero_point": 0}
    if tensor in floats.declared:
        kind, scale, zero_point = floats.label(tensor)
        record |= {"scale": scale, "zero_point": zero_point, "kind": kind}
    return record


def _check(floats: FloatGraph, operator: int, tensor: int, output: int) -> dict[str, Any]:
    """The request to check one output. `operator`, `tensor`: indices; `output`: position among the
    recomputed outputs.
    """
    record = _record(floats, tensor)
    kind = record["kind"] if record["kind"] in QUANTIZED_TYPES else "int32"
    lowest, highest = INTEGER_LIMITS[kind]
    name = tensor_name(floats.model.subgraphs[0].tensors[tensor])
    record |= {"operator": operator, "output": output, "name": name}
    return record | {"lowest": lowest, "highest": highest}
