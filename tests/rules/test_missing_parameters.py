"""Operands without a scale: an error finding if the kernel refuses the model or computes other
values; none if it copies integers or works on them without scales.

Each well-formed one-operator model of 8 or 16 bits is run without the parameters of one operand,
and without those of all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.operators.all_makers import MAKERS
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tests.support.models import Graph, TensorSpec
from tflite_align import check
from tflite_align.record import replace

# Tested in the normal run: refused, other values, copied, integers without scales.
SAMPLE = ("CONCATENATION", "DEQUANTIZE", "FULLY_CONNECTED", "LOGISTIC", "PAD", "RESHAPE")

# Operands whose parameters have no effect in these models; the error finding is right in general.
_SCALED = "read as scale 0: the same integers by luck"
_ZERO_POINT = "its zero point, or the border's integer, is read as 0; here no value depends on it"
LUCKY: dict[tuple[str, str], str] = {
    ("EQUAL", "inputs[0]"): _SCALED,
    ("FLOOR_DIV", "outputs[0]"): _SCALED,
    ("L2_NORMALIZATION", "outputs[0]"): _SCALED,
    ("PAD", "inputs[0]"): _ZERO_POINT,
    ("PAD", "outputs[0]"): _ZERO_POINT,
    ("PADV2", "inputs[0]"): _ZERO_POINT,
    ("PADV2", "inputs[2]"): _ZERO_POINT,
    ("PADV2", "outputs[0]"): _ZERO_POINT,
    ("RELU6", "outputs[0]"): _SCALED,
    ("TANH", "outputs[0]"): _SCALED,
    ("TANH", "all"): _SCALED,
    ("SOFTMAX", "all"): _SCALED,
    ("TRANSPOSE", "inputs[0]"): "XNNPACK looks at both tensors' parameters or at neither's",
}


class Stripped(TypedCase, frozen=True, kw_only=True):
    """A case without the parameters of the operand `place`, or of all operands."""

    base: TypedCase
    place: str


def stripped(operator: str) -> Iterator[Stripped]:
    for base in bases(operator):
        sides = {"inputs": base.inputs, "outputs": base.outputs}
        named = {
            f"{side}[{i}]": (side, i) for side, slots in sides.items() for i in range(len(slots))
        }
        places = [place for place, (side, i) in named.items() if sides[side][i].quant is not None]
        for place in (*places, *(["all"] if len(places) > 1 else [])):
            left = {
                side: tuple(
                    replace(slot, quant=None) if place in ("all", f"{side}[{i}]") else slot
                    for i, slot in enumerate(slots)
                )
                for side, slots in sides.items()
            }
            yield Stripped(
                name=f"{base.name}-{place.strip(']').replace('[', '')}",
                operator=base.operator,
                form=base.form,
                inputs=left["inputs"],
                outputs=left["outputs"],
                base=base,
                place=place,
            )


def disagreements(operators: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """(runtime, operator, operand, what differs) where findings and the runtime disagree."""
    cases = [case for operator in operators for case in stripped(operator)]
    models = {one.name: one for case in cases for one in (case.base, case)}
    for runtime in available():
        with tempfile.TemporaryDirectory() as folder:
            outcomes = run_batch(models.values(), runtime, Path(folder))
        for case in cases:
            before, after = outcomes[case.base.name], outcomes[case.name]
            if before.error or not case.base.right(before.outputs):
                continue
            same = not after.error and all(map(np.array_equal, before.outputs, after.outputs))
            plain = case.place == "all" and not after.error and case.right(after.outputs)
            findings = check(case.model(), targets=(runtime,)).findings
            rules = [one.rule for one in findings if one.severity == "error"]
            about = [rule for rule in rules if rule.startswith("params/")]
            if about and (same or plain) and (case.operator, case.place) not in LUCKY:
                yield runtime, case.operator, case.place, f"{case.signature}: computed; {about}"
            # Another kernel may compute it, with another rounding: XNNPACK leaves a TRANSPOSE_CONV
            # whose bias has no scale to the builtin kernel.
            rounded = not after.error and case.base.right(after.outputs)
            if not (rules or same or plain or rounded):
                words = after.error or "other values"
                yield runtime, case.operator, case.place, f"{case.signature}: {words}; no error"


def test_operands_without_parameters_are_errors_where_kernels_need_them() -> None:
    assert list(disagreements(SAMPLE)) == []


@pytest.mark.conformance
def test_operands_without_parameters_of_every_operator() -> None:
    assert list(disagreements(sorted(MAKERS))) == []


def test_an_operator_without_any_parameters_is_one_finding() -> None:
    (case,) = [
        one
        for one in stripped("LOGISTIC")
        if one.name.endswith("all") and one.signature == "int8 > int8"
    ]
    assert [one.rule for one in check(case.model(), targets=("litert",)).findings] == [
        "params/none"
    ]


@pytest.mark.parametrize("target", ["litert", "tflm"])
def test_floats_are_not_quantized_without_a_scale(target: str) -> None:
    graph = Graph()
    graph.tensors["x"] = TensorSpec(name="x", type="float32", shape=(1, 4))
    graph.tensors["y"] = TensorSpec(name="y", type="int8", shape=(1, 4))
    graph.add("QUANTIZE", ["x"], ["y"])
    findings = check(graph.bytes(["x"], ["y"]), targets=(target,)).findings
    assert [(one.rule, one.severity) for one in findings] == [("params/none", "error")]
