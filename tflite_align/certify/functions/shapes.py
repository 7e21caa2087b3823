"""What shapes and scales say of an operator: counts of summed elements, and what rows ask for."""

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
    """Whether an int16 ADD or SUB may take all its scales for powers of two: LiteRT does where no
    logarithm is 1e-3 from a whole number; those near that limit are counted in.
    """
    logarithms = [math.log2(scale) for each in scales for scale in each if 0 < scale < math.inf]
    return all(abs(value - round(value)) < _NEAR for value in logarithms)


def is_eightfold(given: Shape, taken: Shape) -> bool:
    """Whether an image of a multiple of 8 channels grows to 8 times its height and width."""
    if len(given) != _IMAGE or given[-1] % 8:
        return False
    return tuple(taken[1:]) == (8 * given[1], 8 * given[2], given[3])


def is_over_image(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether a reduction of these axes is one of height and width."""
    return len(shape) == _IMAGE and sorted({int(axis) % _IMAGE for axis in axes}) == [1, 2]


def window_counts(shape: Shape, options: Mapping[str, Any]) -> list[int]:
    """Of a pooling window, every number of its elements that lie inside the image at some place."""
    along = [
        _valid(shape[axis], int(options[f"filter_{name}"]), int(options[f"stride_{side}"]), options)
        for axis, name, side in ((1, "height", "h"), (2, "width", "w"))
    ]
    return sorted({rows * columns for rows in along[0] for columns in along[1]})


def _valid(size: int, window: int, stride: int, options: Mapping[str, Any]) -> set[int]:
    if stride < 1:
        raise DomainError("a window without a stride")
    same = int(options.get("padding", 0)) != _VALID
    window_count = -(-size // stride) if same else (size - window) // stride + 1
    before = max((window_count - 1) * stride + window - size, 0) // 2 if same else 0
    starts = [index * stride - before for index in range(window_count)]
    return {min(start + window, size) - max(start, 0) for start in starts}
