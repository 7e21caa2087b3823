"""Binding cache: operators with the same signature are bound once.

The constraints of an operator depend on its row, on options that its rules name, and on each
operand's type and form of parameters, never on parameter values. The first operator with a
signature is bound by its row; others get the same constraints at their own slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from ...format.model import Model, Operator, OperatorId, Slot, SlotKind, Subgraph, new_slot
from ...format.wiring import quantized
from ...numerics import Range
from ...record import Record, field
from ...rules.rows import BiasRule, OperatorRow
from ...rules.targets import Target
from ..constraints import BoundFlow, Constraint
from ..support.known_limits import KnownLimits
from .bound import FUSED, Collector, Requantizing, Requirements, Sound, per_tensor
from .missing_parameters import all_slots
from .operators import bind_operator, family_of, mirrored_slots

__all__ = ["BindingCache", "Templates"]

_NOTHING = Sound()
_MOST = 10_000  # number of cached templates, of about two kilobytes each

# Function from the slots of one operator to a constraint or a flow.
_Maker = Callable[[Sequence[Slot]], Any]
_Place = tuple[SlotKind, int]


class _Template(Record, frozen=True, kw_only=True):
    """The constraints of operators with one signature. Slots are indices into `places`, (inputs or
    outputs, position) of the operator.
    """

    family: str
    places: tuple[_Place, ...]
    rigid: tuple[int, ...]
    silent: tuple[int, ...]
    several: tuple[int, ...]
    ranges: tuple[tuple[int, Range], ...]
    constraints: tuple[_Maker, ...]
    flows: tuple[_Maker, ...]


class _Instance(Record, frozen=True):
    """The constraints and flows that a template makes for one operator, and that operator's slots."""

    template: _Template
    slots: tuple[Slot, ...]
    constraints: tuple[Constraint, ...]
    flows: tuple[BoundFlow, ...]


class BindingCache(Record):
    """Bindings of a set of rows and targets. They do not depend on the model: models bound later
    reuse them.
    """

    templates: dict[tuple[Any, ...], _Template] = field(default_factory=dict)
    graded: dict[tuple[str, str, str], Requirements] = field(default_factory=dict)
    cuts: dict[str, Requantizing] = field(default_factory=dict)
    limits: dict[str, KnownLimits] = field(default_factory=dict)


class Templates(Record):
    """The cached templates for some rows and targets, and the model they were last applied to.

    A model that is bound again after a few edits is mostly unchanged.
    """

    rows: Mapping[str, OperatorRow]
    targets: Sequence[Target]
    learnt: BindingCache = field(default_factory=BindingCache)
    instances: dict[OperatorId, _Instance] = field(default_factory=dict)
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def bind(self, collector: Collector, sound: Sound = _NOTHING) -> None:
        """Bind every operator of the collector's model that has to be checked. The slots of an
        operator without a row are rigid.
        """
        full = [
            buffer.data is not None and len(buffer.data) > 0 for buffer in collector.model.buffers
        ]
        for graph in collector.model.subgraphs:
            bound = sound.operators_left(graph)
            used: Sequence[int] = range(len(graph.tensors))
            if len(bound) < len(graph.operators):
                used = sorted({index for o in bound for index in o.named if index >= 0})
            signatures = _operand_forms(collector.model, graph, full, used)
            rows = {name: self.rows.get(name) for name in {operator.name for operator in bound}}
            for operator in bound:
                operator_id = OperatorId(graph.index, operator.index)
                row = rows[operator.name]
                if row is None:
                    collector.rigid.update(all_slots(graph.index, operator))
                    continue
                key = self._key(operator, row, signatures)
                if row.mirror:  # whether its rules apply depends on the operands' parameters
                    mirrored = mirrored_slots(collector, graph.index, operator, row)
                    key = (*key, bool(mirrored))
                template = self.learnt.templates.get(key)
                if template is None:
                    template = _template(collector, graph.index, operator, row)
                    if len(self.learnt.templates) < _MOST:
                        self.learnt.templates[key] = template
                self._apply(collector, operator_id, template)
                if row.family_axes:  # read from a constant, which is not part of a template's key
                    collector.families[operator_id] = family_of(
                        collector, graph.index, operator, row
                    )

    def _key(
        self, operator: Operator, row: OperatorRow, signatures: Sequence[Any]
    ) -> tuple[Any, ...]:
        """The operator's signature: row, options that rules test, and `signatures` of its operands,
        by tensor.
        """
        names = self.options.get(row.name)
        if names is None:
            options = (rule.type_option for rule in row.rules if isinstance(rule, BiasRule))
            names = self.options[row.name] = (FUSED, *(name for name in options if name))
        return (
            operator.name,
            len(operator.inputs),
            len(operator.outputs),
            *[operator.options.get(name) for name in names],
            *[signatures[tensor] for tensor in operator.inputs],
            *[signatures[tensor] for tensor in operator.outputs],
            *[signatures[tensor] for tensor in operator.intermediates],
        )

    def _apply(self, collector: Collector, operator_id: OperatorId, template: _Template) -> None:
        """Add the template's constraints and flows at this operator to the collector."""
        instances = self.instances.get(operator_id)
        if instances is None or instances.template is not template:
            subgraph, operator = operator_id
            slots = tuple(
                [new_slot((subgraph, operator, kind, index)) for kind, index in template.places]
            )
            instances = self.instances[operator_id] = _Instance(
                template,
                slots,
                tuple([make(slots) for make in template.constraints]),
                tuple([make(slots) for make in template.flows]),
            )
        slots = instances.slots
        collector.families[operator_id] = template.family
        collector.constraints += instances.constraints
        collector.flows += instances.flows
        if template.rigid:
            collector.rigid.update([slots[position] for position in template.rigid])
        if template.silent:
            collector.silent.update([slots[position] for position in template.silent])
        if template.several:
            collector.several.append(tuple([slots[position] for position in template.several]))
        for operator, reach in template.ranges:
            collector.ranges[slots[operator]] = reach


