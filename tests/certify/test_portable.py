"""Predictions of --portable: every observed difference between runtimes was predicted, and every
predicted one can be observed.
"""

from __future__ import annotations

import importlib.util
import platform
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.rules.operators.all_cases import SATISFIED
from tests.support.cut_operators import CutOperator, Cutter, random_like
from tests.support.kernel_batch import Outcome, Runnable, run_batch
from tflite_align.certify.operator_cases import CHANNELED
from tflite_align.certify.portability_records import OperatorPortability
from tflite_align.certify.portable import RUNTIMES, portability
from tflite_align.format.reader import read
from tflite_align.record import replace

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the rows speak of x86-64"
)

SHIPPED = sorted((Path(__file__).resolve().parents[1] / "data").glob("*.tflite"))
RUNS = 3  # each with other random inputs
MOST_CASES = 100  # minimum number of operator and type pairs with rows


def available() -> list[str]:
    here = importlib.util.find_spec("tflite_micro") is not None
    return [name for name in RUNTIMES if here or name != "tflm"]


def place(operator: OperatorPortability) -> int:
    found = re.match(r"subgraph\[0\]/operator\[(\d+)\]", operator.address)
    return int(found[1]) if found else -1


def outcomes(cuts: Sequence[Runnable], folder: Path) -> dict[str, dict[str, Outcome]]:
    """Results by runtime, then by the cut-out operator's name."""
    found = {}
    for runtime in available():
        (folder / runtime).mkdir()
        found[runtime] = run_batch(cuts, runtime, folder / runtime)
    return found


def distance(first: Outcome, second: Outcome) -> int:
    pairs = zip(first.outputs, second.outputs, strict=True)
    return max(int(np.abs(a.astype(np.int64) - b).max(initial=0)) for a, b in pairs)


def unpredicted(
    predicted: OperatorPortability, found: dict[str, Outcome]
) -> Iterator[tuple[str, str, int]]:
    """(runtime, runtime, difference in integers) for each pair of runtimes that differs more than
    predicted.
    """
    said = {(pair.first, pair.second): pair.largest for pair in predicted.pairs}
    for pair in combinations([name for name in found if found[name].outputs], 2):
        apart = distance(found[pair[0]], found[pair[1]])
        if apart > said.get(pair, 0):
            yield (*pair, apart)


def seen_beyond(models: Mapping[str, bytes], folder: Path) -> list[str]:
    """Texts for differences on random inputs that were not predicted, operator by operator;
    `models`: name -> bytes.
    """
    rng = np.random.default_rng(7)
    cuts: dict[str, tuple[str, OperatorPortability, CutOperator]] = {}
    for model, data in models.items():
        predictions = [one for one in portability(read(data)).operators if one.word != "not known"]
        for one in predictions:
            if place(one) >= 0:
                cut = Cutter(data).cut(place(one), "", rng)
                for run in range(RUNS):
                    name = f"{model}-{place(one)}-{run}"
                    fed = [random_like(value, rng) for value in cut.inputs]
                    cuts[name] = model, one, replace(cut, name=name, inputs=fed)
    assert cuts
    found = outcomes([cut for _, _, cut in cuts.values()], folder)
    return [
        f"{model} {one.address}: {first} and {second} are {apart} LSB apart"
        for name, (model, one, _) in cuts.items()
        for first, second, apart in unpredicted(one, {r: found[r][name] for r in found})
    ]


def witnessed(
    predicted: OperatorPortability, data: bytes, name: str, rng: np.random.Generator
) -> tuple[CutOperator, int | None] | None:
    """(the operator alone, with the inputs for which a difference is predicted; the output channel
    to compare, None: all channels). None if no difference is predicted.
    """
    cutter, index = Cutter(data), place(predicted)
    operator = predicted.address.rpartition(" ")[2]
    if operator in CHANNELED:
        channel, value = map(int, re.findall(r"-?\d+", predicted.witness))
        bias = CHANNELED[operator].bias
        return cutter.cut(index, name, rng, accumulator=(bias, channel, value)), channel
    cut = cutter.cut(index, name, rng)
    values = re.findall(r"-?\d+", predicted.witness)
    if "elements" in predicted.witness:
        total, count = int(values[0]), int(values[1])
        for fed in cut.inputs:
            below, rest = divmod(total, count)
            flat = np.full(count, below)
            flat[:rest] += 1
            shape = fed.shape
            if fed[0, ..., 0].size != count:
                return None
            fed[:] = np.broadcast_to(flat.reshape(*shape[1:-1], 1), shape[1:])
        return cut, None
    if cut.inputs[0].dtype.kind == "f":
        cut.inputs[0][:] = float(predicted.witness)
        return cut, None
    for fed, value in zip(cut.inputs, values, strict=False):
        fed[:] = int(value)
    return cut, 0


