"""Conformance cases: for a row and a type, the smallest model with that operator.

`satisfied` sets parameters that fulfil the row's rules; `mutations.violated` breaks one rule at one
slot. Parameters come from the row, operands and reference function from the operator's maker
(`operands.py`); nothing else is written per operator.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.operands import Array, Form, Operand
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.numerics import Label, Range, covering_label, label_range, type_limits
from tflite_align.record import Record, replace
from tflite_align.rules.rows import (
    BiasRule,
    FixedRule,
    OperatorRow,
    Rule,
    SameRule,
    SlotPattern,
    ZeroPointRule,
)

__all__ = [
    "Case",
    "Key",
    "case_types",
    "dequantize",
    "holds_beside",
    "keys_of",
    "merged",
    "satisfied",
]

Key = tuple[str, int]  # ("inputs", 0)


class Case(Record, frozen=True, kw_only=True):
    """One operator with parameters and integers.

    `quants`: by slot; `stored`: integers of every input that has some (fed, constant or plain).
    """

    name: str
    operator: str
    type: str
    form: Form
    quants: Mapping[Key, Quant]
    stored: Mapping[int, Array]

    def operand_type(self, index: int) -> str:
        return self.form.inputs[index].type or self.type

    def slot_type(self, key: Key) -> str:
        if key[0] == "inputs":
            return self.operand_type(key[1])
        return self.form.outputs[key[1]].type or self.type

    def model(self) -> bytes:
        tensors = [self._input(i, operand) for i, operand in enumerate(self.form.inputs)]
        for i, made in enumerate(self.form.outputs):
            quant = self.quants.get(("outputs", i))
            kind = made.type or self.type
            tensors.append(TensorSpec(name=f"o{i}", type=kind, shape=made.shape, quant=quant))
        graph = GraphSpec(
            tensors=tensors,
            operators=[
                OperatorSpec(
                    name=self.operator,
                    inputs=[f"i{i}" for i in range(len(self.form.inputs))],
                    outputs=[f"o{i}" for i in range(len(self.form.outputs))],
                    options=self.form.options,
                    version=self.form.version,
                )
            ],
            inputs=[f"i{i}" for i in self.fed_indices()],
            outputs=[f"o{i}" for i in range(len(self.form.outputs))],
        )
        return model_bytes([graph])

    def _input(self, index: int, operand: Operand) -> TensorSpec:
        absent = operand.role == "absent"
        constant = operand.role in ("constant", "weight", "bias", "plain")
        return TensorSpec(
            name=f"i{index}",
            type="" if absent else self.operand_type(index),
            shape=operand.shape,
            quant=self.quants.get(("inputs", index)),
            data=self.stored[index] if constant else None,
            variable=operand.role == "state",
        )

    def fed_indices(self) -> list[int]:
        return [i for i, operand in enumerate(self.form.inputs) if operand.role == "data"]

    def fed(self) -> list[Array]:
        return [self.stored[i] for i in self.fed_indices()]

    def real(self, index: int) -> Array:
        """Real values of an input as its parameters declare them."""
        operand = self.form.inputs[index]
        if operand.role == "state":
            return np.zeros(operand.shape)
        integers = self.stored[index]
        quant = self.quants.get(("inputs", index))
        return integers if quant is None else dequantize(integers, quant)

    def expected(self) -> list[Array]:
        """Real values of the outputs, before clipping to the output tensors' ranges."""
        present = [i for i, o in enumerate(self.form.inputs) if o.role != "absent"]
        with np.errstate(all="ignore"):
            result = self.form.reference(*(self.real(i) for i in present))
        outputs = result if isinstance(result, list | tuple) else [result]
        return [np.asarray(value) for value in outputs]

    def faults(self, outputs: Sequence[Array], slack: float = 0.0) -> list[str]:
        """Faults of these output integers; empty if the case is satisfied. `slack`: additional
        tolerance in steps.
        """
        found = []
        for i, (given, wanted) in enumerate(zip(outputs, self.expected(), strict=True)):
            quant = self.quants.get(("outputs", i))
            fault = _plain_fault(given, wanted) if quant is None else ""
            if quant is not None:
                fault = self._fault(given, wanted, quant, slack)
            if fault:
                found.append(f"{self.name} outputs[{i}]: {fault}")
        return found

    def _fault(self, given: Array, wanted: Array, quant: Quant, slack: float) -> str:
        if given.shape != wanted.shape:
            return f"shape {given.shape}, expected {wanted.shape}"
        label = Label(quant.scale[0], quant.zero_point[0])
        reach = label_range(label, self.type)
        off = np.abs(dequantize(given, quant) - np.clip(wanted, reach.low, reach.high))
        steps = float(off.max(initial=0.0)) / label.scale
        # A difference of up to half a step is rounding.
        return "" if steps <= self.form.tolerance + slack + 0.51 else f"off by {steps:.2f} steps"


