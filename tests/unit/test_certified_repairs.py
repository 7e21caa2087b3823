"""Certificates of operators that an alignment removed or added: a folded QUANTIZE, a bias of zeros,
a variable.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.certificate_mutants import packed, unpacked
from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.certify.check import CheckedFile
from tflite_align.certify.make import NotCertifiedError, make_certificate
from tflite_align.certify.verified import CertificateRefutedError, verify_certificate

Change = Callable[[Any], None]


def _held(original: bytes, written: bytes) -> CheckedFile:
    certificate = make_certificate(original, written)
    return verify_certificate(original, written, json.dumps(certificate).encode())


def _changed(data: bytes, change: Change) -> bytes:
    model = unpacked(data)
    change(model)
    return packed(model)


# --- a folded QUANTIZE --------------------------------------------------------------------------


def _requantized(scale: float = 0.06, zero_point: int = 4, *, output: bool = False) -> bytes:
    """CONV_2D a -> QUANTIZE b -> RELU and SOFTMAX. The checker has an integer function for RELU,
    none for SOFTMAX. `output`: b is a graph output in place of SOFTMAX's.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "a", 0.06, 4)
    graph.activation("b", scale, zero_point)
    graph.add("QUANTIZE", ["a"], ["b"], ("QuantizeOptions", {}))
    graph.activation("y", 0.06, 4)
    graph.add("RELU", ["b"], ["y"])
    graph.activation("z", 1 / 256, -128)
    graph.add("SOFTMAX", ["b"], ["z"], ("SoftmaxOptions", {"beta": 1.0}))
    return graph.bytes(["x"], ["y", "b"] if output else ["y", "z"])


def _fold(model: Any) -> None:
    graph = model.subgraphs[0]
    quantize = graph.operators.pop(1)
    for operator in graph.operators:
        named = [quantize.inputs[0] if i == quantize.outputs[0] else i for i in operator.inputs]
        operator.inputs = np.array(named, np.int32)


def test_a_quantize_that_changes_nothing_may_be_folded() -> None:
    original = _requantized()
    certificate = make_certificate(original, _changed(original, _fold))
    assert certificate["subgraphs"][0]["folded"] == [1]
    found = _held(original, _changed(original, _fold))
    assert (found.operators, found.certified) == (3, 2)


def test_a_reader_with_other_parameters_after_folding_is_not_unchanged() -> None:
    """Folding the QUANTIZE gives its two readers other input parameters. RELU can be certified with
    them; SOFTMAX, whose integer function is unknown, cannot.
    """
    original = _requantized(0.055, 9)
    with pytest.raises(NotCertifiedError, match="SOFTMAX: its operands or parameters changed"):
        make_certificate(original, _changed(original, _fold))


def _without_softmax(model: Any) -> None:
    model.subgraphs[0].operators.pop()
    model.subgraphs[0].outputs = model.subgraphs[0].outputs[:1]


def test_a_quantize_between_parameters_may_be_folded() -> None:
    original = _changed(_requantized(0.055, 9), _without_softmax)
    found = _held(original, _changed(original, _fold))
    assert (found.operators, found.certified) == (2, 2)


def test_a_clamp_is_not_folded() -> None:
    """The range behind the QUANTIZE begins at 0, so the QUANTIZE clips negative values. Without it
    they would arrive, so the fold has no certificate.
    """
    original = _changed(_requantized(0.06, -128), _without_softmax)
    with pytest.raises(NotCertifiedError, match=r"without the folded QUANTIZE it is up to 132\.0"):
        make_certificate(original, _changed(original, _fold))


def test_a_fold_that_is_not_claimed_does_not_hold() -> None:
    original = _requantized()
    written = _changed(original, _fold)
    for folded in ([], [1, 1], [0], [1, 5], [-3]):
        certificate = make_certificate(original, written)
        certificate["subgraphs"][0]["folded"] = folded
        with pytest.raises(
            CertificateRefutedError, match="an operator is missing, repeated or out of order"
        ):
            verify_certificate(original, written, json.dumps(certificate).encode())


def test_a_missing_operator_is_named() -> None:
    original = _requantized()
    with pytest.raises(NotCertifiedError, match=r"the original's SOFTMAX \(3\) has no counterpart"):
        make_certificate(original, _changed(original, _without_softmax))


def test_only_quantize_operators_may_be_folded() -> None:
    original = _requantized()
    certificate = make_certificate(original, original)
    written = _changed(original, _without_softmax)
    for place, what in ((3, "only a plain QUANTIZE"), (0, "only a plain QUANTIZE")):
        rows = certificate["subgraphs"][0]["operators"]
        document = {**certificate, "subgraphs": [dict(certificate["subgraphs"][0])]}
        document["subgraphs"][0]["operators"] = [r for r in rows if r["original"] != place]
        document["subgraphs"][0]["folded"] = [place]
        document["written"] = make_certificate(written, written)["written"]
        with pytest.raises(CertificateRefutedError, match=what):
            verify_certificate(original, written, json.dumps(document).encode())


