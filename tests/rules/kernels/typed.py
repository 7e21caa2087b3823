"""One operator with any types of operands, and whether a runtime's outputs are right.

`bases` gives the well-formed models of an operator, one for each activation type. `varied` gives
models that differ from a base in the type of one operand, or that lack one. Right is the operator's
function of real values, for any types; real values follow from the parameters.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tests.rules.kernels.stored import stored
from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.cases import Case, dequantize, satisfied
from tests.rules.operators.operands import Array, Form, Operand, Output
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.numerics import (
    Label,
    Range,
    covering_label,
    int4_unpack,
    label_range,
    type_limits,
)
from tflite_align.record import Record, replace
from tflite_align.rules.operator_rows import load_operators

__all__ = [
    "ABSENT",
    "LEFT_OUT",
    "OTHERS",
    "QUANTIZED",
    "TYPES",
    "TypedCase",
    "TypedSlot",
    "bases",
    "filled",
]

TYPES = (
    "int4",
    "int8",
    "uint8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "bool",
)
ABSENT, LEFT_OUT = "-", "~"
OTHERS = ("complex64", "resource", "string", "uint32")  # values that no other type can represent
UNDRAWN = ("resource", "string")

QUANTIZED = ("int4", "int8", "uint8", "int16")
_SPAN = (-4.0, 4.0)
# Parameters with which the whole numbers of this range are represented exactly.
_WHOLE = {
    "int4": Quant(scale=(1.0,), zero_point=(0,)),
    "int8": Quant(scale=(0.0625,), zero_point=(3,)),
    "uint8": Quant(scale=(0.0625,), zero_point=(121,)),
    "int16": Quant(scale=(0.0625,), zero_point=(0,)),
}
_HYBRID = 0.04  # share of the largest output; some float kernels quantize their activations
_FLOAT = 2e-3
_SHARE = 0.02  # share of the output's range; wrong results are off by much more


class TypedSlot(Record, frozen=True, kw_only=True):
    """One operand or output.

    `type` ABSENT: left out; `values`: the stored or fed integers; `real`: their real values.
    """

    type: str
    shape: tuple[int, ...]
    role: str = "data"
    quant: Quant | None = None
    values: Array | None = None
    span: tuple[float, float] = _SPAN
    whole: bool = False  # parameters, if it has some, represent whole numbers exactly

    def real(self) -> Array:
        """Real values; a state is zeros before the first run, as runtimes start it."""
        if self.type in (ABSENT, LEFT_OUT) or self.values is None or self.role == "state":
            return np.zeros(self.shape)
        return self.values if self.quant is None else dequantize(self.values, self.quant)


class TypedCase(Record, frozen=True, kw_only=True):
    """An operator with a type for every operand; `signature` names them, `>` before outputs."""

    name: str
    operator: str
    form: Form
    inputs: tuple[TypedSlot, ...]
    outputs: tuple[TypedSlot, ...]

    @property
    def signature(self) -> str:
        """`int8 int8 - > int8`; operands that are left out at the end are not named."""
        given = [slot.type for slot in self.inputs if slot.type != LEFT_OUT]
        return " ".join([*given, ">", *(slot.type for slot in self.outputs)])

    def model(self) -> bytes:
        given = [slot for slot in self.inputs if slot.type != LEFT_OUT]
        tensors = [
            TensorSpec(
                name=f"i{i}",
                type="" if slot.type == ABSENT else slot.type,
                shape=slot.shape,
                quant=slot.quant,
                data=slot.values if slot.role not in ("data", "state") else None,
                variable=slot.role == "state",
            )
            for i, slot in enumerate(given)
        ]
        tensors += [
            TensorSpec(name=f"o{i}", type=slot.type, shape=slot.shape, quant=slot.quant)
            for i, slot in enumerate(self.outputs)
        ]
        names = [spec.name for spec in tensors]
        operator = OperatorSpec(
            name=self.operator,
            inputs=names[: len(given)],
            outputs=names[len(given) :],
            options=self.form.options,
            version=self.form.version,
        )
        fed = [f"i{i}" for i in self._fed()]
        outputs = names[len(given) :]
        return model_bytes(
            [GraphSpec(tensors=tensors, operators=[operator], inputs=fed, outputs=outputs)]
        )

    def _fed(self) -> list[int]:
        return [
            i
            for i, slot in enumerate(self.inputs)
            if slot.role == "data" and slot.type not in (ABSENT, LEFT_OUT)
        ]

    def fed(self) -> list[Array]:
        return [np.asarray(self.inputs[i].values) for i in self._fed()]

    def expected(self) -> list[Array]:
        """Real values of the outputs. For a form that hands integers on: these integers."""
        roles = [operand.role for operand in self.form.inputs]
        present = [slot for slot, role in zip(self.inputs, roles, strict=True) if role != "absent"]
        if self.form.raw:
            return [np.asarray(present[0].values)]
        with np.errstate(all="ignore"):
            result = self.form.reference(*(slot.real() for slot in present))
        outputs = result if isinstance(result, list | tuple) else [result]
        return [np.asarray(value) for value in outputs]

    def right(self, outputs: Sequence[Array]) -> bool:
        """Whether these outputs are the operator's function, as precisely as their types allow."""
        if self.form.runs_only:
            return True
        try:
            wanted = self.expected()
        except (TypeError, ValueError, IndexError, np.exceptions.AxisError):
            return False
        if len(outputs) != len(self.outputs):
            return False
        if not (self.form.raw or self.operator == "QUANTIZE") and "int4" in {
            slot.type for slot in self.outputs
        }:
            return False  # LiteRT returns it as int8, whatever the kernel wrote
        with np.errstate(all="ignore"):  # a kernel may write anything
            return all(
                self._near(slot, given, value)
                for slot, given, value in zip(self.outputs, outputs, wanted, strict=True)
            )

    def _near(self, slot: TypedSlot, given: Array, wanted: Array) -> bool:
        given = _unpacked(given, slot)
        if given.shape != wanted.shape or not _typed(given, slot):
            return False
        if self.form.raw:
            return _as_stored(given, wanted, slot.type)
        if wanted.dtype == object:
            return [bytes(word) for word in given.flat] == [bytes(word) for word in wanted.flat]
        if np.iscomplexobj(given):
            return bool(np.allclose(given, wanted, atol=1e-3))
        value = wanted.astype(np.float64)
        judged = np.isfinite(value)
        if slot.quant is None:
            step = 1.0 if slot.type in ("int32", "int64", "int8", "uint8", "int16") else 0.0
            hybrid = any(one.quant is not None for one in self.inputs)
            least = step + (_HYBRID if hybrid else _FLOAT) * max(
                1.0, float(np.abs(value[judged]).max(initial=0.0))
            )
            return bool(np.all(np.abs(given.astype(np.float64) - value)[judged] <= least))
        reach = label_range(Label(slot.quant.scale[0], slot.quant.zero_point[0]), slot.type)
        real = dequantize(given, slot.quant)
        off = np.abs(real - np.clip(value, reach.low, reach.high))[judged]
        steps = max(
            self.form.tolerance + 0.51, _SHARE * (reach.high - reach.low) / slot.quant.scale[0]
        )
        return float(off.max(initial=0.0)) <= steps * slot.quant.scale[0]


