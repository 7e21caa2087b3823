"""Operators that the runtimes installed here do not know are skipped: neither refused nor verified."""

from __future__ import annotations

import pytest

from tests.support.models import Graph
from tflite_align.pipeline.aligning import align
from tflite_align.pipeline.checking import check
from tflite_align.settings.options import AlignOptions
from tflite_align.verify.judges import available, judge_file
from tflite_align.verify.object_api import pack, parse, schema


def with_custom(name: str) -> bytes:
    """A convolution followed by a custom operator, which only an application could register."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("y", 0.1)
    graph.add("RELU", ["c"], ["y"])
    model = parse(graph.bytes(["x"], ["y"]))
    code = model.operatorCodes[model.subgraphs[0].operators[1].opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.CUSTOM
    code.customCode = name
    return pack(model)


def large(*shape: int) -> bytes:
    """A file of a few hundred bytes with a RELU over a tensor of this shape."""
    graph = Graph()
    graph.activation("x", 0.05, shape=shape)
    graph.activation("y", 0.05, shape=shape)
    graph.add("RELU", ["x"], ["y"])
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize("name", ["FlexErf", "MyOperator"])
@pytest.mark.parametrize("judge", ["litert", "xnnpack", "tflm"])
def test_a_custom_operator_that_is_not_registered_is_skipped(name: str, judge: str) -> None:
    if missing := available(judge):
        pytest.skip(missing)
    found = judge_file(with_custom(name), judge)
    assert found.status == "skipped"
    assert found.reason == f"custom operator {name} is not registered here"


def test_a_file_with_a_flex_operator_is_no_failure_and_not_verified() -> None:
    report = align(with_custom("FlexErf")).report
    assert (report.outcome, report.exit_status) == ("nothing to align", 0), report.reasons
    assert report.verification is not None
    assert report.verification.word == "skipped"
    required = align(with_custom("FlexErf"), AlignOptions(require=("litert",))).report
    assert required.reasons == (
        "litert is required, but skipped: custom operator FlexErf is not registered here",
    )
    ran = check(with_custom("FlexErf"), AlignOptions(run=True))
    assert ran.verification is not None
    assert (ran.verification.word, ran.exit_status) == ("skipped", 0), ran.reasons


def test_the_arena_grows_before_a_file_is_refused() -> None:
    if missing := available("tflm"):
        pytest.skip(missing)
    assert judge_file(large(1, 32, 1024, 1024), "tflm").status == "accepted"
    found = judge_file(large(1, 1024, 1024, 2048), "tflm", memory=8 << 30)
    assert found.status == "skipped"
    assert found.reason == "memory: TFLM's arena would be 2147483648 bytes, and may be 1073741824"


def test_a_timeout_is_inconclusive_and_fails_only_if_required() -> None:
    hurried = AlignOptions(judge_seconds=1e-3)
    report = align(large(1, 4, 4, 3), hurried).report
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("inconclusive", 0), report.reasons
    required = AlignOptions(judge_seconds=1e-3, require=("litert",))
    assert align(large(1, 4, 4, 3), required).report.exit_status == 1


def test_the_verification_names_runtimes_and_processor() -> None:
    verification = align(large(1, 4, 4, 3)).report.verification
    assert verification is not None
    (package,) = verification.runtimes
    assert package.partition("==")[0] in ("ai-edge-litert", "tensorflow")
    assert verification.processor
