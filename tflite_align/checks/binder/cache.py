"""Operators bound by example: those that look alike to the rules are bound once.

What binding makes of an operator depends on its row, on the options that its rules name, and of
each operand on its type and on how its parameters are stored, never on their values. The first
operator of a look is bound by its row; every other gets the same at slots of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...format.model import Model, Operator, OperatorId, Slot, SlotKind, Subgraph
from ...format.wiring import quantized
from ...numerics import Range
from ...record import Record, field
from ...rules.rows import BiasRule, OperatorRow
from ...rules.targets import Target
from ..constraints import BoundFlow, Constraint
from .bound import FUSED, Collector, Requantizing, Requirements, per_tensor
from .operators import all_slots, bind_operator, family_of

__all__ = ["BindingCache", "Templates"]

_MOST = 10_000  # looks that are remembered: two kilobytes each

# Makes a constraint, or a flow, of the slots of one operator.
_Maker = Callable[[Sequence[Slot]], Any]
_Place = tuple[SlotKind, int]


class _Template(Record, frozen=True, kw_only=True):
    """What one row makes of operators of one look. Numbers are places in `places`."""

    family: str
    places: tuple[_Place, ...]
    rigid: tuple[int, ...]
    silent: tuple[int, ...]
    ranges: tuple[tuple[int, Range], ...]
    constraints: tuple[_Maker, ...]
    flows: tuple[_Maker, ...]


class _Instance(Record, frozen=True):
    """A template at one operator."""

    template: _Template
    slots: tuple[Slot, ...]
    constraints: tuple[Constraint, ...]
    flows: tuple[BoundFlow, ...]


class BindingCache(Record):
    """What some rows and targets come to, whatever the model: good for every model to come."""

    templates: dict[tuple[Any, ...], _Template] = field(default_factory=dict)
    graded: dict[tuple[str, str], Requirements] = field(default_factory=dict)
    cuts: dict[str, Requantizing] = field(default_factory=dict)


class Templates(Record):
    """The templates of some rows and targets, and where they were applied last: a model bound
    again after a few edits is mostly what it was.
    """

    rows: Mapping[str, OperatorRow]
    targets: Sequence[Target]
    learnt: BindingCache = field(default_factory=BindingCache)
    instances: dict[OperatorId, _Instance] = field(default_factory=dict)
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def bind(self, found: Collector, passed: Collection[OperatorId] = ()) -> None:
        """Bind every operator of the collector's model that has a row, but those that are to be
        passed over; the others are rigid.
        """
        full = [buffer.data is not None and len(buffer.data) > 0 for buffer in found.model.buffers]
        for graph in found.model.subgraphs:
            looks = _looks(found.model, graph, full)
            rows = {name: self.rows.get(name) for name in {one.name for one in graph.operators}}
            for operator in graph.operators:
                place = OperatorId(graph.index, operator.index)
                if place in passed:
                    continue
                row = rows[operator.name]
                if row is None:
                    found.rigid.update(all_slots(graph.index, operator))
                    continue
                key = self._key(operator, row, looks)
                template = self.learnt.templates.get(key)
                if template is None:
                    template = _template(found, graph.index, operator, row)
                    if len(self.learnt.templates) < _MOST:
                        self.learnt.templates[key] = template
                self._apply(found, place, template)
                if row.family_axes:  # read from a constant, which no template looks at
                    found.families[place] = family_of(found, graph.index, operator, row)

    def _key(self, operator: Operator, row: OperatorRow, looks: Sequence[Any]) -> tuple[Any, ...]:
        names = self.options.get(row.name)
        if names is None:
            told = (rule.type_option for rule in row.rules if isinstance(rule, BiasRule))
            names = self.options[row.name] = (FUSED, *(name for name in told if name))
        return (
            operator.name,
            len(operator.inputs),
            len(operator.outputs),
            *[operator.options.get(name) for name in names],
            *[looks[tensor] for tensor in operator.inputs],
            *[looks[tensor] for tensor in operator.outputs],
            *[looks[tensor] for tensor in operator.intermediates],
        )

    def _apply(self, found: Collector, place: OperatorId, template: _Template) -> None:
        known = self.instances.get(place)
        if known is None or known.template is not template:
            subgraph, number = place
            slots = tuple([Slot(subgraph, number, kind, index) for kind, index in template.places])
            known = self.instances[place] = _Instance(
                template,
                slots,
                tuple([make(slots) for make in template.constraints]),
                tuple([make(slots) for make in template.flows]),
            )
        slots = known.slots
        found.families[place] = template.family
        found.constraints += known.constraints
        found.flows += known.flows
        if template.rigid:
            found.rigid.update([slots[number] for number in template.rigid])
        if template.silent:
            found.silent.update([slots[number] for number in template.silent])
        for number, reach in template.ranges:
            found.ranges[slots[number]] = reach


def _looks(model: Model, graph: Subgraph, full: Sequence[bool]) -> list[Any]:
    """All that binding asks of each tensor; a last entry for absent operands (index -1)."""
    looks: list[Any] = []
    for tensor in graph.tensors:
        quant = tensor.quant
        if tensor.external_buffer or tensor.is_variable or tensor.buffer >= len(full):
            constant = model.is_constant(graph.index, tensor.index)
        else:
            constant = full[tensor.buffer] or model.buffers[tensor.buffer].external
        if quant is None:
            looks.append((tensor.type, constant))
        else:
            looks.append(
                (
                    tensor.type,
                    constant,
                    quantized(tensor),
                    per_tensor(tensor),
                    len(quant.scale) == 1,
                    quant.details,
                )
            )
    looks.append(None)
    return looks


def _template(found: Collector, subgraph: int, operator: Operator, row: OperatorRow) -> _Template:
    """What the row makes of this operator, with slots as places."""
    alone = Collector(found.model, found.targets, graded=found.graded)
    bind_operator(alone, subgraph, operator, row)
    numbers: dict[Slot, int] = {}

    def number(slot: Slot) -> int:
        return numbers.setdefault(slot, len(numbers))

    flows = tuple(_maker(flow, number) for flow in alone.flows)
    constraints = tuple(_maker(entry, number) for entry in alone.constraints)
    rigid = tuple(number(slot) for slot in sorted(alone.rigid))
    silent = tuple(number(slot) for slot in alone.silent)
    ranges = tuple((number(slot), reach) for slot, reach in alone.ranges.items())
    return _Template(
        family=row.family,
        places=tuple((slot.kind, slot.index) for slot in numbers),
        rigid=rigid,
        silent=silent,
        ranges=ranges,
        constraints=constraints,
        flows=flows,
    )


def _maker(entry: Constraint | BoundFlow, number: Callable[[Slot], int]) -> _Maker:
    """Makes the same record of another operator's slots; what is no slot stays."""
    kind = type(entry)
    fixed: dict[str, Any] = {}
    single: list[tuple[str, int]] = []
    several: list[tuple[str, list[int]]] = []
    for name in kind.__struct_fields__:
        value = getattr(entry, name)
        if isinstance(value, Slot):
            single.append((name, number(value)))
        elif isinstance(value, tuple) and value and isinstance(value[0], Slot):
            several.append((name, [number(slot) for slot in value]))
        else:
            fixed[name] = value

    def make(slots: Sequence[Slot]) -> Constraint | BoundFlow:
        fields = fixed.copy()
        for name, place in single:
            fields[name] = slots[place]
        for name, places in several:
            fields[name] = tuple([slots[place] for place in places])
        return kind(**fields)

    return make
