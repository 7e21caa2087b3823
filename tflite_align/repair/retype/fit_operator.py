"""One operator made to fit operand types: each operand that differs, in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from ...format.model import Operator, QuantParams, Slot, SlotKind, Tensor, TensorId
from ...format.type_groups import ACTIVATION_TYPES
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
_FEW = 2  # operands that may differ: beyond that another operator is meant


def fit(
    draft: Draft,
    subgraph: int,
    operator: Operator,
    types: OperandTypes,
    targets: Sequence[Target],
) -> bool:
    """Give the operator operands of these types; False, and nothing done, where one cannot be."""
    work = _Fit(draft, subgraph, operator, targets)
    steps = work.differing(types)
    if steps is None or not 0 < len(steps) <= _FEW:
        return False
    if not all(work.possible(slot, wanted) for slot, wanted in steps):
        return False
    for slot, wanted in steps:
        work.change(slot, wanted)
    return True


def label_in(tensor: Tensor, wanted: str) -> Label | None:
    """The tensor's parameters in another type; None where it has no one scale and zero point."""
    quant = tensor.quant
    if quant is None or not quantized(tensor) or not quant.per_tensor or quant.details:
        return None
    limits = type_limits(tensor.type)
    if limits is None or not limits[0] <= quant.label.zero_point <= limits[1]:
        return None  # its real values are not known: params/zero_point says so
    return label_in_type(quant.label, tensor.type, wanted)


