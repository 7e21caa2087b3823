"""The registry of named integer functions, by class of operator.

ACCUMULATE: f(accumulator, input_scale, weight_scale, output), with float32 scales. PAIRS: f(a, b,
first, second, output). TABLES: f(x, operand, output). SUMS: f(total, count, operand, output).
INDICES: f(x, output), x an array of shape [rows, elements]. FLOATS: f(x, output), x a float32 array.
POSITIONS: f(image, size, output, align_corners, half_pixel). Operands are `Affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import accumulate, fixed, floats, indices, lookups, pairs, resize, sums, tables
from .affine import Integers

__all__ = ["ACCUMULATE", "FLOATS", "FUNCTIONS", "INDICES", "PAIRS", "POSITIONS", "SUMS", "TABLES"]

Function = Callable[..., Integers]


def _named(module: object, names: list[str]) -> Mapping[str, Function]:
    """The functions of a module with these names, by name."""
    return {name: getattr(module, name) for name in names}


ACCUMULATE: Mapping[str, Function] = _named(accumulate, accumulate.__all__)
PAIRS: Mapping[str, Function] = _named(pairs, pairs.__all__)
TABLES: Mapping[str, Function] = {
    **_named(tables, tables.__all__),
    **_named(fixed, fixed.__all__),
    **_named(lookups, lookups.__all__),
}

SUMS: Mapping[str, Function] = _named(sums, sums.__all__)
INDICES: Mapping[str, Function] = _named(indices, indices.__all__)
FLOATS: Mapping[str, Function] = _named(floats, floats.__all__)
POSITIONS: Mapping[str, Function] = _named(resize, resize.__all__)
FUNCTIONS: Mapping[str, Function] = {
    **ACCUMULATE,
    **PAIRS,
    **TABLES,
    **SUMS,
    **FLOATS,
    **INDICES,
    **POSITIONS,
}