def _as_stored(given: Array, wanted: Array, kind: str) -> bool:
    """Whether a kernel that copies values without parameters copied them; values outside the output
    type may have any result. `given`, `wanted`: computed and expected values; `kind`: the type.
    """
    if np.iscomplexobj(wanted) and not kind.startswith("complex"):
        wanted = wanted.real
    low, high = type_limits(kind) or (-np.inf, np.inf)
    holds = np.iscomplexobj(wanted) | ((wanted >= low) & (wanted <= high))
    numbers = wanted.astype("int8" if kind == "int4" else kind)
    return bool(np.all(np.isclose(given, numbers, rtol=_FLOAT) | ~holds))


def _typed(given: Array, slot: TypedSlot) -> bool:
    """Whether the runtime's output `given` has the type that the file declares."""
    if slot.type in ("int4", "string"):
        return True
    return given.dtype == np.dtype(slot.type)


def _unpacked(given: Array, slot: TypedSlot) -> Array:
    if slot.type != "int4" or given.size == np.prod(slot.shape):
        return given
    return int4_unpack(given.tobytes())[: int(np.prod(slot.shape))].reshape(slot.shape)


# --- bases ---------------------------------------------------------------------------------------


def bases(operator: str) -> Iterator[TypedCase]:
    """The operator with each type for its activations, weights and biases as the kernels of that
    type have them.
    """
    made = MAKERS[operator]
    form = made.make((*made.types, *made.plain)[0])
    if form.operators or form.subgraphs:
        return  # an operator that cannot stand alone: its types are those of other operators
    whole = any(operand.whole for operand in form.inputs)
    for kind in made.types if not whole else ():
        if operator in load_operators():
            yield _of_case(satisfied(load_operators()[operator], kind))
    for kind in dict.fromkeys((*made.plain, *TYPES)):
        if whole or kind not in made.types:
            yield _plain(operator, kind)


