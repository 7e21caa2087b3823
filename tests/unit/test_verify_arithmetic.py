"""What a verification compares: kinds of inputs, parts of an output, changed operators, losses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph
from tests.support.noise import UNITS, noisy
from tflite_align.errors import UnsupportedError
from tflite_align.verify.changed_functions import changed_operators
from tflite_align.verify.concat_parts import concat_parts
from tflite_align.verify.kept_elements import kept_elements
from tflite_align.verify.object_api import pack, parse, unpacked_once
from tflite_align.verify.random_inputs import KINDS
from tflite_align.verify.samples import make_samples
from tflite_align.verify.sqnr import loss, powers


def chain() -> Graph:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.3)
    graph.conv("c", "y", 1.5)
    return graph


def test_random_inputs_are_of_several_kinds() -> None:
    samples = make_samples(parse(chain().bytes(["x"], ["y"])), count=64, seed=0)
    assert [kind.name for kind in samples.kinds] == list(KINDS)
    assert [(kind.first, kind.last) for kind in samples.kinds] == [
        (0, 16),
        (16, 32),
        (32, 48),
        (48, 64),
    ]
    whole, middle, normal, sparse = (
        samples.arrays[0][kind.first : kind.last] for kind in samples.kinds
    )
    assert int(whole.max()) - int(whole.min()) > 200
    assert int(middle.max()) - int(middle.min()) < 80
    assert 24 < normal.std() < 40  # a range is eight standard deviations wide
    assert 0.8 < float((sparse == 0).mean()) < 0.95
    assert samples.sequences_of(samples.kinds[1])[:2] == ((0, 1), (1, 2))


def test_inputs_that_do_not_fit_into_memory_are_not_made() -> None:
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 40000, 40000, 1))
    with pytest.raises(UnsupportedError, match=r"size: 64 inputs of 1,600,000,000 elements"):
        make_samples(parse(graph.bytes(["x"], ["x"])), count=64, seed=0)


def test_the_parts_of_an_output_are_the_operands_of_its_concatenations() -> None:
    graph = Graph()
    for name, width in (("a", 2), ("b", 1), ("c", 3)):
        graph.activation(name, 0.1, shape=(1, 4, width))
    graph.activation("ab", 0.1, shape=(1, 4, 3))
    graph.add("CONCATENATION", ["a", "b"], ["ab"], ("ConcatenationOptions", {"axis": 2}))
    graph.activation("abc", 0.1, shape=(1, 8, 3))
    graph.add("CONCATENATION", ["ab", "c"], ["abc"], ("ConcatenationOptions", {"axis": -2}))
    model = parse(graph.bytes(["a", "b", "c"], ["abc"]))
    operators = model.subgraphs[0].operators
    writer = {tensor: one for one in operators for tensor in one.outputs}
    parts = concat_parts(model, writer, model.subgraphs[0].outputs[0])
    columns = {part.name: part.columns(24) for part in parts}
    assert {name: list(found) for name, found in columns.items() if found is not None} == {
        "a": [0, 1, 3, 4, 6, 7, 9, 10],
        "b": [2, 5, 8, 11],
        "c": list(range(12, 24)),
    }
    assert parts[0].columns(23) is None


def test_a_file_is_unpacked_once_and_each_has_a_copy_of_its_own() -> None:
    data = chain().bytes(["x"], ["y"])
    with unpacked_once():
        first, second = parse(data), parse(data)
        first.subgraphs[0].operators.pop()
        first.subgraphs[0].tensors[0].name = b"other"
        third = parse(bytes(bytearray(data)))
    assert pack(second) == pack(third) == pack(parse(data)) != pack(first)


def test_large_outputs_are_sampled() -> None:
    assert kept_elements(65536) is None
    chosen = kept_elements(1 << 20)
    assert chosen is not None
    assert len(chosen) == 65536
    assert (np.diff(chosen) >= 0).all()


def test_an_operator_is_changed_only_if_its_function_is() -> None:
    first, other = chain(), chain()
    before = parse(first.bytes(["x"], ["y"]))
    assert changed_operators(before, parse(other.bytes(["x"], ["y"]))) == frozenset()
    other.activation("c", 0.31)
    assert changed_operators(before, parse(other.bytes(["x"], ["y"]))) == {0, 1}
    third = chain()
    third.constant("y.b", np.zeros(3), "int32", 0.3 * 0.02)
    assert changed_operators(before, parse(third.bytes(["x"], ["y"]))) == {1}


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(0.0, 0.002, "verified"), (0.0, 0.1, "failed"), (0.0001, 0.002, "failed")],
)
def test_outputs_without_noise_need_a_minimum_sqnr(before: float, after: float, word: str) -> None:
    assert loss(noisy(before, 1), noisy(after, 2), 0).word == word


@pytest.mark.parametrize(
    ("own", "word"), [(0.0, "verified"), (0.01, "verified"), (0.005, "failed"), (0.001, "failed")]
)
def test_noise_below_the_rounding_of_an_exact_output_is_no_failure(own: float, word: str) -> None:
    """The original has no noise, the aligned file noise of 0.002. Rounding to steps of 0.01 makes
    noise of 0.0029, so that 0.002 is no failure there (nor where the step is unknown: 0).
    """
    assert loss(noisy(0.0, 1), noisy(0.002, 2), 0, rounding=own).word == word


@pytest.mark.parametrize(
    ("allowed", "after", "word"),
    [(1.0, 0.0125, "failed"), (3.0, 0.0125, "verified"), (3.0, 0.02, "failed")],
)
def test_logits_may_lose_more(allowed: float, after: float, word: str) -> None:
    assert loss(noisy(0.01, 1), noisy(after, 2), 0, allowed=allowed).word == word


def test_an_accepted_larger_loss_has_a_reason() -> None:
    saturated = loss(noisy(0.0005, 1), noisy(0.002, 2), 0, rounding=0.01, saturates=True)
    assert (saturated.word, saturated.why) == (
        "verified",
        "the loss is smaller than the output's own rounding error",
    )
    logits = loss(noisy(0.01, 1), noisy(0.0125, 2), 0, allowed=3.0)
    assert logits.why == "loses 2.1 dB, less behind its saturating reader"
    assert loss(noisy(0.01, 1), noisy(0.01, 2), 0).why == ""


def test_doubtful_losses_use_more_inputs() -> None:
    few = (noisy(0.01, 1, 4), noisy(0.011, 2, 4))
    assert loss(*few, 0).more > 1.0
    assert loss(noisy(0.01, 1), noisy(0.01, 2), 0).more == 1.0
    assert loss(noisy(0.01, 1), noisy(0.03, 2), 0).more == 1.0


def test_a_large_loss_on_two_inputs_is_no_failure_yet() -> None:
    """With one value per input, two inputs are too few for the bound: the result is inconclusive
    and asks for 4 times as many inputs.
    """
    few = loss(noisy(0.01, 1, 2), noisy(0.03, 2, 2), 0)
    assert (few.word, few.more) == ("inconclusive", 4.0)
    assert loss(noisy(0.01, 1, 8), noisy(0.03, 2, 8), 0).word == "failed"


@pytest.mark.parametrize(("after", "word"), [(0.002, "skipped"), (0.01, "inconclusive")])
def test_only_new_noise_of_a_zero_output_counts(after: float, word: str) -> None:
    """An output that is always 0 in the float twin. Noise below that of rounding to steps of 0.01
    (0.0029) is not judged; larger noise is inconclusive.
    """
    nothing = np.zeros((64, 100))
    noise = np.random.default_rng(1).normal(size=nothing.shape)
    before, now = (powers(nothing, level * noise, UNITS) for level in (0.0, after))
    lost = loss(before, now, 0, rounding=0.01)
    assert (lost.word, lost.tells) == (word, word != "skipped")


def test_more_noise_on_a_noisy_output_is_reported() -> None:
    assert not loss(noisy(0.5, 1), noisy(0.5, 2), 0).tells
    lost = loss(noisy(0.5, 1), noisy(1.0, 2), 0)
    assert lost.tells
    assert lost.why.endswith("too low for a comparison, and alignment loses 6.2 dB")