def not_shown(models: Mapping[str, bytes], folder: Path) -> list[str]:
    """Texts for predictions whose inputs give the predicted difference in no two runtimes."""
    rng = np.random.default_rng(7)
    cases = {}
    for model, data in models.items():
        for one in portability(read(data)).operators:
            if one.word == "differs":
                made = witnessed(one, data, f"{model}-{place(one)}", rng)
                if made is not None:
                    cases[f"{model}-{place(one)}"] = model, one, made
    found = outcomes([made[0] for _, _, made in cases.values()], folder)
    wrong = []
    for name, (model, one, (_, channel)) in cases.items():
        results = (found[runtime][name].outputs for runtime in found)
        values = np.array([r[0].reshape(-1).astype(np.int64) for r in results if len(r)])
        values = values if channel is None else values[:, channel : channel + 1]
        apart = int((values.max(axis=0) - values.min(axis=0)).max())
        if apart != one.largest:
            where = f"{model} {one.address} at {one.witness}"
            wrong.append(f"{where}: {apart} LSB apart, predicted {one.largest}")
    return wrong


def test_every_operator_of_the_rules_gives_integers_as_predicted(tmp_path: Path) -> None:
    """A model without findings for each operator and type, in all runtimes."""
    known = {}
    for case in SATISFIED.values():
        predicted = portability(read(case.model())).operators
        if len(predicted) == 1 and predicted[0].word != "not known":
            known[case.name] = (case, predicted[0])
    found = outcomes([case for case, _ in known.values()], tmp_path)
    assert [
        f"{name}: {first} and {second} are {apart} LSB apart"
        for name, (_, predicted) in known.items()
        for first, second, apart in unpredicted(predicted, {r: found[r][name] for r in found})
    ] == []
    assert len(known) > MOST_CASES


@pytest.mark.parametrize("model", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_observed_difference_was_predicted(model: Path, tmp_path: Path) -> None:
    assert seen_beyond({"m": model.read_bytes()}, tmp_path) == []


@pytest.mark.parametrize("model", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_predicted_difference_can_be_observed(model: Path, tmp_path: Path) -> None:
    assert not_shown({"m": model.read_bytes()}, tmp_path) == []


def converted(folder: Path, count: int | None = None) -> dict[str, bytes]:
    """The fixtures that have quantized tensors, by name; with `count`, a sample of so many."""
    paths = sorted([*folder.glob("*int8*.tflite"), *folder.glob("*int16x8*.tflite")])
    if count is not None:
        paths = random.Random(0).sample(paths, count)  # noqa: S311 - a choice of tests
    return {path.stem: path.read_bytes() for path in paths}


def test_of_two_converted_models_all_is_predicted_and_shown(
    fixtures_dir: Path, tmp_path: Path
) -> None:
    _all_is_predicted_and_shown(converted(fixtures_dir, 2), tmp_path)


@pytest.mark.exhaustive
def test_of_converted_models_all_is_predicted_and_shown(fixtures_dir: Path, tmp_path: Path) -> None:
    _all_is_predicted_and_shown(converted(fixtures_dir), tmp_path)


def _all_is_predicted_and_shown(models: dict[str, bytes], folder: Path) -> None:
    for word in ("seen", "shown"):
        (folder / word).mkdir()
    assert seen_beyond(models, folder / "seen") == []
    assert not_shown(models, folder / "shown") == []


@pytest.mark.corpus("mlperf_tiny")
def test_every_observed_difference_of_real_models_was_predicted(
    corpus_model: Path, tmp_path: Path
) -> None:
    assert seen_beyond({"m": corpus_model.read_bytes()}, tmp_path) == []


@pytest.mark.corpus("mlperf_tiny")
def test_every_predicted_difference_of_real_models_can_be_observed(
    corpus_model: Path, tmp_path: Path
) -> None:
    assert not_shown({"m": corpus_model.read_bytes()}, tmp_path) == []
