"""One operator in one model, with the findings expected for each target and the values that it
should compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.support.kernel_batch import Outcome
from tests.support.models import Array, GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.record import Record, field


def at(scale: float, zero_point: int = 0) -> Quant:
    return Quant(scale=(float(np.float32(scale)),), zero_point=(zero_point,))


def each(*scales: float, zero_point: int = 0, axis: int = 0) -> Quant:
    rounded = tuple(float(np.float32(scale)) for scale in scales)
    return Quant(scale=rounded, zero_point=(zero_point,) * len(rounded), axis=axis)


def tensor(
    name: str, kind: str, shape: tuple[int, ...], quant: Quant | None = None, data: Any = None
) -> TensorSpec:
    values = None if data is None else np.asarray(data).reshape(shape)
    return TensorSpec(name=name, type=kind, shape=shape, quant=quant, data=values)


ABSENT = TensorSpec(name="", type="")


class Form(Record, frozen=True, kw_only=True):
    """One operator with expected findings.

    `wrong`: error rules by target; `warnings`: warning rules; several rules are separated by spaces. A
    runtime that accepts the form and computes `expected` within `tolerance` steps has no error.
    `coarse`: values may deviate by as much as a warning says.
    """

    name: str
    operator: str
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    fed: tuple[Array, ...]
    expected: Array
    options: tuple[str, Mapping[str, Any]] | None = None
    version: int = 1
    tolerance: float = 1.0
    coarse: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)

    def model(self) -> bytes:
        given = [spec for spec in self.inputs if spec.type and spec.data is None]
        graph = GraphSpec(
            tensors=[*(spec for spec in self.inputs if spec.type), ABSENT, self.output],
            operators=[
                OperatorSpec(
                    name=self.operator,
                    inputs=[spec.name for spec in self.inputs],
                    outputs=[self.output.name],
                    options=self.options,
                    version=self.version,
                )
            ],
            inputs=[spec.name for spec in given],
            outputs=[self.output.name],
        )
        return model_bytes([graph])

    def right(self, outcome: Outcome) -> bool:
        if outcome.error:
            return False
        found = outcome.outputs[0].astype(np.float64)
        quant, wanted = self.output.quant, np.asarray(self.expected, np.float64)
        if quant is None:
            return bool(np.allclose(found, wanted, rtol=1e-4, atol=1e-4))
        limits = np.iinfo(self.output.type)
        steps = np.clip(wanted / quant.scale[0] + quant.zero_point[0], limits.min, limits.max)
        return bool(np.abs(found - steps).max() <= self.tolerance + 0.01)


def ramp(kind: str, shape: tuple[int, ...]) -> Array:
    """Integers that are spread over the type's range."""
    limits = np.iinfo(kind)
    values = np.linspace(limits.min, limits.max, int(np.prod(shape))).round()
    mixed = np.random.default_rng(7).permutation(values)
    return mixed.astype(kind).reshape(shape)


def read(integers: Array, quant: Quant) -> Array:
    """The real values of per-tensor integers."""
    values: Array = (integers.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
    return values
