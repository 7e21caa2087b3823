"""Edge cases of repairs: missing parameters, tiny scales, biases that fit no type."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.bound_models import bound
from tests.support.edited_models import PLAIN, chain, named, requantized
from tests.support.models import CONV, POOL, SHAPE, Graph, Quant
from tests.support.object_api import load, pack
from tflite_align import align, check
from tflite_align.checks.constraints import WellFormed
from tflite_align.format.reader import read
from tflite_align.record import replace


def test_a_bias_that_fits_no_type_prevents_no_other_repair() -> None:
    """The weights' scale is so small that the bias fits no integer type in input scale times weight
    scale. The weights get a larger scale, whatever the solver chooses for the input.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    for name, scale in (("p", 0.04), ("q", 0.05)):
        graph.activation(name, scale)
        graph.add("MAX_POOL_2D", ["x"], [name], POOL)
    graph.conv("q", "y", 0.2)
    tiny = requantized(graph.bytes(["x"], ["p", "y"]), "y.w", scale=(1e-10,))
    report = align(tiny, PLAIN).report
    assert report.conflicts == ()
    assert report.remaining == ()


def test_two_inputs_with_a_multiplier_out_of_range_change_together() -> None:
    """An ADD reads one tensor twice with a multiplier out of range. Both inputs have to change
    together: changing one alone does not bring the ratio back.
    """
    graph = Graph()
    graph.activation("x", 0.0078, -128)
    graph.activation("p", 0.5, -128)
    graph.add("MAX_POOL_2D", ["x"], ["p"], POOL)
    graph.activation("s", 0.0077, -128)
    graph.add("ADD", ["p", "p"], ["s"], ("AddOptions", {"fusedActivationFunction": 1}))
    graph.conv("x", "c", 0.0077, -128)
    graph.activation("cat", 0.05, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "x"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("s", "y", 0.1)
    report = align(graph.bytes(["x"], ["y", "cat"]), PLAIN).report
    assert "window/ADD/wrap" in {finding.rule for finding in report.findings}
    assert report.conflicts == ()
    assert report.remaining == ()


def test_a_bias_as_run_ignores_weight_scales_along_a_wrong_axis() -> None:
    """The weights have three scales along their input axis; the bias has two values. With `bias`
    "as-run" there is no product of scales for it, and no invalid file is written.
    """
    data = along_inputs()
    for reading in ("declared", "as-run"):
        report = align(data, replace(PLAIN, bias=reading)).report
        assert "weight/CONV_2D/axis" in {finding.rule for finding in report.findings}
        assert report.remaining == ()


def along_inputs() -> bytes:
    """A CONV_2D of three channels to two, whose weights have three scales along the wrong axis,
    that of the input channels.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", np.arange(6).reshape(2, 1, 1, 3), "int8", 0.02)
    quant = Quant(scale=(0.02, 0.03, 0.04), zero_point=(0, 0, 0), axis=3)
    graph.tensors["w"] = replace(graph.tensors["w"], quant=quant)
    graph.constant("b", [100, -50], "int32", 0.01)
    graph.activation("y", 0.1, shape=(1, 4, 4, 2))
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    return graph.bytes(["x"], ["y"])


def unscaled(data: bytes, name: str, part: str = "table") -> bytes:
    """The model with a bias that has no quantization table (`part` "table") or one without scale
    and zero point.
    """
    model = load(data)
    bias = next(t for t in model.subgraphs[0].tensors if t.name == name.encode())
    if part == "table":
        bias.quantization = None
    else:
        bias.quantization.scale = bias.quantization.zeroPoint = None
    return pack(model)


@pytest.mark.parametrize("part", ["table", "scale"])
def test_a_bias_without_a_scale_stays_as_kernels_read_it(part: str) -> None:
    data = unscaled(chain(), "c.b", part)
    result = align(data, PLAIN)
    assert result.report.findings == ()
    assert result.data == data


def test_a_bias_without_a_scale_follows_an_input_that_moves() -> None:
    """A bias without scale counts in input scale times weight scale. When the input's scale
    changes, it is re-expressed just like a bias that states this scale.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("s", 0.008, -128)
    graph.add("LOGISTIC", ["x"], ["s"])  # its kernel writes scale 1/256
    graph.conv("s", "y", 0.2)
    data = graph.bytes(["x"], ["y"])
    moved = {}
    for given in (data, unscaled(data, "y.b")):
        model, tensor = named(align(given, PLAIN).data, "y.b")
        assert tensor.quant is not None
        moved[given] = (tensor.quant.scale, bytes(model.constant(0, tensor.index) or b""))
    assert moved[data] == moved[unscaled(data, "y.b")]
    before, tensor = named(data, "y.b")
    assert moved[data][1] != bytes(before.constant(0, tensor.index) or b"")


def test_an_operand_without_parameters_is_a_finding() -> None:
    """Nothing states the real values of its integers. LiteRT aborts the process on such an ADD."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("s", 0.1)
    graph.add("ADD", ["x", "x"], ["s"], ("AddOptions", {}))
    graph.activation("y", 0.1)
    graph.add("HARD_SWISH", ["s"], ["y"])
    graph.tensors["s"] = replace(graph.tensors["s"], quant=None)
    report = align(graph.bytes(["x"], ["y"]), PLAIN).report
    assert [(finding.rule, finding.address, finding.fix) for finding in report.remaining] == [
        ("params/unknown", "subgraph[0]/operator[0] ADD/outputs[0]", ""),
        ("params/unknown", "subgraph[0]/operator[1] HARD_SWISH/inputs[0]", ""),
    ]
    assert report.exit_status == 1


def test_integers_without_scale_are_valid_where_kernels_ignore_scales() -> None:
    """MAXIMUM of int8 without scales compares integers. ADD needs scales: LiteRT aborts the process
    without them.
    """
    found = {}
    for operator in ("MAXIMUM", "ADD"):
        graph = Graph()
        graph.activation("x", 0.05)
        graph.activation("y", 0.05)
        graph.add(operator, ["x", "x"], ["y"])
        for name in ("x", "y"):
            graph.tensors[name] = replace(graph.tensors[name], quant=None)
        found[operator] = [one.rule for one in check(graph.bytes(["x"], ["y"]), PLAIN).findings]
    assert found == {"MAXIMUM": [], "ADD": ["params/none"]}


def test_a_tiny_scale_after_a_squared_difference_is_handled() -> None:
    """The converter writes such a scale for (x - x) squared, on which LiteRT aborts the process."""
    graph = Graph()
    graph.activation("x", 0.0956, 18)
    graph.activation("none", 7.8431e-9)
    graph.add("SQUARED_DIFFERENCE", ["x", "x"], ["none"], ("SquaredDifferenceOptions", {}))
    graph.activation("y", 0.1)
    graph.add("ADD", ["none", "x"], ["y"], ("AddOptions", {}))
    report = align(graph.bytes(["x"], ["y"]), PLAIN).report
    assert [finding.rule for finding in report.findings] == ["window/SQUARED_DIFFERENCE/abort"]
    assert report.remaining == ()


@pytest.mark.parametrize(
    ("operator", "options", "address"),
    [
        ("ADD", ("AddOptions", {}), "subgraph[0]/operator[0] ADD/inputs[1]"),
        ("SUB", ("SubOptions", {}), "subgraph[0]/operator[0] SUB/inputs[1]"),
        ("MUL", ("MulOptions", {}), "subgraph[0]/operator[0] MUL/inputs[1]"),
    ],
)
def test_an_untied_operand_without_parameters_is_a_finding(
    operator: str, options: tuple[str, dict[str, int]], address: str
) -> None:
    """No runtime requires equal parameters of these two inputs, but each input needs some."""
    graph = Graph()
    for name in ("x", "raw", "y"):
        graph.activation(name, 0.05)
    graph.tensors["raw"] = replace(graph.tensors["raw"], quant=None)
    graph.add(operator, ["x", "raw"], ["y"], options)
    (found,) = check(graph.bytes(["x", "raw"], ["y"]), PLAIN).findings
    assert (found.rule, found.address, found.severity) == ("params/unknown", address, "error")
    assert (found.expected, found.actual, found.fix) == ("a scale and a zero_point", "none", "")
    assert found.behaviour == (
        "LiteRT takes the missing scale as 0: it refuses the model, ends the process, or computes"
        " meaningless values"
    )
    constraints = bound(read(graph.bytes(["x", "raw"], ["y"]))).constraints
    faults = [one for one in constraints if isinstance(one, WellFormed) and one.slot == found.slot]
    assert [(one.rule, one.type, one.fixable) for one in faults] == [
        ("params/unknown", "int8", False)
    ]


def test_a_copy_of_plain_integers_needs_no_parameters() -> None:
    graph = Graph()
    graph.activation("raw", 0.05)
    graph.activation("y", 0.05)
    graph.tensors["raw"] = replace(graph.tensors["raw"], quant=None)
    graph.add("RESHAPE", ["raw"], ["y"], ("ReshapeOptions", {"newShape": list(SHAPE)}))
    data = graph.bytes(["raw"], ["y"])
    assert [one.rule for one in check(data, PLAIN).findings] == ["params/missing"]
    off = replace(PLAIN, severity={"same/RESHAPE": "off"})
    assert check(data, off).findings == ()


@pytest.mark.parametrize("operator", ["IF", "CALL_ONCE", "ASSIGN_VARIABLE"])
def test_subgraph_operands_and_variables_may_be_plain_integers(operator: str) -> None:
    graph = Graph()
    for name in ("x", "raw", "y"):
        graph.activation(name, 0.05)
    graph.tensors["raw"] = replace(graph.tensors["raw"], quant=None)
    graph.add(operator, ["raw", "x"], ["y"])
    found = check(graph.bytes(["x", "raw"], ["y"]), PLAIN).findings
    assert "params/unknown" not in {one.rule for one in found}


def test_an_operand_that_a_row_leaves_out_needs_no_parameters() -> None:
    """The indices of a GATHER are integers without scale, and so may be the intermediate tensors of
    an operator.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("at", [0, 1, 2], "int16")
    graph.activation("y", 0.05, shape=(1, 3, 4, 3))
    graph.add("GATHER", ["x", "at"], ["y"], ("GatherOptions", {"axis": 1}))
    assert check(graph.bytes(["x"], ["y"]), PLAIN).findings == ()
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.04)
    graph.activation("inside", 0.1)
    graph.tensors["inside"] = replace(graph.tensors["inside"], quant=None)
    model = read(graph.bytes(["x"], ["y"]))
    inner = model.subgraphs[0]
    number = next(tensor.index for tensor in inner.tensors if tensor.name == "inside")
    operator = replace(inner.operators[0], intermediates=(number,))
    found = bound(replace(model, subgraphs=(replace(inner, operators=(operator,)),)))
    assert "params/unknown" not in {entry.rule for entry in found.constraints}