def test_a_quantize_at_a_graph_output_is_not_folded() -> None:
    original = _requantized(output=True)

    def fold(model: Any) -> None:
        _fold(model)
        folded = unpacked(original).subgraphs[0].operators[1].inputs[0]
        model.subgraphs[0].outputs = np.array([model.subgraphs[0].outputs[0], folded], np.int32)

    with pytest.raises(NotCertifiedError, match="a QUANTIZE that writes an output is folded"):
        make_certificate(original, _changed(original, fold))


# --- a bias of zeros ----------------------------------------------------------------------------


def _unbiased(absent: int) -> bytes:
    """A CONV_2D without a bias: its operand is left out (`absent` 0) or stated as -1 (`absent` 1)."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.06, 4)
    model = unpacked(graph.bytes(["x"], ["y"]))
    operator = model.subgraphs[0].operators[0]
    operator.inputs = np.array([*list(operator.inputs)[:2], *[-1] * absent], np.int32)
    return packed(model)


@pytest.mark.parametrize("absent", [0, 1])
def test_a_bias_of_zeros_may_be_added(absent: int) -> None:
    original = _unbiased(absent)
    written = align(original, AlignOptions(verify=False)).data
    assert written != original
    found = _held(original, written)
    assert (found.operators, found.certified) == (1, 1)
    tensor = unpacked(written).subgraphs[0].operators[0].inputs[2]

    def one(model: Any) -> None:
        data = np.array(model.buffers[model.subgraphs[0].tensors[tensor].buffer].data)
        data[4] = 1
        model.buffers[model.subgraphs[0].tensors[tensor].buffer].data = data

    def variable(model: Any) -> None:
        model.subgraphs[0].tensors[tensor].isVariable = True

    for change in (one, variable):
        with pytest.raises(NotCertifiedError, match="an operand is absent in one file"):
            make_certificate(original, _changed(written, change))


def test_an_operand_that_is_no_bias_is_not_added() -> None:
    original = _unbiased(0)
    written = align(original, AlignOptions(verify=False)).data

    def twice(model: Any) -> None:
        operator = model.subgraphs[0].operators[0]
        operator.inputs = np.append(operator.inputs, operator.inputs[2]).astype(np.int32)

    with pytest.raises(NotCertifiedError, match="an operand is absent in one file"):
        make_certificate(original, _changed(written, twice))


# --- variables ----------------------------------------------------------------------------------


def _stateful(assigned: float, read: float) -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "a", assigned, 4)
    graph.tensors["h"] = graph.tensors["x"].__class__(name="h", type="resource", shape=())
    graph.add("VAR_HANDLE", [], ["h"], ("VarHandleOptions", {"sharedName": "state"}))
    graph.activation("old", read, 4)
    graph.add("READ_VARIABLE", ["h"], ["old"], ("ReadVariableOptions", {}))
    graph.add("ASSIGN_VARIABLE", ["h", "a"], [], ("AssignVariableOptions", {}))
    graph.activation("y", 0.06, 4)
    graph.add("RELU", ["old"], ["y"])
    return graph.bytes(["x"], ["y"])


def test_a_variables_value_may_get_other_parameters() -> None:
    """A variable's value gets other parameters. READ_VARIABLE is certified as a copy,
    ASSIGN_VARIABLE is unchanged; a claim that less than the whole integer range arrives is refuted.
    """
    original, written = _stateful(0.06, 0.06), _stateful(0.07, 0.07)
    certificate = make_certificate(original, written)
    words = {r["name"]: r["status"] for r in certificate["subgraphs"][0]["operators"]}
    assert words["READ_VARIABLE"] == "certified"
    assert words["ASSIGN_VARIABLE"] == "unchanged"
    document = json.dumps(certificate).encode()
    assert verify_certificate(original, written, document).certified == 3
    for row in certificate["subgraphs"][0]["tensors"]:
        row["arrives"] = (
            [0, 0]
            if row["original"] == unpacked(original).subgraphs[0].operators[2].outputs[0]
            else row["arrives"]
        )
    with pytest.raises(
        CertificateRefutedError, match=r"-128\.\.127 are possible; the certificate claims 0\.\.0"
    ):
        verify_certificate(original, written, json.dumps(certificate).encode())


@pytest.mark.parametrize(("assigned", "read"), [(0.07, 0.06), (0.06, 0.07)])
def test_a_variable_that_is_read_otherwise_than_assigned_is_refused(
    assigned: float, read: float
) -> None:
    with pytest.raises(NotCertifiedError, match="_VARIABLE: its operands or parameters changed"):
        make_certificate(_stateful(0.06, 0.06), _stateful(assigned, read))
