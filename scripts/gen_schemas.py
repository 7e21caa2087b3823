#!/usr/bin/env python3
"""Writes the JSON Schemas of rule tables, configuration and lock files (from their readers) and of
reports (from their records).

scripts/gen_schemas.py            write schema/*.schema.json
scripts/gen_schemas.py --check    write nothing; exit status 1 if a file is not up to date
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tflite_align.certify.arithmetic import arithmetic_schema  # noqa: E402 - found by the line above
from tflite_align.certify.certificate_schema import certificate_schema  # noqa: E402
from tflite_align.report.json_schema import batch_schema, report_schema  # noqa: E402
from tflite_align.rules.fixes import fixes_schema  # noqa: E402
from tflite_align.rules.kernels import kernels_schema  # noqa: E402
from tflite_align.rules.operator_rows import operators_schema  # noqa: E402
from tflite_align.rules.shape_rows import shapes_schema  # noqa: E402
from tflite_align.rules.targets import targets_schema  # noqa: E402
from tflite_align.rules.versions import versions_schema  # noqa: E402
from tflite_align.settings.config import config_schema  # noqa: E402 - found by the line above
from tflite_align.settings.lock import lock_schema  # noqa: E402 - found by the line above


def schemas() -> dict[Path, str]:
    """Text of each schema file."""
    made = {
        "arithmetic": arithmetic_schema(),
        "certificate": certificate_schema(),
        "fixes": fixes_schema(),
        "config": config_schema(),
        "operators": operators_schema(),
        "targets": targets_schema(),
        "shapes": shapes_schema(),
        "kernels": kernels_schema(),
        "report": report_schema(),
        "batch": batch_schema(),
        "versions": versions_schema(),
        "lock": lock_schema(),
    }
    return {
        ROOT / "schema" / f"{name}.schema.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in made.items()
    }


def stale(files: dict[Path, str]) -> list[Path]:
    """Files whose text is missing or differs."""
    return [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Write the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    files = schemas()
    old = stale(files)
    for path in old:
        print(f"{path.relative_to(ROOT)} {'is not up to date' if given.check else 'written'}")
        if not given.check:
            path.write_text(files[path], encoding="utf-8")
    return 1 if given.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
