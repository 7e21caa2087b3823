"""[[support]] rows of a target file: the operators and limits that its runtime or compiler
supports.

A row names operators and limits. Each limit is one word of a closed vocabulary (`LIMITS`), which
`tflite_align.checks.support` evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..errors import RuleError
from ..record import Record, field
from . import fields as f
from .rows import SlotPattern, named

__all__ = [
    "CPU",
    "LIMITS",
    "WHOLE_MODEL",
    "SupportRow",
    "SupportTable",
    "parse_support",
    "tell_limits",
]

WHOLE_MODEL = "MODEL"
# The part of rows whose breach means: a compiler leaves the operator to the CPU.
CPU = "cpu"

_EVERY = (SlotPattern("inputs", 0, None), SlotPattern("outputs", 0, None))


class SupportRow(Record, frozen=True, kw_only=True):
    """The limits for every operator that `operators` matches and `when` applies to.

    `operators`: glob patterns of operator names; "MODEL" is the model as a whole; `unless`:
    patterns of names that are excepted. Limits on tensors apply to the present operands in `slots`.
    A violation is a finding `support/OPERATOR`, with `/part` if the row has one; `repair` names the
    kind of fault for the table of repairs, which few rows have. With `once` an operator gets only
    the first finding of a part.
    """

    operators: tuple[str, ...]
    limits: Mapping[str, Any]
    severity: Literal["error", "warning", "off"]
    behaviour: str
    part: str = ""
    slots: tuple[SlotPattern, ...] = _EVERY
    unless: tuple[str, ...] = ()
    when: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    note: str = ""
    once: bool = False
    repair: str = ""

    def names(self, operator: str) -> bool:
        """Whether the row applies to operators of this name."""
        return _matches(self.operators, operator) and not _matches(self.unless, operator)

    def rule(self, operator: str) -> str:
        """The stable id of the rule for operators of this name."""
        return f"support/{operator}" + (f"/{self.part}" if self.part else "")


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a pattern matches the name."""
    return any(named(name, pattern) for pattern in patterns)


class _Axes(f.TomlTable, frozen=True, kw_only=True):
    option: str = f.LEFT_OUT
    slot: f.SlotText = f.LEFT_OUT
    of: f.SlotText
    innermost: int


class _Axis(f.TomlTable, frozen=True, kw_only=True):
    slot: f.SlotText
    of: f.SlotText
    axis: int  # counted from the end: -1 is the innermost


class _Growth(f.TomlTable, frozen=True, kw_only=True):
    origin: f.SlotText = f.field(name="from")
    to: f.SlotText
    at_most: f.Number


class _Product(f.TomlTable, frozen=True, kw_only=True):
    options: f.Texts
    at_most: int


class _Reduced(f.TomlTable, frozen=True, kw_only=True):
    slot: f.SlotText
    of: f.SlotText
    each_at_most: int = f.LEFT_OUT
    product_at_most: int = f.LEFT_OUT


class _Strided(f.TomlTable, frozen=True, kw_only=True):
    slot: f.SlotText
    axes: tuple[int, ...]  # counted from the end


class _Upscale(f.TomlTable, frozen=True, kw_only=True):
    origin: f.SlotText = f.field(name="from")
    to: f.SlotText
    factors: tuple[int, ...]
    alike: f.Yes = f.LEFT_OUT


