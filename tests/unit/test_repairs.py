"""Repairs and bindings tested on records of small models."""

from __future__ import annotations

import numpy as np

from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.checks.subgraph_calls import resource_names
from tflite_align.format.model import Model, OperatorId, Slot
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.repair.planner.weights import _re_expressed
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import CallRow, OperatorRow, SlotPattern
from tflite_align.verdicts import Acceptance
from tflite_align.verify.process import steady
from tflite_align.verify.verdict_rules import judge_word


def test_int16_weights_keep_their_sixteen_bits() -> None:
    graph = Graph()
    graph.constant("w", np.array([[30000, -20000], [5, 7]]), "int16", 0.001)
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.1)
    model = read(graph.bytes(["x"], ["y"]))
    tensor = next(t for t in model.subgraphs[0].tensors if t.name == "w")
    assert tensor.quant is not None
    data = model.constant(0, tensor.index)
    assert data is not None
    shifted = replace(tensor.quant, zero_point=(-5000,))
    new = _re_expressed(tensor, shifted, data, None)
    assert new.data is not None
    assert int(np.max(np.abs(np.frombuffer(new.data, dtype="<i2")))) == 32767
    assert new.error <= 0.001


def test_ranges_are_not_narrowed_through_an_operator_that_outputs_indices() -> None:
    for name in ("TOPK_V2", "UNIQUE"):
        flow = load_operators()[name].flow
        assert flow is not None
        assert flow.kind == "average"


def _handed_down() -> tuple[Model, dict[str, OperatorRow]]:
    """(model, rows): a handle is made in the main graph (by RELU, in place of VAR_HANDLE) and
    passed to a called subgraph, where an ASSIGN_VARIABLE writes through it.
    """
    graph = Graph()
    graph.activation("h", 0.05)
    graph.activation("v", 0.05)
    graph.add("RELU", ["v"], ["h"])
    graph.activation("o", 0.05)
    graph.add("RELU6", ["h"], ["o"])
    main = read(graph.bytes(["v"], ["o"]))
    callee = replace(main.subgraphs[0], index=1, inputs=(0,), outputs=(), operators=())
    caller, call = main.subgraphs[0].operators
    call = replace(call, options={"then": 1})
    write = replace(call, inputs=(0, 1), outputs=(), options={})
    model = replace(
        main,
        subgraphs=(
            replace(main.subgraphs[0], operators=(caller, call)),
            replace(callee, operators=(replace(write, index=0, name="ASSIGN_VARIABLE"),)),
        ),
    )
    everything = SlotPattern("inputs", 0, None)
    rows = {
        "RELU": OperatorRow(name="RELU", resource="handle"),
        "RELU6": OperatorRow(
            name="RELU6", calls=(CallRow(option="then", inputs=everything, outputs=None),)
        ),
        "ASSIGN_VARIABLE": OperatorRow(name="ASSIGN_VARIABLE", resource="write"),
    }
    return model, rows


def test_a_handle_is_followed_into_the_subgraph_it_is_passed_to() -> None:
    model, rows = _handed_down()
    names = resource_names(model, rows)
    assert names == {Slot(1, 0, "inputs", 1): "\0"}


def test_the_same_refusal_before_and_after_has_status_unchanged() -> None:
    refused = Acceptance(status="refused", reason="no kernel", operator=3)
    verdict = judge_word("tflm", refused, refused, frozenset({OperatorId(0, 3)}))
    assert verdict.word == "unchanged"


def test_a_refusal_message_is_deterministic() -> None:
    message = "t->params.scale != output->params.scale (-46 != 136)Node number 10 (CONCATENATION)"
    expected = "t->params.scale != output->params.scale Node number 10 (CONCATENATION)"
    assert steady(message) == expected


def test_messages_of_the_delegate_are_separated() -> None:
    words = "failed to delegate PAD node #71failed to delegate CONCATENATION node #155Node number 8"
    expected = (
        "failed to delegate PAD node #71 failed to delegate CONCATENATION node #155 Node number 8"
    )
    assert steady(words) == expected


def test_a_tensor_without_elements_gets_no_quantize() -> None:
    """LiteRT compares the parameters of empty operands, too. Changing them loses nothing, so no
    QUANTIZE is inserted.
    """
    graph = Graph()
    graph.activation("x", 0.08, 3, shape=(0, 4))
    graph.activation("z", 0.05, 3, shape=(2, 4))
    graph.activation("y", 0.05, 3, shape=(2, 4))
    graph.add("CONCATENATION", ["x", "z"], ["y"], ("ConcatenationOptions", {"axis": 0}))
    result = align(graph.bytes(["x", "z"], ["y"]), AlignOptions(verify=False))
    found = read(result.data).subgraphs[0]
    assert [operator.name for operator in found.operators] == ["CONCATENATION"]
    assert {tensor.label for tensor in found.tensors} == {found.tensors[found.outputs[0]].label}
    assert (result.report.remaining, result.report.exit_status) == ((), 0)
