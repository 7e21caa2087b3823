"""Rules by kind, and operator rows: the records of a row of schema/operators.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..format.model import SlotKind
from ..numerics import Label, Range
from ..record import Record, field
from .families import Family
from .wildcards import matches

__all__ = [
    "BiasRule",
    "CallRow",
    "FixedRule",
    "Flow",
    "OperatorRow",
    "PowerRule",
    "PresentRule",
    "Rule",
    "SameRule",
    "SlotPattern",
    "WeightRule",
    "WindowRule",
    "ZeroPointRule",
    "named",
]


_WILD = frozenset("*?[")


def named(name: str, pattern: str) -> bool:
    """Whether a glob pattern matches the name. Most patterns are a name, or the beginning of one
    and a star; these need no regular expression.
    """
    if _WILD.isdisjoint(pattern):
        return name == pattern
    start = pattern[:-1]
    if pattern[-1] == "*" and _WILD.isdisjoint(start):
        return name.startswith(start)
    return matches(name, pattern)


class SlotPattern(Record, frozen=True):
    """A pattern of operand positions: `inputs[0]`, `inputs[*]`, `inputs[1:]`, `outputs[0]`,
    `intermediates[4]`. Positions from `start` up to `stop` (None: all).
    """

    kind: SlotKind
    start: int
    stop: int | None  # exclusive; None: to the last

    def select(self, count: int) -> range:
        """The positions that the pattern names, for `count` operands."""
        return range(self.start, count if self.stop is None else min(self.stop, count))

    def __str__(self) -> str:
        if self.stop is None:
            return f"{self.kind}[*]" if self.start == 0 else f"{self.kind}[{self.start}:]"
        return f"{self.kind}[{self.start}]"


class Rule(Record, frozen=True, kw_only=True):
    """The fields of every kind of rule. `id` is stable: kind/OPERATOR, with /part if there are
    several.

    `types`: tensor types for which the rule holds. `when` and `unless` name an optional operand:
    the rule applies only if it is present, or only if it is absent (index -1, or fewer operands).
    `beside` names further operands that must have one of `types` as well: a rule on int8 weights
    does not apply next to float activations. `where` names operands with the types that they must
    have for the rule to apply.
    """

    id: str
    types: frozenset[str]  # activation types for which the rule holds
    sources: tuple[str, ...] = ()
    note: str = ""
    when: SlotPattern | None = None
    unless: SlotPattern | None = None
    beside: tuple[SlotPattern, ...] = ()
    where: tuple[tuple[SlotPattern, tuple[str, ...]], ...] = ()


class SameRule(Rule, frozen=True, kw_only=True):
    """All these slots must have one scale and zero point, as the kernel copies or compares
    integers.
    """

    slots: tuple[SlotPattern, ...]


class FixedRule(Rule, frozen=True, kw_only=True):
    """The kernel always writes with these parameters, whatever the file declares.

    `labels`: the legal ones by type; a repair writes the first. `held`: whether scale and zero
    point are fixed, or only one of them.
    """

    slot: SlotPattern
    labels: Mapping[str, tuple[Label, ...]]
    held: Literal["both", "scale", "zero_point"]

    def keeps(self, label: Label, type_name: str) -> bool:
        """Whether a tensor of this type may declare the label."""
        return any(
            (self.held == "zero_point" or label.scale == legal.scale)
            and (self.held == "scale" or label.zero_point == legal.zero_point)
            for legal in self.labels[type_name]
        )


class ZeroPointRule(Rule, frozen=True, kw_only=True):
    """Rule: these slots must have zero point 0."""

    slots: tuple[SlotPattern, ...]


class WeightRule(Rule, frozen=True, kw_only=True):
    """Constant weights: zero point 0, no integer below `minimum`, per-axis only along `axis`
    (None: per-tensor only). `types` are the types of the weights; `scales`: the rule holds only
    for weights with one scale, or only for those with several.
    """

    slot: SlotPattern
    axis: int | None
    symmetric: bool
    minimum: int | None
    scales: Literal["any", "one", "several"]


class BiasRule(Rule, frozen=True, kw_only=True):
    """The bias has scale[c] = multiplier x product of the factors' scales, and zero point 0.

    `bias_types` maps the activation type (of the first factor) to the legal bias types; a repair
    writes the first. `type_option`: the operator's option with the bias's type (0, float32: none),
    which repairs update. `heeded`: the kernel reads that option, and the bias must have its type.
    `counted`: only the number of scales matters: one, or as many as the last factor has.

    Zeros have the same real value at any scale, and a bias without a scale counts in steps of the
    product. Some kernels compare the scales nevertheless, if the last factor has one scale: they
    must differ by less than 0.02 output scales, or by less than `apart` if that is above 0.
    `compared`: such a kernel refuses zeros of another scale; `unscaled`: it reads an absent scale
    as 0.
    """

    slot: SlotPattern
    factors: tuple[SlotPattern, ...]
    multiplier: float
    bias_types: Mapping[str, tuple[str, ...]]
    type_option: str
    heeded: bool
    counted: bool
    compared: bool
    unscaled: bool
    apart: float


class PresentRule(Rule, frozen=True, kw_only=True):
    """The slot, a bias, must hold a tensor. `absence`: the form in which it must not be missing:
    `left_out`, fewer operands; `minus_one`, index -1; or `either`. A repair adds zeros of the type
    that `bias_types` gives for the first factor's type, as many as the last factor has along
    `axis`.
    """

    slot: SlotPattern
    factors: tuple[SlotPattern, ...]
    bias_types: Mapping[str, str]
    axis: int
    absence: Literal["either", "left_out", "minus_one"]


class WindowRule(Rule, frozen=True, kw_only=True):
    """low <= ratio < high, the ratio being multiplier x product (or maximum, or its square) of the
    numerator's scales over the product of the denominator's. `fused`: the multiplier is the upper
    bound of the fused activation, and without one there is no rule.
    """

    form: Literal["product", "maximum", "square", "each"]
    numerator: tuple[SlotPattern, ...]
    denominator: tuple[SlotPattern, ...]
    multiplier: float
    low: float
    high: float
    fused: bool = False


class PowerRule(Rule, frozen=True, kw_only=True):
    """Rule: the slot's scale must be a power of two."""

    slots: tuple[SlotPattern, ...]


