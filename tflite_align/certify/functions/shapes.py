"""Properties of operators that follow from shapes and scales: the number of summed elements, and
conditions of arithmetic rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .affine import DomainError
from .operand_slots import WEIGHTED

__all__ = [
    "FACTS",
    "Parameters",
    "are_powers_of_two",
    "is_eightfold",
    "is_over_image",
    "row_facts",
    "summed_counts",
    "window_counts",
]

Shape = Sequence[int]
Parameters = tuple[Shape, Sequence[float]]  # shape and scales of an operand; empty if it is absent
# What row_facts adds to the options of an operator.
FACTS = ("several_weight_scales", "grouped", "over_height_and_width", "eightfold")
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
    """Whether a reduction of a 4-dimensional tensor of this shape is over exactly height and width.
    `axes`: the reduced axes.
    """
    return len(shape) == _IMAGE and sorted({int(axis) % _IMAGE for axis in axes}) == [1, 2]


def window_counts(shape: Shape, options: Mapping[str, Any]) -> list[int]:
    """The numbers of elements that a pooling window can have inside the image; fewer at the
    borders. `shape`: NHWC of the input. `options`: the operator's options by schema name.
    """
    along = [
        _valid(shape[axis], int(options[f"filter_{name}"]), int(options[f"stride_{side}"]), options)
        for axis, name, side in ((1, "height", "h"), (2, "width", "w"))
    ]
    return sorted({rows * columns for rows in along[0] for columns in along[1]})


def _valid(size: int, window: int, stride: int, options: Mapping[str, Any]) -> set[int]:
    """Along one axis: the numbers of a window's elements that can lie inside `size` elements.
    `window`, `stride`: in elements. `options`: the operator's options by schema name.
    """
    if stride < 1:
        raise DomainError("a window without a stride")
    same = int(options.get("padding", 0)) != _VALID
    window_count = -(-size // stride) if same else (size - window) // stride + 1
    before = max((window_count - 1) * stride + window - size, 0) // 2 if same else 0
    starts = [index * stride - before for index in range(window_count)]
    return {min(start + window, size) - max(start, 0) for start in starts}


def summed_counts(name: str, given: Shape, taken: Shape, options: Mapping[str, Any]) -> list[int]:
    """The numbers of elements that one output of a pooling, mean or sum can have; empty where the
    shapes do not say. `options`: the operator's options by schema name.
    """
    if name == "AVERAGE_POOL_2D":
        return window_counts(given, options)
    whole, left = math.prod(given), math.prod(taken)
    return [whole // left] if left and whole and whole % left == 0 else []


def row_facts(
    name: str, options: Mapping[str, Any], operands: Sequence[Parameters], axes: Sequence[int]
) -> Mapping[str, Any]:
    """What conditions of rows look at: the options, and properties of shapes and scales. `operands`: of
    the inputs, then of the output; `axes`: the constant integers of the second operand, if it is one.

    several_weight_scales: the weights have more than one scale. grouped: a convolution's weights have
    fewer channels than its input. over_height_and_width: axes 1 and 2 of four are reduced and dimensions
    kept. pot_scale_int16: the option, and all scales are powers of two. eightfold: an image of a multiple
    of 8 channels is resized to 8 times its height and width.
    """
    (given, _), (taken, _), weighted = operands[0], operands[-1], WEIGHTED.get(name)
    weights = operands[weighted.weights] if weighted else ((), ())
    pot, over = options.get("pot_scale_int16"), name in {"MEAN", "SUM"} and options.get("keep_dims")
    return {
        **options,
        "several_weight_scales": len(weights[1]) > 1,
        "grouped": name == "CONV_2D" and given[-1:] != weights[0][-1:],
        "over_height_and_width": bool(over) and is_over_image(given, axes),
        "pot_scale_int16": bool(pot) and are_powers_of_two([scales for _, scales in operands]),
        "eightfold": is_eightfold(given, taken),
    }
