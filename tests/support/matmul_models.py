"""BATCH_MATMUL models with known accumulators. The operator has no bias, so that its operands
determine them.
"""

from __future__ import annotations

import numpy as np

from tests.support.arithmetic_models import (
    KernelCase,
    affine,
    signature,
    single_operator,
    telling_accumulators,
    tensor,
)
from tflite_align.numerics import INTEGER_LIMITS, to_float32

MOST = 8000  # number of accumulators
# The first operand minus its zero point. A column of the second one makes an accumulator of these.
_STEPS = {"int8": [255] * 40 + [16] * 10 + [1] * 16, "int16": [20000] * 20 + [300] * 20 + [1] * 40}


def matmul_case(
    type_name: str,
    constant: bool,  # noqa: FBT001 - one of the kinds of cases
    dense: int,
    rng: np.random.Generator,
    name: str,
) -> KernelCase:
    """A model with one column per possible accumulator; `constant`: whether the second operand is
    constant. `type_name`: integer type; `dense`: number of accumulators about 0, and of random
    ones.
    """
    low, high = INTEGER_LIMITS[type_name]
    first_zero, second_zero = (low, 3) if type_name == "int8" else (0, 0)
    scales = [to_float32(10 ** rng.uniform(-3, -1)) for _ in range(2)]
    real = 10 ** rng.uniform(-5, 1)
    zero = 0 if type_name == "int16" else int(rng.integers(low, high + 1))
    output = affine(type_name, scales[0] * scales[1] / real, zero)
    limit = 10**6 if type_name == "int8" else 10**10
    # TFLM's arena has to hold all columns
    rest = telling_accumulators(real, output, limit, rng, min(dense, 1024))
    rest = rest if len(rest) < MOST else np.sort(rng.choice(rest, MOST, replace=False))
    wanted, columns = rest, []
    for step in _STEPS[type_name]:
        picked = np.clip(np.rint(rest / step), low + 3, high - 3).astype(np.int64)
        rest = rest - picked * step
        columns.append(picked + second_zero)
    made = np.stack(columns)[:, rest == 0]
    row = np.array(_STEPS[type_name]) + first_zero
    x = tensor("x", type_name, (1, 1, len(row)), scales[0], first_zero)
    stored = made if constant else None
    w = tensor("w", type_name, (1, *made.shape), scales[1], second_zero, stored)
    y = tensor("y", type_name, (1, 1, made.shape[1]), output.scale, zero)
    fed = [row.reshape(1, 1, -1).astype(type_name)]
    if not constant:
        fed.append(made[None].astype(type_name))
    version = 3 if type_name == "int16" else 2
    return KernelCase(
        name=name,
        data=single_operator("BATCH_MATMUL", [x, w], y, ("BatchMatMulOptions", {}), version),
        inputs=fed,
        operator="BATCH_MATMUL",
        types=signature([x, w], y),
        arguments=(wanted[rest == 0], scales[0], scales[1]),
        output=output,
        facts={},
    )
