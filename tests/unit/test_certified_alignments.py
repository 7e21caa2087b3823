"""Alignments with a certificate: report, requirements, Python result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.verify_forms import rescaled
from tflite_align import AlignOptions, align
from tflite_align.certify.verified import CertificateError, verify_certificate
from tflite_align.cli import main as cli
from tflite_align.record import replace
from tflite_align.report.formats import FORMATS
from tflite_align.report.sections import closing
from tflite_align.verdicts import CertificateSummary, Verification
from tflite_align.verify.verification import verify

DATA = Path(__file__).resolve().parents[1] / "data"
SAMPLE = (DATA / "sample_dealigned.tflite").read_bytes()
VERIFIED = Verification(word="verified", why="", samples=64)


def test_a_result_has_a_certificate_if_requested() -> None:
    result = align(SAMPLE, AlignOptions(verify=False, certificate=True))
    assert result.certificate is not None
    text = json.dumps(result.certificate).encode()
    checked = verify_certificate(SAMPLE, result.data, text)
    shown = result.report.certificate
    assert shown is not None
    assert (shown.word, shown.certified) == ("certified", checked.certified)
    assert align(SAMPLE, AlignOptions(verify=False)).certificate is None


def test_certified_requires_verified_samples() -> None:
    """Certificates bound each operator's error in its own steps, so that a much too coarse step
    passes. `certified` therefore also needs a verification on samples.
    """
    report = align(SAMPLE, AlignOptions(verify=False, require=("certified",))).report
    assert not report.certified
    assert report.reasons == ("certified is required, but the numbers are not run",)
    verified = replace(report, verification=VERIFIED, reasons=())
    assert verified.certified
    assert closing(verified).endswith("certified for every input")


def test_certified_kernels_are_not_compared_on_samples() -> None:
    """With a certificate, only alignment loss and acceptance by the judges are measured. A runtime
    that the certificate does not cover (litert-ref) is still compared on samples.
    """
    options = AlignOptions(certificate=True)
    report = align(SAMPLE, options).report
    found = report.verification
    assert found is not None
    assert found.word == "verified"
    assert report.certified
    assert found.samples >= 64
    assert found.steps is None
    assert [score.runs for score in found.outputs] == [()] * len(found.outputs)
    assert [verdict.after.status for verdict in found.judges] == ["accepted", "accepted"]
    said = "kernels were not compared on samples: the certificate holds for every input, on "
    assert found.notes[-1:] == (f"{said}litert, xnnpack",)
    more = align(SAMPLE, replace(options, require=("litert-ref",))).report.verification
    plain = align(SAMPLE).report.verification
    assert more is not None
    assert plain is not None
    assert [len(score.runs) for score in more.outputs] == [3] * len(more.outputs)
    assert [len(score.runs) for score in plain.outputs] == [2] * len(plain.outputs)
    assert plain.steps is not None


def test_a_loss_is_found_though_every_operator_is_certified() -> None:
    """The certificate covers LiteRT and XNNPACK, and one tensor's scale is 100 times as coarse: the
    alignment loss is measured and the verification fails.
    """
    found = verify(
        SAMPLE, rescaled(SAMPLE, 0, 100.0), kernel_runtimes=frozenset({"litert", "xnnpack"})
    )
    assert found.word == "failed"
    assert found.outputs[0].word == "failed"
    assert found.steps is None


def test_a_target_without_known_arithmetic_is_never_certified() -> None:
    options = AlignOptions(verify=False, targets=("ppq",), require=("certified",))
    report = align(SAMPLE, options).report
    assert report.reasons == (
        "certified is required, but target ppq: the arithmetic of its kernels is not known",
    )


def test_a_partial_certificate_names_an_uncertified_operator() -> None:
    report = align(SAMPLE, AlignOptions(verify=False)).report
    shown = CertificateSummary(
        word="in part",
        why="subgraph[0]/operator[9] SOFTMAX: no function is known of litert's SOFTMAX",
        operators=10,
        certified=9,
        worst_lsb=0.75,
        runtimes=("litert",),
    )
    certified = replace(report, certificate=shown, verification=VERIFIED)
    assert not certified.certified
    words = "9 of 10 operators certified for every input, within 0.750 LSB on litert"
    for form in (".txt", ".html", ".json", ".sarif"):
        text = FORMATS[form]([certified], ())
        assert "operator[9] SOFTMAX" in text
        assert form in {".json", ".sarif"} or words in text


def _run(folder: Path, *options: str) -> int:
    (folder / "net.tflite").write_bytes(SAMPLE)
    paths = (str(folder / name) for name in ("net.tflite", "out.tflite"))
    certificate = str(folder / "net.cert.json")
    return cli.main([*paths, "--no-verify", "--certificate", certificate, "-q", *options])


def test_a_certificate_that_cannot_be_made_is_an_error_after_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The arithmetic of target ppq is unknown. The model is written, no certificate is, and the
    exit status is 2.
    """
    assert _run(tmp_path, "--target", "ppq") == 2
    errors = capsys.readouterr().err
    why = "certificate not written: target ppq: the arithmetic of its kernels is not known"
    assert errors == f"tflite_align: {tmp_path / 'net.cert.json'}: {why}\n"
    assert (tmp_path / "out.tflite").is_file()
    assert not (tmp_path / "net.cert.json").exists()
    assert _run(tmp_path) == 0
    assert capsys.readouterr().err == ""
    assert (tmp_path / "net.cert.json").is_file()


def test_a_dry_run_writes_no_certificate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "--dry-run") == 0
    assert "certificate not written: a dry run writes nothing" in capsys.readouterr().err
    assert not (tmp_path / "net.cert.json").exists()


def test_an_alignment_succeeds_without_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker cannot read the certificate: the alignment succeeds, and the report gives the
    reason why there is no certificate.
    """

    def unreadable(*_: bytes) -> None:
        raise CertificateError("it cannot be checked")

    monkeypatch.setattr("tflite_align.certify.verified.verify_certificate", unreadable)
    result = align(SAMPLE, AlignOptions(verify=False, certificate=True))
    shown = result.report.certificate
    assert result.certificate is None
    assert shown is not None
    assert (shown.word, shown.why) == ("none", "it cannot be checked")
    assert result.report.exit_status == 0
