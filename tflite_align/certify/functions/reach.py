"""The integers that a sum of products of integers can reach."""

from __future__ import annotations

from typing import Any

import numpy as np

from .affine import INT32, Affine, DomainError

__all__ = ["product_reach", "weighted_reach"]

Array = Any


def weighted_reach(operand: Affine, weights: Array, bias: Array) -> tuple[Array, Array, int]:
    """(least, greatest) accumulator of each channel, and the largest magnitude of an input less its
    zero point. `weights`: integers less zero points, [channels, taps]; `bias`: integers, [channels].

    Padding contributes 0, so that each product may also be 0. DomainError where the accumulator can
    overflow int32 in any order of summation.
    """
    low, high = min(operand.low - operand.zero_point, 0), max(operand.high - operand.zero_point, 0)
    plus, minus, most = (
        np.maximum(weights, 0).sum(1),
        np.minimum(weights, 0).sum(1),
        max(-low, high),
    )
    if np.any((plus - minus) * most + np.abs(bias) > INT32[1]):
        raise DomainError("the accumulator can leave int32")
    return low * plus + high * minus + bias, high * plus + low * minus + bias, most


def product_reach(first: Affine, second: Affine, depth: int) -> tuple[int, int]:
    """(least, greatest) sum of `depth` products of two operands' integers less their zero points."""
    ends = [np.array([by.low, by.high]) - by.zero_point for by in (first, second)]
    products = depth * np.outer(*ends)
    if np.max(np.abs(products)) > INT32[1]:
        raise DomainError("the accumulator can leave int32")
    return int(products.min()), int(products.max())
