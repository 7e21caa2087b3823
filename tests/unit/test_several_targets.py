"""Several targets at once: the rules of all of them hold, and each finding names the targets that
it applies to.
"""

from __future__ import annotations

import pytest

from tests.support.models import Graph, concat_example, ppq_example
from tflite_align import AlignOptions, align, check, target_names
from tflite_align.report.text import render_text

THREE = ("tflm", "ethos-u55", "xnnpack")
GRADED = ("tflm", "edgetpu", "xnnpack")


def logistic() -> bytes:
    """A LOGISTIC whose output has scale 0.1 rather than 1/256: XNNPACK computes it, TFLM refuses
    it.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("l", 0.1)
    graph.add("LOGISTIC", ["x"], ["l"])
    graph.conv("l", "y", 0.2)
    return graph.bytes(["x"], ["y"])


def relu6() -> bytes:
    """A RELU6 with different input and output scales: an error for TFLM, a warning for the Edge
    TPU, no finding for XNNPACK and Ethos-U.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("r", 0.1)
    graph.add("RELU6", ["x"], ["r"])
    graph.conv("r", "y", 0.2)
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize("data", [logistic(), relu6(), concat_example()])
def test_the_findings_of_several_targets_are_the_union(data: bytes) -> None:
    def found(*targets: str) -> set[tuple[str, str, str]]:
        report = check(data, AlignOptions(targets=targets))
        return {(f.rule, f.address, g.target) for f in report.findings for g in f.grades}

    assert found(*THREE) == found("tflm") | found("ethos-u55") | found("xnnpack")


@pytest.mark.parametrize("data", [logistic(), relu6(), concat_example()])
def test_what_is_aligned_for_all_is_aligned_for_each(data: bytes) -> None:
    result = align(data, AlignOptions(targets=THREE, verify=False))
    assert result.report.remaining == ()
    for name in THREE:
        assert check(result.data, AlignOptions(targets=(name,))).findings == ()


def test_a_finding_has_a_severity_per_target() -> None:
    report = check(relu6(), AlignOptions(targets=GRADED))
    (finding,) = report.findings
    assert finding.severity == "error"
    assert [(grade.target, grade.severity) for grade in finding.grades] == [
        ("tflm", "error"),
        ("edgetpu", "warning"),
    ]
    assert finding.behaviour == finding.grades[0].behaviour
    text = render_text(report)
    assert text.splitlines()[4].split()[-1] == "for"
    assert text.splitlines()[5].endswith("  tflm (error)")
    assert text.splitlines()[6].endswith("  edgetpu (warning)")
    document = report.to_dict()["findings"][0]
    assert [grade["target"] for grade in document["grades"]] == ["tflm", "edgetpu"]


def test_equal_severities_list_only_target_names() -> None:
    text = render_text(check(concat_example(), AlignOptions(targets=("tflite", "litert"))))
    assert "  tflite, litert\n" in text


def test_consequences_are_listed_per_runtime() -> None:
    report = check(concat_example(), AlignOptions(targets=GRADED))
    lines = render_text(report).splitlines()
    words = {grade.target: grade.behaviour for grade in report.findings[0].grades}
    assert sorted(words) == sorted(GRADED)
    for name, behaviour in words.items():
        assert any(behaviour in line and line.endswith(f"  {name}") for line in lines)


def test_one_target_has_no_column_of_its_own() -> None:
    text = render_text(check(concat_example()))
    assert "  for\n" not in text


# --- ppq ----------------------------------------------------------------------------------------


def test_only_ppq_requires_equal_scales_of_sums() -> None:
    data = ppq_example()
    for name in target_names():
        rules = {f.rule for f in check(data, AlignOptions(targets=(name,))).findings}
        assert rules == ({"same/ADD/inputs"} if name == "ppq" else set())


def test_ppq_beside_a_runtime() -> None:
    options = AlignOptions(targets=("ppq", "tflite"), verify=False)
    result = align(ppq_example(), options)
    assert result.report.remaining == ()
    assert result.report.outcome == "aligned"
    assert align(result.data, options).data == result.data


def test_ppq_says_nothing_of_fixed_outputs() -> None:
    assert check(logistic(), AlignOptions(targets=("ppq",))).findings == ()


def test_rules_of_other_targets_make_no_slot_rigid() -> None:
    """Only PPQ has a rule that ties an ADD's operands. With the default target the per-channel
    operand of an ADD makes no slot rigid.
    """
    from tflite_align.pipeline.aligning import question

    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.1)
    graph.constant("k", [[[[1, 2, 3]]]], "int8")
    graph.add("ADD", ["x", "k"], ["y"], ("AddOptions", {}))
    graph.conv("y", "z", 0.1)
    data = graph.bytes(["x"], ["z"])
    border = {slot for slot in question(data, AlignOptions()).bound.rigid if slot.operator >= 0}
    assert border == set()
