"""Support of a model's operators by targets: [[support]] rows and kernel rows bound to the model.

Input: a model and targets. Output: a violated constraint for each violated limit, at its slot. A
target without such rows has no limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...format.model import Model, OperatorId, Slot
from ...format.type_groups import FLOATS
from ...format.wiring import slot_tensor
from ...record import replace
from ...rules.support_rows import CPU, WHOLE_MODEL, SupportRow
from ...rules.targets import Requirement, Target
from ..binder.bound import Sound
from ..constraints import Supported
from .breaches import Breach, breaches
from .computed import foldable_limits
from .kernel_breaches import kernel_breaches
from .known_limits import GradedRow, KnownLimits, known_limits, signatures_of
from .subject import Subject

__all__ = ["on_cpu", "supported", "unsupported"]

_NOTHING = Sound()

# Conditions that depend on nothing but the types of an operator's operands.
_ON_TYPES = ("types", "output_types")


def supported(
    model: Model,
    targets: Sequence[Target],
    sound: Sound = _NOTHING,
    found: dict[str, KnownLimits] | None = None,
) -> list[Supported]:
    """The limits of all targets that the model violates; equal ones of several targets become one
    constraint.

    `sound`: what is known to be without findings. It is skipped if the model has one subgraph;
    otherwise a limit may depend on a called subgraph that changed. `found`: cached results by
    target name, extended here.
    """
    sound = sound if len(model.subgraphs) == 1 else _NOTHING
    found = {} if found is None else found
    limits: dict[tuple[str, Slot, str, str], Supported] = {}
    for target in targets:
        known = known_limits(found, target)
        for limit in (
            *unsupported(model, target, sound, known),
            *kernel_breaches(model, target, sound, known),
        ):
            key = (limit.rule, limit.slot, limit.expected, limit.actual)
            earlier = limits.get(key)
            levels = (*(earlier.requirements if earlier is not None else ()), *limit.requirements)
            limits[key] = _graded(limit, levels)
    resizing = [target.name for target in targets if target.resizes]
    return list(foldable_limits(model, limits.values(), resizing))


def _graded(limit: Supported, levels: tuple[tuple[str, Requirement], ...]) -> Supported:
    """The limit with other requirements, (target name, requirement). `levels`: the pairs."""
    return Supported(
        rule=limit.rule,
        type=limit.type,
        requirements=levels,
        slot=limit.slot,
        expected=limit.expected,
        actual=limit.actual,
        sentence=limit.sentence,
        repair=limit.repair,
    )


def unsupported(
    model: Model,
    target: Target,
    sound: Sound = _NOTHING,
    known: KnownLimits | None = None,
) -> Iterator[Supported]:
    """Each limit of one target that the model violates, in file order. `sound`: what is not checked."""
    known = known or KnownLimits()
    rows = [row for row in target.support if row.severity != "off"]
    for row in rows:
        if row.operators == (WHOLE_MODEL,):
            subject = Subject(model=model, subgraph=0, operator=None)
            level = _level(row, target, WHOLE_MODEL)
            for breach in breaches(subject, row) if level.severity != "off" else ():
                yield _constraint(subject.model, breach, row, WHOLE_MODEL, (target.name, level))
    for graph in model.subgraphs if rows else ():
        signature_of = signatures_of(graph)
        for operator in sound.operators_left(graph):
            name = operator.name
            signature = signature_of(operator)
            graded = known.concerned.get(signature)
            if graded == []:
                continue  # no row concerns operators of that signature
            subject = Subject(model=model, subgraph=graph.index, operator=operator)
            if graded is None:
                graded = _concerning(subject, _rows_for(name, rows, target, known))
                if not known.full:
                    known.concerned[signature] = graded
            parts: set[str] = set()
            for row, level in graded:
                if row.once and row.part in parts:
                    continue
                for breach in breaches(subject, row):
                    yield _constraint(model, breach, row, name, (target.name, level))
                    parts.add(row.part)
                    if row.once:
                        break


def _rows_for(
    name: str, rows: Sequence[SupportRow], target: Target, known: KnownLimits
) -> list[GradedRow]:
    """The rows for operators of that name that are not off, with their levels."""
    graded = known.rows.get(name)
    if graded is None:
        levels = [(row, _level(row, target, name)) for row in rows if row.names(name)]
        graded = [pair for pair in levels if pair[1].severity != "off"]
        known.rows[name] = graded
    return graded


def _concerning(subject: Subject, graded: Sequence[GradedRow]) -> list[GradedRow]:
    """The rows of `graded` whose conditions on operand types hold for the operator, and so for
    every operator with its signature.
    """
    return [(row, level) for row, level in graded if _concerns_types(subject, row)]


def _concerns_types(subject: Subject, row: SupportRow) -> bool:
    """Whether the row's conditions on operand types hold for the operator."""
    conditions = {word: row.when[word] for word in _ON_TYPES if word in row.when}
    return next(breaches(subject, replace(row, when={}, limits=conditions)), None) is None


def on_cpu(model: Model, target: Target) -> frozenset[OperatorId]:
    """The operators that the target leaves to the CPU, whatever severity the user gives that."""
    rows = tuple(row for row in target.support if row.part == CPU)
    graded = replace(target, support=rows, grades=(), selected=(), ignored=())
    places = (limit.slot for limit in unsupported(model, graded))
    return frozenset(OperatorId(slot.subgraph, slot.operator) for slot in places)


def _level(row: SupportRow, target: Target, operator: str) -> Requirement:
    """The requirement of the row for operators of this name, with the severity of the target or of
    the user.
    """
    stated = Requirement(
        rules=(row.rule(operator),),
        types=(),
        severity=row.severity,
        behaviour=row.behaviour,
        sources=row.sources,
    )
    return target.graded(row.rule(operator), stated)


def _constraint(
    model: Model, breach: Breach, row: SupportRow, operator: str, level: tuple[str, Requirement]
) -> Supported:
    """The violated constraint for a violated limit of a row. `level`: (target name, requirement)."""
    tensor = slot_tensor(model, breach.slot)
    what = "not quantized" if breach.actual in FLOATS else "not supported"
    return Supported(
        rule=row.rule(operator),
        type="" if tensor is None else tensor.type,
        requirements=(level,),
        slot=breach.slot,
        expected=breach.expected,
        actual=breach.actual,
        sentence=f"{what}: found {breach.actual}, expected {breach.expected}",
        repair=row.repair,
    )
