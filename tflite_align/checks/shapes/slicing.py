"""STRIDED_SLICE: the selected range along each axis, after applying masks."""

from __future__ import annotations

from ...record import Record
from .scene import ContradictionError, Scene, UnknownShapeError

__all__ = ["SlicedAxis", "sliced_axes"]


class SlicedAxis(Record, frozen=True):
    """The slice along one axis: `taken`, the selected indices. `added`: a new axis of size 1.
    `dropped`: a single index is selected and the axis removed.
    """

    taken: range
    dropped: bool = False
    added: bool = False


def sliced_axes(at: Scene) -> list[SlicedAxis]:
    """The slices along every axis of the input and every new axis, in order.

    Source: tflite/kernels/strided_slice.cc, BuildStridedSliceParams.
    """
    begin, end, stride = (at.listed(index) for index in (1, 2, 3))
    named = len(begin)
    if not len(end) == len(stride) == named:
        counts = f"{named}, {len(end)} and {len(stride)}"
        raise ContradictionError("as many begins as ends and strides", counts)
    shape = at.shape(0)
    masks = [_bits(at.option(f"{name}_mask"), named) for name in ("ellipsis", "new_axis")]
    ellipsis, new = masks
    if sum(ellipsis) > 1 or any(a and b for a, b in zip(ellipsis, new, strict=True)):
        raise UnknownShapeError
    spread = len(shape) - (named - sum(ellipsis) - sum(new))
    if spread < 0:
        raise UnknownShapeError
    sizes = iter(shape)
    axes: list[SlicedAxis] = []
    for axis in range(named):
        if ellipsis[axis]:
            axes += [SlicedAxis(range(next(sizes))) for _ in range(spread)]
        elif new[axis]:
            axes.append(SlicedAxis(range(1), added=True))
        else:
            bounds = (begin[axis], end[axis], stride[axis])
            axes.append(_axis(at, axis, next(sizes), bounds))
    return [*axes, *(SlicedAxis(range(size)) for size in sizes)]


def _bits(mask: int, count: int) -> list[bool]:
    """The lowest `count` bits of a mask, the lowest first."""
    return [bool(mask >> bit & 1) for bit in range(count)]


def _axis(at: Scene, axis: int, size: int, bounds: tuple[int, int, int]) -> SlicedAxis:
    """The slice along an input axis of `size` elements; `bounds`: (begin, end, stride) before masks
    apply.
    """
    begin, end, stride = bounds
    if stride == 0:
        raise ContradictionError("strides that are not 0", f"stride 0 along axis {axis}")
    if at.option("shrink_axis_mask") >> axis & 1:
        first = begin + size if begin < 0 else begin
        if at.option("begin_mask") >> axis & 1:
            first = 0 if stride > 0 else size - 1
        if not 0 <= first < size:
            raise UnknownShapeError
        return SlicedAxis(range(first, first + 1), dropped=True)
    start = None if at.option("begin_mask") >> axis & 1 else begin
    stop = None if at.option("end_mask") >> axis & 1 else end
    return SlicedAxis(range(*slice(start, stop, stride).indices(size)))
