"""Operand types that no kernel supports together, and each repair of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.models import CONV, SHAPE, Graph, Quant, TensorSpec
from tests.support.results import names, reads
from tflite_align import AlignOptions, AlignResult, align, check
from tflite_align.checks.binder.bound import Bound
from tflite_align.format.model import Model, Tensor
from tflite_align.format.reader import read
from tflite_align.numerics import integers_of
from tflite_align.pipeline.session import Session
from tflite_align.record import replace
from tflite_align.repair.planner.changes import ModelState
from tflite_align.repair.retype.fitting import retype

FAST = AlignOptions(verify=False)


def aligned(data: bytes, **options: Any) -> AlignResult:
    result = align(data, replace(FAST, **options))
    assert result.report.remaining == ()
    assert align(result.data, replace(FAST, **options)).data == result.data
    return result


def tensor(result: AlignResult, name: str) -> Tensor:
    return next(one for one in read(result.data).subgraphs[0].tensors if one.name == name)


def described(result: AlignResult, name: str) -> tuple[str, float, int]:
    found = tensor(result, name)
    assert found.quant is not None
    return (found.type, *found.quant.label)


def typed(graph: Graph, name: str, type_name: str, scale: float, zero_point: int = 0) -> str:
    graph.activation(name, scale, zero_point)
    graph.tensors[name] = replace(graph.tensors[name], type=type_name)
    return name


def added(first: str, second: str, out: str) -> bytes:
    """One ADD of two inputs; `first`, `second`, `out`: the types of inputs and output."""
    graph = Graph()
    for name, kind in (("a", first), ("b", second), ("y", out)):
        typed(graph, name, kind, 0.05, 0 if kind == "int16" else 3)
    graph.add("ADD", ["a", "b"], ["y"], ("AddOptions", {}))
    return graph.bytes(["a", "b"], ["y"])


def test_the_finding_names_the_operand_and_the_supported_types() -> None:
    (finding,) = check(added("int8", "uint8", "int8")).findings
    assert finding.rule == "types/ADD"
    assert finding.address == "subgraph[0]/operator[0] ADD/inputs[1]"
    assert (finding.actual, finding.expected) == ("int8 uint8 > int8", "int8 int8 > int8")
    assert finding.severity == "error"
    assert finding.fix == "types"


def test_a_computed_operand_gets_a_quantize_in_front() -> None:
    result = aligned(added("int8", "uint8", "int8"))
    assert names(result) == ["QUANTIZE", "ADD"]
    assert reads(result, 1) == ["a", "b_int8"]
    assert described(result, "b_int8")[::2] == ("int8", 3 - 128)


def test_an_output_gets_a_quantize_behind() -> None:
    result = aligned(added("int8", "int8", "int16"))
    assert names(result) == ["ADD", "QUANTIZE"]
    kind, scale, _ = described(result, "y_int8")
    assert (kind, scale >= 0.05 * 255) == ("int8", True)


def test_a_constant_operand_is_re_expressed() -> None:
    graph = Graph()
    graph.activation("a", 0.05)
    values = np.arange(48).reshape(SHAPE).astype(np.uint8)
    graph.tensors["b"] = TensorSpec(
        name="b",
        type="uint8",
        shape=SHAPE,
        quant=Quant(scale=(0.02,), zero_point=(5,)),
        data=values,
    )
    graph.activation("y", 0.1)
    graph.add("ADD", ["a", "b"], ["y"], ("AddOptions", {}))
    result = aligned(graph.bytes(["a"], ["y"]))
    assert names(result) == ["ADD"]
    found = tensor(result, "b_int8")
    assert found.quant is not None
    data = read(result.data).constant(0, found.index)
    assert data is not None
    label = found.quant.label
    real = (integers_of(data, "int8", 48) - label.zero_point) * label.scale
    off = np.abs(real.reshape(SHAPE) - (values.astype(float) - 5) * 0.02)
    assert off.max() <= 0.5001 * label.scale


def test_a_dequantize_of_a_constant_is_done_in_the_file() -> None:
    graph = Graph()
    graph.tensors["x"] = TensorSpec(name="x", type="float32", shape=SHAPE)
    graph.constant("c", np.arange(48).reshape(SHAPE), "int32", 0.5)
    graph.tensors["f"] = TensorSpec(name="f", type="float32", shape=SHAPE)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.add("DEQUANTIZE", ["c"], ["f"])
    graph.add("ADD", ["x", "f"], ["y"], ("AddOptions", {}))
    result = aligned(graph.bytes(["x"], ["y"]))
    assert names(result) == ["ADD"]
    made = read(result.data)
    data = made.constant(0, made.subgraphs[0].operators[0].inputs[1])
    assert data is not None
    assert np.frombuffer(data, np.float32).tolist() == (np.arange(48) * 0.5).tolist()


def conv(bias: TensorSpec) -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", np.ones((3, 1, 1, 3)), "int8", 0.02)
    graph.tensors["b"] = bias
    graph.activation("y", 0.1)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize(
    "bias",
    [
        TensorSpec(
            name="b",
            type="int8",
            shape=(3,),
            quant=Quant(scale=(0.05,), zero_point=(0,)),
            data=np.array([10, -20, 0], np.int8),
        ),
        TensorSpec(
            name="b", type="float32", shape=(3,), data=np.array([0.5, -1.0, 0.0], np.float32)
        ),
    ],
    ids=["int8", "float32"],
)
def test_a_bias_of_another_type_is_re_expressed(bias: TensorSpec) -> None:
    (finding,) = check(conv(bias)).findings
    assert finding.rule == "bias/CONV_2D"
    result = aligned(conv(bias))
    found = tensor(result, "b")
    assert found.type == "int32"
    data = read(result.data).constant(0, found.index)
    assert data is not None
    assert np.frombuffer(data, np.int32).tolist() == [500, -1000, 0]


def test_a_fixed_output_is_written_in_the_operators_own_type() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.add("TANH", ["x"], ["y"])
    result = aligned(graph.bytes(["x"], ["y"]))
    assert names(result) == ["TANH", "DEQUANTIZE"]
    assert described(result, "y_uint8") == ("uint8", 1 / 128, 128)


def test_an_output_of_unknown_range_gets_no_parameters() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("z", 0.05)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.add("ADD", ["x", "z"], ["y"], ("AddOptions", {}))
    data = graph.bytes(["x", "z"], ["y"])
    result = align(data, FAST)
    assert result.data == data
    assert [finding.rule for finding in result.report.remaining] == ["types/ADD"]


def test_the_repair_can_be_switched_off() -> None:
    data = added("int8", "uint8", "int8")
    assert align(data, replace(FAST, no_fix=("types",))).data == data


def test_a_version_that_is_not_registered_is_lowered() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("ELU", ["x"], ["y"])
    graph.operators[0] = replace(graph.operators[0], version=2)
    data = graph.bytes(["x"], ["y"])
    (finding,) = check(data).findings
    assert (finding.rule, finding.severity) == ("support/ELU/version", "error")
    result = aligned(data)
    assert read(result.data).subgraphs[0].operators[0].version == 1
    assert check(data, replace(FAST, targets=("tflm",))).findings == ()


def test_mixed_types_next_to_another_repair_are_repaired() -> None:
    graph = Graph("int16")
    graph.activation("x", 0.001)
    graph.conv("x", "c", 0.002)
    graph.tensors["c"] = replace(graph.tensors["c"], type="int8")
    graph.activation("p", 0.005)
    graph.tensors["p"] = replace(graph.tensors["p"], type="int8")
    options = {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
    graph.add("MAX_POOL_2D", ["c"], ["p"], ("Pool2DOptions", options))
    data = graph.bytes(["x"], ["p"])
    assert {f.rule for f in check(data).findings} == {"types/CONV_2D", "same/MAX_POOL_2D"}
    assert names(aligned(data)) == ["CONV_2D", "QUANTIZE", "MAX_POOL_2D"]


def test_float_weights_are_quantized() -> None:
    graph = Graph()
    graph.activation("x", 0.05, 0, (1, 4))
    weights = np.array([[0.5, -1.0, 0.25, 0.0]] * 3, np.float32)
    graph.tensors["w"] = TensorSpec(name="w", type="float32", shape=(3, 4), data=weights)
    graph.activation("y", 0.1, 0, (1, 3))
    graph.add("FULLY_CONNECTED", ["x", "w"], ["y"], ("FullyConnectedOptions", {}))
    result = aligned(graph.bytes(["x"], ["y"]))
    found = tensor(result, "w_int8")
    data = read(result.data).constant(0, found.index)
    assert data is not None
    assert found.quant is not None
    real = integers_of(data, "int8", 12).reshape(3, 4) * found.quant.label.scale
    assert np.abs(real - weights).max() <= found.quant.label.scale / 2
    assert found.quant.label.zero_point == 0


def test_raw_integers_are_not_requantized() -> None:
    """CAST converts the integers themselves, not the real values: a QUANTIZE in front would change
    its result.
    """
    graph = Graph("uint8")
    graph.activation("x", 0.05, 3)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.add("CAST", ["x"], ["y"], ("CastOptions", {"inDataType": 3, "outDataType": 0}))
    data = graph.bytes(["x"], ["y"])
    options = replace(FAST, targets=("tflm",))
    (finding,) = (f for f in check(data, options).findings if f.rule == "types/CAST")
    assert (finding.severity, finding.fix) == ("error", "")
    assert align(data, options).data == data


def test_separate_operators_are_repaired_in_one_pass() -> None:
    """Six separate ADDs need a repair; the model is bound once for all of them."""
    graph = Graph()
    ends: tuple[list[str], list[str]] = ([], [])
    for n in range(6):
        first, second = typed(graph, f"a{n}", "int8", 0.05), typed(graph, f"b{n}", "uint8", 0.05, 3)
        out = typed(graph, f"y{n}", "int8", 0.1)
        graph.add("ADD", [first, second], [out], ("AddOptions", {}))
        ends[0].extend((first, second))
        ends[1].append(out)
    session = Session.of(FAST)
    given = session.inspect(read(graph.bytes(*ends)))
    bound = []

    def bind(model: Model) -> Bound:
        bound.append(model)
        return session.bind(model)

    state = retype(
        ModelState(model=given.model),
        session.targets,
        bind,
        lambda _, findings: findings,
        checked=(given.bound, given.findings),
    )
    assert [change.kind for change in state.changes] == ["retyped"] * 6
    assert len(bound) == 1


def test_activation_types_and_bias_type_are_repaired_together() -> None:
    """Input uint8, output int16, bias int64: activations get a QUANTIZE to and from int8, and the
    bias becomes int32 in the same run.
    """
    graph = Graph()
    typed(graph, "x", "uint8", 0.05, 3)
    graph.constant("w", np.ones((3, 1, 1, 3)), "int8", 0.02)
    graph.constant("b", np.array([10, -20, 0]), "int64", 0.001)
    typed(graph, "y", "int16", 0.001)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    result = aligned(graph.bytes(["x"], ["y"]), targets=("tflm",))
    assert names(result) == ["QUANTIZE", "CONV_2D", "QUANTIZE"]
    assert tensor(result, "b").type == "int32"


def test_activation_types_stay_if_the_bias_cannot_be_repaired() -> None:
    """A bool bias has no repair, and other activation types would not help: nothing is changed."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", np.ones((3, 1, 1, 3)), "int8", 0.02)
    graph.tensors["b"] = TensorSpec(name="b", type="bool", shape=(3,), data=np.ones(3, np.bool_))
    graph.activation("y", 0.1)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    result = align(graph.bytes(["x"], ["y"]), AlignOptions(verify=False))
    assert names(result) == ["CONV_2D"]
    assert result.report.exit_status == 1
