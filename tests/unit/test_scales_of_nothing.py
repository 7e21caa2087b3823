"""Invalid scales and zero points (NaN, infinite), scales of constants that are all zeros, biases of
zeros.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, chain, edited, named, requantized
from tests.support.models import Graph, Quant
from tests.support.value_models import computed_zeros
from tflite_align import AlignOptions, align, check
from tflite_align.checks.zeros import known_zeros
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import SetData
from tflite_align.numerics import SMALLEST_SCALE
from tflite_align.record import replace

ALL = AlignOptions(targets=("tflite", "tflm", "ethos-u55"), verify=False)


def chain_with(name: str, *, channel: bool, **quant: Any) -> bytes:
    """`chain` with fields of tensor `name`'s parameters replaced by `quant`. `channel`: the tensor
    gets three channels, and only the second one's are replaced.
    """
    data = chain()
    _, tensor = named(data, name)
    if not channel:
        return requantized(data, name, **{key: (value,) for key, value in quant.items()})
    own = {"scale": tensor.quant.scale * 3, "zero_point": tensor.quant.zero_point * 3}
    own = {key: (own[key][0], quant.get(key, own[key][0]), own[key][0]) for key in own}
    return requantized(data, name, **own)


IMPOSSIBLE = [
    ("params/scale", {"scale": -0.5}),
    ("params/scale", {"scale": math.nan}),
    ("params/scale", {"scale": math.inf}),
    ("params/scale", {"scale": 0.0}),  # its integers are not 0
    ("params/zero_point", {"zero_point": 2**40}),
    ("params/zero_point", {"zero_point": -(2**32)}),
    ("params/zero_point", {"zero_point": 1000}),
]


@pytest.mark.parametrize(("rule", "quant"), IMPOSSIBLE)
@pytest.mark.parametrize("name", ["c", "p", "y", "c.w"])
def test_invalid_parameters_are_one_unrepairable_error(
    name: str, rule: str, quant: dict[str, Any]
) -> None:
    data = chain_with(name, channel=name == "c.w", **quant)
    (found,) = check(data, ALL).findings
    assert (found.rule, found.tensor_name, found.severity, found.fix) == (rule, name, "error", "")
    result = align(data, PLAIN)
    assert result.data == data
    assert result.report.exit_status == 1


def test_a_scale_for_which_the_bias_scale_is_no_float32_is_invalid() -> None:
    data = chain_with("c.b", channel=True, scale=3.4e38)
    (found,) = check(data, ALL).findings
    assert (found.rule, found.tensor_name, found.fix) == ("params/scale", "c.b", "")
    assert align(data, PLAIN).data == data


def test_an_infinite_scale_of_a_bias_of_zeros_is_invalid() -> None:
    data = chain()
    _, tensor = named(data, "c.b")
    zeros = edited(data, SetData(subgraph=0, tensor=tensor.index, data=bytes(12)))
    (found,) = check(
        requantized(zeros, "c.b", scale=(math.inf,) * 3, zero_point=(0,) * 3), ALL
    ).findings
    assert (found.rule, found.tensor_name) == ("params/scale", "c.b")


def test_an_invalid_scale_fixes_its_operators_input_and_prevents_no_other_repair() -> None:
    """The weights of the last convolution have a NaN scale, so its input keeps its label: its bias
    could not be re-expressed. The pool in front of it is repaired with a QUANTIZE.
    """
    data = requantized(chain_with("y.w", channel=True, scale=math.nan), "p", scale=(0.15,))
    result = align(data, PLAIN)
    assert [one.rule for one in result.report.remaining] == ["params/scale"]
    pooled = named(result.data, "p")[1].quant.label
    assert pooled == named(result.data, "c")[1].quant.label
    graph = read(result.data).subgraphs[0]
    last = graph.operators[-1]
    seen = graph.tensors[last.inputs[0]].quant
    assert seen is not None
    assert seen.label == named(data, "p")[1].quant.label


# --- zeros --------------------------------------------------------------------------------------


def empty_channel(unit: float, *, bias: int = 0, bias_unit: float | None = None) -> bytes:
    """`chain` whose weights' second channel is all zeros. `unit`: its scale; `bias`: the integer of
    its bias; `bias_unit`: the bias's scale, by default the product of scales.
    """
    data = chain()
    model, weights = named(data, "c.w")
    _, held = named(data, "c.b")
    values = np.frombuffer(model.constant(0, weights.index), np.int8).reshape(3, 3).copy()
    values[1] = 0
    integers = np.frombuffer(model.constant(0, held.index), np.int32).copy()
    integers[1] = bias
    data = edited(
        data,
        SetData(subgraph=0, tensor=weights.index, data=values.tobytes()),
        SetData(subgraph=0, tensor=held.index, data=integers.tobytes()),
    )
    own, product = weights.quant.scale[0], held.quant.scale[0]
    data = requantized(data, "c.w", scale=(own, unit, own * 2), zero_point=(0, 0, 0))
    middle = unit * product if bias_unit is None else bias_unit
    scales = tuple(float(np.float32(one)) for one in (product, middle, product * 2))
    return requantized(data, "c.b", scale=scales, zero_point=(0, 0, 0))


@pytest.mark.parametrize("unit", [0.0, 1e-40])
def test_a_channel_of_zeros_takes_a_neighbours_scale(unit: float) -> None:
    data = empty_channel(unit)
    assert {one.rule for one in check(data, ALL).findings} == {"params/zero_scales"}
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    own = named(data, "c.w")[1].quant.scale
    new = named(result.data, "c.w")[1].quant.scale
    assert new == (own[0], own[2], own[2])
    assert min(named(result.data, "c.b")[1].quant.scale) > 0
    assert align(result.data, PLAIN).data == result.data


def test_the_scale_of_a_channel_of_zeros_follows_from_its_bias() -> None:
    data = empty_channel(0.0, bias=40, bias_unit=0.003)
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    model, bias = named(result.data, "c.b")
    assert np.frombuffer(model.constant(0, bias.index), np.int32)[1] == 40
    assert bias.quant.scale[1] == pytest.approx(0.003, rel=1e-5)


def test_the_scale_of_a_channel_of_zeros_prevents_no_other_repair() -> None:
    data = requantized(empty_channel(0.0), "p", scale=(0.15,))
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    assert result.report.exit_status == 0


def test_with_the_repair_off_the_finding_remains() -> None:
    data = empty_channel(0.0)
    left = align(data, replace(PLAIN, no_fix=("zero-scale",)))
    assert left.data == data
    assert [one.rule for one in left.report.remaining] == ["params/zero_scales"]


def test_computed_zeros_get_the_scale_that_their_readers_need() -> None:
    data = computed_zeros()
    model = read(data)
    names = {model.subgraphs[0].tensors[i].name for i in known_zeros(model, 0)}
    assert {"zero", "state", "gate", "kept"} <= names
    assert not names & {"x", "sum", "y"}
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    scales = {
        one.name: one.quant.scale[0] for one in read(result.data).subgraphs[0].tensors if one.quant
    }
    assert scales["zero"] == scales["state"]
    assert min(scales.values()) >= SMALLEST_SCALE
    assert align(result.data, PLAIN).data == result.data


def test_a_graph_output_of_zeros_keeps_its_scale() -> None:
    graph = Graph()
    graph.constant("zero", np.zeros((), np.int8), "int8", 0.0)
    graph.constant("size", np.asarray([1, 3]), "int32")
    graph.activation("y", 0.0, shape=(1, 3))
    graph.add("FILL", ["size", "zero"], ["y"])
    data = graph.bytes([], ["y"])
    assert align(data, PLAIN).data == data


def test_a_subnormal_scale_is_a_finding_where_it_is_refused() -> None:
    data = requantized(chain(), "y", scale=(1e-40,))
    found = check(data, replace(ALL, targets=("litert", "xnnpack", "ethos-u55"))).findings
    (one,) = [finding for finding in found if finding.rule == "params/subnormal"]
    assert {grade.target for grade in one.grades} == {"xnnpack", "ethos-u55"}
    assert one.fix == ""


# --- biases of zeros ----------------------------------------------------------------------------


def shared_zeros() -> bytes:
    """Two convolutions with one bias tensor of zeros. Its scale is right for the first convolution
    only.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.conv("c", "y", 0.2)
    zeros = graph.tensors["c.b"]
    graph.tensors["c.b"] = replace(
        zeros,
        data=np.zeros(3, np.int32),
        quant=Quant(scale=zeros.quant.scale, zero_point=(0,)),  # type: ignore[union-attr]
    )
    graph.tensors.pop("y.b")
    graph.operators[-1] = replace(graph.operators[-1], inputs=["c", "y.w", "c.b"])
    return graph.bytes(["x"], ["y"])


def test_shared_zeros_are_no_finding_and_get_no_copy() -> None:
    data = shared_zeros()
    assert check(data, ALL).findings == ()
    freed = align(requantized(data, "c", scale=(0.3,)), PLAIN)
    assert freed.report.findings == ()
    moved = align(data, replace(PLAIN, to="int8"))
    assert moved.data == data


def test_a_bias_of_zeros_without_a_scale_is_no_finding() -> None:
    data = requantized(shared_zeros(), "c.b", scale=(0.0,))
    assert check(data, ALL).findings == ()
