"""User overrides for single tensors, operators and slots, resolved for one model.

In: overrides with their patterns, and a model. Out: the slots and tensors they name. An `Override`
is known to name a place and to request something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from ..errors import UsageError
from ..format.model import Model, OperatorId, Slot, SlotKind, Tensor, TensorId
from ..format.wiring import links, quantized
from ..numerics import Label
from ..record import Record, field
from ..rules.families import OPERATOR_POLICIES, Policy
from ..rules.targets import Severity
from ..rules.wildcards import matches

__all__ = ["ADDRESS", "Override", "ResolvedOverrides", "resolve"]


# `subgraph[0]/operator[12] CONCATENATION/inputs[1]`, as reports print it; the operator's name and
# the operand may be left out. `subgraph[0]/inputs[0]` is the subgraph's own border.
ADDRESS = re.compile(
    r"subgraph\[(?P<graph>[0-9]{1,9})\]/(?:operator\[(?P<operator>[0-9]{1,9})\](?: (?P<name>[^/]+))?"
    r"(?:/(?P<kind>inputs|outputs|intermediates)\[(?P<index>[0-9]{1,9})\])?"
    r"|(?P<side>inputs|outputs)\[(?P<border>[0-9]{1,9})\])"
)


class Override(Record, frozen=True, kw_only=True):
    """A setting for the slots that match all of `tensor` (a pattern of tensor names), `operator` (a
    pattern of operator names) and `slot` (an address); at least one is given.

    `keep`: these slots' tensors keep their parameters. `anchor`: the groups of these slots get
    their tensor's parameters (True), or those of the tensor whose name the pattern matches. `cut`
    False: no QUANTIZE is inserted there. `policy`: the alignment policy of these slots' operators,
    instead of their family's. `severity`: of findings there whose rule matches the pattern `rule`.
    `origin`: the override's name in messages. Raises UsageError for an override without a place or
    a setting.
    """

    tensor: str = ""
    operator: str = ""
    slot: str = ""
    keep: bool = False
    anchor: bool | str = False
    cut: bool = True
    policy: Policy | None = None
    rule: str = ""
    severity: Severity | None = None
    origin: str = "override"

    def __post_init__(self) -> None:
        if not (self.tensor or self.operator or self.slot):
            raise UsageError("no tensor, operator or slot is given; give at least one of them")
        if not (self.keep or self.anchor or not self.cut or self.policy or self.severity):
            raise UsageError("nothing to do is given; give keep, anchor, cut, policy or severity")
        if self.policy is not None and self.policy not in OPERATOR_POLICIES:
            known = ", ".join(OPERATOR_POLICIES)
            raise UsageError(f"policy: expected one of {known}; found {self.policy!r}")
        if self.rule and self.severity is None:
            raise UsageError("rule selects the findings whose severity changes; give severity too")
        if self.slot and ADDRESS.fullmatch(self.slot) is None:
            raise UsageError(
                f"slot: {self.slot!r} is not an address; write it as in reports:"
                " subgraph[0]/operator[12] CONCATENATION/inputs[1]"
            )

    def __str__(self) -> str:
        named = (("tensor", self.tensor), ("operator", self.operator), ("slot", self.slot))
        patterns = ", ".join(f'{what} "{text}"' for what, text in named if text)
        return f"{self.origin} ({patterns})"


def _matches(name: str, pattern: str) -> bool:
    """Whether a name matches a shell pattern; a name always matches itself, even with brackets."""
    return name == pattern or matches(name, pattern)


class Anchoring(Record, frozen=True, kw_only=True):
    """The groups of these slots get this label. `by`: the override in words."""

    slots: tuple[Slot, ...]
    label: Label
    by: str


class Grading(Record, frozen=True, kw_only=True):
    """The severity of findings at these slots, for rules whose id matches the pattern `rule`."""

    slots: frozenset[Slot]
    rule: str
    severity: Severity

    def concerns(self, rule_id: str) -> bool:
        """Whether the rule's id matches the pattern."""
        return not self.rule or matches(rule_id, self.rule)


class ResolvedOverrides(Record, frozen=True, kw_only=True):
    """The overrides resolved for one model. Text values are the overrides in words; `idle`: a
    sentence for each override without effect.
    """

    kept: Mapping[TensorId, str] = field(default_factory=dict)
    anchors: tuple[Anchoring, ...] = ()
    uncut: Mapping[Slot, str] = field(default_factory=dict)  # readers
    gradings: tuple[Grading, ...] = ()
    policies: Mapping[OperatorId, Policy] = field(default_factory=dict)
    idle: tuple[str, ...] = ()


def resolve(model: Model, overrides: Sequence[Override]) -> ResolvedOverrides:
    """Find the places in the model that each override names. UsageError if an anchor's pattern
    names several tensors.
    """
    kept: dict[TensorId, str] = {}
    anchors: list[Anchoring] = []
    uncut: dict[Slot, str] = {}
    gradings: list[Grading] = []
    policies: dict[OperatorId, Policy] = {}
    idle: list[str] = []
    for override in overrides:
        slots = list(_selected(model, override))
        if not slots:
            idle.append(f"{override} matches nothing")
            continue
        if override.keep:
            kept.update({s.tensor_id(model): str(override) for s in slots})
        if override.anchor:
            found = list(_anchored(model, override, slots))
            anchors += found
            if not found:
                idle.append(f"{override}: its anchor names no quantized tensor")
        if not override.cut:
            uncut.update(dict.fromkeys(_readers(model, slots), str(override)))
        if override.policy is not None:
            places = {slot.operator_id for slot in slots if slot.operator >= 0}
            policies.update(dict.fromkeys(sorted(places), override.policy))
            if not places:
                idle.append(f"{override}: its policy names no operator")
        if override.severity is not None:
            gradings.append(
                Grading(slots=frozenset(slots), rule=override.rule, severity=override.severity)
            )
    return ResolvedOverrides(
        kept=kept,
        anchors=tuple(anchors),
        uncut=uncut,
        gradings=tuple(gradings),
        policies=policies,
        idle=tuple(idle),
    )


