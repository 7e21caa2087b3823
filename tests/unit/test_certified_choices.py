"""Certificates of operators that choose or copy: ARG_MAX, ARG_MIN, FILL, NEG."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.certificate_mutants import packed, unpacked
from tests.support.models import Graph, TensorSpec
from tflite_align.certify.make import NotCertifiedError, certify, make_certificate
from tflite_align.certify.verified import CertificateRefutedError, verify_certificate


def _rows(certificate: Any) -> dict[str, Any]:
    return {row["name"]: row for row in certificate["subgraphs"][0]["operators"]}


def _chosen(scale: float, operator: str = "ARG_MAX", axis: int = 1) -> bytes:
    """CONV_2D, followed by ARG_MAX or ARG_MIN along `axis`; `scale` is that of the convolution's
    output.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "a", scale, 4)
    graph.constant("axis", [axis], "int32")
    shape = [size for n, size in enumerate(graph.tensors["a"].shape) if n != axis]
    graph.tensors["y"] = TensorSpec(name="y", type="int32", shape=tuple(shape))
    table = "ArgMaxOptions" if operator == "ARG_MAX" else "ArgMinOptions"
    graph.add(operator, ["a", "axis"], ["y"], (table, {"outputType": 2}))
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize("operator", ["ARG_MAX", "ARG_MIN"])
def test_arg_max_and_arg_min_are_certified_for_any_input_parameters(operator: str) -> None:
    original, written = _chosen(0.06, operator), _chosen(0.07, operator)
    certificate = make_certificate(original, written)
    assert _rows(certificate)[operator]["bounds"] == {"litert": 1e-6, "xnnpack": 1e-6}
    found = verify_certificate(original, written, json.dumps(certificate).encode())
    assert (found.operators, found.certified) == (2, 2)


def test_another_axis_of_arg_max_is_refused() -> None:
    original, written = _chosen(0.06, axis=1), _chosen(0.06, axis=2)
    certificate = make_certificate(original, written)
    with pytest.raises(CertificateRefutedError, match="is not the original's, rounded"):
        verify_certificate(original, written, json.dumps(certificate).encode())


def test_arg_min_in_place_of_arg_max_is_refused() -> None:
    with pytest.raises(NotCertifiedError, match="the original's ARG_MAX"):
        make_certificate(_chosen(0.06), _chosen(0.06, "ARG_MIN"))


def test_indices_have_no_arriving_range() -> None:
    """The output of ARG_MAX has no quantization parameters. A certificate states no arriving range
    for it, and one that does is refuted.
    """
    original = _chosen(0.06)
    certificate = certify(original)
    index = int(unpacked(original).subgraphs[0].outputs[0])
    rows = certificate["subgraphs"][0]["tensors"]
    assert index not in {row["tensor"] for row in rows}
    rows.append({"tensor": index, "original": index, "arrives": [0, 0]})
    with pytest.raises(CertificateRefutedError, match="is not computed"):
        verify_certificate(original, original, json.dumps(certificate).encode())


def _negated(zero_point: int, *, fused: int) -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "a", 0.06, zero_point)
    graph.activation("y", 0.06, zero_point, graph.tensors["a"].shape)
    graph.add("NEG", ["a"], ["y"], ("NegOptions", {}))
    model = unpacked(graph.bytes(["x"], ["y"]))
    model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = fused
    return packed(model)


def test_neg_of_nonnegative_values_is_exact() -> None:
    row = _rows(certify(_negated(0, fused=1)))["NEG"]
    assert row["bounds"] == {"litert": 1e-6, "xnnpack": 1e-6}


@pytest.mark.parametrize(
    ("zero_point", "fused", "off"),
    [(0, 0, "it can be 255 LSB off"), (5, 1, "it can be 10 LSB off")],
    ids=["the least integer", "a zero point"],
)
def test_neg_has_no_bound_where_its_kernel_is_wrong(zero_point: int, fused: int, off: str) -> None:
    row = _rows(certify(_negated(zero_point, fused=fused)))["NEG"]
    assert row["status"] == "unchanged"
    assert row["reason"] == off


def _filled(scale: float, filled: float) -> bytes:
    """FILL copies a scalar (scale `scale`) to every element of a tensor (scale `filled`), which a
    RELU reads.
    """
    graph = Graph()
    graph.activation("v", scale, 3, ())
    graph.constant("shape", [1, 4], "int32")
    graph.activation("f", filled, 3, (1, 4))
    graph.add("FILL", ["shape", "v"], ["f"], ("FillOptions", {}))
    graph.activation("y", 0.06, 3, (1, 4))
    graph.add("RELU", ["f"], ["y"])
    return graph.bytes(["v"], ["y"])


def test_fill_is_certified_as_a_copy() -> None:
    row = _rows(certify(_filled(0.06, 0.06)))["FILL"]
    assert row["functions"] == {"litert": ["copied"], "xnnpack": ["copied"]}
    off = _rows(certify(_filled(0.06, 0.05)))["FILL"]
    assert "the operands' parameters differ" in off["reason"]


def test_fill_is_certified_after_its_scalar_gets_other_parameters() -> None:
    original, written = _filled(0.06, 0.05), _filled(0.06, 0.06)
    certificate = make_certificate(original, written)
    found = verify_certificate(original, written, json.dumps(certificate).encode())
    assert (found.operators, found.certified) == (2, 2)
