"""Satisfied cases with one rule violated, at one slot and in one way at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.rules.operators.cases import Case, Key, holds_beside, keys_of, merged, satisfied
from tests.support.models import Quant
from tflite_align.record import replace
from tflite_align.rules.rows import (
    BiasRule,
    FixedRule,
    OperatorRow,
    Rule,
    SameRule,
    SlotPattern,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)

__all__ = ["rule_type", "violated"]

_Mutant = tuple[Key, str, dict[Key, Quant]]  # (slot, what was done, the slots' new parameters)


def violated(row: OperatorRow, rule: Rule, type_name: str) -> Iterator[Case]:
    """Cases that violate `rule`; none if the rule does not apply to this type."""
    case = satisfied(row, type_name)
    if not holds_beside(rule, case.form, type_name):
        return
    for (kind, index), word, quants in _mutants(case, row, rule):
        yield replace(
            case,
            name=f"{case.name}-{rule.id.replace('/', '.')}-{kind}{index}-{word}",
            quants={**case.quants, **quants},
        )


def _mutants(case: Case, row: OperatorRow, rule: Rule) -> Iterator[_Mutant]:
    match rule:
        case SameRule(slots=slots) if case.type in rule.types:
            for key in _present(case, slots):
                yield key, "scale", {key: _doubled(case.quants[key])}
                if case.type != "int16":  # the zero point there is subject to another rule
                    yield key, "zero_point", {key: _shifted(case, key)}
        case FixedRule(slot=slot) if case.type in rule.types:
            for key in _present(case, (slot,)):
                if rule.held != "zero_point":
                    yield key, "scale", {key: _doubled(case.quants[key])}
                if rule.held != "scale":
                    yield key, "zero_point", {key: _shifted(case, key)}
        case ZeroPointRule(slots=slots):
            yield from _off_zero(case, row, rule, slots)
        case BiasRule(slot=slot) if case.operand_type(rule.factors[0].start) in rule.types:
            for key in _present(case, (slot,)):
                if rule.compared or rule.unscaled:
                    continue  # biases of zeros or without a scale: tests/rules/test_unscaled_biases.py
                if rule.counted:
                    yield key, "count", _miscounted(case, rule, key)
                    continue
                yield key, "scale", {key: _doubled(case.quants[key])}
                yield key, "zero_point", {key: _heavy(case.quants[key])}
        case WeightRule(slot=slot):
            for key in _present(case, (slot,)):
                yield from _broken_weight(case, rule, key)
        # Windows of fused activations: tests/rules/measured/zeros.py.
        case WindowRule() if case.type in rule.types and not rule.fused:
            for key in _present(case, rule.denominator):
                yield key, "window", {key: _outside(case, rule, key)}
        case _:
            return


def _present(case: Case, patterns: Sequence[SlotPattern]) -> list[Key]:
    return [
        key for pattern in patterns for key in keys_of(pattern, case.form) if key in case.quants
    ]


def _doubled(quant: Quant) -> Quant:
    return replace(quant, scale=tuple(float(np.float32(s * 2)) for s in quant.scale))


def _shifted(case: Case, key: Key) -> Quant:
    """The parameters with a zero point nearer to the middle of the type, so much that results
    change.
    """
    quant = case.quants[key]
    step = 1000 if case.slot_type(key) == "int16" else 10
    sign = -1 if quant.zero_point[0] > 0 else 1
    return replace(quant, zero_point=tuple(z + sign * step for z in quant.zero_point))


def _heavy(quant: Quant) -> Quant:
    """The bias parameters with a zero point that is worth 0.5 in real values."""
    points = tuple(int(min(round(0.5 / s), 2**30)) for s in quant.scale)
    return replace(quant, zero_point=points)


def _miscounted(case: Case, rule: BiasRule, key: Key) -> dict[Key, Quant]:
    """The wrong number of scales: equal ones for each channel in place of one, or one too many."""
    weights = keys_of(rule.factors[-1], case.form)[0]
    bias, held = case.quants[key], case.quants[weights]
    count = case.form.inputs[key[1]].shape[0]
    if len(held.scale) == 1:
        return {key: Quant(scale=bias.scale * count, zero_point=(0,) * count)}
    alike = replace(held, scale=held.scale[:1] * len(held.scale))
    return {key: Quant(scale=bias.scale[:1], zero_point=(0,)), weights: alike}


def _off_zero(
    case: Case, row: OperatorRow, rule: ZeroPointRule, slots: Sequence[SlotPattern]
) -> Iterator[_Mutant]:
    """Mutants with another zero point at one slot and at the slots that share its parameters."""
    groups = merged(
        _present(case, other.slots)
        for other in row.rules
        if isinstance(other, SameRule) and case.type in other.types
    )
    seen: set[Key] = set()
    for key in _present(case, slots):
        if key in seen or case.slot_type(key) not in rule.types:
            continue
        together = next((group for group in groups if key in group), [key])
        seen.update(together)
        yield key, "zero_point", {other: _shifted(case, other) for other in together}


def _broken_weight(case: Case, rule: WeightRule, key: Key) -> Iterator[_Mutant]:
    quant = case.quants[key]
    kind = case.slot_type(key)
    if kind not in rule.types or case.form.inputs[key[1]].role not in ("weight", "constant"):
        return
    if rule.scales == "several" and len(quant.scale) == 1 and rule.axis is not None:
        quant = _along(quant, rule.axis, case.form.inputs[key[1]].shape[rule.axis])
    if rule.symmetric:
        points = (5000 if kind == "int16" else 20,) * len(quant.zero_point)
        yield key, "zero_point", {key: replace(quant, zero_point=points)}
    elif rule.minimum is None:
        shape = case.form.inputs[key[1]].shape
        axes = [i for i, size in enumerate(shape) if i != rule.axis and size > 1]
        if axes:
            yield key, "axis", {key: _along(quant, axes[-1], shape[axes[-1]])}


def _along(quant: Quant, axis: int, count: int) -> Quant:
    scales = tuple(float(np.float32(quant.scale[0] * (1 + c / 8))) for c in range(count))
    return Quant(scale=scales, zero_point=(quant.zero_point[0],) * count, axis=axis)


def _outside(case: Case, rule: WindowRule, key: Key) -> Quant:
    """The parameters with a scale for which the rule's ratio is 16 times its upper limit."""
    tops = [max(case.quants[k].scale) for k in _present(case, rule.numerator)]
    most = max(tops, default=1.0)
    top = {"maximum": most, "square": most**2}.get(rule.form, float(np.prod(tops)))
    scale = float(np.float32(top * rule.multiplier / (16 * rule.high)))
    return replace(case.quants[key], scale=(scale,))


def rule_type(case: Case, rule: Rule) -> str:
    """The type by which a target grades this rule in this case."""
    match rule:
        case WeightRule(slot=slot):
            return case.operand_type(slot.start)
        case BiasRule(factors=factors):
            return case.operand_type(factors[0].start)
        case ZeroPointRule(slots=slots):
            kinds = {case.slot_type(key) for key in _present(case, slots)}
            return next(iter(sorted(kinds & rule.types)))
        case _:
            return case.type
