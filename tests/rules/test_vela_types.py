"""Combinations of operand types for which Vela refuses the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import varied
from tests.rules.operators.boundary import boundary_cases
from tests.support.models import CONV, Graph, GraphSpec, OperatorSpec, TensorSpec, model_bytes
from tests.support.vela_batch import compile_batch
from tflite_align import AlignOptions, check
from tflite_align.verify.judges import available

MIXED = ("int8", "uint8", "int16")
OPERATORS = (
    *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "LEAKY_RELU", "MAXIMUM", "MAX_POOL_2D"),
    *("MINIMUM", "MUL", "PAD", "RELU", "RESHAPE", "SLICE", "SUB", "TRANSPOSE"),
)
WIDENED = [
    (operator, *types)
    for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
    for types in (("int8", "int16"), ("int16", "int8"))
]
# Vela compiles it to a copy of integers, which changes their real values.
COPIED = {("RESHAPE", "uint8 int32 > int8")}


def _cases() -> Iterator[TypedCase]:
    """Cases in which one operand or the output has another type than the others."""
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
    with_errors = {
        name
        for name, model in models.items()
        if any(finding.severity == "error" for finding in check(model, options).findings)
    }
    refused = {name for name, found in compiled.items() if found.error}
    assert refused - with_errors == set()
    assert {(cases[n].operator, cases[n].signature) for n in with_errors - refused} == COPIED
    assert len(refused) > 80


@pytest.mark.parametrize("target", ["ethos-u55", "ethos-u65", "ethos-u85"])
@pytest.mark.parametrize(("operator", "given", "made"), WIDENED)
def test_operators_without_a_cpu_kernel_have_findings(
    target: str, operator: str, given: str, made: str
) -> None:
    """Vela takes the parameters into account. There is no CPU kernel to compare its result with."""
    (base,) = (case for case in bases(operator) if case.name == f"{operator}-{given}")
    case = next(case for case in varied(base) if case.name == f"{base.name}-o0-{made}")
    found = check(case.model(), AlignOptions(targets=(target,))).findings
    assert f"support/{operator}/types" in {finding.rule for finding in found}


@pytest.mark.backends
def test_bool_at_a_border_is_an_error_where_vela_refuses_it(tmp_path: Path) -> None:
    """Vela accepts bool scalars (conditions of loops and branches) but no other bool graph inputs
    or outputs.
    """
    if missing := available("ethos-u55"):
        pytest.skip(missing)
    choices = {shape: _chosen(shape) for shape in ((), (1,), (2, 3))}
    models = {f"chosen by {shape}": model for shape, model in choices.items()}
    models |= {case.name: case.model() for case in boundary_cases()}
    compiled = compile_batch(models, "ethos-u55", tmp_path)
    refused = {name for name, found in compiled.items() if found.error}
    options = AlignOptions(targets=("ethos-u55",))
    with_errors = {
        name
        for name, model in models.items()
        if "support/MODEL/border" in {finding.rule for finding in check(model, options).findings}
    }
    assert with_errors == refused
    assert refused == {*models} - {"chosen by ()", "READ_VARIABLE-int8"}


def _chosen(shape: tuple[int, ...]) -> bytes:
    """LOGICAL_NOT of a bool graph input of this shape."""
    tensors = [TensorSpec(name=name, type="bool", shape=shape) for name in ("a", "y")]
    operator = OperatorSpec(name="LOGICAL_NOT", inputs=["a"], outputs=["y"])
    return model_bytes(
        [GraphSpec(tensors=tensors, operators=[operator], inputs=["a"], outputs=["y"])]
    )


@pytest.mark.backends
def test_channels_that_no_filter_fits_are_an_error(tmp_path: Path) -> None:
    """The declared shapes count: 2 channels, filters of 16 channels."""
    if missing := available("ethos-u55"):
        pytest.skip(missing)
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 4, 4, 2))
    graph.constant("w", np.ones((3, 1, 1, 16)), "int8", 0.02)
    graph.constant("b", np.zeros(3), "int32", 0.001)
    graph.activation("y", 0.1)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    model = graph.bytes(["x"], ["y"])
    assert compile_batch({"narrow": model}, "ethos-u55", tmp_path)["narrow"].error
    found = check(model, AlignOptions(targets=("ethos-u55",))).findings
    assert "support/CONV_2D/channels" in {finding.rule for finding in found}
