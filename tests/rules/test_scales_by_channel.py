"""Several scales on an operand for which kernels use one: an error finding if a runtime refuses the
model or computes other values, none for operands that are copied into each other.

In each well-formed one-operator model the scale of one operand is repeated along its last axis,
which leaves all real values the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import QUANTIZED, TypedCase, TypedSlot, bases
from tests.rules.operators.all_makers import MAKERS
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align import check
from tflite_align.record import replace

SAMPLE = ("ADD", "CONV_2D", "DEQUANTIZE", "EXPAND_DIMS", "MEAN", "RESHAPE")


def spread(slot: TypedSlot) -> TypedSlot | None:
    """The operand with its scale repeated for each index of its last axis; None if it has one
    index.
    """
    if slot.quant is None or slot.type not in QUANTIZED or len(slot.quant.scale) != 1:
        return None
    if not slot.shape or slot.shape[-1] == 1:
        return None
    count = slot.shape[-1]
    axis = len(slot.shape) - 1
    quant = Quant(
        scale=slot.quant.scale * count, zero_point=slot.quant.zero_point * count, axis=axis
    )
    return replace(slot, quant=quant)


def by_channel(operator: str) -> Iterator[tuple[TypedCase, TypedCase]]:
    """Cases, each with its copy in which one operand has several scales."""
    for base in bases(operator):
        for side in ("inputs", "outputs"):
            slots = getattr(base, side)
            for index, slot in enumerate(slots):
                changed = spread(slot)
                if changed is not None:
                    made = (*slots[:index], changed, *slots[index + 1 :])
                    name = f"{base.name}-{side}{index}"
                    yield base, replace(base, name=name, **{side: made})


def unnoticed(operators: Iterable[str]) -> Iterator[str]:
    """Cases that a runtime refuses or computes otherwise, without an error finding."""
    pairs = [pair for operator in operators for pair in by_channel(operator)]
    models = {one.name: one for pair in pairs for one in pair}
    for runtime in available():
        with tempfile.TemporaryDirectory() as folder:
            outcomes = run_batch(models.values(), runtime, Path(folder))
        for base, case in pairs:
            before, after = outcomes[base.name], outcomes[case.name]
            if before.error or not base.right(before.outputs):
                continue
            same = not after.error and all(map(np.allclose, before.outputs, after.outputs))
            findings = check(case.model(), targets=(runtime,)).findings
            if not same and not any(one.severity == "error" for one in findings):
                yield f"{runtime}: {case.name}: {after.error or 'other values'}"


def test_several_scales_are_an_error_where_a_kernel_reads_one() -> None:
    assert list(unnoticed(SAMPLE)) == []


@pytest.mark.conformance
def test_several_scales_of_every_operator() -> None:
    assert list(unnoticed(sorted(MAKERS))) == []


def chained(output: Quant) -> bytes:
    """A RESHAPE of a tensor with a scale for each channel."""
    quant = Quant(scale=(0.5, 0.25, 1.0), zero_point=(0, 0, 0), axis=1)
    graph = GraphSpec(
        tensors=(
            TensorSpec(name="x", type="int8", shape=(2, 3), quant=quant),
            TensorSpec(name="s", type="int32", shape=(2,), data=np.array([2, 3], np.int32)),
            TensorSpec(name="y", type="int8", shape=(2, 3), quant=output),
        ),
        operators=(OperatorSpec(name="RESHAPE", inputs=("x", "s"), outputs=("y",)),),
        inputs=("x",),
        outputs=("y",),
    )
    return model_bytes([graph])


@pytest.mark.parametrize("runtime", ["litert", "tflm"])
def test_operands_copied_with_the_same_scales_are_right(runtime: str) -> None:
    same = Quant(scale=(0.5, 0.25, 1.0), zero_point=(0, 0, 0), axis=1)
    assert check(chained(same), targets=(runtime,)).findings == ()
    findings = check(chained(Quant(scale=(0.5,), zero_point=(0,))), targets=(runtime,)).findings
    assert [one.rule for one in findings] == ["params/channels"]
