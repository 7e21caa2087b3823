"""Predictions of --portable: every observed difference was predicted, every prediction can be
observed.
"""

from __future__ import annotations

import importlib.util
import platform
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.rules.operators.all_cases import SATISFIED
from tests.support.cut_operators import CutOperator, Cutter
from tests.support.kernel_batch import Outcome, Runnable, run_batch
from tflite_align.certify.operator_cases import CHANNELED
from tflite_align.certify.portable import RUNTIMES, OperatorPortability, portability
from tflite_align.format.reader import read

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the rows speak of x86-64"
)

SHIPPED = sorted((Path(__file__).resolve().parents[1] / "data").glob("*.tflite"))
RUNS = 3  # with other random inputs each
MOST_CASES = 100  # at least so many operators and types have rows


def available() -> list[str]:
    here = importlib.util.find_spec("tflite_micro") is not None
    return [name for name in RUNTIMES if here or name != "tflm"]


def place(told: OperatorPortability) -> int:
    found = re.match(r"subgraph\[0\]/operator\[(\d+)\]", told.address)
    return int(found[1]) if found else -1


def outcomes(cuts: Sequence[Runnable], folder: Path) -> dict[str, dict[str, Outcome]]:
    """Results by runtime and by name of the case."""
    found = {}
    for runtime in available():
        (folder / runtime).mkdir()
        found[runtime] = run_batch(cuts, runtime, folder / runtime)
    return found


def distance(first: Outcome, second: Outcome) -> int:
    pairs = zip(first.outputs, second.outputs, strict=True)
    return max(int(np.abs(a.astype(np.int64) - b).max(initial=0)) for a, b in pairs)


def unpredicted(
    told: OperatorPortability, found: dict[str, Outcome]
) -> Iterator[tuple[str, str, int]]:
    """Pairs of runtimes whose results differ more than predicted."""
    said = {(pair.first, pair.second): pair.largest for pair in told.pairs}
    for pair in combinations([name for name in found if found[name].outputs], 2):
        apart = distance(found[pair[0]], found[pair[1]])
        if apart > said.get(pair, 0):
            yield (*pair, apart)


def seen_beyond(data: bytes, folder: Path) -> list[str]:
    """Differences on random inputs, by operator, that were not predicted."""
    told = [one for one in portability(read(data)).operators if one.word != "not known"]
    cutter, rng = Cutter(data), np.random.default_rng(7)
    cuts = {
        f"{place(one)}-{run}": (one, cutter.cut(place(one), f"{place(one)}-{run}", rng))
        for one in told
        if place(one) >= 0
        for run in range(RUNS)
    }
    assert cuts
    found = outcomes([cut for _, cut in cuts.values()], folder)
    return [
        f"{one.address}: {first} and {second} are {apart} LSB apart"
        for name, (one, _) in cuts.items()
        for first, second, apart in unpredicted(one, {r: found[r][name] for r in found})
    ]


def witnessed(
    told: OperatorPortability, data: bytes, rng: np.random.Generator
) -> tuple[CutOperator, int] | None:
    """The operator alone, with the inputs of the predicted difference, and the output channel to
    compare.
    """
    cutter, index = Cutter(data), place(told)
    name = told.address.rpartition(" ")[2]
    label = f"w{index}"
    if name in CHANNELED:
        channel, value = map(int, re.findall(r"-?\d+", told.witness))
        bias = CHANNELED[name][2]
        return cutter.cut(index, label, rng, accumulator=(bias, channel, value)), channel
    cut = cutter.cut(index, label, rng)
    values = re.findall(r"-?\d+", told.witness)
    if "elements" in told.witness:
        total, count = int(values[0]), int(values[1])
        for fed in cut.inputs:
            below, rest = divmod(total, count)
            flat = np.full(count, below)
            flat[:rest] += 1
            shape = fed.shape
            if fed[0, ..., 0].size != count:
                return None
            fed[:] = np.broadcast_to(flat.reshape(*shape[1:-1], 1), shape[1:])
        return cut, 0
    for fed, value in zip(cut.inputs, values, strict=False):
        fed[:] = int(value)
    return cut, 0


def not_shown(data: bytes, folder: Path) -> list[str]:
    """Predictions whose case does not show the predicted distance in any two runtimes."""
    told = [one for one in portability(read(data)).operators if one.word == "differs"]
    rng = np.random.default_rng(7)
    cases = {
        place(one): (one, made) for one in told if (made := witnessed(one, data, rng)) is not None
    }
    found = outcomes([made[0] for _, made in cases.values()], folder)
    wrong = []
    for index, (one, (_, channel)) in cases.items():
        values = [
            int(found[runtime][f"w{index}"].outputs[0].reshape(-1)[channel])
            for runtime in found
            if found[runtime][f"w{index}"].outputs
        ]
        apart = max(values) - min(values)
        if apart != one.largest:
            wrong.append(f"{one.address} at {one.witness}: {values}, told {one.largest}")
    return wrong


def test_every_operator_of_the_rules_gives_integers_as_predicted(tmp_path: Path) -> None:
    """A sound model of each operator and type, in all runtimes."""
    known = {}
    for case in SATISFIED.values():
        told = portability(read(case.model())).operators
        if len(told) == 1 and told[0].word != "not known":
            known[case.name] = (case, told[0])
    found = outcomes([case for case, _ in known.values()], tmp_path)
    assert [
        f"{name}: {first} and {second} are {apart} LSB apart"
        for name, (_, told) in known.items()
        for first, second, apart in unpredicted(told, {r: found[r][name] for r in found})
    ] == []
    assert len(known) > MOST_CASES


@pytest.mark.parametrize("model", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_observed_difference_was_predicted(model: Path, tmp_path: Path) -> None:
    assert seen_beyond(model.read_bytes(), tmp_path) == []


@pytest.mark.parametrize("model", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_every_predicted_difference_can_be_observed(model: Path, tmp_path: Path) -> None:
    assert not_shown(model.read_bytes(), tmp_path) == []


@pytest.mark.exhaustive
def test_of_converted_models_all_is_predicted_and_shown(fixtures_dir: Path, tmp_path: Path) -> None:
    for path in sorted(fixtures_dir.glob("*int8*.tflite")):
        for word, wrong in (("seen", seen_beyond), ("shown", not_shown)):
            folder = tmp_path / f"{path.stem}-{word}"
            folder.mkdir()
            assert wrong(path.read_bytes(), folder) == [], path.name


@pytest.mark.corpus("mlperf_tiny")
def test_every_observed_difference_of_real_models_was_predicted(
    corpus_model: Path, tmp_path: Path
) -> None:
    assert seen_beyond(corpus_model.read_bytes(), tmp_path) == []


@pytest.mark.corpus("mlperf_tiny")
def test_every_predicted_difference_of_real_models_can_be_observed(
    corpus_model: Path, tmp_path: Path
) -> None:
    assert not_shown(corpus_model.read_bytes(), tmp_path) == []
