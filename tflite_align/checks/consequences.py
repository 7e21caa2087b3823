"""Consequences of a fault become notes of its finding, so that one fault in the file gives one
finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from ..format.model import Model, TensorId
from ..format.wiring import links
from ..record import Record, replace
from ..rules.rows import named
from .checker import Finding, Grade

__all__ = ["gathered"]

# Place of the cause, relative to the consequence: same slot, tensor or operator, or an operand.
_Where = Literal["slot", "tensor", "operator", "input"]

# Beginning of a note.
_SAME_FAULT = "same cause"
_MADE_OF_IT = "as a consequence"
_BESIDES = "and not checked"


class _Follows(Record, frozen=True):
    """A row of the table of consequences: findings of `rules` follow from a finding of the rule
    `cause` at the place `where` (same slot, tensor, operator, or an input of it).

    `alike`: only if both have the same rule, found and expected text.
    """

    rules: tuple[str, ...]
    cause: str
    where: _Where
    alike: bool = False

    def holds(self, finding: Finding, cause: Finding) -> bool:
        """Whether the row says that `finding` follows from `cause`; their places are compared
        elsewhere.
        """
        if self.alike and (finding.rule, finding.actual, finding.expected) != (
            cause.rule,
            cause.actual,
            cause.expected,
        ):
            return False
        return _is(finding.rule, self.rules) and named(cause.rule, self.cause)

    def note(self, finding: Finding) -> str:
        """The sentence about this finding that is added to the notes of its cause."""
        if self.alike:
            return f"the same at {finding.slot.kind}[{finding.slot.index}]"
        same = self.where in ("slot", "tensor")
        return f"{_SAME_FAULT if same else _MADE_OF_IT}: {finding.message}"


_ROWS = (
    # The axis of scales is determined by the operator that reads them.
    _Follows(("params/axis", "params/length", "weight/*"), "weight/*/axis", "tensor"),
    # The expected scale of a bias depends on the scales of the weights.
    _Follows(("bias/*",), "weight/*/axis", "operator"),
    # Zeros computed from zeros.
    _Follows(("params/zero_scale*",), "params/zero_scale*", "input"),
    _Follows(("window/*",), "window/*", "slot"),
    _Follows(("bias/*",), "bias/*", "slot"),
    _Follows(("fixed/*",), "fixed/*", "slot"),
    _Follows(("support/*",), "bias/*", "slot"),
    _Follows(("support/*",), "support/*", "slot"),
    _Follows(("support/*",), "support/*", "operator", alike=True),
    # A shape computed from wrong shapes: its readers' shapes are wrong too.
    _Follows(("shape/*",), "shape/*", "input"),
)

# On a target without a kernel for the operator, findings on its values are irrelevant.
_NO_KERNEL = ("support/*/kernel", "types/*")
_OF_VALUES = ("same/*", "fixed/*", "zero/*", "window/*", "power/*", "bias/*", "weight/*")

# Rules that depend on invalid parameters are not bound (checks/scales.py).
_IMPOSSIBLE = ("params/scale", "params/zero_point")
_MOST = 4  # largest number of operators in a message

_ORDER = {"error": 0, "warning": 1}


def gathered(findings: Iterable[Finding], model: Model) -> tuple[Finding, ...]:
    """The findings that are no consequence of another, in the given order; their `notes` name what
    follows from them.

    A finding becomes a note only if its cause is at least as severe on each of its targets.
    """
    distinct = _told_once(findings)
    distinct_findings = _of_kernels(distinct)
    causes = _Causes(model, distinct_findings)
    roots: dict[int, int] = {}
    messages: dict[int, str] = {}
    for index, finding in enumerate(distinct_findings):
        for cause, row in causes.causes(index, finding):
            roots[index], messages[index] = cause, row.note(finding)
            break
    notes: dict[int, list[str]] = {}
    for index, note in messages.items():
        notes.setdefault(_root(roots, index), []).append(note)
    for index, finding in enumerate(distinct_findings):
        if finding.rule in _IMPOSSIBLE and (note := _not_judged(model, finding)):
            notes.setdefault(index, []).append(note)
    return tuple(
        replace(finding, notes=(*finding.notes, *notes[index])) if index in notes else finding
        for index, finding in enumerate(distinct_findings)
        if index not in roots or index in notes
    )


def _not_judged(model: Model, finding: Finding) -> str:
    """A sentence that names the operators whose values depend on the finding's meaningless
    parameters; "" if there are none.
    """
    graph, wiring = finding.slot.subgraph, links(model, finding.slot.subgraph)
    slots = [*wiring.readers.get(finding.tensor, ())]
    if finding.tensor in wiring.producer:
        slots.insert(0, wiring.producer[finding.tensor])
    operators = dict.fromkeys(slot.operator for slot in slots if slot.operator >= 0)
    named_ = [
        f"subgraph[{graph}]/operator[{index}] {model.subgraphs[graph].operators[index].name}"
        for index in operators
    ]
    more = f" and {len(named_) - _MOST} more" if len(named_) > _MOST else ""
    names = ", ".join(named_[:_MOST])
    return f"operators that read it are not checked: {names}{more}" if names else ""


def _root(roots: dict[int, int], index: int) -> int:
    """The index of the finding at the beginning of a chain of causes. `roots`: index of the cause
    by finding. In a ring, one of its members.
    """
    visited = {index}
    while index in roots and roots[index] not in visited:
        index = roots[index]
        visited.add(index)
    return index


def _is(rule: str, patterns: Sequence[str]) -> bool:
    """Whether a rule's id matches one of the patterns."""
    return any(named(rule, pattern) for pattern in patterns)


