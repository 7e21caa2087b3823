"""The models that differ from a well-formed one in the type of one operand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.rules.kernels.stored import stored
from tests.rules.kernels.typed import (
    ABSENT,
    LEFT_OUT,
    OTHERS,
    QUANTIZED,
    TYPES,
    TypedCase,
    TypedSlot,
    filled,
)
from tests.rules.operators.operands import Form
from tests.support.models import Quant
from tflite_align.format.enums import type_code
from tflite_align.numerics import Range, covering_label
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import BiasRule, FixedRule

__all__ = ["MANY_INPUTS", "of_other_types", "varied"]

# Operators with any number of operands: leaving one out gives a model that is well formed, too.
MANY_INPUTS = frozenset({"ADD_N", "CONCATENATION", "PACK"})
# Operand -> type, for operands whose types TFLM's kernels accept only together. LiteRT reads and
# writes such a state as int16, beyond its end: the result is undefined.
_TOGETHER = {"SVDF": {2: "int8", 4: "int8"}}  # time weights and state


def of_other_types(base: TypedCase) -> Iterator[TypedCase]:
    """The base with other types for operands that must share one; these are well formed, too."""
    together = _TOGETHER.get(base.operator, {})
    if together and all(base.inputs[place].type in QUANTIZED for place in together):
        inputs = tuple(
            _changed(slot, together[place]) if place in together else slot
            for place, slot in enumerate(base.inputs)
        )
        words = "-".join(dict.fromkeys(together.values()))
        yield _with_bias_scale(replace(base, name=f"{base.name}-with-{words}", inputs=inputs))


def varied(base: TypedCase) -> Iterator[TypedCase]:
    """The base with each operand in every other type or left out, and with each output in every
    other type. States are unchanged, because kernels read their memory as their own type.
    """
    for place, slot in enumerate(base.inputs):
        kinds = (*TYPES, ABSENT) if slot.type not in OTHERS and slot.role != "state" else ()
        last = place == len(base.inputs) - 1 and base.operator not in MANY_INPUTS
        for kind in (*kinds, *((LEFT_OUT,) if last else ())):
            if kind != slot.type:
                changed = _changed(slot, kind)
                inputs = (*base.inputs[:place], changed, *base.inputs[place + 1 :])
                made = replace(base, name=f"{base.name}-i{place}-{kind}", inputs=inputs)
                yield _with_bias_scale(made)
                others = {
                    "zero": _around_zero(changed),
                    "constant": _as_weight(changed),
                    "channels": _a_scale_a_channel(changed, base.form.inputs[place].axis),
                }
                for word, other in others.items():
                    if other is not None:
                        inputs = (*base.inputs[:place], other, *base.inputs[place + 1 :])
                        named = replace(made, name=f"{made.name}-{word}", inputs=inputs)
                        yield _with_bias_scale(named)
    for place, slot in enumerate(base.outputs):
        for kind in TYPES if slot.type not in OTHERS else ():
            if kind != slot.type:
                for number, changed in enumerate(_outputs(base, slot, kind)):
                    outputs = (*base.outputs[:place], changed, *base.outputs[place + 1 :])
                    form = _stating(base.form, place, kind)
                    name = f"{base.name}-o{place}-{kind}" + (f"-{number}" if number else "")
                    yield replace(base, name=name, outputs=outputs, form=form)


# Option that states an output's type -> that output's position.
_STATED = {
    "ArgMaxOptions": ("outputType", 0),
    "ArgMinOptions": ("outputType", 0),
    "CastOptions": ("outDataType", 0),
    "ShapeOptions": ("outType", 0),
    "UniqueOptions": ("idxOutType", 1),
}


def _stating(form: Form, place: int, kind: str) -> Form:
    """The form with the output's type in its options, if it has such an option."""
    table, options = form.options or ("", {})
    option, stated = _STATED.get(table, ("", -1))
    if stated != place:
        return form
    return replace(form, options=(table, {**options, option: type_code(kind)}))


