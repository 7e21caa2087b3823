"""Biases without a scale, compared with the real runtimes.

Kernels read them in units of input scale x weight scale; some compare a scale of 0 with that
product, and refuse the model where it is too far.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.stored import stored
from tests.rules.kernels.typed import TypedCase, TypedSlot, bases
from tests.rules.kernels.varied import of_other_types
from tests.rules.operators.operands import Array
from tests.support.kernel_batch import Outcome, run_batch
from tests.support.models import Quant
from tflite_align import AlignOptions, align, check
from tflite_align.record import Record, replace

RUNTIMES = ("litert", "xnnpack", "tflm")
# Operator -> (positions of input, weights and bias; axis of the weights' scales).
PLACES = {
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}
# Product of scales over output scale: below and above the difference that kernels allow.
RATIOS = (0.001, 0.0199, 0.0201, 0.5)


class Unscaled(Record, frozen=True, kw_only=True):
    """A model whose bias has no scale; `meant`: the same model with the scale that kernels assume."""

    name: str
    meant: TypedCase
    bias: int

    def model(self) -> bytes:
        inputs = list(self.meant.inputs)
        inputs[self.bias] = replace(inputs[self.bias], quant=None)
        return replace(self.meant, inputs=tuple(inputs)).model()

    def fed(self) -> list[Array]:
        return self.meant.fed()

    def right(self, outcome: Outcome) -> bool:
        return not outcome.error and self.meant.right(outcome.outputs)


def _quant(scale: float, count: int, point: int = 0, axis: int = 0) -> Quant:
    return Quant(scale=(float(np.float32(scale)),) * count, zero_point=(point,) * count, axis=axis)


def _scaled(slot: TypedSlot, quant: Quant) -> TypedSlot:
    return replace(slot, quant=quant, values=stored(slot.real(), slot.type, quant))


def _weighted() -> Iterator[Unscaled]:
    for operator, (source, weight, bias, axis) in PLACES.items():
        for base in bases(operator):
            kind = base.name.removeprefix(f"{operator}-")
            for several in (False, True) if kind in ("int8", "int16") else (False,):
                if kind in ("int8", "uint8", "int16"):
                    yield from _of_base(base, (source, weight, bias, axis), several=several)


def _of_base(
    base: TypedCase, places: tuple[int, int, int, int], *, several: bool
) -> Iterator[Unscaled]:
    source, weight, bias, axis = places
    given, held = base.inputs[source].quant, base.inputs[weight].quant
    assert given is not None
    assert held is not None
    count = base.inputs[weight].shape[axis] if several else 1
    product = float(np.float32(given.scale[0] * held.scale[0]))
    inputs = list(base.inputs)
    inputs[weight] = _scaled(inputs[weight], _quant(held.scale[0], count, held.zero_point[0], axis))
    counted = _scaled(inputs[bias], _quant(product, count))
    (output,) = base.outputs
    assert output.quant is not None
    for word, slot in (
        ("", counted),
        ("zeros-", replace(counted, values=np.zeros_like(counted.values))),
    ):
        for ratio in RATIOS:
            inputs[bias] = slot
            step = _quant(product / ratio, 1, output.quant.zero_point[0])
            name = f"{base.name}-{word}{count}-{ratio}"
            outputs = (replace(output, quant=step),)
            meant = replace(base, name=name, inputs=tuple(inputs), outputs=outputs)
            yield Unscaled(name=name, meant=meant, bias=bias)


def _filters() -> Iterator[Unscaled]:
    """SVDF, whose bias counts in time weight scale times state scale (5e-4 and 5e-6), with int8 and
    int16.
    """
    (base,) = [case for case in bases("SVDF") if case.name == "SVDF-int8"]
    for case in (base, *of_other_types(base)):
        for share in (1.0, 0.01):
            time, bias = case.inputs[2], case.inputs[3]
            assert time.quant is not None
            assert bias.quant is not None
            inputs = list(case.inputs)
            inputs[2] = _scaled(time, _quant(time.quant.scale[0] * share, 1))
            few = np.clip(np.asarray(bias.values), -2000, 2000)
            for word, values in (("", few), ("zeros-", np.zeros_like(few))):
                unit = _quant(bias.quant.scale[0] * share, 1)
                inputs[3] = replace(bias, quant=unit, values=values)
                name = f"{case.name}-{word}{share}"
                yield Unscaled(
                    name=name, meant=replace(case, name=name, inputs=tuple(inputs)), bias=3
                )


CASES = [*_weighted(), *_filters()]


def _errors(data: bytes, target: str) -> list[str]:
    found = check(data, AlignOptions(targets=(target,), verify=False)).findings
    return [finding.rule for finding in found if finding.severity == "error"]


def _need(runtime: str) -> None:
    if runtime == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")


@pytest.mark.backends
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_errors_are_what_the_runtime_refuses(runtime: str, tmp_path: Path) -> None:
    _need(runtime)
    outcomes = run_batch(CASES, runtime, tmp_path)
    apart = {
        case.name: outcomes[case.name].error or "computed"
        for case in CASES
        if case.right(outcomes[case.name]) is bool(_errors(case.model(), runtime))
    }
    assert apart == {}
    assert any(case.right(outcomes[case.name]) for case in CASES)


@pytest.mark.backends
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_refused_is_repaired(runtime: str, tmp_path: Path) -> None:
    """The repair sets the bias's scale; its integers do not change."""
    _need(runtime)
    refused = {
        case.name: case
        for case in CASES
        if any(rule.endswith("/unscaled") for rule in _errors(case.model(), runtime))
    }
    options = AlignOptions(targets=(runtime,), verify=False)
    made = {name: align(case.model(), options).data for name, case in refused.items()}
    outcomes = run_batch(refused.values(), runtime, tmp_path, made)
    assert [name for name, case in refused.items() if not case.right(outcomes[name])] == []
    assert len(refused) >= 6
