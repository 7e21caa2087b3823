"""Certificates of sound files hold, and the checker verifies every claim that it can recompute."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tflite_align import AlignOptions, align
from tflite_align.certify.check import CheckedFile
from tflite_align.certify.check_bounds import UnshownError
from tflite_align.certify.kernel_functions import kernels_of
from tflite_align.certify.make import NotCertifiedError, certify, make_certificate
from tflite_align.certify.verified import (
    CertificateError,
    CertificateRefutedError,
    verify_certificate,
)

Row = dict[str, Any]

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = CHECKOUT / "schema" / "certificate.schema.json"
DATA = CHECKOUT / "tests" / "data"
ORIGINAL = (DATA / "sample_dealigned.tflite").read_bytes()
WRITTEN = align(ORIGINAL, AlignOptions(verify=False)).data
CERTIFICATE = make_certificate(ORIGINAL, WRITTEN)


def checked(certificate: Row, original: bytes = ORIGINAL, written: bytes = WRITTEN) -> CheckedFile:
    return verify_certificate(original, written, json.dumps(certificate).encode())


def rows(certificate: Row) -> list[Row]:
    return [row for graph in certificate["subgraphs"] for row in graph["operators"]]


def test_a_certificate_of_an_aligned_file_holds() -> None:
    found = checked(CERTIFICATE)
    assert found.operators == 10
    assert found.certified >= 8
    assert 0.5 <= found.worst <= 1


def test_the_same_files_give_the_same_certificate() -> None:
    assert make_certificate(ORIGINAL, WRITTEN) == CERTIFICATE


def test_a_certificate_matches_its_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(CERTIFICATE)
    Draft202012Validator(schema).validate(certify(ORIGINAL))


def test_mismatched_operators_of_an_unaligned_file_are_not_certified() -> None:
    """Both files are the unaligned sample: its mismatched operators copy integers between different
    parameters, so they are more than 1 LSB off and have no certificate.
    """
    off = [row for row in rows(certify(ORIGINAL)) if "LSB off" in row.get("reason", "")]
    assert {row["name"] for row in off} == {"CONCATENATION", "MAX_POOL_2D"}


@pytest.mark.parametrize(
    ("operator", "types", "why"),
    [
        (
            "SOFTMAX",
            ("INT8", "INT8"),
            "SOFTMAX int8 > int8: every element of the output depends on a sum over the axis",
        ),
        (
            "QUANTIZE",
            ("FLOAT32", "INT8"),
            "QUANTIZE float32 > int8: float32 values are not enumerated",
        ),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            ("", "INT8"),
            "UNIDIRECTIONAL_SEQUENCE_LSTM - > int8: the result depends on a recurrent state and on many operands at once",
        ),
        ("DIV", ("INT8", "INT8"), "DIV int8 > int8: no row matches these types and options"),
    ],
)
def test_the_reason_for_an_unknown_function_is_given(
    operator: str, types: tuple[str, str], why: str
) -> None:
    with pytest.raises(UnshownError) as error:
        kernels_of("litert", operator, types[:1], types[1:], {})
    assert str(error.value) == f"no function is known of litert's {why}"


def test_a_changed_operator_cannot_be_claimed_unchanged() -> None:
    """A certificate calls an operator `unchanged` although its parameters changed; the checker
    refutes it.
    """
    document = copy.deepcopy(CERTIFICATE)
    row = next(row for row in rows(document) if row["status"] == "certified")
    row["status"] = "unchanged"
    changed = [r for r in rows(document) if r["name"] in {"CONCATENATION", "CONV_2D"}]
    changed[-1]["status"] = "unchanged"
    with pytest.raises(
        CertificateRefutedError, match="changed, and the certificate has no row for it"
    ):
        checked(document)


def test_claims_about_untracked_tensors_are_rejected() -> None:
    """A certificate may claim an arriving range only for tensors whose range the checker computes
    itself; a bias is not among them.
    """
    document = copy.deepcopy(CERTIFICATE)
    known = {row["tensor"] for row in document["subgraphs"][0]["tensors"]}
    other = next(index for index in range(99) if index not in known)
    document["subgraphs"][0]["tensors"].append(
        {"tensor": other, "original": other, "arrives": [0, 0]}
    )
    with pytest.raises(CertificateRefutedError, match="is not computed"):
        checked(document)


Change = Callable[[Row], None]


def _lower_bound(document: Row) -> None:
    row = next(row for row in rows(document) if max(row.get("bounds", {"": 0}).values()) > 0.5)
    row["bounds"] = dict.fromkeys(row["bounds"], 0.5)


def _other_function(document: Row) -> None:
    row = next(row for row in rows(document) if row["name"] == "CONV_2D")
    row["functions"]["litert"] = ["accumulate_double"]


def _narrow_accumulator(document: Row) -> None:
    row = next(row for row in rows(document) if "accumulator" in row)
    row["accumulator"][0] += 1


def _never_saturates(document: Row) -> None:
    next(row for row in rows(document) if row.get("saturates"))["saturates"] = []


def _narrow_arrival(document: Row) -> None:
    document["subgraphs"][0]["tensors"][0]["arrives"][1] -= 1


def _narrow_need(document: Row) -> None:
    document["subgraphs"][0]["tensors"][0]["needed"] = [0.0, 0.0]


def _another_operator(document: Row) -> None:
    one, other = rows(document)[:2]
    one["original"], other["original"] = other["original"], one["original"]


def _none_mapped(document: Row) -> None:
    rows(document)[0]["original"] = None


def _no_runtime(document: Row) -> None:
    document["runtimes"] = []


def _moved(document: Row) -> None:
    document["moved"] = ["subgraph[0]/inputs[0]"]


def _no_bounds(document: Row) -> None:
    next(row for row in rows(document) if "bounds" in row)["bounds"]["xnnpack"] = -1.0


@pytest.mark.parametrize(
    "change",
    [
        _lower_bound, _other_function, _narrow_accumulator, _never_saturates, _narrow_arrival,
        _narrow_need, _another_operator, _none_mapped, _no_runtime, _moved, _no_bounds,
    ],
)  # fmt: skip
def test_a_change_of_any_claimed_field_is_rejected(change: Change) -> None:
    document = copy.deepcopy(CERTIFICATE)
    change(document)
    assert document != CERTIFICATE
    with pytest.raises(CertificateRefutedError):
        checked(document)


def test_a_certificate_of_other_files_does_not_hold() -> None:
    with pytest.raises(CertificateRefutedError, match="about another written file"):
        checked(CERTIFICATE, ORIGINAL, ORIGINAL)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"format": 1}'])
def test_other_json_is_no_certificate(text: bytes) -> None:
    with pytest.raises(CertificateError):
        verify_certificate(ORIGINAL, WRITTEN, text)


def test_bytes_that_are_no_model_have_no_certificate() -> None:
    with pytest.raises(NotCertifiedError, match=r"not a \.tflite file"):
        certify(b"not a model")
    with pytest.raises(NotCertifiedError, match="cannot read"):
        certify(ORIGINAL[:200])
