"""Changes of weights that a kernel does not support: zero points, scales along another axis,
integers below a minimum.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...checks.binder.bound import Bound
from ...checks.checker import Finding
from ...checks.constraints import Weight
from ...format.enums import constant_size
from ...format.model import QuantParams, Slot, Tensor, TensorId
from ...format.type_groups import QUANTIZED_TYPES
from ...format.wiring import slot_tensor
from ...numerics import INTEGER_LIMITS, integers_of, packed_as, to_float32
from ...record import Record, replace
from ...rules.fixes import WEIGHT_FIXES
from .draft import Draft

__all__ = ["along_axis", "plan_weights"]


class _New(Record, frozen=True):
    """New parameters and bytes of weights; `error`: the rounding error that reports state, real
    value.
    """

    quant: QuantParams
    data: bytes | None  # new bytes; None: unchanged
    error: float  # largest rounding error, real value


def plan_weights(
    draft: Draft, bound: Bound, findings: Iterable[Finding]
) -> dict[Slot, tuple[float, ...]]:
    """Repair each weight operand with a finding; returns the new scales of those slots."""
    findings = list(findings)
    broken = {f.slot for f in findings if f.fix in WEIGHT_FIXES or _miscounted(draft, f)}
    other_faults = {f.slot for f in findings if f.slot in broken and f.fix != "weight-minimum"}
    lowest = broken - other_faults  # there is no other fault
    requests: dict[TensorId, list[Weight]] = {}
    for constraint in bound.of(Weight) if broken else ():
        if constraint.slot in broken:
            tensor = slot_tensor(bound.model, constraint.slot)
            if tensor is not None:
                requests.setdefault(TensorId(constraint.slot.subgraph, tensor.index), []).append(
                    constraint
                )
    scales_seen: dict[Slot, tuple[float, ...]] = {}
    for key in sorted(requests):
        low = all(constraint.slot in lowest for constraint in requests[key])
        first = next((c for c in requests[key] if c.source.minimum is not None), requests[key][0])
        new = _renewed(draft, key, first if low else _strictest(requests[key]), low=low)
        if new is not None:
            slots = list(dict.fromkeys(constraint.slot for constraint in requests[key]))
            _apply(draft, key, slots, new)
            scales_seen.update(dict.fromkeys(slots, new.quant.scale))
    return scales_seen


def _strictest(constraints: list[Weight]) -> Weight:
    """The strictest constraint: one that allows a single scale, if there is one."""
    return next((c for c in constraints if c.source.axis is None), constraints[0])


def _miscounted(draft: Draft, finding: Finding) -> bool:
    """Whether the stated axis exists but has another length than there are scales."""
    if finding.fix != "parameter-axis":
        return False
    tensor = draft.tensor(finding.slot.subgraph, finding.tensor)
    return tensor.quant is not None and 0 <= tensor.quant.quantized_dimension < len(tensor.shape)


def _apply(draft: Draft, key: TensorId, slots: list[Slot], new: _New) -> None:
    """Write new weights: into a copy that these slots read, or in place if no other slot reads the
    tensor.
    """
    subgraph, index = key
    tensor = draft.tensor(*key)
    old = tensor.quant
    readers = draft.links(subgraph).readers.get(index, [])
    if len(slots) < len(readers):
        data = new.data or bytes(draft.model.constant(*key) or b"")
        copy = draft.add_tensor(subgraph, index, "_symmetric", new.quant, data=data)
        for slot in slots:
            draft.rewire(slot, copy)
    else:
        draft.set_quant(subgraph, index, new.quant)
        if new.data is not None:
            draft.graph(subgraph).set_data(index, new.data)
    before = f"{len(old.scale)} scales, axis {old.quantized_dimension}" if old else ""
    if old is not None and any(old.zero_point):
        before += f", zero_point {next(z for z in old.zero_point if z)}"
    after = f"{len(new.quant.scale)} scales, axis {new.quant.quantized_dimension}, zero_point 0"
    why = f"weights re-expressed (rounding at most {new.error:.3g})"
    draft.note("constant", key, before, after, why=why, readers=tuple(slots))


def _renewed(draft: Draft, key: TensorId, constraint: Weight, *, low: bool = False) -> _New | None:
    """Parameters that the kernel supports, and integers in them for the same real values. None if
    the real values are unknown or the weights do not fit the operator. `low`: the only fault is an
    integer below the rule's minimum.
    """
    tensor = draft.tensor(*key)
    data = draft.model.constant(*key)
    if tensor.quant is None or data is None or tensor.type not in QUANTIZED_TYPES:
        return None
    if not all(0 < scale < np.inf for scale in tensor.quant.scale):
        return None  # with a finding of params/scale the real values are unknown
    if len(data) != constant_size(tensor.shape, tensor.type):
        return None  # a shape that does not match the bytes (a dimension of 0)
    quant, axis = tensor.quant, constraint.source.axis
    count, shape = len(quant.scale), tensor.shape
    if axis is not None and not 0 <= axis < len(shape):
        return None  # weights of another rank do not belong to this operator
    declared = quant.quantized_dimension
    fits = count == 1 or (0 <= declared < len(shape) and shape[declared] == count)
    if not fits:
        # The scales match no declared axis, so they are the kernel's.
        if axis is None or not 0 <= axis < len(shape) or shape[axis] != count:
            return None
        quant = replace(quant, quantized_dimension=axis)
        if not any(quant.zero_point):
            return _New(quant, None, 0.0)
    if low:
        return _raised(tensor, quant, data, constraint.source.minimum)
    return _re_expressed(tensor, quant, data, axis)


def _raised(
    tensor: Tensor, quant: QuantParams, data: memoryview, minimum: int | None
) -> _New | None:
    """Weights without integers below `minimum`: these are clipped, or the channel's scale is
    enlarged, whichever has the smaller squared error. None if there is nothing to change.
    """
    if minimum is None or any(quant.zero_point):
        return None
    values = integers_of(data, tensor.type, tensor.elements).reshape(tensor.shape)
    axis = quant.quantized_dimension if len(quant.scale) > 1 else None
    other_axes = tuple(i for i in range(values.ndim) if i != axis) if axis is not None else None
    clipped = np.maximum(values, minimum)
    deepest = np.min(values, axis=other_axes, keepdims=True)
    factor = np.maximum(deepest / minimum, 1.0)
    widened = np.clip(np.rint(values / factor), minimum, -minimum)
    losses = [
        np.sum((real - values) ** 2, axis=other_axes, keepdims=True)
        for real in (clipped, widened * factor)
    ]
    wider = losses[1] < losses[0]
    factors = np.broadcast_to(np.where(wider, factor, 1.0).ravel(), (len(quant.scale),))
    new = np.where(wider, widened, clipped)
    scales = tuple(to_float32(s * float(f)) for s, f in zip(quant.scale, factors, strict=True))
    scale = along_axis(scales, tensor.shape, axis or 0)
    old = along_axis(quant.scale, tensor.shape, axis or 0)
    error = float(np.max(np.abs(new * scale - values * old), initial=0.0))
    return _New(
        replace(quant, scale=scales, minimum=(), maximum=()), packed_as(new, tensor.type), error
    )


def _re_expressed(tensor: Tensor, quant: QuantParams, data: memoryview, axis: int | None) -> _New:
    """Symmetric weights, with one scale per channel of `axis` or a single scale (None).

    A channel whose integers fit keeps its scale and is exact.
    """
    integers = integers_of(data, tensor.type, tensor.elements).reshape(tensor.shape)
    scale = along_axis(quant.scale, tensor.shape, quant.quantized_dimension)
    zero = along_axis(quant.zero_point or (0,), tensor.shape, quant.quantized_dimension)
    real = (integers - zero) * scale
    other_axes = tuple(i for i in range(real.ndim) if i != axis) if axis is not None else None
    top = np.atleast_1d(np.max(np.abs(real), axis=other_axes))
    # A channel of zeros keeps its own scale, which must be positive.
    top = np.where(top > 0, top, float(np.max(top)) or 1.0)
    low, high = INTEGER_LIMITS[tensor.type]
    most = (high - low) // 2
    own = np.asarray(quant.scale)
    if own.size > 1 and quant.quantized_dimension != axis:
        own = np.zeros(1)  # scales along another axis cannot be assigned to channels
    widest = np.where(top <= own * (most + 0.5), own, top / most)
    scales = tuple(to_float32(value) for value in widest)
    new_axis = axis if axis is not None else 0
    steps = real / along_axis(scales, tensor.shape, new_axis)
    rounded = np.clip(np.trunc(steps + np.copysign(0.5, steps)), -most, most)
    error = float(np.max(np.abs(rounded * along_axis(scales, tensor.shape, new_axis) - real)))
    return _New(
        replace(
            quant,
            scale=scales,
            zero_point=(0,) * len(scales),
            quantized_dimension=new_axis,
            minimum=(),
            maximum=(),
        ),
        packed_as(rounded, tensor.type),
        error,
    )


def along_axis(values: tuple[float, ...], shape: tuple[int, ...], axis: int) -> NDArray[np.float64]:
    """An array of values along one axis, with size 1 on the others, to broadcast over `shape`; a
    single value for all.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 1:
        return array.reshape(())
    return array.reshape([array.size if i == axis else 1 for i in range(len(shape))])
