"""One-operator models in which every accumulator is known, to compare kernels with arithmetic rows.

A `KernelCase` is a model, its inputs, and the arguments with which a row's function gives its
output. All weights equal their zero point, so that products are 0 and the biases are the
accumulators.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.rules.operators.operands import Array
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.certify.functions.affine import Affine, DomainError
from tflite_align.certify.functions.registry import ACCUMULATE
from tflite_align.numerics import INTEGER_LIMITS, to_float32
from tflite_align.record import Record, replace
from tflite_align.rules.operand_types import OperandTypes

Predict = Callable[..., Any]

VALID = 1  # padding codes of the schema
_CLOSE = (-2, -1, 0, 1, 2, 3)  # number of accumulators on each side of every change of the output


class KernelCase(Record, frozen=True, kw_only=True):
    """A model and the arguments for a row's function.

    `arguments`: the function's arguments before the output; `output`: the output operand without
    clamp; `facts`: options and properties that conditions of rows test; `keywords`: options of the
    function.
    """

    name: str
    data: bytes
    inputs: list[Array]
    operator: str
    types: OperandTypes
    arguments: tuple[Any, ...]
    output: Affine
    facts: Mapping[str, Any]
    keywords: Mapping[str, Any] = {}

    def model(self) -> bytes:
        return self.data

    def fed(self) -> list[Array]:
        return self.inputs


def affine(type_name: str, scale: float, zero_point: int = 0) -> Affine:
    return Affine(to_float32(scale), zero_point, *INTEGER_LIMITS[type_name])


def tensor(  # noqa: PLR0917 - in the order in which a file has them
    name: str,
    type_name: str,
    shape: tuple[int, ...],
    scales: float | tuple[float, ...] | None = None,
    zero_point: int = 0,
    data: Any = None,
    axis: int = 0,
) -> TensorSpec:
    """A tensor; without `scales` it has no quantization parameters. `type_name`: integer type."""
    quant = None
    if scales is not None:
        listed = scales if isinstance(scales, tuple) else (scales,)
        quant = Quant(scale=listed, zero_point=(zero_point,) * len(listed), axis=axis)
    stored = None if data is None else np.asarray(data, dtype=type_name).reshape(shape)
    return TensorSpec(name=name, type=type_name, shape=shape, quant=quant, data=stored)


def single_operator(
    name: str,
    inputs: list[TensorSpec],
    output: TensorSpec,
    options: tuple[str, Mapping[str, Any]] | None,
    version: int = 1,
) -> bytes:
    """A model of one operator; inputs without data are graph inputs. `options`: table name and
    fields.
    """
    operator = OperatorSpec(
        name=name,
        inputs=[spec.name for spec in inputs],
        outputs=[output.name],
        options=options,
        version=version,
    )
    fed = [spec.name for spec in inputs if spec.data is None]
    graph = GraphSpec(
        tensors=[*inputs, output], operators=[operator], inputs=fed, outputs=[output.name]
    )
    return model_bytes([graph])


def signature(inputs: list[TensorSpec], output: TensorSpec) -> OperandTypes:
    return OperandTypes(tuple(spec.type for spec in inputs), (output.type,))


# --- accumulators ---------------------------------------------------------------------------------


def telling_accumulators(
    real: float, output: Affine, limit: int, rng: np.random.Generator, dense: int
) -> Array:
    """Accumulators for which implementations of rounding may differ: those near each change of the
    output and near whole numbers, `dense` consecutive ones around 0, and random ones; at most
    `limit` in magnitude. `real`: the multiplier (accumulator step over output step).
    """
    steps = np.arange(output.low - output.zero_point - 3, output.high - output.zero_point + 4)
    if len(steps) > 1000:
        steps = rng.choice(steps, 1000)
    near = np.concatenate([(steps + 0.5) / real, steps / real])
    found = np.concatenate(
        [
            *(np.floor(near) + shift for shift in _CLOSE),
            np.arange(-dense // 2, dense // 2),
            np.rint(rng.uniform(-1, 1, dense) * min(limit, 300 / real)),
            np.rint(rng.uniform(-limit, limit, 100)),
        ]
    )
    # The functions are undefined where the multiplication overflows int32.
    limit = min(limit, int((2**31 - 70000) / max(real, 1)), int((2**30) / max(real, 0.5)))
    return np.unique(found[np.abs(found) <= limit]).astype(np.int64)


def _torn_last(
    accumulators: Array, scales: list[float], output: Affine, rng: np.random.Generator
) -> Array:
    """The accumulators in an order in which the last ones give different integers in different
    implementations, since vector instructions leave the last channels to other code. `scales`:
    weight scale of each channel.
    """
    accumulators = rng.permutation(accumulators)[int(rng.integers(16)) :]
    answers = []
    for name in sorted(ACCUMULATE.keys() - {"accumulate_reduced"}):
        with contextlib.suppress(DomainError):
            answers.append(np.asarray(ACCUMULATE[name](accumulators, *scales, output)))
    torn = np.logical_or.reduce([answer != answers[0] for answer in answers])
    return accumulators[np.argsort(torn, kind="stable")]


_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
}


def accumulator_case(
    operator: str,
    type_name: str,
    real: float,
    rng: np.random.Generator,
    *,
    several: bool,
    dense: int,
    name: str,
    variant: str = "",
) -> KernelCase:
    """A model with a different accumulator in every channel; `several`: equal weight scales, one
    per channel.

    `variant`: "grouped", a CONV_2D of two groups; "int32", an int16 operator with an int32 bias;
    "few", less than 32 channels. `type_name`: integer type. `real`: the multiplier. `dense`: number
    of accumulators about 0, and of random ones.
    """
    low, high = INTEGER_LIMITS[type_name]
    scales = [to_float32(10 ** rng.uniform(-3, -1)) for _ in range(2)]
    wide = type_name == "int16"
    zero = 0 if wide else int(rng.integers(low, high + 1))
    output = affine(type_name, scales[0] * scales[1] / real, zero)
    bias_type = "int64" if wide and variant != "int32" else "int32"
    limit = 2**40 if bias_type == "int64" else 2**31 - 1
    accumulators = telling_accumulators(real, output, limit, rng, dense)
    accumulators = _torn_last(accumulators, scales, output, rng)
    if variant == "few":
        accumulators = accumulators[-int(rng.integers(1, 32)) :]
    if variant == "grouped":  # both groups have the same size
        accumulators = accumulators[len(accumulators) % 2 :]
    count = len(accumulators)
    x, w = _weighted(operator, type_name, count, grouped=variant == "grouped")
    x = _scaled(x, (scales[0],), 0 if wide else 3)
    many = count if several else 1
    w = _scaled(w, (scales[1],) * many, 128 if w.type == "uint8" else 0)
    product = (to_float32(scales[0] * scales[1]),) * many
    b = tensor("b", bias_type, (count,), product, 0, accumulators)
    y = tensor("y", type_name, (*x.shape[:-1], count), output.scale, zero)
    kind = 2 if variant == "int32" else 0  # quantized_bias_type: INT32, or absent
    inputs = [x, w, b]
    if operator == "TRANSPOSE_CONV":
        inputs = [tensor("s", "int32", (4,), data=[1, 1, 1, count]), w, x, b]
    return KernelCase(
        name=name,
        data=single_operator(
            operator, inputs, y, _options(operator, kind), 3 if operator == "TRANSPOSE_CONV" else 1
        ),
        inputs=[np.full(x.shape, 5, dtype=type_name)],
        operator=operator,
        types=signature(inputs, y),
        arguments=(accumulators, scales[0], scales[1]),
        output=output,
        facts={
            "several_weight_scales": several,
            "grouped": variant == "grouped",
            "quantized_bias_type": kind,
        },
    )


def _weighted(
    operator: str, type_name: str, count: int, *, grouped: bool
) -> tuple[TensorSpec, TensorSpec]:
    """Data and weights; all weights equal their zero point. `type_name`: integer type. `count`:
    channels.
    """
    channels = count if operator == "DEPTHWISE_CONV_2D" else 2
    shape = {
        "CONV_2D": (count, 1, 1, 1 if grouped else channels),
        "DEPTHWISE_CONV_2D": (1, 1, 1, count),
        "TRANSPOSE_CONV": (count, 1, 1, channels),
        "FULLY_CONNECTED": (count, channels),
    }[operator]
    kind = "uint8" if type_name == "uint8" else "int8"
    filled = np.full(shape, 128 if kind == "uint8" else 0)
    axis = 3 if operator == "DEPTHWISE_CONV_2D" else 0
    data = (1, channels) if operator == "FULLY_CONNECTED" else (1, 1, 1, channels)
    return tensor("x", type_name, data), tensor("w", kind, shape, 1.0, 0, filled, axis)


def _scaled(spec: TensorSpec, scales: tuple[float, ...], zero_point: int) -> TensorSpec:
    axis = spec.quant.axis if spec.quant is not None else 0
    quant = Quant(scale=scales, zero_point=(zero_point,) * len(scales), axis=axis)
    return replace(spec, quant=quant)


def _options(operator: str, bias_type: int) -> tuple[str, Mapping[str, Any]]:
    values: dict[str, Any] = {"padding": VALID, "strideW": 1, "strideH": 1}
    if operator == "DEPTHWISE_CONV_2D":
        values["depthMultiplier"] = 1
    if operator == "FULLY_CONNECTED":
        values = {"quantizedBiasType": bias_type}
    return _OPTIONS[operator], values
