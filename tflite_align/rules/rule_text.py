"""Descriptions of rules: one sentence for listings, reports and documentation.

Names of slots, options and types are in backticks, as in Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ..errors import nearest
from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import Label
from .operator_rows import RULE_KINDS, load_operators
from .rows import (
    BiasRule,
    FixedRule,
    PowerRule,
    PresentRule,
    Rule,
    SameRule,
    SlotPattern,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)
from .wildcards import matches

__all__ = [
    "GENERAL",
    "KINDS",
    "UNGRADED",
    "general_start",
    "kinds",
    "nearest_rule",
    "number",
    "rule_words",
    "slots",
]

# What rules require that belong to no operator's row, by the beginning of their ids.
GENERAL = {
    "params/scale": "scales are positive, finite float32 values",
    "params/range": "an output's range contains values that its operator can write",
    "params/steps": "the range of an operand of CONCATENATION or PACK is at least 16 steps of the shared scale",
    "params/zero_scale": "a scale is positive, also if all values of the tensor are 0",
    "params/subnormal": "a scale is a normal float32 number: kernels treat smaller ones as 0",
    "params/zero_point/none": "a tensor with scales has zero points as well",
    "params/zero_point": "zero points are in the range of the type",
    "params/length": "a tensor has one scale, or one for each index along quantized_dimension",
    "params/channels": "an operand has at most one scale if kernels read only one",
    "params/axis": "quantized_dimension is an axis of the tensor",
    "params/missing": "an integer operand has scale and zero point if other operands have them",
    "params/none": "operands have scale and zero point if the operator computes with them",
    "params/unknown": "an integer operand that stands for real values has scale and zero point",
    "data/none": "an operand is written by an operator, holds data, or is an input of its subgraph",
    "data/variable": "a variable has no data of its own",
    "names/duplicate": "every tensor of a subgraph has a unique name",
    "minmax/stale": "a recorded min and max fit the tensor's scale and zero point",
    "shape/": "a tensor has the shape that its operator computes from its operands",
    "variable/": "a variable is assigned before it is read, and has one type",
    "boundary/": "operands of an operator that calls a subgraph share the parameters of the subgraph's inputs and outputs",
    "resource/": "all readers and writers of a variable share its parameters",
    "support/": "the target supports the operator with its options, shapes and types",
    "types/": "a kernel of the target supports these operand types together",
    "lock/": "graph inputs and outputs equal those of the lock file",
    "names/": "no two tensors of a subgraph have one name",
    "minmax/": "the recorded range is one from which the scale can be computed",
    "version/": "an operator's version is one with kernels for its operand types",
    "judge/": "the runtime or compiler accepts the file",
    "verification": "runtimes compute what the file declares, and every required judge was run",
    "unreadable": "the file can be read",
}

# The first parts of all rule ids.
KINDS = frozenset({*RULE_KINDS, *(start.partition("/")[0] for start in GENERAL)})

# Rules that no target grades come from users or judges and are shown unchanged.
UNGRADED = ("lock/", "judge/", "verification", "unreadable")


def general_start(rule_id: str) -> str:
    """The prefix of the id in GENERAL; "" if it has none."""
    return next((start for start in GENERAL if rule_id.startswith(start)), "")


def nearest_rule(pattern: str) -> str | None:
    """None if the pattern matches some rule, else a suggestion: `; did you mean 'same/ADD'?`."""
    graded = [start for start in GENERAL if start not in UNGRADED]
    rule_ids = [rule.id for row in load_operators().values() for rule in row.rules]
    general = any(pattern.startswith(start) or matches(start, pattern) for start in graded)
    if general or any(matches(rule_id, pattern) for rule_id in rule_ids):
        return None
    near = nearest(pattern, [*rule_ids, *graded] if "/" in pattern else sorted(_families()))
    return f"; did you mean {near[0]!r}?" if near else "; `rules` lists them"


def family_pattern(pattern: str) -> str:
    """`same/*` for `same`; every other pattern as it is."""
    return f"{pattern}/*" if pattern in _families() else pattern


@cache
def _families() -> frozenset[str]:
    """The families of rule ids: the parts before the first `/`."""
    ids = [*GENERAL, *(rule.id for row in load_operators().values() for rule in row.rules)]
    return frozenset(one.partition("/")[0] for one in ids if "/" in one)


def slots(patterns: Sequence[SlotPattern], joint: str = ", ") -> str:
    """Slot patterns in backticks, joined by `joint`."""
    return joint.join(f"`{pattern}`" for pattern in patterns)


def number(value: float) -> str:
    """A number in its shortest exact form: 1/256, 2^-10, 0.5."""
    if value > 0 and value.hex().startswith("0x1.0000000000000p"):
        exponent = int(value.hex().split("p")[1])
        if -8 <= exponent < 0:
            return f"1/{2**-exponent}"
        return f"{2**exponent}" if 0 <= exponent <= 10 else f"2^{exponent}"
    return f"{value:.9g}"


# FixedRule.held -> the words for the part of the parameters that the rule fixes.
_HELD = {"both": "", "scale": "the scale of ", "zero_point": "the zero point of "}


def _label(value: Label) -> str:
    """A label as text."""
    return f"({number(value.scale)}, {value.zero_point})"


def rule_words(rule: Rule) -> str:
    """The constraint as a sentence."""
    match rule:
        case SameRule(slots=tied):
            text = f"{slots(tied)} share scale and zero point"
        case FixedRule():
            text = f"`{rule.slot}` has {_HELD[rule.held]}{_fixed_labels(rule)}"
        case ZeroPointRule(slots=held):
            text = f"{slots(held)} {'has' if _single(held) else 'have'} zero point 0"
        case PowerRule(slots=held):
            text = f"{slots(held)}: the scale is a power of two"
        case WeightRule():
            text = _weight_words(rule)
        case BiasRule():
            text = _bias_words(rule)
        case PresentRule():
            how = {"either": "", "left_out": " (not left out)", "minus_one": " (not -1)"}
            text = f"`{rule.slot}` is present{how[rule.absence]}"
        case WindowRule():
            text = _window_words(rule)
        case _:
            raise TypeError(f"no words for a {type(rule).__name__}")
    return text + _conditions(rule)


def _single(patterns: Sequence[SlotPattern]) -> bool:
    """Whether the patterns name exactly one slot."""
    return len(patterns) == 1 and patterns[0].stop is not None


def _fixed_labels(rule: FixedRule) -> str:
    """The legal labels by type, as text."""
    return "; ".join(
        f"{type_name} {' or '.join(_label(label) for label in labels)}"
        for type_name, labels in rule.labels.items()
    )


def _weight_words(rule: WeightRule) -> str:
    """The sentence on a WeightRule."""
    if rule.minimum is not None:
        return f"`{rule.slot}`: no weight below {rule.minimum}"
    parts = ["zero point 0"] if rule.symmetric else []
    along = f"one per channel along axis {rule.axis}"
    parts.append("one scale" if rule.axis is None else f"one scale, or {along}")
    scope = {"any": "", "one": " (if it has one scale)", "several": " (if it has several)"}
    return f"`{rule.slot}`{scope[rule.scales]}: {', '.join(parts)}"


def _bias_words(rule: BiasRule) -> str:
    """The sentence on a BiasRule."""
    product = slots(rule.factors, " x ")
    most = number(rule.apart) if rule.apart else "0.02 output scales"
    if rule.compared:
        return f"`{rule.slot}`, if all its values are 0: scale within {most} of {product}"
    if rule.unscaled:
        return f"`{rule.slot}`, if it has no scale: {product} is at most {most}"
    if rule.counted:
        return f"`{rule.slot}`: as many scales as `{rule.factors[-1]}` has"
    factor = "" if rule.multiplier == 1.0 else f"{number(rule.multiplier)} x "
    kinds = "; ".join(f"{a}: {' or '.join(b)}" for a, b in rule.bias_types.items())
    heeded = rule.type_option and rule.heeded
    option = f" (or the one of option `{rule.type_option}`)" if heeded else ""
    scale = f"scale {factor}{product}"
    return f"`{rule.slot}`: {scale}, zero point 0; type for {kinds}{option}"


def _window_words(rule: WindowRule) -> str:
    """The sentence on a WindowRule."""
    factor = "" if rule.multiplier == 1.0 else f"{number(rule.multiplier)} x "
    if not rule.numerator:
        bound = "the bound of a fused activation" if rule.fused else number(rule.multiplier)
        over = slots(rule.denominator)
        return f"scales: {bound} / {over} < {number(rule.high)}"
    joint = " x " if rule.form == "product" else ", "
    over = slots(rule.numerator, joint)
    if rule.form in {"maximum", "square"}:
        over = f"max({over})" + ("^2" if rule.form == "square" else "")
    ratio = f"{factor}{over} / {slots(rule.denominator)}" if rule.denominator else factor + over
    low = f"{number(rule.low)} <= " if rule.low > 0 else ""
    return f"scales: {low}{ratio} < {number(rule.high)}"


def _conditions(rule: Rule) -> str:
    """The conditions of a rule, as the end of its sentence."""
    conditions = []
    if rule.when is not None:
        conditions.append(f"`{rule.when}` is present")
    if rule.unless is not None:
        conditions.append(f"`{rule.unless}` is absent")
    if rule.beside:
        verb = "is" if _single(rule.beside) else "are"
        named = f"{slots(rule.beside, ' and ')} {verb} {' or '.join(kinds(rule.types))}"
        conditions.append(named)
    conditions += [f"`{pattern}` is {' or '.join(types)}" for pattern, types in rule.where]
    return f", if {' and '.join(conditions)}" if conditions else ""


def kinds(types: frozenset[str]) -> list[str]:
    """The types, quantized ones first in their usual order."""
    order = {type_name: position for position, type_name in enumerate(QUANTIZED_TYPES)}
    return sorted(types, key=lambda type_name: order.get(type_name, len(order)))
