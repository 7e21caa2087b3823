"""What targets take of a model's operators: their [[support]] rows and their kernels' rows bound
to the model.

In: a model and targets. Out: a violated constraint for each limit that is not kept, at the slot
it concerns. A target without such rows says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...format.model import Model, OperatorId, Slot
from ...format.type_groups import FLOATS
from ...format.wiring import slot_tensor
from ...record import replace
from ...rules.support_rows import CPU, WHOLE_MODEL, SupportRow
from ...rules.targets import Requirement, Target
from ..constraints import Supported
from .breaches import Breach, breaches
from .computed import foldable_limits
from .kernel_breaches import kernel_breaches
from .place import Place

__all__ = ["on_cpu", "supported", "unsupported"]


def supported(model: Model, targets: Sequence[Target]) -> list[Supported]:
    """Every limit of every target that the model does not keep; alike ones of several targets
    are one constraint.
    """
    found: dict[tuple[str, Slot, str, str], Supported] = {}
    for target in targets:
        for entry in (*unsupported(model, target), *kernel_breaches(model, target)):
            key = (entry.rule, entry.slot, entry.expected, entry.actual)
            known = found.get(key)
            levels = (*(known.requirements if known is not None else ()), *entry.requirements)
            found[key] = _graded(entry, levels)
    resizing = [target.name for target in targets if target.resizes]
    return list(foldable_limits(model, found.values(), resizing))


def _graded(entry: Supported, levels: tuple[tuple[str, Requirement], ...]) -> Supported:
    return Supported(
        rule=entry.rule,
        type=entry.type,
        requirements=levels,
        slot=entry.slot,
        expected=entry.expected,
        actual=entry.actual,
        sentence=entry.sentence,
        repair=entry.repair,
    )


def unsupported(model: Model, target: Target) -> Iterator[Supported]:
    """Every limit of one target that the model does not keep, in the order of the file."""
    rows = [row for row in target.support if row.severity != "off"]
    for row in rows:
        if row.operators == (WHOLE_MODEL,):
            place = Place(model=model, subgraph=0, operator=None)
            yield from _broken(place, row, target, WHOLE_MODEL)
    named: dict[str, list[SupportRow]] = {}
    for graph in model.subgraphs if rows else ():
        for operator in graph.operators:
            if operator.name not in named:
                named[operator.name] = [r for r in rows if r.names(operator.name)]
            place = Place(model=model, subgraph=graph.index, operator=operator)
            told: set[str] = set()
            for row in named[operator.name]:
                if not (row.once and row.part in told):
                    broken = list(_broken(place, row, target, operator.name))
                    yield from broken[:1] if row.once else broken
                    told.update(row.part for _ in broken)


def on_cpu(model: Model, target: Target) -> frozenset[OperatorId]:
    """The operators that the target leaves to the CPU, however a user grades that."""
    rows = tuple(row for row in target.support if row.part == CPU)
    asked = replace(target, support=rows, grades=())
    places = (entry.slot for entry in unsupported(model, asked))
    return frozenset(OperatorId(slot.subgraph, slot.operator) for slot in places)


def _broken(place: Place, row: SupportRow, target: Target, operator: str) -> Iterator[Supported]:
    stated = Requirement(
        rules=(row.rule(operator),),
        types=(),
        severity=row.severity,
        behaviour=row.behaviour,
        sources=row.sources,
    )
    level = target.graded(row.rule(operator), stated)
    for breach in breaches(place, row) if level.severity != "off" else ():
        yield _constraint(place.model, breach, row, operator, (target.name, level))


def _constraint(
    model: Model, breach: Breach, row: SupportRow, operator: str, level: tuple[str, Requirement]
) -> Supported:
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
