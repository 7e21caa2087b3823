"""One fault gives one finding; its consequences are notes."""

from __future__ import annotations

from tests.support.edited_models import PLAIN, requantized
from tests.support.models import CONV, SHAPE, Graph, Quant, TensorSpec
from tests.support.stale_models import dilated
from tests.support.weight_models import per_channel
from tflite_align import check
from tflite_align.checks.checker import Finding
from tflite_align.record import replace
from tflite_align.report.text import render_text

EVERY = ("tflite", "litert", "xnnpack", "tflm", "ethos-u55")


def faults(data: bytes, *targets: str) -> tuple[Finding, ...]:
    options = replace(PLAIN, targets=targets) if targets else PLAIN
    return check(data, options).findings


def rules(data: bytes, *targets: str) -> list[str]:
    return [finding.rule for finding in faults(data, *targets)]


def noted(finding: Finding) -> list[str]:
    """The rules that the finding's notes name."""
    return [note.rpartition("(rule ")[2].rstrip(")") for note in finding.notes]


def residual(scale: float) -> bytes:
    """A graph: x -> CONV_2D a -> CONV_2D b -> ADD of a and b. `scale`: that of a."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "a", 0.1)
    graph.conv("a", "b", 0.1)
    graph.activation("y", 0.2)
    graph.add("ADD", ["a", "b"], ["y"], ("AddOptions", {}))
    return requantized(graph.bytes(["x"], ["y"]), "a", scale=(scale,))


def test_an_invalid_scale_is_one_finding() -> None:
    for targets in ((), EVERY):
        (finding,) = faults(residual(1.3e36), *targets)
        assert finding.rule == "params/scale"
        (note,) = finding.notes
        assert note == (
            "operators that read it are not checked: subgraph[0]/operator[0] CONV_2D,"
            " subgraph[0]/operator[1] CONV_2D, subgraph[0]/operator[2] ADD"
        )


def test_two_limits_of_one_ratio_are_one_fault() -> None:
    (finding,) = [f for f in faults(residual(1e7)) if f.slot.operator == 2]
    assert (finding.rule, noted(finding)) == ("window/ADD/abort", ["window/ADD/wrap"])


def test_a_wrong_axis_is_one_finding() -> None:
    assert rules(per_channel(3)) == []
    for targets in ((), EVERY):
        for axis in (0, 1):
            (finding,) = faults(per_channel(axis), *targets)
            assert finding.rule == "weight/DEPTHWISE_CONV_2D/axis"
        assert noted(faults(per_channel(0), *targets)[0]) == ["params/length"]


def test_rules_that_say_the_same_are_one_finding_for_all_their_targets() -> None:
    graph = Graph("int16")
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.1)
    data = requantized(graph.bytes(["x"], ["y"]), "y.b", scale=(0.5,))
    assert rules(data, "tflite") == ["bias/CONV_2D"]
    assert rules(data, "tflm") == ["bias/CONV_2D/either"]
    (finding,) = faults(data, "tflite", "tflm")
    assert [grade.target for grade in finding.grades] == ["tflite", "tflm"]


def test_parameters_are_not_checked_on_a_target_without_the_kernel() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.activation("p", 0.1, 128)
    graph.add("RELU6", ["x"], ["p"])
    data = graph.bytes(["x"], ["p"])
    (finding,) = faults(data, "tflm")
    assert finding.rule == "types/RELU6"
    assert set(noted(finding)) <= {"same/RELU6"}


def test_a_consequence_that_is_graver_than_its_cause_stays() -> None:
    grades = {"shape/SPACE_TO_BATCH_ND": "warning"}
    options = replace(PLAIN, targets=("tflm",), severity=grades)
    found = [(f.rule, f.severity) for f in check(dilated(), options).findings]
    assert found == [("shape/SPACE_TO_BATCH_ND", "warning"), ("shape/CONV_2D", "error")]


def test_text_shows_notes_below_their_finding() -> None:
    lines = render_text(check(residual(1.3e36), PLAIN)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  error"))
    assert lines[start + 1].startswith(
        "  note      operators that read it are not checked: subgraph"
    )
    lines = render_text(check(residual(1e7), PLAIN)).splitlines()
    assert any("  note      same cause: subgraph[0]/operator[2]" in line for line in lines)


def test_operands_of_one_kind_are_one_fault() -> None:
    graph = Graph()
    for name in ("x", "w", "y"):
        graph.tensors[name] = TensorSpec(name=name, type="float32", shape=SHAPE)
    graph.add("ADD", ["x", "w"], ["y"], ("AddOptions", {}))
    (finding,) = faults(graph.bytes(["x", "w"], ["y"]), "edgetpu")[-1:]
    assert finding.rule == "support/ADD/types"
    assert finding.notes == ("the same at inputs[1]", "the same at outputs[0]")


def test_a_uint8_model_gets_a_hint_to_int8_conversion() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.activation("p", 0.05, 128)
    graph.add("RELU6", ["x"], ["p"])
    data = graph.bytes(["x"], ["p"])
    hint = (
        "1 operator computes in uint8, of which there is no kernel in tflm:"
        " align with --to int8 for a model in int8"
    )
    assert check(data, replace(PLAIN, targets=("tflm",))).notes == (hint,)
    assert check(data, PLAIN).notes == ()


def test_raw_uint8_integers_give_no_hint_to_int8_conversion() -> None:
    """The uint8 input of a CAST has no quantization parameters, so --to int8 would not convert it.
    The report has no hint at --to int8.
    """
    graph = Graph("uint8")
    graph.tensors["pixels"] = TensorSpec(name="pixels", type="uint8", shape=SHAPE)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.add("CAST", ["pixels"], ["y"])
    report = check(graph.bytes(["pixels"], ["y"]), replace(PLAIN, targets=("tflm",)))
    assert [finding.rule for finding in report.findings] == ["types/CAST"]
    assert report.notes == ()


def test_a_bias_is_checked_against_weights_of_the_right_axis() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.1, shape=(1, 4, 4, 4))
    graph.constant("w", graph.rng.integers(-127, 128, (4, 1, 1, 3)), "int8")
    graph.constant("b", [1, 2, 3, 4], "int32")
    for name, count, axis in (("w", 3, 3), ("b", 4, 0)):
        quant = Quant(scale=(0.01,) * count, zero_point=(0,) * count, axis=axis)
        graph.tensors[name] = replace(graph.tensors[name], quant=quant)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    (finding,) = faults(graph.bytes(["x"], ["y"]))
    assert finding.rule == "weight/CONV_2D/axis"
    assert "bias/CONV_2D" in noted(finding)
