"""Faults of a bias: its type, scales, zero point, and number of scales."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..format.model import Model, Tensor
from ..format.type_groups import BIAS_TYPES
from ..format.wiring import slot_tensor
from ..numerics import DTYPES, first_apart, integers_of, product_scale
from .constraints import BiasOf
from .faults import Fault, quant_of
from .zeros import only_zeros

__all__ = ["bias_faults", "expected_bias_scales"]

# Largest difference between bias scale and input scale x weight scale, as a share of the output scale
_APART = 0.02


def expected_bias_scales(model: Model, constraint: BiasOf) -> list[float]:
    """The scales that the bias must have: the rule's multiplier x the product of the factors'
    scales. One for each channel if the last factor (the weights) is per-axis, else one.
    """
    quants = [quant_of(model, slot) for slot in constraint.factors]
    first = quants[0].scale[0]
    for middle in quants[1:-1]:
        first *= middle.scale[0]
    last = quants[-1].scale if len(quants) > 1 else (1.0,)
    return product_scale(first, last, constraint.source.multiplier)


def _expected_count(model: Model, constraint: BiasOf) -> int:
    """The number of scales that the bias must have."""
    several = len(constraint.factors) > 1
    return len(quant_of(model, constraint.factors[-1]).scale) if several else 1


def bias_faults(model: Model, constraint: BiasOf) -> Iterator[Fault]:
    """Each fault of a bias: wrong type, number of scales, scale or zero point. Nothing without a
    bias.
    """
    bias = slot_tensor(model, constraint.slot)
    if bias is None:
        return
    constant = model.constant(constraint.slot.subgraph, bias.index) is not None
    if constraint.source.compared:
        yield from _compared(model, constraint, bias)
        return
    if constraint.source.unscaled:
        yield from _unscaled(model, constraint, bias, fixable=constant)
        return
    if constraint.source.counted:
        yield from _bias_count(model, constraint, bias, fixable=constant)
        return
    if bias.type not in constraint.legal_types:
        expected = constraint.legal_types[0]
        sentence = f"{bias.type} bias, but {constraint.type} activations need {expected}"
        yield constraint.slot, expected, bias.type, sentence, "type" if constant else ""
        if bias.type not in BIAS_TYPES:
            return
    elif constraint.source.heeded and constraint.stated not in {"", bias.type}:
        sentence = f"{constraint.source.type_option} states {constraint.stated}, but the bias is {bias.type}"
        yield constraint.slot, constraint.stated, bias.type, sentence, "type" if constant else ""
    if _plain(model, constraint, bias):
        return
    if only_zeros(model, constraint.slot.subgraph, bias):
        return  # zeros are right in any unit
    if bias.quant is None or not bias.quant.scale:
        return  # kernels read its integers in units of input scale x weight scale
    if any(bias.quant.zero_point):
        zero_point = next(z for z in bias.quant.zero_point if z)
        sentence = f"bias zero_point {zero_point}, expected 0"
        yield (
            constraint.slot,
            "zero_point 0",
            f"zero_point {zero_point}",
            sentence,
            "zero_point" if constant else "",
        )
    yield from _bias_scale(model, constraint, list(bias.quant.scale), fixable=constant)


def _plain(model: Model, constraint: BiasOf, bias: Tensor) -> bool:
    """Quick test: whether scales and zero points are right for any integers, as those of most
    biases are.
    """
    quant = bias.quant
    if quant is None or not quant.scale or any(quant.zero_point):
        return False
    return list(quant.scale) == expected_bias_scales(model, constraint)


def _compared(model: Model, constraint: BiasOf, bias: Tensor) -> Iterator[Fault]:
    """The fault of a bias of zeros: any scale is right for zeros, except if the kernel compares the
    scales.
    """
    actual = bias.quant.scale if bias.quant is not None else ()
    several = _expected_count(model, constraint) != 1
    if several or not only_zeros(model, constraint.slot.subgraph, bias):
        return
    expected = expected_bias_scales(model, constraint)
    if actual and abs(actual[0] - expected[0]) > _most_apart(model, constraint):
        right, actual_text = f"{expected[0]:.9g}", f"{actual[0]:.9g}"
        sentence = f"bias scale {actual_text} differs from input scale x weight scale = {right}"
        yield constraint.slot, right, actual_text, sentence, "scale"


def _unscaled(model: Model, constraint: BiasOf, bias: Tensor, *, fixable: bool) -> Iterator[Fault]:
    """The fault of a bias without a scale, if the kernel compares bias scales: it reads 0 and
    refuses a product of input and weight scale that is too far from 0. `fixable`: the bias is a
    constant.
    """
    several = _expected_count(model, constraint) != 1
    if several or (bias.quant is not None and bias.quant.scale):
        return
    expected = expected_bias_scales(model, constraint)
    if expected[0] > _most_apart(model, constraint):
        right = f"{expected[0]:.9g}"
        sentence = f"bias without a scale; input scale x weight scale = {right}"
        yield constraint.slot, right, "none", sentence, "scale" if fixable else ""


def _most_apart(model: Model, constraint: BiasOf) -> float:
    """The largest difference between bias scale and input scale x weight scale that the kernel
    accepts, a real value; infinite if it depends on an output that has no scale.
    """
    if constraint.source.apart:
        return constraint.source.apart
    output = slot_tensor(model, constraint.slot._replace(kind="outputs", index=0))
    step = output.quant.scale if output is not None and output.quant is not None else ()
    return _APART * step[0] if step else math.inf


def _bias_count(
    model: Model, constraint: BiasOf, bias: Tensor, *, fixable: bool
) -> Iterator[Fault]:
    """The fault of a bias with another number of scales than expected. `fixable`: the bias is a
    constant, which a repair can rewrite.
    """
    actual = len(bias.quant.scale) if bias.quant is not None else 0
    expected = _expected_count(model, constraint)
    if actual not in (0, expected):
        sentence = f"{_scales(actual)} of the bias, but {_scales(expected)} of the weights"
        repair = "scale" if fixable and 1 in (actual, expected) else ""
        yield constraint.slot, _scales(expected), _scales(actual), sentence, repair


def _scales(count: int) -> str:
    """A number of scales as text: `1 scale`, `3 scales`."""
    return "1 scale" if count == 1 else f"{count} scales"


def _bias_scale(
    model: Model, constraint: BiasOf, actual: list[float], *, fixable: bool
) -> Iterator[Fault]:
    """The fault of wrong bias scales. `actual`: the declared ones, by channel or one; `fixable`: as
    in _bias_count.
    """
    expected = expected_bias_scales(model, constraint)
    count = max(len(expected), len(actual))
    if min(len(expected), len(actual)) not in (1, count):
        sentence = f"{len(actual)} bias scales for {len(expected)} weight scales"
        yield (
            constraint.slot,
            f"{len(expected)} scales",
            f"{len(actual)} scales",
            sentence,
            "",
        )
        return
    expected, actual = _stretch(expected, count), _stretch(actual, count)
    if expected == actual:
        return
    channel = first_apart(expected, _where_it_counts(model, constraint, expected, actual))
    if channel is not None:
        right, actual_scale = expected[channel], actual[channel]
        where = f" in channel {channel}" if count > 1 else ""
        sentence = f"bias scale {actual_scale:.9g}{where} differs from input scale x weight scale = {right:.9g}"
        yield (
            constraint.slot,
            f"{right:.9g}",
            f"{actual_scale:.9g}",
            sentence,
            "scale" if fixable else "",
        )


def _where_it_counts(
    model: Model, constraint: BiasOf, expected: list[float], actual: list[float]
) -> list[float]:
    """The bias scales by channel, with the expected scale in place of the declared one wherever the
    bias is zero, as any scale is right for zeros. `expected`, `actual`: scales by channel.
    """
    slot, bias = constraint.slot, slot_tensor(model, constraint.slot)
    data = None if bias is None else model.constant(slot.subgraph, bias.index)
    if bias is None or data is None or bias.elements != len(actual) or bias.type not in DTYPES:
        return actual
    points = bias.quant.zero_point if bias.quant is not None else ()
    values = integers_of(data, bias.type, bias.elements)
    if len(values) != len(actual) or any(points):
        return actual
    rows = zip(values, expected, actual, strict=True)
    return [actual_scale if value else right for value, right, actual_scale in rows]


def _stretch(values: list[float], count: int) -> list[float]:
    """A single value repeated `count` times; a list of several values unchanged."""
    return values * count if len(values) == 1 else values