# --- equal findings of several rules ------------------------------------------------------------


def _told_once(findings: Iterable[Finding]) -> list[Finding]:
    """Merge findings with the same message at one slot into one, for the targets of all of them;
    the rule with the highest severity is kept.
    """
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        words = finding.message.removesuffix(f" (rule {finding.rule})")
        key = (finding.slot, finding.expected, finding.actual, words)
        earlier = merged.get(key)
        merged[key] = finding if earlier is None else _joined(earlier, finding)
    return list(merged.values())


def _joined(one: Finding, duplicate: Finding) -> Finding:
    """One finding in place of two with equal messages: the more severe one, with the targets of
    both; a target in both has its higher severity.
    """
    first, second = sorted((one, duplicate), key=lambda finding: _ORDER[finding.severity])
    grades = {grade.target: grade for grade in first.grades}
    for grade in second.grades:
        earlier = grades.get(grade.target)
        if earlier is None or _ORDER[grade.severity] < _ORDER[earlier.severity]:
            grades[grade.target] = grade
    return _graded(first, tuple(grades.values()))


def _graded(finding: Finding, grades: tuple[Grade, ...]) -> Finding:
    """The finding with these grades; severity and behaviour are those of the most severe one."""
    gravest = min(grades, key=lambda grade: _ORDER[grade.severity])
    return replace(
        finding,
        grades=grades,
        targets=tuple(grade.target for grade in grades),
        severity=gravest.severity,
        behaviour=gravest.behaviour,
    )


# --- targets without a kernel ------------------------------------------------------------------


def _of_kernels(findings: Sequence[Finding]) -> list[Finding]:
    """Where a target has no kernel for an operator and no repair helps, turn findings about that
    operator's values into notes of the finding about the kernel.
    """
    lacking = [
        f for f in findings if f.severity == "error" and not f.fix and _is(f.rule, _NO_KERNEL)
    ]
    if not lacking:
        return list(findings)
    causes: dict[object, Finding] = {}
    for finding in lacking:
        causes.setdefault(finding.slot.operator_id, finding)
    notes: dict[int, list[str]] = {}
    remaining = []
    for finding in findings:
        cause = causes.get(finding.slot.operator_id)
        if cause is None or not _is(finding.rule, _OF_VALUES):
            remaining.append(finding)
            continue
        dead = {grade.target for grade in cause.grades if grade.severity == "error"}
        alive = tuple(grade for grade in finding.grades if grade.target not in dead)
        if alive:
            remaining.append(
                finding if len(alive) == len(finding.grades) else _graded(finding, alive)
            )
        else:
            notes.setdefault(id(cause), []).append(f"{_BESIDES}: {finding.message}")
    return [replace(f, notes=tuple(notes[id(f)])) if id(f) in notes else f for f in remaining]


# --- what follows from what --------------------------------------------------------------------


class _Causes:
    """Index of findings by slot, operator and tensor, to look up possible causes."""

    def __init__(self, model: Model, findings: Sequence[Finding]) -> None:
        self.model = model
        self.findings = findings
        self.at: dict[tuple[str, object], list[int]] = {}
        for index, finding in enumerate(findings):
            slot = finding.slot
            places = (("slot", slot), ("operator", slot.operator_id), ("tensor", finding.tensor_id))
            for key in places:
                self.at.setdefault(key, []).append(index)

    def causes(self, index: int, finding: Finding) -> Iterator[tuple[int, _Follows]]:
        """(index, row of the table) of each finding that this one follows from; none if it is an
        independent fault. If two follow from each other, only the earlier counts as the cause.
        """
        if named(finding.rule, "shape/*/operands"):
            return  # no kernel supports these operands, so their shapes do not matter
        for row in _ROWS:
            if not _is(finding.rule, row.rules):
                continue
            for candidate in self._near(finding, row.where):
                cause = self.findings[candidate]
                if candidate == index or not row.holds(finding, cause):
                    continue
                either = row.holds(cause, finding) and _covers(finding, cause)
                if _covers(cause, finding) and (candidate < index or not either):
                    yield candidate, row

    def _near(self, finding: Finding, where: _Where) -> Iterator[int]:
        """The indices of findings at the place `where` of this finding."""
        if where in ("slot", "operator"):
            position = finding.slot if where == "slot" else finding.slot.operator_id
            yield from self.at.get((where, position), ())
            return
        for tensor in self._tensors(finding, where):
            key = ("tensor", TensorId(finding.slot.subgraph, tensor))
            yield from self.at.get(key, ())

    def _tensors(self, finding: Finding, where: _Where) -> Sequence[int]:
        """The tensors of the place `where`: the finding's own, or all inputs of its operator."""
        slot = finding.slot
        if where == "tensor" or slot.operator < 0:
            return (finding.tensor,)
        return self.model.subgraphs[slot.subgraph].operators[slot.operator].inputs


def _covers(cause: Finding, finding: Finding) -> bool:
    """Whether the cause is at least as severe as the finding on every target of the finding."""
    grades = {grade.target: _ORDER[grade.severity] for grade in cause.grades}
    return all(
        grade.target in grades and grades[grade.target] <= _ORDER[grade.severity]
        for grade in finding.grades
    )
