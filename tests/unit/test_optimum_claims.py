"""The optimum that a certificate states: it is recomputed and compared with the written file; false
statements are rejected.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflite_align import AlignOptions, align
from tflite_align.certify import optimum
from tflite_align.certify.functions.elimination import CostsError, chosen_cost, smallest_cost
from tflite_align.certify.verified import (
    CertificateError,
    CertificateRefutedError,
    verify_certificate,
)
from tflite_align.cli.certify_command import run_verify

DATA = Path(__file__).resolve().parents[1] / "data"
SAMPLE = (DATA / "sample_dealigned.tflite").read_bytes()
RESULT = align(SAMPLE, AlignOptions(verify=False, certificate=True))

Row = dict[str, Any]


def _checked(certificate: Any) -> Any:
    text = json.dumps(certificate).encode()
    return verify_certificate(SAMPLE, RESULT.data, text).optimum


def _claim() -> tuple[Any, Row]:
    """(a copy of the sample's certificate, its only component), to be changed by a test."""
    certificate: Any = copy.deepcopy(RESULT.certificate)
    (component,) = certificate["optimum"]["components"]
    return certificate, component


def test_the_optimum_of_the_sample_is_recomputed() -> None:
    found = _checked(RESULT.certificate)
    assert (found.components, found.optimal, found.gap, found.left_out) == (1, 1, 0, 0)
    (component,) = RESULT.report.components
    (row,) = _claim()[0]["optimum"]["components"]
    assert row["cost"] * 1e-9 == pytest.approx(component.cost, abs=1e-6)


def _other_choice(row: Row) -> None:
    group = next(n for n, g in enumerate(row["groups"]) if len(g["candidates"]) > 1)
    row["chosen"][group] = (row["chosen"][group] + 1) % len(row["groups"][group]["candidates"])


def _other_choice_with_its_cost(row: Row) -> None:
    _other_choice(row)
    row["cost"] = chosen_cost(row)


def _other_label(row: Row) -> None:
    number = row["groups"][0]["candidates"][row["chosen"][0]]
    row["labels"][number][0] *= 1.5


def _other_zero_point(row: Row) -> None:
    number = row["groups"][0]["candidates"][row["chosen"][0]]
    row["labels"][number][1] += 1


def _cheaper(row: Row) -> None:
    row["cost"] -= 1


def _dearer(row: Row) -> None:
    row["cost"] += 1


def _higher_bound(row: Row) -> None:
    row["bound"] += 1


def _no_number(row: Row) -> None:
    row["bound"] = float("nan")


def _group_left_out(row: Row) -> None:
    row["order"].pop()


def _group_twice(row: Row) -> None:
    row["order"][0] = row["order"][-1]


def _from_behind(row: Row) -> None:
    group = row["groups"][0]
    row["chosen"][0] -= len(group["candidates"])


def _cheaper_quantize(row: Row) -> None:
    row["quantize"][0]["cost"] = -1


def _costs_lost(row: Row) -> None:
    row["tables"][0]["costs"][0] = row["tables"][0]["costs"][0].rsplit(" ", 1)[0]


def _excluded(row: Row) -> None:
    """Add a cost table in which every candidate of the first group, the chosen one included, has
    infinite cost.
    """
    row["tables"].append(
        {"groups": [0], "costs": [" ".join("-" for _ in row["groups"][0]["candidates"])]}
    )


@pytest.mark.parametrize(
    "change",
    [
        _other_choice, _other_choice_with_its_cost, _other_label, _other_zero_point, _cheaper,
        _dearer, _higher_bound, _no_number, _group_left_out, _group_twice, _from_behind,
        _cheaper_quantize, _costs_lost, _excluded,
    ],
)  # fmt: skip
def test_a_false_claim_is_rejected(change: Callable[[Row], None]) -> None:
    certificate, row = _claim()
    change(row)
    with pytest.raises((CertificateRefutedError, CertificateError)):
        _checked(certificate)


def test_a_lower_bound_is_reported_as_a_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, row = _claim()
    row["bound"] -= 250_000_000
    found = _checked(certificate)
    assert (found.optimal, found.gap) == (0, Fraction(1, 4))
    files = {
        "in.tflite": SAMPLE,
        "out.tflite": RESULT.data,
        "c.json": json.dumps(certificate).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    original, written, claimed = [str(tmp_path / name) for name in files]
    assert run_verify(original, written, claimed) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 of 1 components; the others are within 0.25 of the optimum" in said


def test_components_that_are_too_large_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimum, "_COSTS", 3)
    result = align(SAMPLE, AlignOptions(verify=False, certificate=True))
    found = _checked(result.certificate)
    assert (found.components, found.left_out) == (0, 1)


def _random(seed: int) -> Row:
    """A random component of five groups: cost tables along a ring, some excluded pairs, one
    QUANTIZE that three groups can share.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 5)
    groups = [{"candidates": rng.permutation(4)[:size].tolist(), "slots": []} for size in sizes]
    tables = []
    for n in range(5):
        one, other = n, (n + 1) % 5
        cells = rng.integers(-20, 20, (sizes[one], sizes[other])).tolist()
        lines = [" ".join("-" if rng.random() < 0.1 else str(c) for c in line) for line in cells]
        tables.append({"groups": [one, other], "costs": lines})
    shared = {"source": 1, "readers": [3, 1, 4], "cost": int(rng.integers(0, 30))}
    order = rng.permutation(5).tolist()
    return {"groups": groups, "tables": tables, "quantize": [shared], "order": order}


def _by_hand(row: Row, chosen: tuple[int, ...]) -> int | None:
    total = 0
    for table in row["tables"]:
        one, other = table["groups"]
        cell = table["costs"][chosen[one]].split()[chosen[other]]
        if cell == "-":
            return None
        total += int(cell)
    for shared in row["quantize"]:
        label = [g["candidates"][c] for g, c in zip(row["groups"], chosen, strict=True)]
        total += shared["cost"] * len(
            {label[r] for r in shared["readers"]} - {label[shared["source"]]}
        )
    return total


@pytest.mark.parametrize("seed", range(40))
def test_the_least_cost_equals_brute_force(seed: int) -> None:
    row = _random(seed)
    choices = list(itertools.product(*[range(len(g["candidates"])) for g in row["groups"]]))
    costs = {chosen: _by_hand(row, chosen) for chosen in choices}
    possible = [cost for cost in costs.values() if cost is not None]
    if possible:
        assert smallest_cost(row) == min(possible)
    for chosen, cost in costs.items():
        claimed = {**row, "chosen": list(chosen)}
        if cost is not None:
            assert chosen_cost(claimed) == cost
        else:
            with pytest.raises(CostsError, match="excludes"):
                chosen_cost(claimed)