class SupportLimits(f.TomlTable, frozen=True, kw_only=True):
    """The vocabulary of limits: first those on operators, then those on each tensor in the row's
    slots.
    """

    operator: f.Texts = f.LEFT_OUT  # its name is one of these
    custom_code: f.Texts = f.LEFT_OUT
    version_at_most: int = f.LEFT_OUT
    inputs_at_least: int = f.LEFT_OUT  # operands that are present
    inputs_at_most: int = f.LEFT_OUT
    outputs_at_least: int = f.LEFT_OUT
    outputs_at_most: int = f.LEFT_OUT
    outputs_equal: str = f.LEFT_OUT  # as many outputs as this option says
    options: dict[str, tuple[int, ...]] = f.LEFT_OUT  # option -> legal values
    options_at_most: dict[str, int] = f.LEFT_OUT
    options_equal: tuple[f.Texts, ...] = f.LEFT_OUT  # options that have one value
    axes: _Axes = f.LEFT_OUT  # axes named by an option or operand are innermost ones
    axes_include: _Axis = f.LEFT_OUT  # a constant operand names this axis
    options_at_least: dict[str, int] = f.LEFT_OUT
    options_product_at_most: _Product = f.LEFT_OUT
    reduced: _Reduced = f.LEFT_OUT  # sizes along the axes of a constant operand
    strided_axes: _Strided = f.LEFT_OUT  # strides of a constant operand are 1 elsewhere
    upscale: _Upscale = f.LEFT_OUT  # factors by which height and width grow
    same_parameters: tuple[f.SlotText, ...] = f.LEFT_OUT  # one scale and zero point
    around: f.Texts = f.LEFT_OUT  # it dilates one of these, with its counterpart
    border_types: f.Texts = f.LEFT_OUT  # of the model's own inputs and outputs
    grouped: bool = f.LEFT_OUT  # filters see a part of the channels each
    whole_groups: bool = f.LEFT_OUT  # filters see a whole part of the channels
    growth: _Growth = f.LEFT_OUT  # size of each dimension of `to` over that of `from`
    same_shape: tuple[f.SlotText, ...] = f.LEFT_OUT
    same_type: tuple[f.SlotText, ...] = f.LEFT_OUT
    output_types: f.Texts = f.LEFT_OUT  # the type of its first output
    outputs_inside: f.Yes = f.LEFT_OUT  # no output of it is one of the subgraph
    some_constant: f.Yes = f.LEFT_OUT  # some input is a constant
    constants_zero: f.Yes = f.LEFT_OUT  # inputs that are constants have real value 0 everywhere
    any_type: f.Texts = f.LEFT_OUT  # some operand that is computed has one
    # Of subgraphs that these options name: no computed tensor is an output twice; no input is
    # handed on to a later place than its own.
    distinct_outputs: f.Texts = f.LEFT_OUT
    carried_in_order: f.Texts = f.LEFT_OUT
    types: f.Texts = f.LEFT_OUT
    types_not: f.Texts = f.LEFT_OUT
    quantized: f.Texts = f.LEFT_OUT  # tensors of these types have a scale
    affine: f.Yes = f.LEFT_OUT  # no scheme beyond scales and zero points
    zero_points: dict[f.QuantizedType, tuple[int, ...]] = f.LEFT_OUT  # type -> [least, greatest]
    static_behind: int = f.LEFT_OUT  # sizes but the outermost so many are known
    shaped: f.Yes = f.LEFT_OUT  # a constant, or no scalar
    unit_dimension: int = f.LEFT_OUT  # one of the so many innermost sizes is 1
    constant: bool = f.LEFT_OUT
    absent: f.Yes = f.LEFT_OUT
    static: f.Yes = f.LEFT_OUT  # no dimension of unknown size
    ranks: tuple[int, ...] = f.LEFT_OUT
    # Only so many innermost dimensions exceed 1, except in constants.
    large_dimensions: int = f.LEFT_OUT
    constant_large_dimensions: int = f.LEFT_OUT  # the same, of constants
    elements_at_least: int = f.LEFT_OUT
    elements_at_most: int = f.LEFT_OUT
    positions_at_most: int = f.LEFT_OUT  # elements over the innermost size
    innermost_at_most: int = f.LEFT_OUT
    innermost_multiple_of: int = f.LEFT_OUT
    values: tuple[int, ...] = f.LEFT_OUT  # integers of a constant are among these
    zero: f.Yes = f.LEFT_OUT  # a constant has real value 0 everywhere
    varied: f.Yes = f.LEFT_OUT  # a constant holds more than one integer
    real_at_most: f.Number = f.LEFT_OUT  # no real value of a constant is above this
    rows_zero_outside: int = f.LEFT_OUT  # rows of a constant but the last so many are 0
    per_tensor: f.Yes = f.LEFT_OUT  # one scale at most
    per_channel: int = f.LEFT_OUT  # a scale for each index along this dimension
    raw: f.Yes = f.LEFT_OUT  # no scale


LIMITS = SupportLimits.__struct_fields__


class SupportTable(f.TomlTable, frozen=True, kw_only=True):
    """One `[[support]]` table, as written in the file."""

    operators: f.Texts
    unless: f.Texts = f.LEFT_OUT
    part: str = f.LEFT_OUT
    slots: tuple[f.SlotText, ...] = f.LEFT_OUT
    when: SupportLimits = f.LEFT_OUT
    limits: SupportLimits
    severity: Literal["error", "warning", "off"]
    behaviour: str
    sources: f.Texts
    note: str = f.LEFT_OUT
    once: f.Yes = f.LEFT_OUT
    repair: Literal["types"] = f.LEFT_OUT


def parse_support(values: dict[str, Any], where: str) -> SupportRow:
    """A row from its converted keys; RuleError for a row that could never be violated. `where`: its
    place for messages.
    """
    if not values["operators"] or not values["limits"]:
        raise RuleError(f"{where}: a row needs operators and limits")
    axes = [
        table["axes"] for table in (values["limits"], values.get("when", {})) if "axes" in table
    ]
    if any(("option" in axis) == ("slot" in axis) for axis in axes):
        raise RuleError(f"{where}: axes are named by an option or by a slot")
    if WHOLE_MODEL in values["operators"] and len(values["operators"]) > 1:
        raise RuleError(f"{where}: {WHOLE_MODEL} stands alone among operators")
    return SupportRow(**values)


def tell_limits(limits: Mapping[str, Any]) -> str:
    """Limits as text, in the row's order: `types int8, uint8; large dimensions 3`."""
    return "; ".join(
        key.replace("_", " ") + ("" if value is True else f" {_told(value)}")
        for key, value in limits.items()
    )


def _told(value: Any) -> str:
    """A limit's value as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(_told(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
