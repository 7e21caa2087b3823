"""Which findings are repaired, and the repairs that come before everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ..checks.binder.bound import Bound
from ..checks.checker import Finding, check_bound
from ..format.edits import Edit
from ..format.flatbuffer import Bytes
from ..format.model import Model, OperatorId
from ..format.reader import read
from ..format.wiring import own_state
from ..format.writer.splice import splice
from ..record import Record, replace
from ..rules.fixes import BIAS_FIXES, WEIGHT_FIXES
from .planner.changes import Change, Plan
from .planner.metadata_fixes import as_run, mend

__all__ = ["Mended", "changeable", "enforced", "mended", "wanted"]

_EITHER = frozenset({"weight-axis", "weight-zero-point"})  # one requantization does both

# What is repaired by changing the tensor in the slot and nothing else.
_ON_THE_SPOT = BIAS_FIXES | WEIGHT_FIXES | {"missing-parameters", "parameter-axis", "state"}


def wanted(
    findings: Sequence[Finding], fixes: frozenset[str], only: Literal["all", "errors"]
) -> tuple[Finding, ...]:
    """The findings that are to be repaired: those of a fix that is on, and grave enough.

    Of a weight with two faults neither is, where the repair of one would mend the other that is
    to stay.
    """
    shut = {f.slot for f in findings if f.fix in _EITHER and f.fix not in fixes}
    return tuple(
        finding
        for finding in findings
        if finding.fix in fixes
        and (only == "all" or finding.severity == "error")
        and not (finding.fix in _EITHER and finding.slot in shut)
    )


def changeable(bound: Bound, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings whose repair changes no tensor that a user keeps."""

    def kept(finding: Finding) -> bool:
        if finding.tensor_id not in bound.kept:
            return False
        return finding.fix in _ON_THE_SPOT or own_state(bound.model, finding.slot)

    return tuple(finding for finding in findings if not bound.kept or not kept(finding))


def enforced(
    bound: Bound,
    findings: Sequence[Finding],
    fixes: frozenset[str],
    only: Literal["all", "errors"],
) -> Bound:
    """The constraints to satisfy: all but those that are broken and are to stay so."""
    graded = {(f.rule, f.slot) for f in findings if only == "errors" and f.severity != "error"}
    shut = {(f.rule, f.slot) for f in findings if f.fix and f.fix not in fixes}
    if not graded and not shut:
        return bound
    kept = []
    for constraint in bound.constraints:
        slots = constraint.slots
        if constraint.severity != "error" and any((constraint.rule, s) in graded for s in slots):
            continue
        rest = constraint.without({slot for slot in slots if (constraint.rule, slot) in shut})
        if rest is not None:
            kept.append(rest)
    return replace(bound, constraints=tuple(kept))


class Mended(Record, frozen=True, kw_only=True):
    """The file as everything else takes it to be: the original itself where nothing was done."""

    data: Bytes
    changes: tuple[Change, ...] = ()
    edited: frozenset[OperatorId] = frozenset()
    grown_bytes: int = 0


def mended(
    data: Bytes,
    fixes: frozenset[str],
    only: Literal["all", "errors"],
    bias: Literal["declared", "as-run"],
    bind: Callable[[Model], Bound],
    *,
    checked: tuple[Bound, Sequence[Finding]] | None = None,
) -> Mended:
    """Missing parameters, names and ranges, and biases read as run: none changes an integer.

    Parameters may be handed on from operator to operator, one a round. Raises what the writer
    raises. `checked`: what `data` is bound to and its findings, where that is known already.
    """
    found = Mended(data=data)
    tried: set[tuple[Edit, ...]] = set()  # what was done once and is asked for again has no effect
    while True:
        if checked is None:
            bound = bind(read(found.data))
            checked = bound, check_bound(bound)
        bound, findings = checked
        checked = None
        asked = changeable(bound, wanted(findings, fixes, only))
        drawn = mend(bound, asked)
        if not drawn.edits and bias == "as-run":
            drawn = as_run(bound, asked)
        if not drawn.edits or drawn.edits in tried:
            return found
        tried.add(drawn.edits)
        found = _written(found, bound.model, drawn)


def _written(found: Mended, model: Model, drawn: Plan) -> Mended:
    written = splice(found.data, model, drawn.edits)
    return Mended(
        data=written.join(),
        changes=found.changes + drawn.changes,
        edited=found.edited | drawn.edited,
        grown_bytes=found.grown_bytes + written.prefix,
    )
