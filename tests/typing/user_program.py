"""What a user of the Python API writes, with each public name: mypy --strict reads it, no one runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, assert_type

import numpy as np

from tflite_align import (
    AlignError,
    AlignOptions,
    AlignResult,
    Change,
    Finding,
    FormatError,
    NotAlignedError,
    Override,
    Progress,
    Report,
    RuleError,
    Target,
    UnsupportedError,
    UsageError,
    Verification,
    __version__,
    align,
    check,
    load_target,
    target_names,
)
from tflite_align.tf import Converter, convert_and_align


class Exporter:
    """Anything with a converter's convert() will do."""

    def convert(self) -> bytes:
        return b""


def told(stage: str, done: float) -> None:
    sys.stderr.write(f"{stage} {done:.0%}\n")


def options() -> AlignOptions:
    return AlignOptions(
        targets=("tflite", "tflm"),
        policies={"concat": "large"},
        overlap="forbid",
        prefer="speed",
        io="free",
        to="int8",
        input_type="uint8",
        output_type="float32",
        only="errors",
        fail_on="warning",
        require=("numbers",),
        calibration={0: np.zeros((4, 1, 8, 8, 3), np.float32), "image": np.zeros((4, 3))},
        severity={"same/*": "warning"},
        overrides=(Override(tensor="image*", keep=True),),
    )


def aligned(path: Path) -> bytes:
    progress: Progress = told
    try:
        result: AlignResult = align(path.read_bytes(), options(), name=path.name, progress=progress)
        return result.raise_for_status().data
    except (FormatError, UnsupportedError, UsageError, NotAlignedError, RuleError) as error:
        base: AlignError = error
        raise SystemExit(str(base)) from error


def read(report: Report) -> None:
    assert_type(report.to_dict(), dict[str, Any])
    assert_type(report.exit_status, int)
    assert_type(report.reasons, tuple[str, ...])
    for finding in report.findings:
        assert_type(finding, Finding)
        assert_type(finding.message, str)
    for change in report.changes:
        assert_type(change, Change)
        assert_type(change.tensor, int)
    if report.verification is not None:
        assert_type(report.verification, Verification)
        assert_type(report.verification.outputs[0].declared_aligned_db, float | None)


def main() -> int:
    converter: Converter = Exporter()
    result = convert_and_align(converter, options(), calibrate=True, name="net", progress=told)
    read(check(memoryview(result.data), AlignOptions(judges=("litert",))))
    assert_type(target_names(), list[str])
    target: Target = load_target("tflm")
    sys.stderr.write(f"{__version__} {target.name} {len(aligned(Path('net.tflite')))}\n")
    return result.report.exit_status
