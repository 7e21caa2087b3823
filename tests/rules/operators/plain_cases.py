"""Cases without quantization: an operator's form with activations of a type without parameters.

Weights, biases and states have the activation's type if that is a floating-point type.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from tests.rules.operators.operands import MAKERS, Array, Form, Operand
from tests.support.models import GraphSpec, OperatorSpec, TensorSpec, model_bytes
from tflite_align.record import Record

# Allowed relative and absolute difference of floating-point outputs.
CLOSE = {"float16": 5e-3, "bfloat16": 5e-2}
CLOSE_OTHERS = 2e-5


class PlainCase(Record, frozen=True, kw_only=True):
    """One operator without quantized tensors; `stored`: values of all present operands except
    states.
    """

    name: str
    operator: str
    type: str
    form: Form
    stored: Mapping[int, Array]

    def operand_type(self, index: int) -> str:
        operand = self.form.inputs[index]
        follows = operand.role in ("weight", "bias", "state") and self.type.startswith("float")
        return self.type if follows else operand.type or self.type

    def model(self) -> bytes:
        return model_bytes([self._graph(), *self.form.subgraphs])

    def _graph(self) -> GraphSpec:
        inputs = [self._input(i, operand) for i, operand in enumerate(self.form.inputs)]
        outputs = [
            TensorSpec(name=f"o{i}", type=made.type or self.type, shape=made.shape)
            for i, made in enumerate(self.form.outputs)
        ]
        operator = OperatorSpec(
            name=self.operator,
            inputs=[spec.name for spec in inputs],
            outputs=[spec.name for spec in outputs],
            options=self.form.options,
            version=self.form.version,
        )
        return GraphSpec(
            tensors=[*inputs, *outputs, *self.form.inner],
            operators=self.form.operators or [operator],
            inputs=[f"i{i}" for i in self.fed_indices()],
            outputs=[spec.name for spec in outputs],
        )

    def _input(self, index: int, operand: Operand) -> TensorSpec:
        fed = operand.role == "data"
        return TensorSpec(
            name=f"i{index}",
            type="" if operand.role == "absent" else self.operand_type(index),
            shape=operand.shape,
            data=None if fed else self.stored.get(index),
            variable=operand.role == "state",
        )

    def fed_indices(self) -> list[int]:
        return [i for i, operand in enumerate(self.form.inputs) if operand.role == "data"]

    def fed(self) -> list[Array]:
        return [self.stored[i] for i in self.fed_indices()]

    def expected(self) -> list[Array]:
        """The outputs' values, NaN where any will do."""
        values = [
            np.zeros(operand.shape) if operand.role == "state" else self.stored[i]
            for i, operand in enumerate(self.form.inputs)
            if operand.role != "absent"
        ]
        with np.errstate(all="ignore"):
            result = self.form.reference(*values)
        outputs = result if isinstance(result, list | tuple) else [result]
        return [np.asarray(value) for value in outputs]

    def faults(self, outputs: Sequence[Array]) -> list[str]:
        """Faults of these outputs; empty if the case is satisfied."""
        if self.form.runs_only:
            return []
        return [
            f"{self.name} outputs[{i}]: {fault}"
            for i, (given, wanted) in enumerate(zip(outputs, self.expected(), strict=True))
            if (fault := _fault(given, wanted))
        ]


def _fault(given: Array, wanted: Array) -> str:
    if given.shape != wanted.shape:
        return f"shape {given.shape}, expected {wanted.shape}"
    if given.dtype.kind in "OSU":
        return "" if given.astype(bytes).tolist() == wanted.astype(bytes).tolist() else "other text"
    if given.dtype.kind in "iub" and wanted.dtype.kind in "iub":
        return "" if bool(np.all(given == wanted)) else "values differ"
    close = CLOSE.get(given.dtype.name, CLOSE_OTHERS)
    near = np.isclose(given, wanted, rtol=close, atol=close) | np.isnan(wanted)
    return "" if bool(np.all(near)) else f"off by {np.nanmax(np.abs(given - wanted)):.3g}"


def plain_case(name: str, type_name: str) -> PlainCase:
    """The operator's form with activations of that type, and random values."""
    form = MAKERS[name].make(type_name)
    random = np.random.default_rng(zlib.crc32(f"{name} {type_name}".encode()))
    case = PlainCase(
        name=f"{name}-{type_name}", operator=name, type=type_name, form=form, stored={}
    )
    stored = {
        i: operand.values if operand.values is not None else drawn(random, operand, kind)
        for i, operand in enumerate(form.inputs)
        if operand.role not in ("state", "absent")
        for kind in [case.operand_type(i)]
    }
    return PlainCase(name=case.name, operator=name, type=type_name, form=form, stored=stored)


def drawn(random: np.random.Generator, operand: Operand, type_name: str) -> Array:
    """Random values in the operand's span; whole numbers for integers, both values for bool."""
    low, high = operand.span
    if type_name == "bool":
        return np.asarray(random.integers(0, 2, operand.shape), dtype=bool)
    if type_name.startswith("complex"):
        parts = random.uniform(low, high, (2, *operand.shape))
        return np.asarray(parts[0] + 1j * parts[1], dtype=type_name)
    if "int" in type_name:
        least = int(np.ceil(max(low, 0.0) if type_name.startswith("u") else low))
        most = max(least, int(np.floor(high)))
        whole = random.integers(least, most, operand.shape, endpoint=True)
        return np.asarray(whole, dtype=type_name)
    return np.asarray(random.uniform(low, high, operand.shape), dtype=type_name)
