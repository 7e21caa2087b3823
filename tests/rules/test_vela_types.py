"""Operand types that Vela does not take together, against Vela: it refuses the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import varied
from tests.support.vela_batch import compile_batch
from tflite_align import AlignOptions, check
from tflite_align.verify.judges import available

MIXED = ("int8", "uint8", "int16")
OPERATORS = (
    *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "LEAKY_RELU", "MAXIMUM", "MAX_POOL_2D"),
    *("MINIMUM", "MUL", "PAD", "RELU", "RESHAPE", "SLICE", "SUB", "TRANSPOSE"),
)
# Vela compiles it into a copy of the integers, which no longer mean what they did.
COPIED = {("RESHAPE", "uint8 int32 > int8")}


def _cases() -> Iterator[TypedCase]:
    """One operand, or the output, in another type than the others."""
    for operator in OPERATORS:
        for base in bases(operator):
            names = {
                f"{base.name}-{place}-{kind}" for kind in MIXED for place in ("i0", "i1", "o0")
            }
            if base.name.removeprefix(f"{operator}-") in MIXED:
                yield from (case for case in varied(base) if case.name in names)


@pytest.mark.backends
@pytest.mark.parametrize("target", ["ethos-u55", "ethos-u65", "ethos-u85"])
def test_mixed_types_are_errors_where_vela_refuses_them(target: str, tmp_path: Path) -> None:
    if missing := available(target):
        pytest.skip(missing)
    cases = {case.name: case for case in _cases()}
    models = {name: case.model() for name, case in cases.items()}
    compiled = compile_batch(models, target, tmp_path)
    options = AlignOptions(targets=(target,))
    told = {
        name
        for name, model in models.items()
        if any(finding.severity == "error" for finding in check(model, options).findings)
    }
    refused = {name for name, found in compiled.items() if found.error}
    assert refused - told == set()
    assert {(cases[n].operator, cases[n].signature) for n in told - refused} == COPIED
    assert len(refused) > 80
