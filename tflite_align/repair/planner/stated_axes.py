"""Correction of a quantized_dimension that cannot be right."""

from __future__ import annotations

from collections.abc import Iterable

from ...checks.binder.bound import Bound
from ...checks.checker import Finding
from ...checks.constraints import Weight
from ...format.model import Tensor, TensorId
from ...format.wiring import slot_tensor
from ...record import replace
from .draft import Draft

__all__ = ["plan_axes"]

_FIXES = ("parameter-axis", "weight-axis")


def plan_axes(draft: Draft, bound: Bound, findings: Iterable[Finding]) -> None:
    """Correct a quantized_dimension where only one other is possible: the one along which every
    kernel that reads the tensor expects scales, or else the only dimension whose size is the number
    of scales. Exact: no integer and no scale changes. `findings`: those to repair.
    """
    broken = {finding.tensor_id: finding for finding in findings if finding.fix in _FIXES}
    kernels: dict[TensorId, set[int | None]] = {key: set() for key in broken}
    for constraint in bound.of(Weight) if broken else ():
        weights = slot_tensor(bound.model, constraint.slot)
        key = TensorId(constraint.slot.subgraph, -1 if weights is None else weights.index)
        kernels.get(key, set()).add(constraint.source.axis)
    for key, finding in broken.items():
        tensor = draft.tensor(*key)
        axis = _axis(tensor, kernels[key])
        if axis is None or tensor.quant is None:
            continue
        old = tensor.quant.quantized_dimension
        draft.set_quant(*key, replace(tensor.quant, quantized_dimension=axis))
        draft.note(
            "parameters",
            key,
            f"quantized_dimension {old}",
            f"quantized_dimension {axis}",
            why=f"{len(tensor.quant.scale)} scales fit no other axis",
            readers=(finding.slot,),
        )


def _axis(tensor: Tensor, kernels: set[int | None]) -> int | None:
    """The corrected axis; None if the stated one is possible or several others are. `kernels`: the
    axes that readers expect.
    """
    quant, shape = tensor.quant, tensor.shape
    if quant is None or not shape:
        return None
    count, stated = len(quant.scale), quant.quantized_dimension
    in_shape = 0 <= stated < len(shape)
    if count == 1:
        return None if in_shape else 0
    if in_shape and shape[stated] == count:
        return None
    if len(kernels) == 1:
        (axis,) = kernels
        return axis if axis is not None and axis < len(shape) and shape[axis] == count else None
    return shape.index(count) if not kernels and shape.count(count) == 1 else None
