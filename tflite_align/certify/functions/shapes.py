"""Properties of operators that follow from shapes and scales: the number of summed elements, and
conditions of arithmetic rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .affine import DomainError

__all__ = ["are_powers_of_two", "is_eightfold", "is_over_image", "window_counts"]

Shape = Sequence[int]
_IMAGE = 4  # dimensions: batch, height, width, channels
_NEAR = 1.1e-3
_VALID = 1  # Padding of the schema


def are_powers_of_two(scales: Sequence[Sequence[float]]) -> bool:
    """Whether LiteRT may treat all scales of an int16 ADD or SUB as powers of two: it does if each
    base-2 logarithm is within 1e-3 of a whole number; logarithms near that limit count as within.
    `scales`: those of each operand.
    """
    logarithms = [math.log2(scale) for each in scales for scale in each if 0 < scale < math.inf]
    return all(abs(value - round(value)) < _NEAR for value in logarithms)


def is_eightfold(given: Shape, taken: Shape) -> bool:
    """Whether an image (NHWC) whose channels are a multiple of 8 is resized to 8 times its height
    and width. `given`, `taken`: shapes of input and output.
    """
    if len(given) != _IMAGE or given[-1] % 8:
        return False
    return tuple(taken[1:]) == (8 * given[1], 8 * given[2], given[3])


def is_over_image(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether a reduction of a 4-dimensional tensor of this shape is over exactly height and width."""
    return len(shape) == _IMAGE and sorted({int(axis) % _IMAGE for axis in axes}) == [1, 2]


def window_counts(shape: Shape, options: Mapping[str, Any]) -> list[int]:
    """The numbers of elements that a pooling window can have inside the image; fewer at the
    borders. `shape`: NHWC of the input.
    """
    along = [
        _valid(shape[axis], int(options[f"filter_{name}"]), int(options[f"stride_{side}"]), options)
        for axis, name, side in ((1, "height", "h"), (2, "width", "w"))
    ]
    return sorted({rows * columns for rows in along[0] for columns in along[1]})


def _valid(size: int, window: int, stride: int, options: Mapping[str, Any]) -> set[int]:
    """Along one axis: the numbers of a window's elements that can lie inside `size` elements."""
    if stride < 1:
        raise DomainError("a window without a stride")
    same = int(options.get("padding", 0)) != _VALID
    window_count = -(-size // stride) if same else (size - window) // stride + 1
    before = max((window_count - 1) * stride + window - size, 0) // 2 if same else 0
    starts = [index * stride - before for index in range(window_count)]
    return {min(start + window, size) - max(start, 0) for start in starts}
