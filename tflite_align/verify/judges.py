"""The table of judges (outside runtimes and compilers): each has one module and one entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import AlignError, UsageError, did_you_mean
from ..record import Record, replace
from ..verdicts import Acceptance
from . import edgetpu, litert, mlir, tflm, vela
from .board import ANY_BOARD, Board
from .budget import MEMORY
from .footprint import footprint
from .object_api import parse
from .unpacked import CUSTOM, operator_name

__all__ = ["JUDGES", "JUDGE_SECONDS", "Judge", "available", "judge_file", "placed", "require_known"]

# Messages of LiteRT and TFLM about a custom operator without a kernel.
_UNREGISTERED = re.compile(
    r"unresolved custom op|Select TensorFlow op\(s\)|Failed to get registration from op code CUSTOM"
)
JUDGE_SECONDS = 300.0  # default time limit for acceptance; RUN_SECONDS where samples are run


class Judge(Record, frozen=True, kw_only=True):
    """One judge. `what`: description; `available`: returns None if it can be run here, else why
    not; `judge`: called with file, name and time limit in seconds, returns an Acceptance; `runs`:
    its kernels also compute outputs, which can be compared.
    """

    name: str
    what: str
    available: Callable[[], str | None]
    judge: Callable[[bytes | memoryview, str, float], Acceptance]
    runs: bool


def _entry(name: str, what: str, room: object, *, runs: bool) -> Judge:
    """The entry of a judge whose functions are in the module `room`. `what`: its title; `runs`:
    whether it runs models.
    """
    return Judge(
        name=name,
        what=what,
        available=room.available,  # type: ignore[attr-defined]
        judge=room.judge,  # type: ignore[attr-defined]
        runs=runs,
    )


JUDGES: dict[str, Judge] = {
    entry.name: entry
    for entry in (
        _entry("litert", "LiteRT, builtin kernels without a delegate", litert, runs=True),
        _entry("litert-ref", "LiteRT, reference kernels", litert, runs=True),
        _entry("xnnpack", "LiteRT as installed: the XNNPACK delegate", litert, runs=True),
        _entry("tflm", "LiteRT for Microcontrollers", tflm, runs=True),
        _entry("ethos-u55", "Vela for Ethos-U55", vela, runs=False),
        _entry("ethos-u65", "Vela for Ethos-U65", vela, runs=False),
        _entry("ethos-u85", "Vela for Ethos-U85", vela, runs=False),
        _entry("edgetpu", "Coral's Edge TPU compiler", edgetpu, runs=False),
        _entry("mlir", "LiteRT's MLIR operator verifiers", mlir, runs=False),
    )
}


def available(judge: str) -> str | None:
    """None if the judge can be run here, else the reason why it is skipped."""
    return _known(judge).available()


def judge_file(
    data: bytes | memoryview,
    judge: str,
    *,
    seconds: float | None = None,
    memory: int = MEMORY,
    board: Board = ANY_BOARD,
) -> Acceptance:
    """Run one judge on one file, for at most `seconds` (default JUDGE_SECONDS).

    A judge that runs the model is skipped if its tensors take more than `memory` bytes. `board`:
    settings of Vela. Raises UsageError for an unknown judge.
    """
    entry = _known(judge)
    missing = entry.available()
    if missing is not None:
        return Acceptance(status="skipped", reason=missing)
    if entry.runs and (larger := _larger(data, memory)):
        return Acceptance(status="skipped", reason=larger)
    limit = JUDGE_SECONDS if seconds is None else seconds
    if entry.name in vela.ACCELERATORS:
        return placed(vela.judge(data, entry.name, limit, board), data)
    return placed(entry.judge(data, entry.name, limit), data)


def _larger(data: bytes | memoryview, memory: int) -> str:
    """Why a model needs more than `memory` bytes, as a sentence; "" if it does not, or cannot be
    read here.
    """
    try:
        found = footprint(parse(data))
    except AlignError:
        return ""
    return found.refusal(found.stored, memory) if found.stored > memory else ""


def placed(found: Acceptance, data: bytes | memoryview) -> Acceptance:
    """The acceptance with the address of the operator that the judge names; `data`: the file that
    it got. If the judge refuses the file because of a custom operator that is not registered here,
    the result is "skipped" instead: an application registers its own.

    Judges number the operators of subgraph 0 as the file does.
    """
    if found.status not in ("refused", "crashed"):
        return found
    try:
        model = parse(data)
    except AlignError:
        return found
    names = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
    unknown = _unregistered(model, names, found)
    if unknown:
        return Acceptance(status="skipped", reason=unknown)
    if found.operator is None:
        return found
    if not 0 <= found.operator < len(names):
        return replace(found, operator=None)  # the tool's own numbering: a node of a delegate
    return replace(found, place=f"subgraph[0]/operator[{found.operator}] {names[found.operator]}")


def _unregistered(model: Any, names: Sequence[str], found: Acceptance) -> str:
    """`custom operator FlexErf is not registered here`, if that is why the judge refuses; ""
    otherwise. `names`: operators of subgraph 0.
    """
    if not _UNREGISTERED.search(found.reason):
        return ""
    if found.operator is not None and 0 <= found.operator < len(names):
        custom = {names[found.operator]}
    else:  # TFLM does not report which one
        custom = {operator_name(model, op) for graph in model.subgraphs for op in graph.operators}
    custom_names = [name.removeprefix(CUSTOM) for name in sorted(custom) if name.startswith(CUSTOM)]
    if not custom_names:
        return ""
    return f"custom operator {' or '.join(custom_names)} is not registered here"


def require_known(judges: Iterable[str]) -> None:
    """Raise UsageError if a name is not that of a judge."""
    for judge in judges:
        _known(judge)


def _known(judge: str) -> Judge:
    """The entry of a judge. Raises UsageError for an unknown name."""
    if judge not in JUDGES:
        hint = did_you_mean(judge, {name: entry.what for name, entry in JUDGES.items()})
        known = f"; there are {', '.join(JUDGES)}"
        raise UsageError(f"no judge named {judge!r}{hint or known}")
    return JUDGES[judge]
