"""The real functions of operators, in float64, which the integer functions approximate.

Each is accurate to a few units in the last place. `options` are the operator's, by their schema
names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["BINARY", "UNARY"]

Array = Any


def _elementwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """The function of one float, applied to each element of an array."""
    return np.vectorize(function, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x))))


def _gelu(x: Array, options: Mapping[str, Any]) -> Array:
    """GELU, or its approximation by tanh with the option `approximate`. `x`: real values, float64."""
    if options.get("approximate"):
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _elementwise(math.erf)(x / math.sqrt(2)))


UNARY: Mapping[str, Callable[[Array, Mapping[str, Any]], Array]] = {
    "QUANTIZE": lambda x, _: x,
    "RELU": lambda x, _: np.maximum(x, 0),
    "RELU6": lambda x, _: np.clip(x, 0, 6),
    "RELU_N1_TO_1": lambda x, _: np.clip(x, -1, 1),
    "RELU_0_TO_1": lambda x, _: np.clip(x, 0, 1),
    "LEAKY_RELU": lambda x, o: np.where(x >= 0, x, x * o["alpha"]),
    "HARD_SWISH": lambda x, _: x * np.clip(x + 3, 0, 6) / 6,
    "LOGISTIC": lambda x, _: _sigmoid(x),
    "TANH": lambda x, _: np.tanh(x),
    "ABS": lambda x, _: np.abs(x),
    "NEG": lambda x, _: -x,
    "ELU": lambda x, _: np.where(x >= 0, x, np.expm1(np.minimum(x, 0))),
    "GELU": _gelu,
    "EXP": lambda x, _: np.exp(x),
}

BINARY: Mapping[str, Callable[[Array, Array], Array]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "SQUARED_DIFFERENCE": lambda a, b: (a - b) ** 2,
    "PRELU": lambda a, b: np.where(a >= 0, a, a * b),
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
}