class _Fit:
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
        """Slots whose types are others, with the wanted type; None where an operand is to come or
        go. Biases are left to their own rule.
        """
        found: list[tuple[Slot, str]] = []
        biases = {
            (rule.slot.kind, rule.slot.start) for rule in self.rules if isinstance(rule, BiasRule)
        }
        sides: tuple[tuple[SlotKind, tuple[str, ...]], ...] = (
            ("inputs", types.inputs),
            ("outputs", types.outputs),
        )
        for kind, wanted in sides:
            operands = self.operator.operands(kind)
            for index, name in enumerate(wanted):
                present = index < len(operands) and operands[index] >= 0
                if present is (name == ABSENT):
                    return None
                slot = Slot(self.subgraph, self.operator.index, kind, index)
                if not present or (kind, index) in biases:
                    continue
                if self._tensor(slot).type != name:
                    found.append((slot, name))
        return found

    def _tensor(self, slot: Slot) -> Tensor:
        return self.draft.tensor(self.subgraph, slot.tensor(self.draft.model))

    def _leads(self, source: str, wanted: str) -> bool:
        """Whether one QUANTIZE turns the type into the other, for every target."""
        if source == _FLOAT:
            return wanted in ACTIVATION_TYPES
        return all(wanted in target.quantize.get(source, ()) for target in self.targets)

    def possible(self, slot: Slot, wanted: str) -> bool:
        tensor = self._tensor(slot)
        if slot.kind == "outputs":
            return self._output_step(slot, tensor, wanted) is not None
        if self.draft.model.constant(self.subgraph, tensor.index) is not None:
            if wanted == "int4":
                return False  # 16 steps hold no constant that had more
            made = reexpressed(self.draft.model, self.subgraph, tensor, wanted)
            return made is not None and (made.quant is not None or self._plain(slot, wanted))
        if tensor.is_variable:
            return False
        if wanted == _FLOAT:
            return quantized(tensor)
        return (
            wanted in ACTIVATION_TYPES
            and label_in(tensor, wanted) is not None
            and self._leads(tensor.type, wanted)
        )

    def _plain(self, slot: Slot, wanted: str) -> bool:
        """Whether a constant without parameters may stand there: not beside quantized operands of
        its type, whose parameters would be taken to be its own.
        """
        sides: tuple[SlotKind, ...] = ("inputs", "outputs")
        others = [
            Slot(*slot[:2], k, i) for k in sides for i in range(len(self.operator.operands(k)))
        ]
        known = [one for one in others if one != slot and one.tensor(self.draft.model) >= 0]
        return wanted not in ACTIVATION_TYPES or not any(quantized(self._tensor(o)) for o in known)

    def change(self, slot: Slot, wanted: str) -> None:
        tensor = self._tensor(slot)
        if slot.kind == "outputs":
            self._behind(slot, tensor, wanted)
        elif self.draft.model.constant(self.subgraph, tensor.index) is not None:
            self._constant(slot, tensor, wanted)
        else:
            self._in_front(slot, tensor, wanted)

    # --- inputs ----------------------------------------------------------------------------------

    def _in_front(self, slot: Slot, tensor: Tensor, wanted: str) -> None:
        label = None if wanted == _FLOAT else label_in(tensor, wanted)
        new = self._added(tensor, wanted, label)
        name, kind = ("DEQUANTIZE", tensor.type) if label is None else ("QUANTIZE", wanted)
        self.draft.add_step(self.subgraph, tensor.index, new, (name, kind), slot.operator)
        self.draft.rewire(slot, new)
        self._note(slot, tensor, wanted, label, f"a {name} in front of the operator")

    def _constant(self, slot: Slot, tensor: Tensor, wanted: str) -> None:
        made = reexpressed(self.draft.model, self.subgraph, tensor, wanted)
        assert made is not None
        new = self.draft.add_tensor(
            self.subgraph,
            tensor.index,
            f"_{wanted}",
            made.quant,
            data=made.data,
            type_name=wanted,
        )
        self.draft.rewire(slot, new)
        label = made.quant.label if made.quant is not None else None
        self._note(slot, tensor, wanted, label, "a constant, re-expressed")

    # --- outputs ---------------------------------------------------------------------------------

    def _output_step(
        self, slot: Slot, tensor: Tensor, wanted: str
    ) -> tuple[Label | None, str] | None:
        """Parameters of what the operator is to write, and the operator that leads back from it."""
        if tensor.is_variable:
            return None
        if wanted == _FLOAT:
            return (None, "QUANTIZE") if label_in(tensor, tensor.type) is not None else None
        label = self._fixed(slot, wanted)
        if tensor.type == _FLOAT:
            return (label, "DEQUANTIZE") if label is not None else None
        label = label or label_in(tensor, wanted)
        if wanted not in ACTIVATION_TYPES or label is None or not self._leads(wanted, tensor.type):
            return None
        return label, "QUANTIZE"

    def _fixed(self, slot: Slot, wanted: str) -> Label | None:
        """What the kernel of that type writes whatever is declared."""
        place = (slot.kind, slot.index)
        fixed = [rule for rule in self.rules if isinstance(rule, FixedRule)]
        labels = [r.labels for r in fixed if (r.slot.kind, r.slot.start) == place]
        return next((found[wanted][0] for found in labels if wanted in found), None)

    def _behind(self, slot: Slot, tensor: Tensor, wanted: str) -> None:
        step = self._output_step(slot, tensor, wanted)
        assert step is not None
        label, name = step
        new = self._added(tensor, wanted, label)
        kind = wanted if name == "DEQUANTIZE" else tensor.type
        self.draft.rewire(slot, new)
        self.draft.add_step(self.subgraph, new, tensor.index, (name, kind), slot.operator + 1)
        self._note(slot, tensor, wanted, label, f"a {name} behind the operator")

    # --- both ------------------------------------------------------------------------------------

    def _added(self, tensor: Tensor, wanted: str, label: Label | None) -> int:
        quant = label and QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
        return self.draft.add_tensor(
            self.subgraph, tensor.index, f"_{wanted}", quant, type_name=wanted
        )

    def _note(self, slot: Slot, tensor: Tensor, wanted: str, label: Label | None, why: str) -> None:
        before = tensor.type
        if tensor.quant is not None and tensor.quant.per_tensor:
            before = f"{tensor.type} {tensor.quant.label}"
        after = wanted if label is None else f"{wanted} {label}"
        key = TensorId(self.subgraph, tensor.index)
        self.draft.note("retyped", key, before, after, why=why, readers=(slot,))
