"""Alignment of real models: only declared bytes change, and judges accept the results."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dealign
from tflite_align import AlignOptions, align, check
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import Bound
from tflite_align.format.model import Model
from tflite_align.format.writer.write import write
from tflite_align.pipeline.preparation import prepare
from tflite_align.pipeline.session import Session
from tflite_align.repair.planner.fold_apply import fold_quantizes
from tflite_align.repair.planner.plan import plan
from tflite_align.rules.fixes import enabled_fixes
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.solve import solve
from tflite_align.verify.judges import judge_file

PLAIN = AlignOptions(verify=False)
GATES = ("litert-ref", "litert", "xnnpack", "tflm", "ethos-u55")

# Models whose findings are known defects, confirmed by their source.
REAL_VIOLATORS = {
    "coral/deeplabv3_mnv2_dm05_pascal_quant_2019.tflite",
    "coral/deeplabv3_mnv2_dm05_pascal_quant_2019_edgetpu.tflite",
    "litert/blockwise_quantized.tflite",  # LiteRT aborts on an ADD whose operands have no scale
    "tflm/keyword_scrambled_8bit.tflite",  # LiteRT aborts on an SVDF whose state is int8
    "tflm/person_detect.tflite",
}


# Outputs of MUL declare a step of 3e-30 (always 0): widened 1e30 times, the model would differ.
LEFT_ALONE = {"coral/traffic_model.tflite": {"window/MUL/wrap"}}


def relative(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def bound_to_tflite(model: Model) -> Bound:
    return bind(model, load_operators(), [load_target("tflite")])


def test_only_declared_edits_change_the_file(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    result = align(data, PLAIN)
    left = {f.rule for f in result.report.remaining if f.fix in enabled_fixes()}
    assert left == LEFT_ALONE.get(relative(corpus_model), set())
    if not result.report.changes:
        assert result.data == data
        return
    prepared = prepare(Session.of(PLAIN), data)
    given, model = prepared.given.model, prepared.inspected.model
    bound = bound_to_tflite(model)
    findings = prepared.inspected.findings
    solution = solve(bound, [f.slot for f in findings if f.fix in enabled_fixes()], SolverOptions())
    drawn, _ = plan(bound, solution, [f for f in findings if f.fix in enabled_fixes()])
    drawn = fold_quantizes(drawn, bound, bound_to_tflite, solution.source)
    written = write(data, given, drawn.model)
    assert written.join() == result.data
    old = np.frombuffer(data, dtype=np.uint8)
    new = np.frombuffer(result.data, dtype=np.uint8)[written.prefix :]
    declared = np.zeros(len(old), dtype=bool)
    for offset, length in written.patches:
        declared[offset : offset + length] = True
    assert len(new) == len(old)
    assert not np.any((old != new) & ~declared)


def test_align_twice_is_align_once(corpus_model: Path) -> None:
    once = align(corpus_model.read_bytes(), PLAIN).data
    assert align(once, PLAIN).data == once


@pytest.mark.corpus("coral", "litert", "microwakeword", "mlperf_tiny", "tflite_support", "tflm")
def test_no_false_alarms(corpus_model: Path) -> None:
    errors = [f.message for f in check(corpus_model.read_bytes()).findings if f.severity == "error"]
    assert bool(errors) == (relative(corpus_model) in REAL_VIOLATORS), errors


@pytest.mark.backends
@pytest.mark.corpus("dealigned")
def test_judges_accept_the_aligned_file_if_they_accept_the_original(
    corpus_model: Path, corpus_dir: Path
) -> None:
    entries = json.loads((corpus_dir / "MANIFEST.json").read_text())
    origin = next(e["origin"] for e in entries if e["path"] == relative(corpus_model))
    result = align(corpus_model.read_bytes(), PLAIN)
    assert result.report.remaining == ()
    _assert_gates((corpus_dir / origin).read_bytes(), result.data)


@pytest.mark.backends
@pytest.mark.corpus("mlperf_tiny", "microwakeword", "tflm", "tflite_support")
def test_judges_accept_files_dealigned_with_another_seed(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    try:
        broken = dealign.dealign(data, 7)
    except ValueError as refusal:
        pytest.skip(f"nothing to de-align: {refusal}")
    result = align(broken, PLAIN)
    _assert_gates(data, result.data)


def _assert_gates(origin: bytes, aligned: bytes) -> None:
    for gate in GATES:
        asked = judge_file(origin, gate)
        if asked.status == "accepted":
            assert judge_file(aligned, gate).status == "accepted", gate


@pytest.mark.corpus("coral", "tflite_support")
def test_appended_files_still_open(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        pytest.skip("no associated files are appended to this model")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    broken = dealign.dealign(data, 3, fixed=True)
    aligned = align(broken, PLAIN).data
    with zipfile.ZipFile(io.BytesIO(aligned)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == before