def _plain_fault(given: Array, wanted: Array) -> str:
    if given.shape != wanted.shape:
        return f"shape {given.shape}, expected {wanted.shape}"
    judged = ~np.isnan(wanted.astype(float))
    close = np.isclose(given.astype(float), wanted.astype(float), rtol=1e-6, atol=1e-6)
    return "" if bool(np.all(close[judged])) else "values differ"


def dequantize(integers: Array, quant: Quant) -> Array:
    shape = [1] * integers.ndim
    if len(quant.scale) > 1:
        shape[quant.axis] = -1
    scale = np.asarray(quant.scale).reshape(shape) if shape else quant.scale[0]
    point = np.asarray(quant.zero_point).reshape(shape) if shape else quant.zero_point[0]
    result: Array = (integers.astype(np.float64) - point) * scale
    return result


def case_types(name: str) -> tuple[str, ...]:
    """Types with a case; empty if the operator has no maker."""
    return MAKERS[name].types if name in MAKERS else ()


def keys_of(pattern: SlotPattern, form: Form) -> list[Key]:
    count = len(form.inputs) if pattern.kind == "inputs" else len(form.outputs)
    return [(pattern.kind, i) for i in pattern.select(count)] if count else []


def holds_beside(rule: Rule, form: Form, type_name: str) -> bool:
    """Whether the inputs that the rule's `beside` names have the types that it requires."""
    inputs = [operand.type or type_name for operand in form.inputs]
    outputs = [made.type or type_name for made in form.outputs]
    return all(
        (inputs if pattern.kind == "inputs" else outputs)[pattern.start] in wanted
        for pattern, wanted in rule.where
    )


def merged(groups: Iterable[list[Key]]) -> list[list[Key]]:
    """Groups with a common slot merged into one."""
    result: list[list[Key]] = []
    for group in groups:
        apart = [other for other in result if not set(other) & set(group)]
        joined = [key for other in result if other not in apart for key in other]
        result = [*apart, list(dict.fromkeys(joined + group))]
    return result


