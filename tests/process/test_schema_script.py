"""scripts/gen_schemas.py: the shipped schema matches the record types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tflite_align.report.json_schema import report_schema

CHECKOUT = Path(__file__).resolve().parents[2]


SCHEMA = CHECKOUT / "schema" / "report.schema.json"


def test_the_shipped_report_schema_is_that_of_the_records() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == report_schema()
    script = CHECKOUT / "scripts" / "gen_schemas.py"
    run = subprocess.run(
        [sys.executable, str(script), "--check"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