class Flow(Record, frozen=True, kw_only=True):
    """How real values pass from inputs to outputs.

    copy: each output is an element of an input, or a maximum or minimum, which commutes with
    clipping. average: outputs are within the inputs' range, but clipping the inputs changes them.
    `taps`: the elements that one output averages: of a window (options), along axes (that the
    output lacks), or interpolation neighbours; "": no average.
    """

    kind: Literal["copy", "average"]
    inputs: tuple[SlotPattern, ...]
    outputs: tuple[SlotPattern, ...]
    taps: Literal["", "window", "axes", "neighbours"] = ""


class CallRow(Record, frozen=True, kw_only=True):
    """An operator's call of the subgraph that its option `option` names: these operands are the
    subgraph's inputs and outputs.
    """

    option: str
    inputs: SlotPattern | None
    outputs: SlotPattern | None


class OperatorRow(Record, frozen=True, kw_only=True):
    """The row of one builtin operator. An operator without a row is rigid in every slot.

    `flow`, `range`: how real values pass, and which the function can produce; `rigid`: slots that
    keep their parameters; `ignored`: slots without quantized values; `resource`, `calls`,
    `carried`: variables, called subgraphs and loop-carried values; `zeros`, `positive`, `scaled`, `channels`,
    `joins`, `adds`, `subtracts`, `mirror`: slots with properties that checks use (docs/adding.md);
    `fuses`: a fused activation is possible.
    """

    name: str
    category: str = "other"  # section of the rule tables in which it is listed
    rules: tuple[Rule, ...] = ()
    family: Family = "other"  # operator family, which selects the alignment policy
    # the family applies only if the constant inputs[1] has these axes
    family_axes: tuple[int, ...] = ()
    flow: Flow | None = None
    range: Range | None = None  # real values that the operator can produce for any inputs
    rigid: tuple[SlotPattern, ...] = ()  # slots whose parameters must never change
    ignored: tuple[SlotPattern, ...] = ()  # slots whose parameters have no effect (indices, masks)
    resource: Literal["read", "write", "handle"] | None = None
    calls: tuple[CallRow, ...] = ()
    # the outputs are 0 where all slots of one list are 0
    zeros: tuple[tuple[SlotPattern, ...], ...] = ()
    # slots for which a scale of 0 makes kernels abort the process
    positive: tuple[SlotPattern, ...] = ()
    scaled: tuple[SlotPattern, ...] = ()  # slots that kernels rescale by their own scale
    channels: tuple[SlotPattern, ...] = ()  # read by channel, beside weights and biases
    adds: tuple[SlotPattern, ...] = ()  # the output is the sum of these operands
    subtracts: tuple[SlotPattern, ...] = ()  # operands that are subtracted from that sum
    # two slots: opposite zero points are as right as equal ones
    mirror: tuple[SlotPattern, ...] = ()
    joins: tuple[SlotPattern, ...] = ()  # operands that are concatenated under one scale
    fuses: bool = False  # its integer kernels clamp to a fused activation
    carried: bool = False  # inputs[i], outputs[i] are one loop-carried value
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