class _Labels:
    """Gives every slot parameters that fulfil the rules of a row."""

    def __init__(self, row: OperatorRow, type_name: str, form: Form) -> None:
        self.row, self.type, self.form = row, type_name, form
        self.quants: dict[Key, Quant] = {}
        rules = [r for r in row.rules if type_name in r.types or isinstance(r, BiasRule)]
        rules = [r for r in rules if holds_beside(r, form, type_name)]
        self.zero = {
            key
            for rule in rules
            if isinstance(rule, ZeroPointRule)
            for pattern in rule.slots
            for key in keys_of(pattern, form)
        }
        self.groups = merged(
            [key for pattern in rule.slots for key in keys_of(pattern, form)]
            for rule in rules
            if isinstance(rule, SameRule)
        )
        self.fixed = {
            keys_of(rule.slot, form)[0]: rule.labels[type_name][0]
            for rule in rules
            if isinstance(rule, FixedRule)
        }
        self.bias = [rule for rule in rules if isinstance(rule, BiasRule)]

    def inputs(self) -> None:
        for index, operand in enumerate(self.form.inputs):
            key: Key = ("inputs", index)
            if operand.role in ("plain", "bias", "absent"):
                continue
            self.quants[key] = self._tied(key) or self._own(key, operand)

    def _own(self, key: Key, operand: Operand) -> Quant:
        kind = operand.type or self.type
        if operand.role == "weight" and operand.axis is not None:
            count = operand.shape[operand.axis]
            scales = tuple(float(np.float32(0.004 * (1 + c / 4))) for c in range(count))
            return Quant(scale=scales, zero_point=(0,) * count, axis=operand.axis)
        symmetric = key in self.zero or operand.role in ("weight", "state")
        span = self._span(key, operand)
        if kind == "uint8" and symmetric:
            return Quant(scale=(float(np.float32(span.high / 255)),), zero_point=(0,))
        label = covering_label(span, kind, symmetric=symmetric)
        return Quant(scale=(label.scale,), zero_point=(label.zero_point,))

    def _span(self, key: Key, operand: Operand) -> Range:
        """The values to represent: the slot's own, and those of tied inputs."""
        spans = [Range(*operand.span)]
        for group in self.groups:
            if key in group:
                spans += [Range(*self.form.inputs[i].span) for kind, i in group if kind == "inputs"]
        return Range(min(s.low for s in spans), max(s.high for s in spans))

    def _tied(self, key: Key) -> Quant | None:
        """The parameters of a slot that shares them with this one, if already set."""
        for group in self.groups:
            if key in group:
                for other in group:
                    if other in self.quants:
                        return self.quants[other]
        return None

    def biases(self) -> None:
        for rule in self.bias:
            for key in keys_of(rule.slot, self.form):
                factors = [self.quants[k] for p in rule.factors for k in keys_of(p, self.form)]
                scales = np.float64(rule.multiplier) * np.ones(1)
                for quant in factors:
                    scales = scales * np.asarray(quant.scale)
                rounded = tuple(float(np.float32(s)) for s in scales)
                self.quants[key] = Quant(scale=rounded, zero_point=(0,) * len(rounded))

    def outputs(self, reals: Sequence[Array]) -> None:
        """Set the outputs' parameters: fixed and tied ones, or else a range that covers the real
        values `reals`.
        """
        for index, made in enumerate(self.form.outputs):
            key: Key = ("outputs", index)
            if made.type:
                continue
            label = self.fixed.get(key)
            if label is not None:
                self.quants[key] = Quant(scale=(label.scale,), zero_point=(label.zero_point,))
                continue
            self.quants[key] = self._tied(key) or self._covering(key, reals[index])

    def _covering(self, key: Key, values: Array) -> Quant:
        reach = Range(float(values.min()), float(values.max()))
        label = covering_label(reach, self.type, symmetric=key in self.zero)
        return Quant(scale=(label.scale,), zero_point=(label.zero_point,))


def satisfied(row: OperatorRow, type_name: str) -> Case:
    """A case of the operator in which every rule of the row is satisfied. `type_name`: activation
    type.
    """
    form = MAKERS[row.name].make(type_name)
    random = np.random.default_rng(zlib.crc32(f"{row.name} {type_name}".encode()))
    labels = _Labels(row, type_name, form)
    labels.inputs()
    labels.biases()
    case = Case(
        name=f"{row.name}-{type_name}",
        operator=row.name,
        type=type_name,
        form=form,
        quants=labels.quants,
        stored={
            i: _integers(random, operand, labels.quants.get(("inputs", i)), type_name)
            for i, operand in enumerate(form.inputs)
        },
    )
    labels.outputs(case.expected())
    return replace(case, quants=labels.quants)


def _integers(
    random: np.random.Generator, operand: Operand, quant: Quant | None, type_name: str
) -> Array:
    if operand.values is not None or quant is None:
        return operand.values if operand.values is not None else np.zeros(operand.shape)
    kind = operand.type or type_name
    limits = type_limits(kind)
    assert limits is not None
    low, high = (limits[0], limits[1]) if kind != "int8" else (-127, 127)
    if kind in ("int32", "int64"):
        low, high = -(2**31) + 1, 2**31 - 1
    bounds = [
        int(np.clip(edge / max(quant.scale) + quant.zero_point[0], low, high))
        for edge in operand.span
    ]
    drawn = random.integers(min(bounds), max(bounds), size=operand.shape, endpoint=True)
    return np.asarray(drawn, dtype=kind)
