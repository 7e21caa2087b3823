"""On real models no PPQ strategy with at most as many QUANTIZE operators is better.

Compared are the SQNR of declared readings, over all kinds of inputs, at the outputs that
verification judges. A strategy that widens a range removes a clamp that the file declares: it comes
nearer to the float twin, which does not clip, and farther from the twin that clips as the file
does. It counts as better only if it is nearer to both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.saturating_twin import saturating_twin
from tflite_align import AlignOptions, align
from tflite_align.format.reader import read
from tflite_align.solver.compare import STRATEGIES
from tflite_align.solver.problem_records import Overlap
from tflite_align.verify.evidence import Evidence
from tflite_align.verify.frontier import Probe, frontier
from tflite_align.verify.object_api import parse
from tflite_align.verify.process import workspace
from tflite_align.verify.samples import make_samples
from tflite_align.verify.sqnr import sqnr
from tflite_align.verify.twin import declared, twin
from tflite_align.verify.variants import FLOAT_KERNELS, Form, run_forms, sample_records

pytestmark = pytest.mark.corpus

_LESS_DB = 0.5
_INPUTS = 256
_OURS = "ours"
_TWIN, _CLIPPING = "twin", "clipping twin"
_QUICK = ("violators/tinynn_yolo_i8ptq", "dealigned/okay_nabu")
_REST = (
    "dealigned/kws_ref_model",
    "dealigned/micro_speech_quantized",
    "dealigned/person_detect",
    "dealigned/pretrainedResnet_quant",
    "dealigned/vww_96_int8",
    "violators/litert_torch_densenet_pc",
    "violators/litert_torch_head_pc",
    "violators/litert_torch_inception_pc",
    "violators/onnx2tf269_ssd_int8",
    "violators/onnx2tf269_unet_int8",
    "violators/onnx2tf269_yolo_i16x8",
    "violators/onnx2tf269nocheck_inception_int8",
    "violators/tinynn_head_u8qat",
)

# (reference twin, name of the aligned file, judged output, kind of inputs) -> SQNR in dB
Levels = Mapping[tuple[str, str, int, str], float]


@pytest.mark.parametrize(
    "name", [*_QUICK, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in _REST)]
)
def test_no_strategy_with_as_few_quantize_is_better(corpus_dir: Path, name: str) -> None:
    levels = measured((corpus_dir / f"{name}.tflite").read_bytes())
    outputs = {output for _, _, output, _ in levels}
    others = {answer for _, answer, _, _ in levels} - {_OURS}
    assert outputs
    for output in outputs:
        for other in others:
            more = [
                mean(levels, reference, other, output) - mean(levels, reference, _OURS, output)
                for reference in (_TWIN, _CLIPPING)
            ]
            assert min(more) <= _LESS_DB, (other, output, more)


def test_a_wider_range_removes_a_declared_clamp(corpus_dir: Path) -> None:
    """PPQ's policy `large` is better against the float twin, but much worse against the declared
    reading.
    """
    data = (corpus_dir / "violators/tinynn_yolo_i8ptq.tflite").read_bytes()
    levels = measured(data)
    (output,) = {output for _, _, output, _ in levels}

    def more(reference: str) -> float:
        wide, ours = (
            levels[reference, answer, output, "whole range"]
            for answer in ("ppq large, force", _OURS)
        )
        return wide - ours

    assert more(_TWIN) > 1.0
    assert more(_CLIPPING) < -5.0


def mean(levels: Levels, reference: str, answer: str, output: int) -> float:
    """The mean over all kinds of inputs, with equal weights."""
    return fmean(
        level for place, level in levels.items() if place[:3] == (reference, answer, output)
    )


def answers(data: bytes) -> dict[str, bytes]:
    """Name -> aligned file: ours first, then that of each PPQ strategy that leaves no error finding
    and needs no more QUANTIZE operators.
    """
    files = {_OURS: align(data, AlignOptions(verify=False)).data}
    most = quantizes(files[_OURS])
    overlaps: tuple[Overlap, ...] = ("forbid", "force")
    for name, policies in STRATEGIES.items():
        for overlap in overlaps:
            options = AlignOptions(verify=False, policies=policies, overlap=overlap)
            result = align(data, options)
            left = any(finding.severity == "error" for finding in result.report.remaining)
            if not left and quantizes(result.data) <= most and result.data not in files.values():
                files[f"{name}, {overlap}"] = result.data
    return files


def quantizes(data: bytes) -> int:
    graphs = read(data).subgraphs
    return sum(operator.name == "QUANTIZE" for graph in graphs for operator in graph.operators)


def measured(data: bytes) -> Levels:
    files, found = answers(data), frontier(parse(data))
    made = {_TWIN: twin(data, found), _CLIPPING: saturating_twin(data, found)}
    made |= {name: declared(file, frontier(parse(file))) for name, file in files.items()}
    forms = [Form(name=name, data=form, kernels=FLOAT_KERNELS) for name, form in made.items()]
    samples = make_samples(parse(data), count=_INPUTS, seed=0)
    with workspace() as folder:
        records = sample_records(samples, folder)
        ran, _ = run_forms(forms, samples, records, folder, lambda _: None)
    levels = {}
    for reference in (_TWIN, _CLIPPING):
        for name, file in files.items():
            evidence = Evidence(
                before=found,
                after=frontier(parse(file)),
                samples=samples,
                ran={"twin": ran[reference], "measured": ran[name]},
                kernels=(),
                seed=0,
            )
            for output in (n for n, probe in enumerate(found.probes) if _tells(probe)):
                for kind in samples.kinds:
                    powers = evidence.powers("measured", output, sample_kind=kind)
                    level = sqnr(powers) if powers is not None else None
                    if level is not None:
                        levels[reference, name, output, kind.name] = level
    return levels


def _tells(probe: Probe) -> bool:
    return not (probe.saturates or probe.behind_jump)
