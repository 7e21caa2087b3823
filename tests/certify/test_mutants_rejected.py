"""A damaged file is rejected with its old certificate and with one made for the damaged file.

The old certificate gets the digests of the damaged files, so that rejection does not depend on
them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.certificate_mutants import (
    NUMBERS,
    STRUCTURE,
    Base,
    bases,
    mutants,
    packed,
    unpacked,
)
from tests.support.statement_oracle import BREAKS, worst_distance
from tflite_align.certify.make import NotCertifiedError, make_certificate
from tflite_align.certify.verified import (
    CertificateError,
    CertificateRefutedError,
    verify_certificate,
)

BASES = bases()


def _rejected(certificate: Any, original: bytes, written: bytes) -> bool:
    document = dict(certificate)
    for name, data in (("original", original), ("written", written)):
        document[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        verify_certificate(original, written, json.dumps(document).encode())
    except (CertificateError, CertificateRefutedError):
        return True
    return False


def _both_rejected(base: Base, original: bytes, written: bytes) -> bool:
    """Whether the checker rejects the written file with the base's certificate and, if one can be
    made for it, with a new certificate.
    """
    if not _rejected(base.certificate, original, written):
        return False
    try:
        anew = make_certificate(original, written)
    except NotCertifiedError:
        return True
    return _rejected(anew, original, written)


def _numbers(count: int, seed: int) -> Iterator[tuple[str, Base, bytes, bytes, float]]:
    """`count` mutants of parameters and constants: (kind, base, original, written, distance from
    the original's function in steps).
    """
    rng = np.random.default_rng(seed)
    sources = [mutants(base, rng, NUMBERS) for base in BASES]
    for number in range(count):
        base = BASES[number % len(BASES)]
        kind, original, written = next(sources[number % len(BASES)])
        distance = worst_distance(original, written, base.mapping, base.stands_for)
        yield kind, base, packed(original), packed(written), distance


def _survivors(count: int, seed: int) -> tuple[list[str], Counter[str]]:
    """(mutants that exceed the bound but are accepted, number of mutants of each kind)."""
    alive, sorts = [], Counter[str]()
    for kind, base, original, written, distance in _numbers(count, seed):
        if (original, written) == (base.original, base.written) or distance <= 1:
            sorts["neutral"] += 1
        elif distance <= BREAKS:
            sorts["unclear"] += 1
        else:
            sorts["breaks"] += 1
            if not _both_rejected(base, original, written):
                alive.append(f"{base.name} {kind}: {distance:.2f} LSB")
    return alive, sorts


@pytest.mark.parametrize("base", BASES, ids=[base.name for base in BASES])
def test_the_oracle_accepts_sound_files(base: Base) -> None:
    files = unpacked(base.original), unpacked(base.written)
    assert worst_distance(*files, base.mapping, base.stands_for) <= 0.6
    text = json.dumps(base.certificate).encode()
    found = verify_certificate(base.original, base.written, text)
    assert found.certified == found.operators


def test_mutants_that_break_the_bound_are_rejected() -> None:
    alive, sorts = _survivors(90, seed=0)
    assert alive == []
    assert sorts["breaks"] >= 30


def test_mutants_of_parts_that_must_be_equal_are_rejected() -> None:
    rng = np.random.default_rng(0)
    alive = []
    for base in BASES:
        for mutate in STRUCTURE:
            kind, original, written = next(mutants(base, rng, (mutate,)))
            if not _both_rejected(base, packed(original), packed(written)):
                alive.append(f"{base.name} {kind}")
    assert alive == []


@pytest.mark.mutants
def test_thousands_of_mutants_that_break_the_bound_are_rejected() -> None:
    alive, sorts = _survivors(12000, seed=1)
    assert alive == []
    assert sorts["breaks"] >= 5000, sorts
