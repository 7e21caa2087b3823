"""Gives one operator operands of given types: a QUANTIZE before or after it, or a re-expressed
constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...format.model import Operator, QuantParams, Slot, SlotKind, Tensor, TensorId
from ...format.type_groups import ACTIVATION_TYPES, READABLE_BIAS_TYPES
from ...format.wiring import quantized
from ...numerics import Label, type_limits
from ...rules.operand_types import ABSENT, OperandTypes
from ...rules.operator_rows import load_operators
from ...rules.rows import BiasRule, FixedRule
from ...rules.targets import Target
from ..planner.draft import Draft
from ..planner.type_change import label_in_type
from .other_type import reexpressed

__all__ = ["fit", "label_in"]

_FLOAT = "float32"
_FEW = 2  # largest number of operands that are converted; with more the operator is not repaired


def fit(
    draft: Draft,
    subgraph: int,
    operator: Operator,
    types: OperandTypes,
    targets: Sequence[Target],
) -> bool:
    """Give the operator operands of these types; returns False, without changes, if one of them is
    impossible. `subgraph`: its index. `targets`: runtimes for which the result must be legal.
    """
    work = _Fit(draft, subgraph, operator, targets)
    steps = work.differing(types)
    if steps is None or not 0 < len(steps) <= _FEW:
        return False
    if len(steps) > 1 and not work.believed():
        return False
    if not all(work.possible(slot, to_type) for slot, to_type in steps):
        return False
    for slot, to_type in steps:
        work.change(slot, to_type)
    return True


def label_in(tensor: Tensor, to_type: str) -> Label | None:
    """The tensor's label in another type; None if it does not have exactly one scale and a valid
    zero point.
    """
    quant = tensor.quant
    if quant is None or not quantized(tensor) or not quant.per_tensor or quant.details:
        return None
    limits = type_limits(tensor.type)
    if limits is None or not limits[0] <= quant.label.zero_point <= limits[1]:
        return None  # its real values are unknown: there is a finding of params/zero_point
    return label_in_type(quant.label, tensor.type, to_type)


class _Fit:
    """Checks and makes the changes of one operator's operands."""

    def __init__(
        self, draft: Draft, subgraph: int, operator: Operator, targets: Sequence[Target]
    ) -> None:
        self.draft = draft
        self.subgraph = subgraph
        self.operator = operator
        self.targets = targets
        row = load_operators().get(operator.name)
        self.rules = row.rules if row is not None else ()

    def differing(self, types: OperandTypes) -> list[tuple[Slot, str]] | None:
        """Slots with a wrong type and the type they need; None if operands would have to be added
        or removed.

        Biases of types that can be read are left out, as they have a rule of their own.
        """
        steps: list[tuple[Slot, str]] = []
        biases = {
            (rule.slot.kind, rule.slot.start) for rule in self.rules if isinstance(rule, BiasRule)
        }
        sides: tuple[tuple[SlotKind, tuple[str, ...]], ...] = (
            ("inputs", types.inputs),
            ("outputs", types.outputs),
        )
        for slot_kind, to_type in sides:
            operands = self.operator.operands(slot_kind)
            for index, name in enumerate(to_type):
                present = index < len(operands) and operands[index] >= 0
                if present is (name == ABSENT):
                    return None
                slot = Slot(self.subgraph, self.operator.index, slot_kind, index)
                held = self._tensor(slot).type if present else ""
                if not present or ((slot_kind, index) in biases and held in READABLE_BIAS_TYPES):
                    continue
                if held != name:
                    steps.append((slot, name))
        return steps

    def _tensor(self, slot: Slot) -> Tensor:
        """The tensor of a slot."""
        return self.draft.tensor(self.subgraph, slot.tensor(self.draft.model))

    def believed(self) -> bool:
        """Whether the real values of all its quantized activations are known: each has a usable
        scale and zero point.
        """
        model, operator = self.draft.model, self.operator
        held = [
            self.draft.tensor(self.subgraph, index)
            for index in (*operator.inputs, *operator.outputs)
            if index >= 0 and model.constant(self.subgraph, index) is None
        ]
        return all(label_in(one, one.type) is not None for one in held if quantized(one))

    def _leads(self, source: str, to_type: str) -> bool:
        """Whether every target has a QUANTIZE from the type `source` to `to_type`."""
        if source == _FLOAT:
            return to_type in ACTIVATION_TYPES
        return all(to_type in target.quantize.get(source, ()) for target in self.targets)

    def possible(self, slot: Slot, to_type: str) -> bool:
        """Whether the operand can be given the type, without changing anything."""
        tensor = self._tensor(slot)
        if slot.kind == "outputs":
            return self._output_step(slot, tensor, to_type) is not None
        if self.draft.model.constant(self.subgraph, tensor.index) is not None:
            if to_type == "int4":
                return False  # a constant loses values in a type of 16 steps
            constant = reexpressed(self.draft.model, self.subgraph, tensor, to_type)
            return constant is not None and (
                constant.quant is not None or self._plain(slot, to_type)
            )
        if tensor.is_variable:
            return False
        if to_type == _FLOAT:
            return quantized(tensor)
        return (
            to_type in ACTIVATION_TYPES
            and label_in(tensor, to_type) is not None
            and self._leads(tensor.type, to_type)
        )

    def _plain(self, slot: Slot, to_type: str) -> bool:
        """Whether the operand may be a constant without parameters: not next to quantized operands
        of its type, whose parameters kernels would apply to it.
        """
        sides: tuple[SlotKind, ...] = ("inputs", "outputs")
        operands = [
            Slot(*slot[:2], k, i) for k in sides for i in range(len(self.operator.operands(k)))
        ]
        present = [
            operand
            for operand in operands
            if operand != slot and operand.tensor(self.draft.model) >= 0
        ]
        return to_type not in ACTIVATION_TYPES or not any(
            quantized(self._tensor(o)) for o in present
        )

    def change(self, slot: Slot, to_type: str) -> None:
        """Give the operand the type; `possible` must hold."""
        tensor = self._tensor(slot)
        if slot.kind == "outputs":
            self._behind(slot, tensor, to_type)
        elif self.draft.model.constant(self.subgraph, tensor.index) is not None:
            self._constant(slot, tensor, to_type)
        else:
            self._in_front(slot, tensor, to_type)

    # --- inputs ----------------------------------------------------------------------------------

    def _in_front(self, slot: Slot, tensor: Tensor, to_type: str) -> None:
        """Insert a QUANTIZE or DEQUANTIZE before the operator. `to_type`: name of the new type."""
        label = None if to_type == _FLOAT else label_in(tensor, to_type)
        new = self._added(tensor, to_type, label)
        name, type_name = ("DEQUANTIZE", tensor.type) if label is None else ("QUANTIZE", to_type)
        self.draft.add_step(self.subgraph, tensor.index, new, (name, type_name), slot.operator)
        self.draft.rewire(slot, new)
        self._note(slot, tensor, to_type, label, f"a {name} in front of the operator")

    def _constant(self, slot: Slot, tensor: Tensor, to_type: str) -> None:
        """Let the operand read the constant in the other type."""
        constant = reexpressed(self.draft.model, self.subgraph, tensor, to_type)
        assert constant is not None
        new = self.draft.add_tensor(
            self.subgraph,
            tensor.index,
            f"_{to_type}",
            constant.quant,
            data=constant.data,
            type_name=to_type,
        )
        self.draft.rewire(slot, new)
        label = constant.quant.label if constant.quant is not None else None
        self._note(slot, tensor, to_type, label, "a constant, re-expressed")

    # --- outputs ---------------------------------------------------------------------------------

    def _output_step(
        self, slot: Slot, tensor: Tensor, to_type: str
    ) -> tuple[Label | None, str] | None:
        """(label of the operator's new output or None for float, name of the operator that converts
        it back); None if impossible. `to_type`: name of the new type.
        """
        if tensor.is_variable:
            return None
        if to_type == _FLOAT:
            return (None, "QUANTIZE") if label_in(tensor, tensor.type) is not None else None
        label = self._fixed(slot, to_type)
        if tensor.type == _FLOAT:
            return (label, "DEQUANTIZE") if label is not None else None
        label = label or label_in(tensor, to_type)
        if (
            to_type not in ACTIVATION_TYPES
            or label is None
            or not self._leads(to_type, tensor.type)
        ):
            return None
        return label, "QUANTIZE"

    def _fixed(self, slot: Slot, to_type: str) -> Label | None:
        """The label that the operator's kernel for the type always writes; None without one."""
        position = (slot.kind, slot.index)
        fixed = [rule for rule in self.rules if isinstance(rule, FixedRule)]
        labels = [r.labels for r in fixed if (r.slot.kind, r.slot.start) == position]
        return next(
            (labels_by_type[to_type][0] for labels_by_type in labels if to_type in labels_by_type),
            None,
        )

    def _behind(self, slot: Slot, tensor: Tensor, to_type: str) -> None:
        """Let the operator write a new output of the type, and insert the operator that converts it
        back.
        """
        step = self._output_step(slot, tensor, to_type)
        assert step is not None
        label, name = step
        new = self._added(tensor, to_type, label)
        type_name = to_type if name == "DEQUANTIZE" else tensor.type
        self.draft.rewire(slot, new)
        self.draft.add_step(self.subgraph, new, tensor.index, (name, type_name), slot.operator + 1)
        self._note(slot, tensor, to_type, label, f"a {name} behind the operator")

    # --- both ------------------------------------------------------------------------------------

    def _added(self, tensor: Tensor, to_type: str, label: Label | None) -> int:
        """Add a tensor of the type; returns its index."""
        quant = label and QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
        return self.draft.add_tensor(
            self.subgraph, tensor.index, f"_{to_type}", quant, type_name=to_type
        )

    def _note(
        self, slot: Slot, tensor: Tensor, to_type: str, label: Label | None, why: str
    ) -> None:
        """Record the change for reports. `to_type`: name of the new type. `why`: the reason."""
        before = tensor.type
        if tensor.quant is not None and tensor.quant.per_tensor:
            before = f"{tensor.type} {tensor.quant.label}"
        after = to_type if label is None else f"{to_type} {label}"
        key = TensorId(self.subgraph, tensor.index)
        self.draft.note("retyped", key, before, after, why=why, readers=(slot,))
