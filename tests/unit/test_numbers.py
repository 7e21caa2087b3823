"""SQNR, bootstrap bounds, verdicts, samples and matching of operators, without an interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph, concat_example
from tests.support.noise import UNITS, noisy
from tflite_align.errors import UsageError
from tflite_align.format.model import OperatorId
from tflite_align.verdicts import Acceptance, Verification
from tflite_align.verify.changed_functions import match_operators
from tflite_align.verify.frontier import frontier
from tflite_align.verify.judges import available, judge_file
from tflite_align.verify.object_api import parse
from tflite_align.verify.process import useful_line
from tflite_align.verify.samples import make_samples
from tflite_align.verify.sqnr import CEILING_DB, Powers, fidelity, loss, powers, sqnr
from tflite_align.verify.step_scores import Steps, score_steps
from tflite_align.verify.verdict_rules import judge_word
from tflite_align.verify.verification import verify


@pytest.mark.parametrize(("level", "expected"), [(0.1, 20.0), (0.01, 40.0), (1.0, 0.0)])
def test_sqnr_is_a_power_ratio_over_all_samples(level: float, expected: float) -> None:
    assert sqnr(noisy(level, 0)) == pytest.approx(expected, abs=0.3)


def test_identical_values_reach_the_ceiling() -> None:
    values = np.ones((64, 3), np.float32)
    found = powers(values, values, UNITS)
    assert found is not None
    assert sqnr(found) == CEILING_DB


def test_zero_signals_and_other_shapes_have_no_sqnr() -> None:
    silent = powers(np.zeros((64, 2)), np.ones((64, 2)), UNITS)
    assert silent is not None
    assert sqnr(silent) is None
    assert powers(np.ones((64, 2)), np.ones((64, 3)), UNITS) is None
    assert powers(np.full((64, 2), np.nan), np.ones((64, 2)), UNITS) is None


def test_powers_are_added_up_over_a_sequence() -> None:
    found = powers(np.ones((6, 2)), np.zeros((6, 2)), ((0, 4), (4, 6)))
    assert found is not None
    assert found.signal.tolist() == [8.0, 4.0]


def test_a_gap_of_six_db_fails_and_one_of_two_does_not() -> None:
    wide = fidelity(noisy(0.1, 1), noisy(0.2, 2), seed=0)
    near = fidelity(noisy(0.1, 1), noisy(0.125, 2), seed=0)
    assert wide is not None
    assert near is not None
    assert wide.gap_db == pytest.approx(6.0, abs=0.4)
    assert (wide.beyond, near.beyond) == (True, False)
    assert wide.low_db < wide.gap_db


def test_one_bad_sample_is_no_gap() -> None:
    usual = noisy(0.1, 1)
    noise = usual.noise.copy()
    noise[7] *= 300.0
    found = fidelity(usual, Powers(signal=usual.signal, noise=noise), seed=0)
    assert found is not None
    assert found.gap_db > 3.0
    assert not found.beyond


def test_the_bootstrap_is_deterministic() -> None:
    assert fidelity(noisy(0.1, 1), noisy(0.2, 2), 5) == fidelity(noisy(0.1, 1), noisy(0.2, 2), 5)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(0.01, 0.01, "verified"), (0.01, 0.1, "failed"), (0.5, 0.01, "inconclusive")],
)
def test_an_alignment_loss_is_graded_by_its_bound(before: float, after: float, word: str) -> None:
    assert loss(noisy(before, 1), noisy(after, 2), 0).word == word


@pytest.mark.parametrize(
    ("step", "word"), [(0.05, "inconclusive"), (0.01, "failed"), (0.0, "failed")]
)
def test_the_noise_of_one_more_rounding_is_no_failure(step: float, word: str) -> None:
    """The noise doubles (40 dB to 34 dB), by 0.017 per value. That is less than one more rounding
    to an input in steps of 0.05 could add, but more than with steps of 0.01.
    """
    assert loss(noisy(0.01, 1), noisy(0.02, 2), 0, step=step).word == word


def test_a_loss_names_both_levels() -> None:
    said = loss(noisy(0.01, 1), noisy(0.1, 2), 0).why
    assert said == "alignment loses 20.1 dB: 40.1 dB declared before, 19.9 now"


# --- verdicts ----------------------------------------------------------------------------------


def verdict(
    before: str, after: str, *, judge: str = "litert", operator: int | None = None
) -> tuple[str, str]:
    def acceptance(text: str) -> Acceptance:
        status, _, reason = text.partition(": ")
        return Acceptance(status=status, reason=reason, operator=operator)  # type: ignore[arg-type]

    found = judge_word(judge, acceptance(before), acceptance(after), frozenset({OperatorId(0, 4)}))
    return found.word, found.why


@pytest.mark.parametrize(
    ("before", "after", "operator", "judge", "word"),
    [
        ("accepted", "accepted", None, "litert", "accepted"),
        ("refused: no", "accepted", None, "litert", "accepted"),
        ("accepted", "refused: no", None, "litert", "failed"),
        ("accepted", "refused: no", None, "xnnpack", "failed"),
        ("accepted", "crashed: SIGABRT", None, "tflm", "failed"),
        ("accepted", "timeout", None, "tflm", "inconclusive"),
        ("refused: node 3 (PAD)", "refused: node 5 (PAD)", None, "tflm", "unchanged"),
        ("refused: a", "refused: b", None, "tflm", "inconclusive"),
        ("refused: a", "refused: b", 4, "tflm", "failed"),
        ("refused: a", "refused: b", 4, "xnnpack", "inconclusive"),
        ("skipped: not installed", "skipped: not installed", None, "tflm", "skipped"),
    ],
)
def test_a_judges_word_follows_from_both_results(
    before: str, after: str, operator: int | None, judge: str, word: str
) -> None:
    assert verdict(before, after, judge=judge, operator=operator)[0] == word


def test_an_unchanged_file_runs_no_judge() -> None:
    verification = verify(b"", b"", changed=False)
    assert verification == Verification(word="skipped", why="every judge is allowed to refuse")


def test_unknown_judges_are_usage() -> None:
    expected = "no judge named 'abacus'; there are litert, litert-ref, xnnpack, tflm, "
    expected += "ethos-u55, ethos-u65, ethos-u85, edgetpu, mlir"
    for ask in (available, lambda name: judge_file(b"", name)):
        with pytest.raises(UsageError) as caught:
            ask("abacus")
        assert str(caught.value) == expected


# --- processes ---------------------------------------------------------------------------------


def test_the_last_meaningful_line_of_output_is_found() -> None:
    log = "INFO: created\nreal reason \n\n    raise Error\nINFO: done\n"
    assert useful_line(log) == "real reason"
    assert useful_line("INFO: created\n") == ""


# --- samples and frontier ----------------------------------------------------------------------


def test_samples_fill_the_declared_grid_and_are_deterministic() -> None:
    model = parse(concat_example())
    first, again = (make_samples(model, count=64, seed=3) for _ in range(2))
    other = make_samples(model, count=64, seed=4)
    assert first.arrays[0].dtype == np.int8
    assert first.arrays[0].shape == (64, 1, 4, 4, 3)
    assert np.array_equal(first.arrays[0], again.arrays[0])
    assert not np.array_equal(first.arrays[0], other.arrays[0])
    assert first.arrays[0].min() < -100
    assert first.arrays[0].max() > 100


def test_calibration_is_found_by_position_and_by_name_and_quantized() -> None:
    model = parse(concat_example())
    real = np.full((5, 4, 4, 3), 0.1, np.float32)
    for key in (0, "0", "x"):
        samples = make_samples(model, calibration={key: real}, count=64, seed=0)
        assert samples.what == "5 calibration, 59 mixtures of it"
        assert (samples.count, len(samples.sequences)) == (64, 64)
        assert set(samples.arrays[0].ravel().tolist()) == {2}


NOTHING = "found no array under its name or position (found 'z')"
EXPECTED = "expected shape (samples, 1, 4, 4, 3)"


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (
            {"z": np.zeros((1, 4, 4, 3))},
            f"calibration: input 0 ('x'): {NOTHING}, {EXPECTED}",
        ),
        (
            {0: np.zeros((2, 5))},
            f"calibration: input 0 ('x'): found shape (2, 5), {EXPECTED}",
        ),
    ],
)
def test_calibration_that_fits_no_input_is_refused(
    calibration: dict[str | int, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        make_samples(parse(concat_example()), calibration=calibration, count=4, seed=0)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_argmax_is_judged_at_what_feeds_it() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.constant("axis", [3], "int32")
    graph.activation("best", 1.0, shape=(1, 4, 4))
    graph.add("ARG_MAX", ["c", "axis"], ["best"], ("ArgMaxOptions", {"outputType": 2}))
    model = parse(graph.bytes(["x"], ["best"]))
    model.subgraphs[0].tensors[-1].type = 2  # int32
    model.subgraphs[0].tensors[-1].quantization = None
    (probe,) = frontier(model).probes
    assert (probe.name, probe.output, probe.behind_jump) == ("c", None, False)


def test_a_closing_softmax_is_judged_with_its_logits() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("p", 1 / 256, -128)
    graph.add("SOFTMAX", ["c"], ["p"], ("SoftmaxOptions", {"beta": 1.0}))
    first, second = frontier(parse(graph.bytes(["x"], ["p"]))).probes
    assert (first.name, first.output, first.saturates, first.feeds) == ("p", 0, True, False)
    assert (second.name, second.output, second.feeds) == ("c", None, True)
    assert second.limits == pytest.approx((-12.8, 12.7), rel=1e-6)


# --- operator by operator ----------------------------------------------------------------------


def test_operators_are_matched_past_inserted_quantizes() -> None:
    before = ("CONV_2D", "QUANTIZE", "CONCATENATION", "SOFTMAX")
    after = ("CONV_2D", "QUANTIZE", "QUANTIZE", "CONCATENATION", "QUANTIZE", "SOFTMAX")
    assert match_operators(before, after) == {0: 0, 1: 1, 3: 2, 5: 3}


def steps(*lsb: float, why: str = "") -> Steps:
    return Steps(
        lsb=dict(enumerate(lsb)),
        tolerance=dict.fromkeys(range(len(lsb)), 2.5),
        names=("CONV_2D", "ADD", "MUL")[: len(lsb) or 3],
        places=(0, 1, 2)[: len(lsb) or 3],
        not_judged=(),
        why=why,
    )


def test_a_deviation_counts_if_new_or_at_an_edited_operator() -> None:
    found = score_steps(steps(0.5, 9.0, 9.0), steps(9.0, 9.0, 9.0), frozenset({OperatorId(0, 2)}))
    assert [(d.operator, d.ours) for d in found.beyond] == [(0, True), (1, False), (2, True)]
    assert found.beyond[0].address == "subgraph[0]/operator[0] CONV_2D"


def test_a_slightly_larger_deviation_does_not_count() -> None:
    found = score_steps(steps(2.4), steps(2.6), frozenset())
    assert [d.ours for d in found.beyond] == [False]


def test_only_edited_operators_count_if_the_original_does_not_run() -> None:
    found = score_steps(steps(why="refused"), steps(9.0, 9.0, 0.1), frozenset({OperatorId(0, 1)}))
    assert [(d.operator, d.ours) for d in found.beyond] == [(0, False), (1, True)]
