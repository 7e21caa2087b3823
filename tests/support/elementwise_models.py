"""One-operator models of sums and of elementwise operators with one or two operands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.rules.operators.operands import Array
from tests.support.arithmetic_models import (
    VALID,
    KernelCase,
    affine,
    signature,
    single_operator,
    tensor,
)
from tflite_align.certify.functions.affine import Affine
from tflite_align.certify.functions.real import BINARY, UNARY
from tflite_align.certify.functions.shapes import are_powers_of_two
from tflite_align.numerics import INTEGER_LIMITS, to_float32


def sum_case(
    operator: str, type_name: str, rng: np.random.Generator, name: str, *, keep: bool
) -> KernelCase:
    """A model with a different sum in every channel: all possible sums, or some with both ends.
    `type_name`: integer type; `keep`: the output keeps the dimensions of size 1, for which MEAN has
    a kernel of its own; `name`: of the model.
    """
    low, high = INTEGER_LIMITS[type_name]
    height, width = (int(size) for size in rng.integers(1, 12, 2))
    count = height * width
    totals = np.unique(np.append(rng.integers(low * count, high * count, 3000), [low * count]))
    given = _random_affine(type_name, rng)
    about = given.scale * (count if operator == "SUM" else 1)
    output = _random_affine(type_name, rng)
    output = output._replace(scale=to_float32(_output_scale(about, 1.5, rng)))
    pooled = operator == "AVERAGE_POOL_2D"
    output = given if pooled else output
    unit = given.scale / (1 if operator == "SUM" else count)
    ties = near_ties((totals - count * given.zero_point) * unit / output.scale)
    totals = np.concatenate([rng.permutation(totals), totals[ties]])
    below, rest = np.divmod(totals, count)
    x = below + (np.arange(count)[:, None] < rest)
    shape = (1, 1, 1, len(totals)) if keep else (1, len(totals))
    inputs = [
        tensor("x", type_name, (1, height, width, len(totals)), given.scale, given.zero_point)
    ]
    y = tensor("y", type_name, shape, output.scale, output.zero_point)
    values = {"padding": VALID, "strideW": 1, "strideH": 1}
    options: tuple[str, Mapping[str, Any]] = (
        "Pool2DOptions",
        {**values, "filterWidth": width, "filterHeight": height},
    )
    if not pooled:
        inputs.append(tensor("axes", "int32", (2,), data=[1, 2]))
        options = ("ReducerOptions", {"keepDims": keep})
    version = {"int8": 2, "int16": 3}.get(type_name, 1) if pooled else 1
    return KernelCase(
        name=name,
        data=single_operator(operator, inputs, y, options, version),
        inputs=[x.reshape(inputs[0].shape).astype(type_name)],
        operator=operator,
        types=signature(inputs, y),
        arguments=(totals, count, given),
        output=output,
        facts={"over_height_and_width": keep},
    )


def near_ties(steps: Array) -> Array:
    """The indices of up to 37 results, in steps of the output, that lie nearest to half a step, to be put
    at the end: vector instructions leave the last elements to other code, which rounds otherwise.
    """
    order: Array = np.argsort(np.abs(np.abs(steps - np.trunc(steps)) - 0.5), kind="stable")
    return order[: min(37, len(order))][::-1]


# --- one and two operands -------------------------------------------------------------------------


def all_integers(type_name: str, rng: np.random.Generator) -> Array:
    """All integers of an 8-bit or 16-bit type; a selection of int32."""
    low, high = INTEGER_LIMITS[type_name]
    if type_name == "int32":
        return np.concatenate([rng.integers(low // 256, high // 256, 3000), np.arange(-3000, 3000)])
    return np.arange(low, high + 1)


def _random_affine(type_name: str, rng: np.random.Generator) -> Affine:
    """Random parameters; half of the scales are near powers of two, which give ties. `type_name`:
    integer type; `name`: of the model.
    """
    low, high = INTEGER_LIMITS[type_name]
    scale = 2.0 ** -rng.integers(0, 6) if rng.random() < 0.5 else 10 ** rng.uniform(-3, 0)
    zero = 0 if type_name in ("int16", "int32") else int(rng.integers(low, high + 1))
    return affine(type_name, scale, zero)


def _output_scale(about: float, spread: float, rng: np.random.Generator) -> float:
    scale = about * math.exp(rng.uniform(-spread, spread))
    return 2.0 ** round(math.log2(scale)) if rng.random() < 0.5 else scale


_PAIR_OPTIONS: dict[str, str] = {
    "ADD": "AddOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "SUB": "SubOptions",
}
_SAME = {"MAXIMUM", "MINIMUM"}  # all operands have equal parameters


def pair_case(operator: str, type_name: str, rng: np.random.Generator, name: str) -> KernelCase:
    """A model on all pairs of 8-bit integers; on a selection of int16 pairs with all pairs of ends.
    `type_name`: integer type; `name`: of the model.
    """
    low, high = INTEGER_LIMITS[type_name]
    if type_name == "int16":
        a, b = rng.integers(low, high + 1, (2, 30000))
        a[:4], b[:4] = (low, low, high, high), (low, high, low, high)
    else:
        every = np.arange(low, high + 1)
        a, b = (grid.ravel() for grid in np.meshgrid(every, every, indexing="ij"))
    first, second = _random_affine(type_name, rng), _random_affine(type_name, rng)
    second = second._replace(scale=to_float32(first.scale * 2.0 ** rng.uniform(-4, 4)))
    larger = max(first.scale, second.scale)
    about, spread = larger, 2.0
    if operator == "MUL":
        about, spread = first.scale * second.scale * (high - low) / 8, 3.0
    if operator == "SQUARED_DIFFERENCE":
        about = larger**2 * 100
    output = _random_affine(type_name, rng)._replace(
        scale=to_float32(_output_scale(about, spread, rng))
    )
    if operator in _SAME:
        second = output = first
    real = BINARY[operator](
        *((q - by.zero_point) * by.scale for q, by in ((a, first), (b, second)))
    )
    ties = near_ties(real / output.scale)
    a, b = np.append(a, a[ties]), np.append(b, b[ties])
    shape: tuple[int, ...] = (len(a),)
    x = tensor("a", type_name, shape, first.scale, first.zero_point)
    z = tensor("b", type_name, shape, second.scale, second.zero_point)
    fed: list[Array] = [a.astype(type_name), b.astype(type_name)]
    if operator == "PRELU":
        x = tensor("a", type_name, (1, 1, 1, len(a)), first.scale, first.zero_point)
        z = tensor("b", type_name, (1, 1, len(a)), second.scale, second.zero_point, b)
        fed = [fed[0].reshape(1, 1, 1, -1)]
    y = tensor("y", type_name, x.shape, output.scale, output.zero_point)
    # With the option, LiteRT still takes its general kernel unless all scales are powers of two.
    asked = not are_powers_of_two([[first.scale, second.scale, output.scale]])
    values = {"potScaleInt16": asked} if operator in ("ADD", "SUB") else {}
    table = _PAIR_OPTIONS.get(operator)
    return KernelCase(
        name=name,
        data=single_operator(operator, [x, z], y, None if table is None else (table, values)),
        inputs=fed,
        operator=operator,
        types=signature([x, z], y),
        arguments=(a.astype(np.int64), b.astype(np.int64), first, second),
        output=output,
        facts={"pot_scale_int16": False},
    )


_TABLE_OPTIONS = {
    "ABS": "AbsOptions",
    "GELU": "GeluOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "NEG": "NegOptions",
    "QUANTIZE": "QuantizeOptions",
}
# Fixed outputs of these kernels: scale, and zero point minus the type's minimum.
_FIXED = {"LOGISTIC": (1 / 256, 0), "TANH": (1 / 128, 128)}


def table_case(
    operator: str, given: str, taken: str, rng: np.random.Generator, name: str
) -> KernelCase:
    """A model on all integers of the operand, some of them twice (near_ties). `given`, `taken`: types
    of operand and output; `name`: of the model.
    """
    x = all_integers(given, rng).astype(np.int64)
    operand, output = _random_affine(given, rng), _random_affine(taken, rng)
    output = output._replace(scale=to_float32(_output_scale(operand.scale, 3.0, rng)))
    if operator in _FIXED:
        scale, above = _FIXED[operator]
        output = output._replace(scale=scale, zero_point=output.low + above)
    if operator == "RELU6":
        output = operand  # TFLM checks only the input's zero point
    keywords = {}
    facts: dict[str, Any] = {}
    if operator == "EXP":
        output = output._replace(scale=to_float32(math.exp(rng.uniform(-3, 3))))
        operand = operand._replace(scale=to_float32(rng.uniform(0.001, 0.06)))
    if operator == "GELU":
        facts["approximate"] = bool(rng.integers(2))
    if operator == "LEAKY_RELU":
        keywords["alpha"] = to_float32(rng.choice([0.1, 0.25, 1.5, -0.5, rng.uniform(0.01, 1)]))
    real = UNARY[operator]((x - operand.zero_point) * operand.scale, {**facts, **keywords})
    x = np.append(x, x[near_ties(real / output.scale)])
    i = tensor("x", given, (len(x),), operand.scale, operand.zero_point)
    y = tensor("y", taken, (len(x),), output.scale, output.zero_point)
    table = _TABLE_OPTIONS.get(operator)
    facts |= keywords
    options = None if table is None else (table, facts)
    return KernelCase(
        name=name,
        data=single_operator(operator, [i], y, options),
        inputs=[x.astype(given)],
        operator=operator,
        types=signature([i], y),
        arguments=(x, operand),
        output=output,
        facts=facts,
        keywords=keywords,
    )


def index_case(
    operator: str, type_name: str, index_type: str, rng: np.random.Generator, name: str
) -> KernelCase:
    """ARG_MAX or ARG_MIN along the last axis of 500 rows: some of all integers, some with many
    ties. `type_name`: integer type; `name`: of the model.
    """
    low, high = INTEGER_LIMITS[type_name]
    columns = int(rng.integers(1, 70))
    x = rng.integers(low, high + 1, (500, columns))
    x[::2] = np.clip(x[::2], low, low + 2) if rng.integers(2) else np.clip(x[::2], high - 2, high)
    given = _random_affine(type_name, rng)
    inputs = [
        tensor("x", type_name, x.shape, given.scale, given.zero_point),
        tensor("axis", "int32", (1,), data=[1]),
    ]
    y = tensor("y", index_type, (len(x),))
    table = "ArgMaxOptions" if operator == "ARG_MAX" else "ArgMinOptions"
    code = {"int32": 2, "int64": 4}[index_type]
    return KernelCase(
        name=name,
        data=single_operator(operator, inputs, y, (table, {"outputType": code})),
        inputs=[x.astype(type_name)],
        operator=operator,
        types=signature(inputs, y),
        arguments=(x,),
        output=Affine(1.0, 0, 0, columns - 1),
        facts={},
    )


def float_case(taken: str, rng: np.random.Generator, name: str) -> KernelCase:
    """QUANTIZE of float32 values near every step of the output, and some others. `taken`: type of
    the output; `name`: of the model.
    """
    output = _random_affine(taken, rng)
    low, high = (max(output.low, -2000), min(output.high, 2000))
    steps = np.arange(low - output.zero_point - 3, high - output.zero_point + 4)
    about = np.concatenate([(steps + part) * output.scale for part in (0, 0.5, -0.5, 0.25)])
    near = about.astype(np.float32)
    ends = [np.nextafter(near, np.float32(end)) for end in (np.inf, -np.inf)]
    x = np.concatenate([near, *ends, rng.normal(0, 300 * output.scale, 999)]).astype(np.float32)
    i, y = (
        tensor("x", "float32", x.shape),
        tensor("y", taken, x.shape, output.scale, output.zero_point),
    )
    return KernelCase(
        name=name,
        data=single_operator("QUANTIZE", [i], y, ("QuantizeOptions", {})),
        inputs=[x],
        operator="QUANTIZE",
        types=signature([i], y),
        arguments=(x,),
        output=output,
        facts={},
    )
