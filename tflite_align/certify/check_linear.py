"""Bounds of operators whose output is a monotone function of one integer accumulator per channel.

The real result is linear in the accumulator. The error is therefore largest at an end of an interval
of accumulators with the same output integer: at most 256 intervals per channel for 8-bit outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .check_read import ReadOperator, ReadTensor
from .check_real import LARGEST, Operand, Segment
from .functions.affine import Affine, DomainError
from .functions.registry import ACCUMULATE
from .functions.steps import step_ends

__all__ = ["PLACES", "Linear", "accumulated", "sums"]

Array = Any
_INT32 = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Accumulators by channel; every array has shape [channels]. The accumulator lies within `low` and
    `high` (integers, bias included); the real result is `unit` x (accumulator - `bias`) + `offset`
    with an error of at most `drift` (real value) from the rounding of the weights.
    """

    input_scale: float
    weight_scale: Array
    low: Array
    high: Array
    bias: Array
    offset: Array
    drift: Array

    @property
    def unit(self) -> Array:
        """Real value of one accumulator step, by channel."""
        return self.input_scale * self.weight_scale

    def real(self, accumulator: Array) -> Array:
        """The real results of these accumulators, by channel."""
        return self.unit * (accumulator - self.bias) + self.offset


# operator -> (its data, its weights, its bias, the weights' axis of channels)
PLACES = {
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, -1),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}


def _by_channel(tensor: ReadTensor, axis: int, what: str) -> tuple[Array, Array, Array]:
    """(integers minus zero point with shape [channels, taps], scale by channel, real values) of
    weights. `what`: name of the operand for messages. DomainError if its parameters lie along
    another axis.
    """
    whole = np.moveaxis(tensor.integers(), axis, 0)
    whole = whole.reshape(whole.shape[0], -1)
    if not tensor.scale or (len(tensor.scale) > 1 and tensor.axis != axis % len(tensor.shape)):
        raise DomainError(f"{what} has parameters along another axis than its channels")
    scale, zero = (
        np.broadcast_to(np.array(v), whole.shape[:1]) for v in (tensor.scale, tensor.zero_point)
    )
    centred = whole - zero[:, None]
    return centred, scale.astype(np.float64), centred * scale[:, None]


def sums(
    operator: ReadOperator, inputs: Sequence[Operand | None], output: Operand, *, as_run: bool
) -> Linear:
    """The accumulators of a convolution or matrix product, by channel. Padding contributes 0, so
    each product may also be 0. Raises DomainError if the accumulator can overflow int32 in some
    order of summation.
    """
    if operator.name == "BATCH_MATMUL":
        return _products(operator, inputs, output)
    if operator.name not in PLACES:
        raise DomainError("what it adds up is not known")
    data, weights, bias, axis = PLACES[operator.name]
    x, w = inputs[data], inputs[weights]
    if x is None or w is None or len(x.tensor.scale) != 1 or not w.tensor.data:
        raise DomainError("its weights are no constant, or its data has no parameters")
    by = x.affine
    centred, scale, real = _by_channel(w.tensor, axis, "the weight")
    _, given_scale, declared = _by_channel(w.given, axis, "the weight")
    ends = [min(by.low - by.zero_point, 0), max(by.high - by.zero_point, 0)]
    plus, minus = np.maximum(centred, 0).sum(1), np.minimum(centred, 0).sum(1)
    b = inputs[bias] if len(inputs) > bias else None
    bias_integers = np.zeros(len(scale), np.int64) if b is None else b.tensor.integers().ravel()
    offset = (
        np.zeros(len(scale))
        if b is None
        else _declared(b, x.given.scale[0] * given_scale, as_run=as_run)
    )
    if bias_integers.shape != scale.shape:
        raise DomainError("its bias has another number of channels")
    most = max(-ends[0], ends[1])
    if np.any(np.abs(centred).sum(1) * most + np.abs(bias_integers) > _INT32):
        raise DomainError("the accumulator can leave int32")
    line = Linear(
        input_scale=by.scale,
        weight_scale=scale,
        low=ends[0] * plus + ends[1] * minus + bias_integers,
        high=ends[1] * plus + ends[0] * minus + bias_integers,
        bias=bias_integers,
        offset=offset,
        drift=most * by.scale * np.abs(real - declared).sum(1),
    )
    parts = np.abs(line.unit) * (np.abs(centred).sum(1) * most + np.abs(bias_integers)) + np.abs(
        offset
    )
    if not np.all(parts <= LARGEST * output.tensor.scale[0]) or np.any(scale < 0):
        raise DomainError("steps too far apart to say anything")
    return line


def _products(operator: ReadOperator, inputs: Sequence[Operand | None], output: Operand) -> Linear:
    """The accumulator of a product of two activations: `depth` times any product of their integers."""
    first, second = inputs
    if first is None or second is None:
        raise DomainError("an operand is absent")
    depth = first.tensor.shape[-2 if operator.options["adj_x"] else -1]
    left, right = (
        np.array([by.low, by.high]) - by.zero_point for by in (first.affine, second.affine)
    )
    products = depth * np.outer(left, right).ravel()
    most = int(np.max(np.abs(products)))
    unit = first.affine.scale * second.affine.scale
    if most > _INT32:
        raise DomainError("the accumulator can leave int32")
    if unit * most > LARGEST * output.tensor.scale[0]:
        raise DomainError("steps too far apart to say anything")
    nothing = np.zeros(1)
    return Linear(
        input_scale=first.affine.scale,
        weight_scale=np.array([second.affine.scale]),
        low=np.array([products.min()]),
        high=np.array([products.max()]),
        bias=np.zeros(1, np.int64),
        offset=nothing,
        drift=nothing,
    )


def _declared(bias: Operand, product: Array, *, as_run: bool) -> Array:
    """The bias's real values, by channel: its integers times its declared scale or, with `as_run`,
    times `product` (input scale x weight scale).
    """
    integers, scale = bias.given.integers().ravel(), bias.given.scale
    if as_run or not scale:
        return integers * product
    if any(bias.given.zero_point):
        raise DomainError("its bias has a zero point")
    return integers * np.array(scale)


def accumulated(
    line: Linear, function: str, out: Affine, target: Segment, real: tuple[float, float]
) -> tuple[float, int, int]:
    """(largest error in steps of the output, least and greatest output integer) over all channels.

    `function`: name of the integer function; `target`: the correct values; `real`: (least,
    greatest) real value that the fused activation lets through.
    """
    worst, low, high = 0.0, out.high, out.low
    for channel in range(len(line.low)):
        ends = int(line.low[channel]), int(line.high[channel])
        scale = float(line.weight_scale[channel])

        def kernel(a: Array, scale: float = scale) -> Array:
            """The output integers of one channel's accumulators."""
            return np.asarray(ACCUMULATE[function](a, line.input_scale, scale, out))

        a, y = step_ends(kernel, *ends, line.input_scale * scale / out.scale, out.zero_point)
        f = line.unit[channel] * (a - line.bias[channel]) + line.offset[channel]
        f = np.clip(f, *real)
        drift = float(line.drift[channel]) / out.scale
        worst = max(worst, drift + target.distance((y - out.zero_point) * out.scale, f))
        low, high = min(low, int(y.min())), max(high, int(y.max()))
    return worst, low, high
