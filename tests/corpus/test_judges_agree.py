"""Findings and judges agree on real models; each exception has an explanation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dealign
import judge_table
import make_fixtures
from fixture_nets import NETS
from tflite_align import AlignOptions, align
from tflite_align.verdicts import Acceptance
from tflite_align.verify.judges import available, judge_file

TARGETS = ("litert", "xnnpack", "tflm", "ethos-u55", "ethos-u85")
LARGEST = 3 << 20  # bytes; a compiler takes minutes over the few larger ones


def relative(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.backends
def test_every_disagreement_on_the_corpus_is_explained(corpus_model: Path) -> None:
    if corpus_model.stat().st_size > LARGEST:
        pytest.skip(f"larger than {LARGEST} bytes")
    name = relative(corpus_model)
    found = list(judge_table.lines(name, corpus_model.read_bytes(), TARGETS))
    assert [line for line in found if line.kind in ("unexplained", "crash")] == []


@pytest.mark.backends
def test_every_disagreement_on_the_samples_is_explained(
    sample: bytes, sample_origin: bytes
) -> None:
    for data in (sample, sample_origin):
        found = list(judge_table.lines("sample", data, TARGETS))
        assert {line.kind for line in found} <= {"", "wrong values", "elsewhere"}


@pytest.mark.backends
def test_every_disagreement_on_the_fixtures_is_explained(fixture_model: Path) -> None:
    found = judge_table.lines(fixture_model.name, fixture_model.read_bytes(), TARGETS)
    assert {line.kind for line in found} <= {"", "wrong values", "elsewhere"}


def test_a_disagreement_without_an_explanation_is_unexplained() -> None:
    refused = Acceptance(status="refused", reason="a reason that nobody knows")
    assert judge_table.disagreement((), "tflm", refused) == "unexplained"
    assert judge_table.disagreement((), "tflm", Acceptance(status="timeout")) == "unexplained"
    assert judge_table.disagreement((), "tflm", Acceptance(status="accepted")) == ""


def test_the_documentation_has_every_kind() -> None:
    text = (judge_table.ROOT / "docs" / "judges.md").read_text(encoding="utf-8")
    missing = [
        k for k, description in judge_table.KINDS.items() if f"| {k} | {description} |" not in text
    ]
    assert missing == []


FIRMWARE = AlignOptions(verify=False, targets=("tflm", "ethos-u55"))


def _keeps_its_judges(origin: bytes, broken: bytes) -> None:
    aligned = align(broken, FIRMWARE)
    assert [f.message for f in aligned.report.remaining if f.fixable] == []
    for judge in FIRMWARE.targets:
        if available(judge) is None and judge_file(origin, judge).status == "accepted":
            found = judge_file(aligned.data, judge)
            assert (found.status, found.reason) == ("accepted", ""), judge


@pytest.mark.backends
@pytest.mark.corpus("dealigned")
def test_tflm_accepts_the_aligned_file_if_it_accepts_the_original(
    corpus_model: Path, corpus_dir: Path
) -> None:
    entries = json.loads((corpus_dir / "MANIFEST.json").read_text())
    origin = next(e["origin"] for e in entries if e["path"] == relative(corpus_model))
    _keeps_its_judges((corpus_dir / origin).read_bytes(), corpus_model.read_bytes())


WELL_MADE = [
    name
    for net in NETS
    for name in make_fixtures.file_names(net)
    if "dealigned" not in name and "float" not in name
]


@pytest.mark.backends
@pytest.mark.parametrize("name", WELL_MADE)
def test_tflm_accepts_the_aligned_fixture_if_it_accepts_the_original(
    name: str, fixtures_dir: Path
) -> None:
    data = (fixtures_dir / name).read_bytes()
    _keeps_its_judges(data, dealign.dealign(data, 5))
