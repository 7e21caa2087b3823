"""Limits on one operand's type, shape and constant values.

A test gets one tensor of an operator (`subject`) and the row's value for the limit. It returns None
if the limit is kept, else (expected, found) as text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...format.model import Tensor
from .subject import Mismatch, Subject

# Text for an operand that should be a constant.
COMPUTED = ("a computed tensor", "a computed tensor of axes")


def listed(words: Sequence[object]) -> str:
    """The items as text, joined by commas and `or`. `words`: the items."""
    texts = [str(word) for word in words]
    return " or ".join(texts) if len(texts) < 3 else f"{', '.join(texts[:-1])} or {texts[-1]}"


# --- of the operator ---------------------------------------------------------------------------


def types(_: Subject, tensor: Tensor, value: Sequence[str]) -> Mismatch:
    """None if the tensor has one of these types, else (expected, found)."""
    return None if tensor.type in value else (listed(value), tensor.type)


def constant(subject: Subject, tensor: Tensor, value: object) -> Mismatch:
    """None if the tensor is a constant (value True), or is none (False), else (expected, found)."""
    if subject.constant(tensor) == value:
        return None
    actual = ("a constant", COMPUTED[0])
    return actual if value else (actual[1], actual[0])


def absent(_: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if the operand is left out, else (expected, found)."""
    return "no such operand", tensor.name or "one"


def static(_: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if no size of the tensor is unknown (-1), else (expected, found)."""
    static = all(size >= 0 for size in tensor.shape)
    return None if static else ("a fixed size in every dimension", f"{list(tensor.shape)}")


def ranks(_: Subject, tensor: Tensor, value: Sequence[int]) -> Mismatch:
    """None if the tensor has one of these numbers of dimensions, else (expected, found)."""
    rank = len(tensor.shape)
    return None if rank in value else (f"{listed(value)} dimensions", f"{list(tensor.shape)}")


def large_dimensions(subject: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if a computed tensor has sizes above 1 only in its `value` innermost dimensions, else
    (expected, found).
    """
    return None if subject.constant(tensor) else _innermost_alone(tensor, value)


def constant_large_dimensions(subject: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if a constant has sizes above 1 only in its `value` innermost dimensions, else
    (expected, found).
    """
    return _innermost_alone(tensor, value) if subject.constant(tensor) else None


def _innermost_alone(tensor: Tensor, value: int) -> Mismatch:
    """None if all but the `value` innermost sizes are at most 1, else (expected, found)."""
    outer = tensor.shape[: len(tensor.shape) - value] if len(tensor.shape) > value else ()
    if all(size <= 1 for size in outer):
        return None
    noun = "dimension" if value == 1 else f"{value} dimensions"
    return f"sizes above 1 only in the innermost {noun}", f"{list(tensor.shape)}"


def elements_at_least(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the tensor has at least `value` elements, else (expected, found)."""
    return None if tensor.elements >= value else (f"{value} elements or more", f"{tensor.elements}")


def elements_at_most(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the tensor has at most `value` elements, else (expected, found)."""
    return (
        None if tensor.elements <= value else (f"{value} elements or fewer", f"{tensor.elements}")
    )


def positions_at_most(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the number of elements divided by the innermost size is at most `value`, else
    (expected, found).
    """
    count = tensor.elements // max(tensor.shape[-1] if tensor.shape else 1, 1)
    return None if count <= value else (f"{value} positions or fewer", f"{count}")


def innermost_at_most(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the innermost size is at most `value`, else (expected, found)."""
    size = tensor.shape[-1] if tensor.shape else 1
    return None if size <= value else (f"an innermost size up to {value}", f"{size}")


def innermost_multiple_of(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the innermost size is a multiple of `value`, else (expected, found)."""
    size = tensor.shape[-1] if tensor.shape else 1
    return (
        None
        if size % value == 0
        else (f"an innermost size that is a multiple of {value}", f"{size}")
    )


def values(subject: Subject, tensor: Tensor, value: Sequence[int]) -> Mismatch:
    """None if a constant's integers are all among the row's values, else (expected, found)."""
    integers = subject.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    illegal = [int(integer) for integer in integers.flat if int(integer) not in value]
    return (f"values {listed(value)}", str(illegal[0])) if illegal else None


def zero(subject: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if a constant's integers all equal its zero point (0 without one), else (expected,
    found).
    """
    integers = subject.integers(tensor)
    zero_point = (
        tensor.quant.label.zero_point if tensor.quant is not None and tensor.quant.scale else 0
    )
    zeros = integers is not None and bool(np.all(integers == zero_point))
    return None if zeros else ("only zeros", "other values")


def rows_zero_outside(subject: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if in a constant with a row for each dimension, only the last `value` rows differ from
    0, else (expected, found).
    """
    integers = subject.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    rows = np.atleast_2d(integers)
    outer = rows[: max(len(rows) - value, 0)]
    expected = f"zeros outside the {value} innermost dimensions"
    return (expected, f"{outer.tolist()}") if np.any(outer) else None


def per_tensor(_: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if the tensor has at most one scale, else (expected, found)."""
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    return None if count <= 1 else ("one scale", f"{count} scales")