def _operand_forms(
    model: Model, graph: Subgraph, full: Sequence[bool], used: Sequence[int]
) -> list[Any]:
    """For each tensor of a subgraph, what bindings depend on: its type, the form of its parameters,
    and whether it is a constant; None for tensors that are not in `used`. The last entry is for
    left-out operands (index -1). `full`: by buffer, whether it has data.
    """
    signatures: list[Any] = [None] * (len(graph.tensors) + 1)
    for index in used:
        tensor = graph.tensors[index]
        quant = tensor.quant
        if tensor.external_buffer or tensor.is_variable or tensor.buffer >= len(full):
            constant = model.is_constant(graph.index, tensor.index)
        else:
            constant = full[tensor.buffer] or model.buffers[tensor.buffer].external
        if quant is None:
            signatures[index] = (tensor.type, constant)
        else:
            signatures[index] = (
                tensor.type,
                constant,
                quantized(tensor),
                per_tensor(tensor),
                len(quant.scale) == 1,
                quant.details,
            )
    return signatures


def _template(
    collector: Collector, subgraph: int, operator: Operator, row: OperatorRow
) -> _Template:
    """The template of this operator's signature, made by binding the operator alone. `subgraph`:
    its index.
    """
    alone = Collector(collector.model, collector.targets, graded=collector.graded)
    bind_operator(alone, subgraph, operator, row)
    numbers: dict[Slot, int] = {}

    def number(slot: Slot) -> int:
        """The slot's index in the list `places`, to which it is added if it is new."""
        return numbers.setdefault(slot, len(numbers))

    flows = tuple(_maker(flow, number) for flow in alone.flows)
    constraints = tuple(_maker(constraint, number) for constraint in alone.constraints)
    rigid = tuple(number(slot) for slot in sorted(alone.rigid))
    silent = tuple(number(slot) for slot in alone.silent)
    several = tuple(number(slot) for slots in alone.several for slot in slots)
    ranges = tuple((number(slot), reach) for slot, reach in alone.ranges.items())
    return _Template(
        family=row.family,
        places=tuple((slot.kind, slot.index) for slot in numbers),
        rigid=rigid,
        silent=silent,
        several=several,
        ranges=ranges,
        constraints=constraints,
        flows=flows,
    )


def _maker(constraint: Constraint | BoundFlow, position_of: Callable[[Slot], int]) -> _Maker:
    """A function that makes an equal constraint or flow for another operator, given that operator's
    slots. `position_of`: a slot's index into the template's places.
    """
    kind = type(constraint)
    fixed: dict[str, Any] = {}
    picks: list[tuple[str, Callable[[Sequence[Slot]], Any]]] = []
    for name in kind.__struct_fields__:
        value = getattr(constraint, name)
        if isinstance(value, Slot):
            picks.append((name, itemgetter(position_of(value))))
        elif isinstance(value, tuple) and value and isinstance(value[0], Slot):
            picks.append((name, _picker([position_of(slot) for slot in value])))
        else:
            fixed[name] = value

    def make(slots: Sequence[Slot]) -> Constraint | BoundFlow:
        """A copy of the template's constraint or flow for these slots."""
        fields = fixed.copy()
        for name, pick in picks:
            fields[name] = pick(slots)
        return kind(**fields)

    return make


def _picker(places: Sequence[int]) -> Callable[[Sequence[Slot]], tuple[Slot, ...]]:
    """A function that returns the slots at these places."""
    first, *others = places
    return itemgetter(*places) if others else lambda slots: (slots[first],)
