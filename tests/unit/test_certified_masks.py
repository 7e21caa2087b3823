"""Certificates of a constant that was clipped: a mask of -1e9 added before a SOFTMAX."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.support.certificate_mutants import packed, unpacked
from tests.support.value_models import masked
from tflite_align import AlignOptions, align
from tflite_align.certify.functions.rounded_constants import is_rounded
from tflite_align.certify.make import NotCertifiedError, make_certificate
from tflite_align.certify.verified import CertificateRefutedError, verify_certificate

_VALUES = np.array([[0, -128, -128, 0, -128, 0, 0, -128]])


def _files(operator: str = "ADD") -> tuple[bytes, bytes]:
    sign = -1 if operator == "SUB" else 1
    values = np.clip(sign * _VALUES, -128, 127).astype(np.int8)
    original = masked(values, operator=operator)
    return original, align(original, AlignOptions(verify=False)).data


def _checked(original: bytes, written: bytes) -> Any:
    certificate = make_certificate(original, written)
    return verify_certificate(original, written, json.dumps(certificate).encode())


@pytest.mark.parametrize("operator", ["ADD", "SUB"])
def test_a_mask_that_is_clipped_keeps_its_certificate(operator: str) -> None:
    original, written = _files(operator)
    assert written != original
    found = _checked(original, written)
    assert (found.operators, found.certified) == (2, 1)  # SOFTMAX is unchanged
    assert found.worst <= 1


def _mask(model: Any) -> Any:
    graph = model.subgraphs[0]
    return graph.tensors[graph.operators[0].inputs[1]]


def test_a_mask_too_weak_to_saturate_the_sum_has_no_certificate() -> None:
    """The mask's scale is half of what it should be, so that -128 is only -6.4: adding it does not
    bring every sum to the end of its range, and there is no certificate.
    """
    original, written = _files()
    model = unpacked(written)
    mask = _mask(model)
    mask.quantization.scale = [mask.quantization.scale[0] / 2]
    with pytest.raises(NotCertifiedError, match="LSB off"):
        make_certificate(original, packed(model))


@pytest.mark.parametrize("value", [-127, 0, 126])
def test_a_constant_that_is_not_clipped_to_the_end_of_its_type_is_refused(value: int) -> None:
    original, written = _files()
    model = unpacked(written)
    mask = _mask(model)
    data = np.array(model.buffers[mask.buffer].data).view(np.int8)
    data[1] = value
    model.buffers[mask.buffer].data = data.view(np.uint8)
    with pytest.raises((NotCertifiedError, CertificateRefutedError), match="clipped and rounded"):
        _checked(original, packed(model))


def test_clipped_values_are_rounded_to_the_end_of_the_range() -> None:
    given = np.array([-100, 3]), 10.0, 0
    assert is_rounded(given, (np.array([-128, 60]), 0.5, 0), -128, 127)
    assert not is_rounded(given, (np.array([-128, 60]), 0.5, 0))
    assert not is_rounded(given, (np.array([-127, 60]), 0.5, 0), -128, 127)
    assert not is_rounded(given, (np.array([-128, 61]), 0.5, 0), -128, 127)
