"""The integer function of each arithmetic row equals the real kernel in all cases, except for those
listed in `departs`.
"""

from __future__ import annotations

import platform
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.arithmetic_models import KernelCase, accumulator_case
from tests.support.elementwise_models import (
    float_case,
    index_case,
    pair_case,
    sum_case,
    table_case,
)
from tests.support.kernel_batch import run_batch
from tests.support.matmul_models import matmul_case
from tests.support.resize_models import resize_case
from tflite_align.certify.arithmetic import arithmetic_runtimes, load_arithmetic
from tflite_align.certify.functions.affine import DomainError, NotTakenError
from tflite_align.certify.functions.registry import FUNCTIONS
from tflite_align.verify import judges

Make = Callable[[np.random.Generator, str], KernelCase]

# Accumulator multipliers: smallest and largest power of ten.
_POWERS = (-7.0, 1.5)
_ENTRIES = 512  # number of consecutive accumulator values in the normal run


CHANNELED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")


def accumulators(dense: int) -> Iterator[tuple[str, Make]]:
    kinds = [
        (operator, type_name, several, "")
        for operator in CHANNELED
        for type_name in ("int8", "uint8", "int16")
        for several in (False, True)
        if type_name != "uint8" or not several
    ]
    kinds += [(*kind[:3], "few") for kind in kinds]
    kinds += [("CONV_2D", type_name, False, "grouped") for type_name in ("int8", "uint8")]
    kinds += [("FULLY_CONNECTED", "int16", several, "int32") for several in (False, True)]
    for kind in kinds:
        yield "-".join(map(str, kind)), partial(_channels, kind, dense)
    for type_name, constant in (("int8", True), ("int8", False), ("int16", False)):
        made = partial(matmul_case, type_name, constant, dense)
        yield f"BATCH_MATMUL-{type_name}-{constant}", made


PAIRS = {
    "ADD": ("int8", "uint8", "int16"),
    "SUB": ("int8", "uint8", "int16"),
    "MUL": ("int8", "uint8", "int16"),
    "SQUARED_DIFFERENCE": ("int8",),
    "PRELU": ("int8", "uint8"),
    "MAXIMUM": ("int8", "uint8", "int16"),
    "MINIMUM": ("int8", "uint8", "int16"),
}
TABLES = {
    "QUANTIZE": (
        "int8 int8", "int8 uint8", "int8 int16", "int8 int32", "uint8 int8", "uint8 uint8",
        "uint8 int16", "int16 int8", "int16 int16", "int16 int32", "int32 int8", "int32 int16",
    ),
    "LEAKY_RELU": ("int8 int8", "uint8 uint8", "int16 int16"),
    "HARD_SWISH": ("int8 int8", "uint8 uint8"),
    "ABS": ("int8 int8", "int16 int16"),
    "NEG": ("int8 int8", "int16 int16"),
    "LOGISTIC": ("int8 int8", "uint8 uint8"),
    "TANH": ("int8 int8", "uint8 uint8"),
    "ELU": ("int8 int8",),
    "EXP": ("int8 int8",),
    "GELU": ("int8 int8", "uint8 uint8"),
    "RELU": ("int8 int8", "uint8 uint8", "int16 int16"),
    "RELU6": ("int8 int8", "uint8 uint8", "int16 int16"),
    "RELU_N1_TO_1": ("int8 int8", "uint8 uint8"),
}  # fmt: skip


SUMS = {
    "AVERAGE_POOL_2D": ("int8", "uint8", "int16"),
    "MEAN": ("int8", "uint8", "int16"),
    "SUM": ("int8", "uint8", "int16"),
}


def elementwise() -> Iterator[tuple[str, Make]]:
    for operator, types in PAIRS.items():
        for type_name in types:
            yield f"{operator}-{type_name}", partial(pair_case, operator, type_name)
    for operator, types in SUMS.items():
        for type_name in types:
            for keep in (True,) if operator == "AVERAGE_POOL_2D" else (True, False):
                made = partial(sum_case, operator, type_name, keep=keep)
                yield f"{operator}-{type_name}-{keep}", made
    for type_name in ("int8", "uint8", "int16"):
        for aligned in ("", "align_corners", "half_pixel"):
            made = partial(resize_case, type_name, aligned)
            yield f"RESIZE_BILINEAR-{type_name}-{aligned}", made
    for operator in ("ARG_MAX", "ARG_MIN"):
        for type_name in ("int8", "uint8"):
            for index_type in ("int32", "int64"):
                made = partial(index_case, operator, type_name, index_type)
                yield f"{operator}-{type_name}-{index_type}", made
    for type_name in ("int8", "uint8", "int16"):
        yield f"QUANTIZE-float32-{type_name}", partial(float_case, type_name)
    for operator, signatures in TABLES.items():
        for text in signatures:
            given, taken = text.split()
            yield f"{operator}-{given}-{taken}", partial(table_case, operator, given, taken)