def _with_bias_scale(case: TypedCase) -> TypedCase:
    """The case with the bias re-expressed in the present product of input scale and weight scale."""
    row = load_operators().get(case.operator)
    for rule in row.rules if row is not None else ():
        if not isinstance(rule, BiasRule):
            continue
        (place,) = rule.slot.select(len(case.inputs)) or (None,)
        places = [i for pattern in rule.factors for i in pattern.select(len(case.inputs))]
        if place is None or place in places or case.inputs[place].quant is None:
            continue
        quants = [case.inputs[i].quant for i in places]
        if None in quants:
            continue
        scales = np.float64(rule.multiplier) * np.ones(1)
        for quant in quants:
            assert quant is not None
            scales = scales * np.asarray(quant.scale)
        scale = tuple(float(np.float32(value)) for value in scales)
        given = case.inputs[place]
        quant = Quant(scale=scale, zero_point=(0,) * len(scale))
        bias = filled(replace(given, quant=quant), given.real())
        inputs = (*case.inputs[:place], bias, *case.inputs[place + 1 :])
        return replace(case, inputs=inputs)
    return case


def _around_zero(slot: TypedSlot) -> TypedSlot | None:
    """The operand with zero point 0, which some kernels assume; None if it has that already."""
    if slot.type not in ("int4", "int8") or slot.quant is None or not any(slot.quant.zero_point):
        return None
    label = covering_label(Range(*slot.span), slot.type, symmetric=True)
    # Operands of comparisons keep the scale for whole numbers, so that some values are equal.
    scale = slot.quant.scale if slot.whole else (label.scale,)
    quant = Quant(scale=scale, zero_point=(0,))
    return filled(replace(slot, quant=quant), slot.real())


def _as_weight(slot: TypedSlot) -> TypedSlot | None:
    """The computed int8 operand made a constant with zero point 0: integer weights of float
    activations.
    """
    around = _around_zero(slot) if slot.type == "int8" and slot.role == "data" else None
    return None if around is None else replace(around, role="constant")


def _a_scale_a_channel(slot: TypedSlot, axis: int | None) -> TypedSlot | None:
    """The weights with one scale per channel, all equal; some kernels require several scales."""
    if slot.role != "weight" or slot.quant is None or axis is None or len(slot.quant.scale) != 1:
        return None
    count = slot.shape[axis]
    scale, zero = slot.quant.scale * count, slot.quant.zero_point * count
    return replace(slot, quant=Quant(scale=scale, zero_point=zero, axis=axis))


def _changed(slot: TypedSlot, kind: str) -> TypedSlot:
    """The same real values in another type, as precisely as possible."""
    if kind in (ABSENT, LEFT_OUT):
        return replace(slot, type=kind, quant=None)
    if slot.type == ABSENT:
        return filled(replace(slot, type=kind, role="constant", quant=None), np.zeros(slot.shape))
    role = "constant" if kind == "int4" and slot.role == "data" else slot.role
    if slot.role == "plain":
        return replace(slot, type=kind, values=stored(np.asarray(slot.values), kind, None))
    keeps = slot.quant is not None and kind in ("int32", "int64")
    quant = slot.quant if keeps or (slot.role == "bias" and kind in QUANTIZED) else None
    real = slot.real() if slot.values is not None else np.zeros(slot.shape)
    return filled(replace(slot, type=kind, role=role, quant=quant), real)


def _outputs(base: TypedCase, slot: TypedSlot, kind: str) -> Iterator[TypedSlot]:
    """The output in type `kind`: with parameters that cover its values, and with those that a
    kernel fixes.
    """
    keeps = slot.quant is not None and kind in ("int32", "int64")
    bare = replace(slot, type=kind, quant=None)
    if keeps:
        label = covering_label(Range(*slot.span), "int16")
        yield replace(bare, quant=Quant(scale=(label.scale,), zero_point=(0,)))
        return
    yield filled(bare, None)
    row = load_operators().get(base.operator)
    for rule in row.rules if row is not None and kind in QUANTIZED else ():
        if isinstance(rule, FixedRule) and kind in rule.labels:
            for label in rule.labels[kind]:
                quant = Quant(scale=(label.scale,), zero_point=(label.zero_point,))
                yield replace(bare, quant=quant)
            if kind == "int16":
                yield replace(bare, quant=Quant(scale=(2.0**-16,), zero_point=(-32768,)))