def _of_case(case: Case) -> TypedCase:
    inputs = tuple(
        TypedSlot(
            type=ABSENT if operand.role == "absent" else case.operand_type(i),
            shape=operand.shape,
            role=operand.role,
            quant=case.quants.get(("inputs", i)),
            values=None if operand.role == "absent" else case.stored[i],
            span=operand.span,
        )
        for i, operand in enumerate(case.form.inputs)
    )
    outputs = tuple(
        TypedSlot(
            type=made.type or case.type,
            shape=made.shape,
            role="output",
            quant=case.quants.get(("outputs", i)),
            values=None,
            span=_reach(value),
        )
        for i, (made, value) in enumerate(zip(case.form.outputs, case.expected(), strict=True))
    )
    return TypedCase(
        name=case.name, operator=case.operator, form=case.form, inputs=inputs, outputs=outputs
    )


def _reach(value: Array) -> tuple[float, float]:
    if value.dtype == object or np.iscomplexobj(value):
        return _SPAN
    finite = np.asarray(value, np.float64)[np.isfinite(np.asarray(value, np.float64))]
    if not finite.size:
        return _SPAN
    return float(min(finite.min(), 0.0)), float(max(finite.max(), 0.0))


def _plain(operator: str, kind: str) -> TypedCase:
    """The case with the type `kind` for every operand without a fixed type, with parameters where
    the type needs some.
    """
    made_for = (*MAKERS[operator].types, *MAKERS[operator].plain)
    form = MAKERS[operator].make(kind if kind in made_for else made_for[0])
    random = np.random.default_rng(zlib.crc32(f"{operator} {kind}".encode()))
    inputs = tuple(_operand(random, operand, kind) for operand in form.inputs)
    made = TypedCase(
        name=f"{operator}-{kind}", operator=operator, form=form, inputs=inputs, outputs=()
    )
    outputs = tuple(
        _output(one, kind, value) for one, value in zip(form.outputs, _reals(made), strict=True)
    )
    made = replace(made, outputs=outputs)
    whole = any(operand.whole for operand in form.inputs)
    return _of_one_label(made) if kind in QUANTIZED and not whole else made


def _of_one_label(made: TypedCase) -> TypedCase:
    """The case with equal parameters for activations and outputs, as kernels that copy integers
    require.
    """
    roles = ("data", "constant", "output")
    slots = (*made.inputs, *made.outputs)
    shared = [slot for slot in slots if slot.role in roles and slot.quant is not None]
    if not shared:
        return made
    low, high = min(slot.span[0] for slot in shared), max(slot.span[1] for slot in shared)

    def same(slot: TypedSlot) -> TypedSlot:
        if slot.role not in roles or slot.quant is None:
            return slot
        reals = None if slot.values is None else slot.real()
        return filled(replace(slot, quant=None, span=(low, high)), reals)

    return replace(
        made, inputs=tuple(map(same, made.inputs)), outputs=tuple(map(same, made.outputs))
    )


def _reals(made: TypedCase) -> list[Array | None]:
    try:
        found: list[Array | None] = [*made.expected()]
    except (TypeError, ValueError, IndexError, np.exceptions.AxisError):
        found = []
    return found if len(found) == len(made.form.outputs) else [None] * len(made.form.outputs)


def _operand(random: np.random.Generator, operand: Operand, kind: str) -> TypedSlot:
    if operand.role == "absent":
        return TypedSlot(type=ABSENT, shape=operand.shape, role=operand.role)
    follows = operand.role in ("weight", "bias") or not operand.type
    own = kind if follows else operand.type
    slot = TypedSlot(
        type=own, shape=operand.shape, role=operand.role, span=operand.span, whole=operand.whole
    )
    if operand.values is not None or own in UNDRAWN:
        return replace(slot, values=operand.values)
    reals = random.uniform(*operand.span, size=operand.shape)
    if operand.whole:
        reals = np.rint(reals)
        reals.flat[::3] = 1.0  # where two such operands are equal
    return filled(slot, reals)


def _output(one: Output, kind: str, value: Array | None) -> TypedSlot:
    span = _SPAN if value is None else _reach(value)
    slot = TypedSlot(type=one.type or kind, shape=one.shape, role="output", span=span)
    return slot if one.type else filled(slot, None)


def filled(slot: TypedSlot, reals: Array | None) -> TypedSlot:
    """The slot with parameters, where its type needs some, and the integers of these reals."""
    quant = slot.quant
    if slot.whole and slot.type in QUANTIZED and quant is None:
        quant = _WHOLE[slot.type]
    elif slot.type in QUANTIZED and quant is None:
        symmetric = slot.role in ("weight", "bias", "state")
        label = covering_label(Range(*slot.span), slot.type, symmetric=symmetric)
        quant = Quant(scale=(label.scale,), zero_point=(label.zero_point,))
    elif slot.type not in QUANTIZED and slot.type not in ("int32", "int64"):
        quant = None
    if reals is None:
        return replace(slot, quant=quant)
    return replace(slot, quant=quant, values=stored(reals, slot.type, quant))
