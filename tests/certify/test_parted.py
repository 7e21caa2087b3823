"""Functions of two operands that depend on one combined integer: no pair of operands exceeds the
bound computed from it.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.arithmetic_models import affine, single_operator
from tests.support.models import Quant, TensorSpec
from tflite_align.certify.functions.affine import Affine
from tflite_align.certify.functions.parted import PARTED
from tflite_align.certify.functions.real import BINARY
from tflite_align.certify.functions.registry import PAIRS
from tflite_align.certify.make import certify


def _parameters(rng: np.random.Generator, operator: str) -> tuple[Affine, Affine, Affine]:
    first, second = (affine("int16", 10 ** rng.uniform(-5, -1)) for _ in range(2))
    about = first.scale * second.scale * 2**13 if operator == "MUL" else first.scale
    return first, second, affine("int16", about * 2.0 ** rng.uniform(-3, 3))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PARTED)
def test_a_function_of_a_pair_equals_that_of_its_combined_integer(name: str, seed: int) -> None:
    """The function of the combined integer gives the kernel's results for random pairs, and their
    distance from the exact result is at most `off` steps.
    """
    rng = np.random.default_rng(seed)
    operator, parts = PARTED[name]
    first, second, output = _parameters(rng, operator)
    part = parts(first, second, output)
    a, b = rng.integers(-32768, 32768, (2, 20000))
    a[:4], b[:4] = (-32768, -32768, 32767, 32767), (-32768, 32767, -32768, 32767)
    computed = np.asarray(PAIRS[name](a, b, first, second, output))
    real = BINARY[operator](a * first.scale, b * second.scale)
    for integer in (part.low, part.high, *np.linspace(part.low, part.high, 99).astype(int)):
        assert output.low <= int(part.last(int(integer))) <= output.high
    within = np.clip(real, output.low * output.scale, output.high * output.scale)
    worst = float(np.max(np.abs(computed * output.scale - within))) / output.scale
    assert worst <= _bound(name, first, second, output)


# function -> a runtime whose only kernel for the operator it describes
_RUNTIMES = {
    "add_double_16": "tflm",
    "add_double_once_16": "litert",
    "sub_double_16": "tflm",
    "mul_double": "tflm",
    "mul_double_float32_scale": "litert",
}


def _bound(name: str, first: Affine, second: Affine, output: Affine) -> float:
    operator, runtime = PARTED[name][0], _RUNTIMES[name]
    named = zip("aby", (first, second, output), strict=True)
    a, b, y = (
        TensorSpec(
            name=n, type="int16", shape=(4,), quant=Quant(scale=(by.scale,), zero_point=(0,))
        )
        for n, by in named
    )
    options = {"potScaleInt16": False} if operator != "MUL" else {}
    data = single_operator(operator, [a, b], y, (f"{operator.capitalize()}Options", options))
    row = certify(data, runtimes=(runtime,))["subgraphs"][0]["operators"][0]
    assert row["status"] == "certified"
    assert name in row["functions"][runtime]
    bound: float = row["bounds"][runtime]
    return bound
