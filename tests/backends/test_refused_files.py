"""A file that its target's runtime refuses or computes wrongly gives exit status 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.models import Graph, TensorSpec
from tflite_align.cli import main as cli
from tflite_align.pipeline.aligning import align
from tflite_align.pipeline.checking import check
from tflite_align.record import replace
from tflite_align.report.text import render_text
from tflite_align.rules.targets import Severity
from tflite_align.settings.options import AlignOptions

SILENT: Mapping[str, Severity] = {
    "types/*": "off",
    "support/*": "off",
    "bias/*": "off",
}  # rules whose findings would come first


def squared_difference(*, disagree: bool = False) -> Graph:
    """An int16 SQUARED_DIFFERENCE, for which LiteRT has no kernel, and a CONCATENATION; with
    `disagree` its scales differ.
    """
    graph = Graph("int16")
    graph.activation("x", 0.001)
    graph.activation("y", 0.002)
    graph.add("SQUARED_DIFFERENCE", ["x", "x"], ["y"], ("SquaredDifferenceOptions", {}))
    graph.conv("x", "c1", 0.002)
    graph.conv("x", "c2", 0.001 if disagree else 0.002)
    graph.activation("cat", 0.002, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("z", 0.001, shape=(1, 4, 4, 6))
    graph.add("MUL", ["cat", "cat"], ["z"], ("MulOptions", {}))
    return graph


def refused_file() -> bytes:
    return squared_difference().bytes(["x"], ["y", "z"])


def narrow_bias() -> bytes:
    """A 16x8 convolution with an int32 bias, which TFLM reads as int32 and LiteRT as int64."""
    graph = Graph("int16")
    graph.activation("x", 0.0001)
    graph.conv("x", "y", 0.0005)
    bias = graph.tensors["y.b"]
    graph.tensors["y.b"] = TensorSpec(
        name=bias.name, type="int32", shape=bias.shape, quant=bias.quant, data=bias.data
    )
    return graph.bytes(["x"], ["y"])


def test_an_unchanged_file_that_litert_refuses_fails() -> None:
    result = align(refused_file(), AlignOptions(severity=SILENT))
    report = result.report
    assert (report.outcome, report.exit_status) == ("nothing to align", 1)
    assert report.verification is not None
    assert report.verification.word == "failed"
    (reason,) = report.reasons
    assert reason.startswith(
        "verification failed: litert and xnnpack refuse the file at"
        " subgraph[0]/operator[0] SQUARED_DIFFERENCE: "
    )


def test_an_allowed_refusal_is_a_warning() -> None:
    allowed = AlignOptions(severity=SILENT, allow_refused=("litert", "xnnpack"))
    report = align(refused_file(), allowed).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    assert report.verification.word == "skipped"
    (warning,) = report.warnings
    assert warning.startswith("litert and xnnpack refuse the file at ")
    assert warning.endswith(" (allowed by --allow-refused)")
    one = replace(allowed, allow_refused=("litert",))
    (reason,) = align(refused_file(), one).report.reasons
    assert reason.startswith("verification failed: xnnpack refuses the file at ")


def test_the_command_reports_the_refusal_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.tflite").write_bytes(refused_file())
    Path("tflite-align.toml").write_text(
        '[severity]\n"types/*" = "off"\n"support/*" = "off"\n', encoding="utf-8"
    )
    assert cli.main(["in.tflite", "out.tflite"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("nothing to align, but verification failed: litert and xnnpack refuse ")
    assert last.endswith("; out.tflite is not written")
    assert not Path("out.tflite").exists()
    assert cli.main(["in.tflite", "out.tflite", "--keep-going", "-q"]) == 1
    assert Path("out.tflite").read_bytes() == refused_file()


def test_check_runs_runtimes_only_with_run() -> None:
    static = check(refused_file(), AlignOptions(severity=SILENT))
    assert (static.verification, static.exit_status) == (None, 0)
    asked = check(refused_file(), AlignOptions(severity=SILENT, run=True))
    assert asked.exit_status == 1
    assert asked.reasons[0].startswith("litert and xnnpack refuse the file at ")


def test_check_run_compares_with_what_the_file_declares(sample_origin: bytes) -> None:
    silent = AlignOptions(severity=SILENT, run=True)
    wrong = check(narrow_bias(), replace(silent, targets=("litert",)))
    assert wrong.verification is not None
    assert wrong.verification.word == "failed"
    assert "CONV_2D is " in wrong.reasons[0]
    assert " LSB off the result for its inputs by the declared parameters" in wrong.reasons[0]
    right = check(narrow_bias(), replace(silent, targets=("tflm",)))
    assert right.reasons == ()
    clean = check(sample_origin, AlignOptions(run=True))
    assert clean.verification is not None
    assert (clean.verification.word, clean.exit_status) == ("verified", 0)


def test_numbers_are_required_of_unchanged_files_too(sample_origin: bytes) -> None:
    required = AlignOptions(severity=SILENT, targets=("litert",), require=("numbers",))
    assert check(narrow_bias(), required).exit_status == 1
    wrong = align(narrow_bias(), required).report
    assert (wrong.outcome, wrong.exit_status) == ("nothing to align", 1)
    right = align(sample_origin, AlignOptions(require=("numbers",))).report
    assert right.verification is not None
    assert (right.verification.word, right.exit_status) == ("verified", 0)


def test_unrepairable_findings_do_not_prevent_other_repairs() -> None:
    """Without --keep-going nothing is written. In both cases the report lists the repairs that are
    possible.
    """
    data = squared_difference(disagree=True).bytes(["x"], ["y", "z"])
    result = align(data, AlignOptions(verify=False))
    assert result.report.exit_status == 1
    assert {finding.rule for finding in result.report.findings} == {
        "same/CONCATENATION",
        "types/SQUARED_DIFFERENCE",
    }
    assert {finding.rule for finding in result.report.open} == {"types/SQUARED_DIFFERENCE"}
    assert result.report.changes != ()
    assert {finding.rule for finding in check(result.data).findings} == {"types/SQUARED_DIFFERENCE"}
    assert "note: --keep-going writes the repairs that are possible: 1 tensor moved" in render_text(
        result.report
    )
