"""Placement on NPU or CPU: support rows with the part "cpu", and severities that depend on it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph, GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tests.unit.test_support import findings, limit, probe, rows, target
from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read

ETHOS = ("ethos-u55", "ethos-u65", "ethos-u85")
NPU = (1, 4, 4, 8)

# (operator, row, (expected, actual) of the finding; None: no finding)
WORDS: dict[str, tuple[str, dict[str, str], tuple[str, str] | None]] = {
    "options_at_least": (
        "CONCATENATION",
        limit("{ options_at_least = { axis = 0 } }"),
        ("axis of 0 or more", "axis -1"),
    ),
    "options_product_at_most": (
        "CONCATENATION",
        limit("{ options_product_at_most = { options = ['axis', 'axis'], at_most = 0 } }"),
        ("axis x axis up to 0", "1"),
    ),
    "same_parameters": ("PAD", limit("{ same_parameters = ['inputs[0]', 'outputs[0]'] }"), None),
    "each reduced size": (
        "MEAN",
        limit("{ reduced = { slot = 'inputs[1]', of = 'inputs[0]', each_at_most = 5 } }"),
        ("reduced sizes up to 5", "6"),
    ),
    "reduced": (
        "MEAN",
        limit("{ reduced = { slot = 'inputs[1]', of = 'inputs[0]', product_at_most = 35 } }"),
        ("35 reduced elements or fewer", "36"),
    ),
    "reduced sizes that are small": (
        "MEAN",
        limit("{ reduced = { slot = 'inputs[1]', of = 'inputs[0]', product_at_most = 36 } }"),
        None,
    ),
    "strided_axes": (
        "MEAN",
        limit("{ strided_axes = { slot = 'inputs[1]', axes = [-2] } }"),
        ("positive strides, and 1 except along axes -2", "strides [1, 2]"),
    ),
    "strides that may be": (
        "MEAN",
        limit("{ strided_axes = { slot = 'inputs[1]', axes = [-1] } }"),
        None,
    ),
    "upscale": (
        "PAD",
        limit("{ upscale = { from = 'inputs[0]', to = 'outputs[0]', factors = [2, 4] } }"),
        ("a factor of 2, 4", "4 to 6 and 4 to 6"),
    ),
    "around": (
        "PAD",
        limit("{ around = ['CONV_2D'] }"),
        ("the matching operator behind a CONV_2D", "none"),
    ),
    "types_not": ("PAD", limit("{ types_not = ['int4'] }"), None),
    "a type that is not taken": (
        "PAD",
        limit("{ types_not = ['int32'] }"),
        ("no int32", "int32"),
    ),
    "quantized": (
        "PAD",
        limit("{ quantized = ['int32'] }", "inputs[1]"),
        ("a scale", "int32 without a scale"),
    ),
    "affine": ("PAD", limit("{ affine = true }"), None),
    "zero_points": ("PAD", limit("{ zero_points = { int8 = [-128, 127] } }"), None),
    "a zero point outside": (
        "PAD",
        limit("{ zero_points = { int8 = [5, 5] } }", "inputs[0]"),
        ("a zero point of 5", "0"),
    ),
    "static_behind": ("PAD", limit("{ static_behind = 1 }"), None),
    "shaped": ("PAD", limit("{ shaped = true }"), None),
    "unit_dimension": (
        "PAD",
        limit("{ unit_dimension = 3 }", "inputs[0]"),
        ("a size of 1 in the 3 innermost dimensions", "[1, 4, 4, 6]"),
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_each_limit_is_evaluated_on_the_operator(name: str) -> None:
    operator, keys, expected = WORDS[name]
    row = rows(("operators", f"['{operator}']"), *keys.items())
    found = [(f.expected, f.actual) for f in findings(read(probe()), target(row))]
    assert found == ([] if expected is None else [expected])


def test_graph_inputs_and_outputs_have_supported_types() -> None:
    row = "operators = ['MODEL']\nlimits = { border_types = ['uint8'] }"
    assert [f.actual for f in findings(read(probe()), target(row))] == ["int8"]


def test_rows_with_once_give_one_finding_per_operator() -> None:
    row = "operators = ['PAD', 'MEAN']\nlimits = { types = ['uint8'] }\npart = 'cpu'"
    assert len(findings(read(probe()), target(row))) > 2
    found = findings(read(probe()), target(f"{row}\nonce = true"))
    assert [f.rule for f in found] == ["support/PAD/cpu", "support/MEAN/cpu"]


# --- severities on NPU and CPU ------------------------------------------------------------------


def _one(name: str, quants: tuple[Quant, Quant], shape: tuple[int, ...], second: str = "") -> bytes:
    """A MAX_POOL_2D, an AVERAGE_POOL_2D, or a CONCATENATION of one input with itself. `quants`:
    parameters of input and output; `second`: the output's type if not int8.

    An unknown dimension in `shape`, other than the batch, places the operator on the CPU.
    """
    joined = name == "CONCATENATION"
    pool = {"strideW": 1, "strideH": 1, "filterWidth": 1, "filterHeight": 1}
    out = (*shape[:3], shape[3] * 2) if joined else shape
    graph = GraphSpec(
        tensors=[
            TensorSpec(name="x", type="int8", shape=shape, quant=quants[0]),
            TensorSpec(name="y", type=second or "int8", shape=out, quant=quants[1]),
        ],
        operators=[
            OperatorSpec(
                name=name,
                inputs=["x", "x"] if joined else ["x"],
                outputs=["y"],
                options=("ConcatenationOptions", {"axis": 3})
                if joined
                else ("Pool2DOptions", pool),
            )
        ],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


def _found(data: bytes, name: str) -> list[tuple[str, str]]:
    options = AlignOptions(targets=(name,), verify=False)
    return [(f.rule, f.severity) for f in check(data, options).findings]


PLAIN = Quant(scale=(0.05,), zero_point=(3,))
SCALED = Quant(scale=(0.08,), zero_point=(3,))
SHIFTED = Quant(scale=(0.05,), zero_point=(9,))


@pytest.mark.parametrize("name", ETHOS)
@pytest.mark.parametrize(
    ("operator", "quant", "severity"),
    [
        ("CONCATENATION", SCALED, None),
        ("CONCATENATION", SHIFTED, None),
        ("MAX_POOL_2D", SCALED, "error"),
        ("MAX_POOL_2D", SHIFTED, "warning"),
        ("AVERAGE_POOL_2D", SCALED, "warning"),
        ("AVERAGE_POOL_2D", SHIFTED, "error"),
    ],
)
def test_parameters_that_the_npu_requantizes_are_no_error(
    name: str, operator: str, quant: Quant, severity: str | None
) -> None:
    found = _found(_one(operator, (PLAIN, quant), NPU), name)
    assert found == ([] if severity is None else [(f"same/{operator}", severity)])


@pytest.mark.parametrize("name", ETHOS)
@pytest.mark.parametrize("operator", ["CONCATENATION", "MAX_POOL_2D"])
def test_an_operator_on_the_cpu_obeys_the_cpu_kernels_rule(name: str, operator: str) -> None:
    """An unknown width places the operator on the CPU, whose kernel copies integers: a mismatch is
    an error there.
    """
    found = _found(_one(operator, (PLAIN, SHIFTED), (1, 4, -1, 8)), name)
    assert (f"same/{operator}", "error") in found
    assert (f"support/{operator}/cpu", "warning") in found


def test_a_user_who_silences_the_warning_changes_no_other_grade() -> None:
    data = _one("CONCATENATION", (PLAIN, SHIFTED), (1, 4, -1, 8))
    options = AlignOptions(targets=("ethos-u55",), verify=False, severity={"support/*/cpu": "off"})
    assert {f.rule for f in check(data, options).findings} == {"same/CONCATENATION"}


# --- what stays on the CPU ----------------------------------------------------------------------


def _island() -> bytes:
    """DEQUANTIZE, RELU in float, QUANTIZE."""
    ends = {"x": ("int8", PLAIN), "f": ("float32", None), "g": ("float32", None)}
    graph = GraphSpec(
        tensors=[
            *(
                TensorSpec(name=n, type=kind, shape=NPU, quant=quant)
                for n, (kind, quant) in ends.items()
            ),
            TensorSpec(name="y", type="int8", shape=NPU, quant=PLAIN),
        ],
        operators=[
            OperatorSpec(name=operator, inputs=[given], outputs=[made])
            for operator, given, made in (
                ("DEQUANTIZE", "x", "f"),
                ("RELU", "f", "g"),
                ("QUANTIZE", "g", "y"),
            )
        ],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


def _convolution(activation: str, weight: str) -> bytes:
    """A CONV_2D with activations of type `activation` (int8, int16 or float32) and weights of type
    `weight` (int4 or int8).
    """
    quant = None if activation == "float32" else PLAIN
    stored = np.ones((8, 1, 1, 8), np.int8)
    zero = Quant(scale=(0.1,), zero_point=(0,))
    graph = GraphSpec(
        tensors=[
            TensorSpec(name="x", type=activation, shape=NPU, quant=quant),
            TensorSpec(name="w", type=weight, shape=(8, 1, 1, 8), quant=zero, data=stored),
            TensorSpec(name="y", type=activation, shape=NPU, quant=quant),
        ],
        operators=[
            OperatorSpec(
                name="CONV_2D",
                inputs=["x", "w"],
                outputs=["y"],
                options=("Conv2DOptions", {"strideW": 1, "strideH": 1}),
            )
        ],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


def _custom() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05, shape=NPU)
    graph.activation("y", 0.05, shape=NPU)
    graph.add("CUSTOM", ["x"], ["y"])
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize("name", ETHOS)
def test_each_operator_on_the_cpu_has_one_finding(name: str) -> None:
    expected = [(f"support/{one}/cpu", "warning") for one in ("DEQUANTIZE", "RELU", "QUANTIZE")]
    assert sorted(_found(_island(), name)) == sorted(expected)
    hybrid = _found(_convolution("float32", "int8"), name)
    assert [f for f in hybrid if f[0].startswith("support/")] == [
        ("support/CONV_2D/cpu", "warning")
    ]
    assert ("support/CUSTOM/cpu", "warning") in _found(_custom(), name)


@pytest.mark.parametrize("name", ETHOS)
def test_a_4_bit_operand_is_an_error(name: str) -> None:
    assert ("support/CONV_2D/int4", "error") in _found(_convolution("int8", "int4"), name)
    assert _found(_convolution("int8", "int8"), name) == []


@pytest.mark.parametrize("name", ETHOS)
def test_warnings_change_neither_the_file_nor_the_exit_status(name: str) -> None:
    options = AlignOptions(targets=(name,), verify=False)
    result = align(_island(), options)
    assert result.data == _island()
    assert result.report.exit_status == check(_island(), options).exit_status == 0