def _channels(
    kind: tuple[str, str, bool, str], dense: int, rng: np.random.Generator, name: str
) -> KernelCase:
    operator, type_name, several, variant = kind
    return accumulator_case(
        operator,
        type_name,
        10 ** rng.uniform(*_POWERS),
        rng,
        several=several,
        dense=dense,
        name=name,
        variant=variant,
    )


def made(count: int, dense: int, seed: int = 0) -> list[KernelCase]:
    """`count` models of each kind, with random parameters. `dense`: number of consecutive values of
    an accumulator.
    """
    cases = []
    for kind, make in [*accumulators(dense), *elementwise()]:
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        cases += [make(rng, f"{kind}-{i}") for i in range(count)]
    return cases


def predicted(case: KernelCase, runtime: str) -> tuple[str, list[Any]] | None:
    """The row that applies to the case, and its function's results per element.

    Each result is one integer, or several where the function depends on the position, and the row
    does not say how. None without a row; no results outside the function's domain.
    """
    for row in load_arithmetic(runtime).candidates(case.operator, case.types, case.facts):
        if row.kind == "none":
            return row.reason, []
        arguments = *case.arguments, row.limits("NONE", case.output)
        try:
            each = [np.asarray(FUNCTIONS[f](*arguments, **case.keywords)) for f in row.functions]
        except NotTakenError:
            continue
        except DomainError:
            return row.function, []
        if row.block:  # each element of the case is a channel of the output
            channels = np.arange(each[0].size)
            whole = channels < channels.size - channels.size % row.block
            each = [np.where(whole, each[0], left_over) for left_over in each[1:]]
        return row.function, each
    return None


def mismatches(cases: list[KernelCase], runtime: str, folder: Path) -> tuple[list[str], set[str]]:
    """(texts for cases where kernel and function differ, names of the functions that were
    compared).
    """
    outcomes = run_batch(cases, runtime, folder)
    wrong, held = [], set()
    for case in cases:
        found, said = outcomes[case.name], predicted(case, runtime)
        if not found.outputs or said is None:
            if found.outputs or said is not None:
                wrong.append(f"{runtime} {case.name}: row {said}, runtime {found.error[-200:]!r}")
            continue
        function, answers = said
        if not answers:
            continue
        held.add(function)
        computed = found.outputs[0].astype(np.int64).ravel()
        differs = np.logical_and.reduce([computed != answer for answer in answers])
        if differs.any():
            at = int(np.flatnonzero(differs)[0])
            wrong.append(
                f"{runtime} {case.name} ({function}): {differs.sum()} of {differs.size}, "
                f"first at {at}: {computed[at]} for {answers[0][at]}"
            )
    return wrong, held


def functions_of(runtime: str) -> set[str]:
    """The functions named by the runtime's own rows."""
    rows = load_arithmetic(runtime).rows
    return {row.function for name in rows for row in rows[name] if row.kind not in ("copy", "none")}


def available() -> list[str]:
    """Runtimes with arithmetic rows whose kernels can be run on this machine."""
    runnable = {n for n, judge in judges.JUDGES.items() if judge.runs and not judge.available()}
    return [name for name in arithmetic_runtimes() if name in runnable]


@pytest.mark.parametrize("runtime", available())
def test_kernels_compute_the_function_of_their_row(runtime: str, tmp_path: Path) -> None:
    wrong, held = mismatches(made(2, _ENTRIES), runtime, tmp_path)
    _judge(wrong)
    assert functions_of(runtime) - held == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("runtime", available())
def test_kernels_compute_the_function_for_many_parameters(
    runtime: str, part: int, tmp_path: Path
) -> None:
    wrong, _ = mismatches(made(12, 16384, part + 1), runtime, tmp_path)
    _judge(wrong)


def _judge(wrong: list[str]) -> None:
    if platform.machine() in ("x86_64", "AMD64"):
        assert wrong == []
    elif wrong:  # rows are for x86-64: differences on other processors are reported, not failed
        warnings.warn("\n".join(wrong), stacklevel=1)
