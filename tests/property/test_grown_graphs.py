"""Random graphs of 10 to 60 operators: the aligned file's integers equal those that NumPy computes
from its declared parameters.

Reader, arithmetic and samples of this test do not use the package. A few dozen graphs in the normal
run, 1,000 with `-m fuzz`. TFLITE_ALIGN_GRAPHS sets the number, TFLITE_ALIGN_FUZZ_SEED the first
seed.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.support.grown_graphs import grown
from tests.support.grown_runs import losses, steps_off
from tflite_align import AlignOptions, align

PLAIN = AlignOptions(verify=False)
FIRST = int(os.environ.get("TFLITE_ALIGN_FUZZ_SEED", "0"))
MANY = int(os.environ.get("TFLITE_ALIGN_GRAPHS", "1000"))
MOST_DB = 1.0
KERNELS_DB = 3.0  # what integer kernels may lose, dB; the verification's limit


def _exact(seed: int) -> None:
    """Align the graph of `seed` and run it; compare each operator's output with NumPy's, from the
    integers that the operator read.
    """
    result = align(grown(seed).data, PLAIN)
    if any(finding.rule.endswith("/wrap") for finding in result.report.remaining):
        # Real values beyond every kernel's integers: a finding remains and the exit status is 1.
        assert result.report.exit_status == 1
        return
    assert result.report.exit_status == 0, result.report.reasons
    assert align(result.data, PLAIN).data == result.data
    wrong = [
        f"{name} of {kind}: {off:.2f} LSB"
        for name, kind, off, most in steps_off(result.data, seed)
        if off > most
    ]
    assert not wrong, f"graph {seed}: {wrong}"


@pytest.mark.backends
@pytest.mark.parametrize("block", range(4))
def test_every_operator_gives_the_exact_answer(block: int) -> None:
    for seed in range(block * 8, block * 8 + 8):
        _exact(seed)


@pytest.mark.fuzz
def test_every_operator_gives_the_exact_answer_of_many() -> None:
    for seed in range(FIRST, FIRST + MANY):
        _exact(seed)


def _judged(seeds: range) -> Counter[str]:
    """The number of graphs by verification result. For verified files the loss on independent
    samples is within the limits.
    """
    words: Counter[str] = Counter()
    for seed in seeds:
        original = grown(seed).data
        result = align(original, AlignOptions())
        verification = result.report.verification
        word = verification.word if verification is not None else "not run"
        words[word] += 1
        if word == "verified":
            lost = losses(original, result.data, seed)
            assert max(one.declared for one in lost.values()) <= MOST_DB, f"graph {seed}: {lost}"
            assert max(one.kernels for one in lost.values()) <= KERNELS_DB, f"graph {seed}: {lost}"
    return words


@pytest.mark.backends
def test_verified_files_lose_nothing_on_any_kind_of_sample() -> None:
    words = _judged(range(12))
    assert words["verified"] > 2, words


@pytest.mark.fuzz
def test_verified_files_of_many_graphs_lose_nothing() -> None:
    words = _judged(range(FIRST, FIRST + MANY))
    assert words["verified"] > MANY // 4, words
