"""A user's program with each public name, for mypy --strict; it is not run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Unpack, assert_type

import numpy as np

from tflite_align import (
    Acceptance,
    Accepted,
    Activation,
    AlignError,
    AlignOptions,
    AlignResult,
    Alternative,
    Anchor,
    BiasReading,
    Board,
    CertificateSummary,
    Change,
    Component,
    Conflict,
    Converter,
    CutStory,
    Explained,
    Explanation,
    Exportable,
    FidelityScore,
    Finding,
    FormatError,
    Grade,
    GroupView,
    Histogram,
    JudgeVerdict,
    Label,
    Left,
    Link,
    Lock,
    MemberView,
    ModelView,
    NotAlignedError,
    OperatorEstimate,
    OperatorFigure,
    OperatorId,
    OperatorPortability,
    OperatorUse,
    OperatorView,
    OptionWords,
    OutputLevel,
    OutputScore,
    Override,
    Overview,
    Parameters,
    Port,
    Portability,
    Progress,
    Range,
    ReadableFile,
    Relabelled,
    Report,
    Requirement,
    RuleError,
    RuntimePair,
    Separated,
    Signed,
    Size,
    Slot,
    SlotPattern,
    Source,
    StepCheck,
    StepDeviation,
    Story,
    Strategy,
    SubgraphView,
    SupportRow,
    Target,
    TargetMapping,
    TensorId,
    TensorParameters,
    TensorView,
    Tie,
    Unread,
    UnsupportedError,
    UsageError,
    Verification,
    Why,
    __version__,
    align,
    check,
    convert_and_align,
    explain,
    load_target,
    render_github,
    render_html,
    render_json,
    render_junit,
    render_sarif,
    render_text,
    target_names,
)

# Types of reports, explanations, options and targets, for annotations.
RECORDS: tuple[type, ...] = (
    Parameters,
    TensorParameters,
    CertificateSummary,
    Acceptance,
    Accepted,
    Activation,
    Alternative,
    Anchor,
    BiasReading,
    Board,
    Component,
    Conflict,
    CutStory,
    Explanation,
    FidelityScore,
    Grade,
    GroupView,
    Histogram,
    JudgeVerdict,
    Label,
    Left,
    Link,
    Lock,
    MemberView,
    ModelView,
    OperatorEstimate,
    OperatorFigure,
    OperatorId,
    OperatorPortability,
    OperatorUse,
    OperatorView,
    OutputLevel,
    OutputScore,
    Overview,
    Port,
    Portability,
    Range,
    Relabelled,
    Requirement,
    RuntimePair,
    Separated,
    Signed,
    Size,
    Slot,
    SlotPattern,
    StepCheck,
    StepDeviation,
    Story,
    Strategy,
    SubgraphView,
    SupportRow,
    TargetMapping,
    TensorId,
    TensorView,
    Tie,
    Why,
)


class Exporter:
    """Any object with a method convert() serves as a converter."""

    def convert(self) -> bytes:
        return b""


def show_progress(stage: str, done: float) -> None:
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
    progress: Progress = show_progress
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


def opened(source: Source, file: ReadableFile, **words: Unpack[OptionWords]) -> None:
    assert_type(check(source, **words), Report)
    assert_type(align(file, targets="tflm", samples=128).save("out.tflite"), AlignResult)
    explanation = explain("net.tflite", "scores", io="free")
    assert_type(explanation, Explained)
    assert_type(str(explanation), str)


def forms(report: Report) -> dict[str, str]:
    several, lost = [report], [Unread(name="x.tflite", message="no model")]
    return {
        "html": render_html(several, lost) + report.to_html(),
        "json": render_json(several, lost) + report.to_json(),
        "sarif": render_sarif(several, lost) + report.to_sarif(),
        "text": render_text(several, unread=lost) + report.to_text(),
        "xml": render_junit(several, lost),
        "github": render_github(several, lost),
    }


def exported(model: Exportable) -> AlignResult:
    return convert_and_align(model, targets=("tflite", "tflm"), require="numbers")


def main() -> int:
    converter: Converter = Exporter()
    result = convert_and_align(
        converter, options(), calibrate=True, name="net", progress=show_progress
    )
    read(check(memoryview(result.data), AlignOptions(judges=("litert",))))
    assert_type(target_names(), list[str])
    target: Target = load_target("tflm")
    sys.stderr.write(f"{__version__} {target.name} {len(aligned(Path('net.tflite')))}\n")
    return result.report.exit_status
