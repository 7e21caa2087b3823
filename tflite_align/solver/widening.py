"""Output ranges that are widened to bring a multiplier into its kernel's window, and the effects.

A range clips values beyond it. A wider range lets them through: readers see values that the file
does not declare, unless a QUANTIZE saturates them again or a reader's steps are too coarse to
distinguish them. The steps also become coarser: if an operand's step is finer than the widened one,
the operand's values are lost, and widening is no repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..checks.binder.bound import Bound
from ..checks.checker import Extent
from ..checks.constraints import Window
from ..format.model import Model, Slot, TensorId
from ..format.wiring import links, quantized, slot_tensor
from ..numerics import Label, Range, label_range
from ..rules.operator_rows import load_operators
from .clamps import Saturation

__all__ = ["loses_operands", "loses_range", "saturations"]

_RANGES = 65536.0  # largest widened step, as a multiple of the width of the declared range
_COARSER = 2.0  # largest widened step, as a multiple of the operand's step or its own


def loses_operands(
    constraint: Window, current: float, wider: float, operands: list[Extent]
) -> bool:
    """Whether an output scale of `wider` is more than twice the scale of the finest of several
    summed operands, which would then be lost. `current`: the present output scale, which counts if
    it is larger; `operands`: (least, greatest) scale of each.

    Always False for a product, whose steps are products of the factors' steps.
    """
    if constraint.source.form == "product" or len(operands) < 2:
        return False
    return wider > _COARSER * max(current, min(least for least, _ in operands))


def loses_range(label: Label, wider: float, type_name: str) -> bool:
    """Whether an output scale of `wider` is so many times the width of the declared range that the
    operands' scales must be wrong, and the output must not be widened for them. Some thousand times
    are legitimate: converters write such ranges where a value is always 0. `type_name`: integer
    type of the tensor.
    """
    span = label_range(label, type_name)
    return wider > _RANGES * (span.high - span.low)


def saturations(
    bound: Bound, widened: Iterable[Slot], labels: Mapping[TensorId, Label]
) -> dict[TensorId, Saturation]:
    """For each tensor whose range may be widened (of the slots `widened`): the range of real values
    that its readers get now, extended by the change that no reader's output can show. `labels`:
    declared label by tensor.
    """
    operands = {}
    for slot in widened:
        key = slot.tensor_id(bound.model)
        label = labels.get(key)
        if label is not None:
            type_name = bound.model.subgraphs[key.subgraph].tensors[key.tensor].type
            blind = _blind(bound.model, key)
            span = label_range(label, type_name)
            operands[key] = Saturation(held=Range(span.low - blind, span.high + blind))
    return operands


def _blind(model: Model, key: TensorId) -> float:
    """The largest change of a tensor's real values that no reader's output can show: half a step of
    the output if every reader is a sum, else 0.
    """
    rows, steps = load_operators(), []
    for slot in links(model, key.subgraph).readers.get(key.tensor, ()):
        operator = None if slot.operator < 0 else model.subgraphs[slot.subgraph].operators
        row = None if operator is None else rows.get(operator[slot.operator].name)
        output = slot_tensor(model, slot._replace(kind="outputs", index=0)) if row else None
        sums = row is not None and bool(row.adds)
        if not sums or output is None or output.quant is None or not quantized(output):
            return 0.0
        steps.append(0.5 * output.quant.extent[0])
    return min(steps, default=0.0)