_KINDS: tuple[SlotKind, ...] = ("inputs", "intermediates", "outputs")
_SIDES: tuple[Literal["inputs", "outputs"], ...] = ("inputs", "outputs")


def _selected(model: Model, override: Override) -> Iterator[Slot]:
    """The slots that hold a tensor and that every pattern of the override names."""
    address = ADDRESS.fullmatch(override.slot)
    for graph in model.subgraphs:
        if not override.operator:
            border = [Slot(graph.index, -1, k, i) for k in _SIDES for i in range(_width(graph, k))]
            yield from (slot for slot in border if _named(model, override, address, slot))
        for operator in graph.operators:
            if override.operator and not _matches(operator.name, override.operator):
                continue
            for kind in _KINDS:
                for index in range(len(operator.operands(kind))):
                    slot = Slot(graph.index, operator.index, kind, index)
                    if _named(model, override, address, slot):
                        yield slot


def _width(graph: object, kind: str) -> int:
    """The number of a subgraph's inputs or outputs (`kind`)."""
    return len(getattr(graph, kind))


def _named(model: Model, override: Override, address: re.Match[str] | None, slot: Slot) -> bool:
    """Whether the slot matches the override's address and its pattern of tensor names."""
    tensor = slot.tensor(model)
    if tensor < 0 or (address is not None and not _at(model, address, slot)):
        return False
    return not override.tensor or _matches(
        model.subgraphs[slot.subgraph].tensors[tensor].name, override.tensor
    )


def _at(model: Model, address: re.Match[str], slot: Slot) -> bool:
    """Whether the address names this slot, or its operator."""
    if int(address["graph"]) != slot.subgraph:
        return False
    if address["operator"] is None:
        return (slot.operator, slot.kind, slot.index) == (
            -1,
            address["side"],
            int(address["border"]),
        )
    if slot.operator < 0:
        return False
    operator = model.subgraphs[slot.subgraph].operators[slot.operator]
    # Addresses refer to the input file, whatever was added or removed since.
    if operator.origin != int(address["operator"]):
        return False
    name = operator.name
    whole = address["kind"] is None
    return address["name"] in (None, name) and (
        whole or (address["kind"], int(address["index"])) == (slot.kind, slot.index)
    )


def _readers(model: Model, slots: Sequence[Slot]) -> Iterator[Slot]:
    """The slots before which a QUANTIZE at these slots would stand: for an output, all its readers."""
    for slot in slots:
        writes = slot.kind != "inputs" if slot.operator >= 0 else slot.kind == "inputs"
        if writes:
            yield from links(model, slot.subgraph).readers.get(slot.tensor(model), ())
        else:
            yield slot


def _label(tensor: Tensor) -> Label | None:
    """The tensor's label; None without affine per-tensor parameters."""
    quant = tensor.quant
    affine = quant is not None and quantized(tensor) and not quant.details
    return tensor.label if affine else None


def _anchored(model: Model, override: Override, slots: Sequence[Slot]) -> Iterator[Anchoring]:
    """The slots of an `anchor` override, grouped by the label that they get."""
    by_label: dict[Label, list[Slot]] = {}
    for slot in slots:
        here = model.subgraphs[slot.subgraph].tensors[slot.tensor(model)]
        if _label(here) is not None:
            label = (
                _label(here) if override.anchor is True else _foreign(model, override, slot, here)
            )
            if label is not None:
                by_label.setdefault(label, []).append(slot)
    for label, held in by_label.items():
        yield Anchoring(slots=tuple(held), label=label, by=str(override))


def _foreign(model: Model, override: Override, slot: Slot, here: Tensor) -> Label | None:
    """The label of the tensor that the anchor's pattern names: first among the operands of the
    slot's own operator, then in the whole subgraph. `here`: the slot's tensor. None without such a
    label.
    """
    graph = model.subgraphs[slot.subgraph]
    near: set[int] = set()
    if slot.operator >= 0:
        operator = graph.operators[slot.operator]
        near = {
            tensor for slot_kind in _KINDS for tensor in operator.operands(slot_kind) if tensor >= 0
        }
    fitting = [
        tensor
        for tensor in graph.tensors
        if tensor.type == here.type
        and _label(tensor) is not None
        and _matches(tensor.name, str(override.anchor))
    ]
    chosen = [tensor for tensor in fitting if tensor.index in near] or fitting
    labels = {_label(tensor) for tensor in chosen}
    if len(labels) > 1:
        names = ", ".join(repr(tensor.name) for tensor in chosen[:3])
        more = f" and {len(chosen) - 3} more" if len(chosen) > 3 else ""
        address = slot.address(model)
        raise UsageError(
            f'{override}: anchor "{override.anchor}" names several tensors at {address}: {names}{more}'
        )
    return labels.pop() if labels else None
