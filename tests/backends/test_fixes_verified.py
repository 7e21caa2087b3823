"""Each repair on a file of the real converter: runtimes refuse the file or compute it wrongly
before, accept it and compute it right after.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import fixes_table
from faults import FAULTS, Fault
from tflite_align.rules.fixes import load_fixes

# Repairs tested elsewhere: the converter's files have no min and max, or no operator that needs it.
ELSEWHERE = {
    "computed-sizes": "tests/backends/test_stale_shapes.py",
    "mask": "tests/backends/test_values_verified.py",
    "minmax": "tests/unit/test_fixes.py",
    "missing-bias": "tests/rules/test_measured.py",
    "state": "tests/corpus/test_recurrent.py",
    "window": "tests/rules/test_conformance.py",
    "zero-points": "tests/rules/test_scales_alone.py",
    "zero-scale": "tests/rules/test_measured.py",
}
# LiteRT computes these right before, too: the repair is for other tools and targets.
HARMLESS = {"names", "versions", "weight-minimum"}
RIGHT_DB = 25.0


@pytest.mark.backends
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.fix)
def test_the_repair_makes_a_real_file_accepted_and_right(fault: Fault, fixtures_dir: Path) -> None:
    report = fixes_table.measured(fault, fixtures_dir)
    assert report.verification is not None
    assert report.findings != ()
    assert report.remaining == ()
    assert report.exit_status == 0, report.reasons
    asked = [judge for judge in report.verification.judges if judge.after.status != "skipped"]
    assert all(judge.after.status == "accepted" for judge in asked)
    before, after = fixes_table.worst(report)
    refused = any(judge.before.status != "accepted" for judge in asked)
    if after is not None:
        assert after > RIGHT_DB
        wrong = before is not None and before < after - 3
        assert refused or wrong or fault.fix in HARMLESS
    else:
        assert refused, "no figures: then at least a judge changed its mind"


def test_every_repair_has_a_faulty_file() -> None:
    shown = {fault.fix for fault in FAULTS}
    assert shown | set(ELSEWHERE) == set(load_fixes())
    assert not shown & set(ELSEWHERE)


def test_the_document_is_up_to_date() -> None:
    assert fixes_table.main(["--check"]) == 0
