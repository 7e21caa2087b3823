"""Limits on one operand's parameters and shape, in addition to the simple ones of `breaches`.

A test gets one tensor of an operator (`subject`) and the row's value for the limit. It returns None
if the limit is kept, else (expected, found) as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...format.model import Tensor
from .subject import Mismatch, Subject

__all__ = [
    "affine",
    "per_channel",
    "quantized",
    "raw",
    "real_at_most",
    "shaped",
    "static_behind",
    "types_not",
    "unit_dimension",
    "varied",
    "zero_points",
]


def types_not(_: Subject, tensor: Tensor, value: Sequence[str]) -> Mismatch:
    """None if the tensor has none of these types, else (expected, found)."""
    return (f"no {' or '.join(value)}", tensor.type) if tensor.type in value else None


def quantized(_: Subject, tensor: Tensor, value: Sequence[str]) -> Mismatch:
    """None if a tensor of one of these types has a scale, else (expected, found)."""
    if tensor.type not in value or (tensor.quant is not None and tensor.quant.scale):
        return None
    return "a scale", f"{tensor.type} without a scale"


def raw(_: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if the tensor has no scale: its integers are plain numbers, else (expected, found)."""
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    return None if count == 0 else ("integers without a scale", tensor.type)


def zero_points(_: Subject, tensor: Tensor, value: Mapping[str, Sequence[int]]) -> Mismatch:
    """None if zero points are between the two limits that the row gives for the tensor's type, else
    (expected, found).
    """
    limits = value.get(tensor.type)
    points = tensor.quant.zero_point if tensor.quant is not None and tensor.quant.scale else ()
    outside = [point for point in points if limits and not limits[0] <= point <= limits[1]]
    if not outside or limits is None:
        return None
    low, high = limits
    return f"a zero point of {low}" if low == high else f"a zero point in {low}..{high}", str(
        outside[0]
    )


def varied(subject: Subject, tensor: Tensor, _: object) -> Mismatch:
    """None if the tensor is a constant that holds more than one integer, else (expected, found)."""
    integers = subject.integers(tensor)
    if integers is None:
        return "a constant", "a computed tensor"
    several = integers.size > 0 and bool((integers != integers.flat[0]).any())
    return None if several else ("several values", f"only {integers.flat[:1].tolist()}")


def real_at_most(subject: Subject, tensor: Tensor, value: float) -> Mismatch:
    """None if the tensor is a constant with one scale, none of whose real values is above `value`,
    else (expected, found).
    """
    integers, label = subject.integers(tensor), tensor.label
    if integers is None or label is None or not integers.size:
        return "a constant with one scale", "another operand"
    highest = (int(integers.max()) - label.zero_point) * label.scale
    return None if highest <= value else (f"real values up to {value:g}", f"{highest:.9g}")


def static_behind(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if all dimensions except the first `value` ones are static, else (expected, found)."""
    sizes = tensor.shape_signature or tensor.shape
    static = all(size >= 0 for size in sizes[value:])
    return None if static else ("a fixed size in every dimension", f"{list(sizes)}")


def shaped(subject: Subject, tensor: Tensor, _: object) -> Mismatch:
    """None if the tensor has a shape: a computed tensor has at least one dimension, else (expected,
    found).
    """
    allowed = bool(tensor.shape) or subject.constant(tensor)
    return None if allowed else ("a shape", "a computed scalar")


def unit_dimension(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if one of the `value` innermost sizes is 1, or the tensor has fewer dimensions, else
    (expected, found).
    """
    sizes = tensor.shape[-value:]
    allowed = len(sizes) < value or 1 in sizes
    return (
        None
        if allowed
        else (f"a size of 1 in the {value} innermost dimensions", f"{list(tensor.shape)}")
    )


def affine(_: Subject, tensor: Tensor, __: object) -> Mismatch:
    """None if the tensor has no quantization scheme beyond scales and zero points, else (expected,
    found).
    """
    allowed = tensor.quant is None or not tensor.quant.details
    return (
        None
        if allowed
        else ("affine parameters (scales and zero points) only", "another scheme (blockwise)")
    )


def per_channel(_: Subject, tensor: Tensor, value: int) -> Mismatch:
    """None if the tensor has one scale for each index along this dimension, else (expected, found)."""
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    size = tensor.shape[value] if value < len(tensor.shape) else 1
    actual = "1 scale" if count == 1 else f"{count} scales"
    return None if count == size else (f"{size} scales, one per channel", actual)
