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
from .known_names import check_options, check_patterns
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
# `part` of rows that say which operators a compiler leaves on the CPU.
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
    """Axes of the tensor `of`, given by an option or a constant operand, must be `innermost` ones."""

    option: str = f.LEFT_OUT
    slot: f.SlotText = f.LEFT_OUT
    of: f.SlotText
    innermost: int


class _Axis(f.TomlTable, frozen=True, kw_only=True):
    """The constant operand `slot` must contain an axis of the tensor `of`."""

    slot: f.SlotText
    of: f.SlotText
    axis: int  # counted from the end: -1 is the innermost


class _Growth(f.TomlTable, frozen=True, kw_only=True):
    """No size of `to` may exceed `at_most` times that of `from`."""

    origin: f.SlotText = f.field(name="from")
    to: f.SlotText
    at_most: f.Number


class _Product(f.TomlTable, frozen=True, kw_only=True):
    """The product of these options may be at most `at_most`."""

    options: f.Texts
    at_most: int


class _Reduced(f.TomlTable, frozen=True, kw_only=True):
    """Limits on the sizes of `of` along the axes in the constant operand `slot`."""

    slot: f.SlotText
    of: f.SlotText
    each_at_most: int = f.LEFT_OUT
    product_at_most: int = f.LEFT_OUT


class _Strided(f.TomlTable, frozen=True, kw_only=True):
    """The strides in the constant operand `slot` must be 1 except along these axes."""

    slot: f.SlotText
    axes: tuple[int, ...]  # counted from the end


class _Upscale(f.TomlTable, frozen=True, kw_only=True):
    """Height and width of `to` must be one of these factors times those of `from`."""

    origin: f.SlotText = f.field(name="from")
    to: f.SlotText
    factors: tuple[int, ...]
    alike: f.Yes = f.LEFT_OUT


class SupportLimits(f.TomlTable, frozen=True, kw_only=True):
    """The vocabulary of limits: first those on operators, then those on each tensor in the row's
    slots.
    """

    operator: f.Texts = f.LEFT_OUT  # allowed operator names
    custom_code: f.Texts = f.LEFT_OUT
    version_at_most: int = f.LEFT_OUT
    inputs_at_least: int = f.LEFT_OUT  # least number of inputs that are present
    inputs_at_most: int = f.LEFT_OUT
    outputs_at_least: int = f.LEFT_OUT
    outputs_at_most: int = f.LEFT_OUT
    inputs_equal: str = f.LEFT_OUT  # option with the required number of inputs
    outputs_equal: str = f.LEFT_OUT  # option with the required number of outputs
    channels_times: str = f.LEFT_OUT  # option: filters for each channel of the input
    options: dict[str, tuple[int, ...]] = f.LEFT_OUT  # option -> legal values
    options_at_most: dict[str, int] = f.LEFT_OUT
    options_equal: tuple[f.Texts, ...] = f.LEFT_OUT  # lists of options that must be equal
    axes: _Axes = f.LEFT_OUT  # the axes of an option or operand must be among the innermost
    axes_include: _Axis = f.LEFT_OUT  # a constant operand must contain this axis
    options_at_least: dict[str, int] = f.LEFT_OUT
    options_product_at_most: _Product = f.LEFT_OUT
    options_within: dict[str, tuple[f.Number, ...]] = (
        f.LEFT_OUT
    )  # float option -> [least, greatest]
    reduced: _Reduced = f.LEFT_OUT  # limits on the sizes along the axes in a constant operand
    strided_axes: _Strided = f.LEFT_OUT  # strides in a constant operand must be 1 along other axes
    upscale: _Upscale = f.LEFT_OUT  # allowed factors of height and width
    same_parameters: tuple[f.SlotText, ...] = f.LEFT_OUT  # slots with equal scale and zero point
    around: f.Texts = f.LEFT_OUT  # operators between this one and its counterpart (dilation)
    border_types: f.TensorTypes = f.LEFT_OUT  # of the main subgraph's inputs and outputs
    grouped: bool = f.LEFT_OUT  # grouped convolution: each filter reads a part of the channels
    whole_groups: bool = f.LEFT_OUT  # the channels must be a multiple of a filter's channels
    filled_filters: bool = f.LEFT_OUT  # there must be as many channels as a filter has, or more
    growth: _Growth = f.LEFT_OUT  # largest ratio of sizes of `to` and `from`, per dimension
    same_shape: tuple[f.SlotText, ...] = f.LEFT_OUT
    same_type: tuple[f.SlotText, ...] = f.LEFT_OUT
    output_types: f.TensorTypes = f.LEFT_OUT  # allowed types of the first output
    outputs_inside: f.Yes = f.LEFT_OUT  # no output may be an output of the subgraph
    some_constant: f.Yes = f.LEFT_OUT  # at least one input must be a constant
    constants_zero: f.Yes = f.LEFT_OUT  # constant inputs must have the real value 0 everywhere
    any_type: f.TensorTypes = f.LEFT_OUT  # at least one computed operand has one of these types
    # In subgraphs that these options name, no computed tensor is an output twice, and no input is
    # returned as a later output than its own position.
    distinct_outputs: f.Texts = f.LEFT_OUT
    carried_in_order: f.Texts = f.LEFT_OUT
    registered_codes: str = f.LEFT_OUT  # kernel set that must register unused operator codes
    stated_sizes: f.Yes = f.LEFT_OUT  # no tensor of the file may have a size of -1 in its shape
    types: f.TensorTypes = f.LEFT_OUT
    types_not: f.TensorTypes = f.LEFT_OUT
    quantized: f.TensorTypes = f.LEFT_OUT  # tensors of these types must have a scale
    affine: f.Yes = f.LEFT_OUT  # no quantization scheme other than scales and zero points
    zero_points: dict[f.QuantizedType, tuple[int, ...]] = f.LEFT_OUT  # type -> [least, greatest]
    static_behind: int = f.LEFT_OUT  # number of outermost dimensions whose size may be unknown
    shaped: f.Yes = f.LEFT_OUT  # must be a constant or have at least one dimension
    unit_dimension: int = f.LEFT_OUT  # one of this many innermost sizes must be 1
    constant: bool = f.LEFT_OUT
    absent: f.Yes = f.LEFT_OUT
    static: f.Yes = f.LEFT_OUT  # every dimension must have a fixed size
    ranks: tuple[int, ...] = f.LEFT_OUT
    # Number of innermost dimensions that may exceed 1, except in constants.
    large_dimensions: int = f.LEFT_OUT
    constant_large_dimensions: int = f.LEFT_OUT  # the same for constants
    elements_at_least: int = f.LEFT_OUT
    elements_at_most: int = f.LEFT_OUT
    positions_at_most: int = f.LEFT_OUT  # largest number of elements divided by the innermost size
    innermost_at_most: int = f.LEFT_OUT
    innermost_multiple_of: int = f.LEFT_OUT
    values: tuple[int, ...] = f.LEFT_OUT  # allowed integers of a constant
    zero: f.Yes = f.LEFT_OUT  # a constant must have the real value 0 everywhere
    varied: f.Yes = f.LEFT_OUT  # a constant must hold at least two different integers
    real_at_most: f.Number = f.LEFT_OUT  # largest real value allowed in a constant
    # all rows of a constant except this many last ones must be 0
    rows_zero_outside: int = f.LEFT_OUT
    per_tensor: f.Yes = f.LEFT_OUT  # at most one scale
    per_channel: int = f.LEFT_OUT  # one scale for each index along this dimension
    raw: f.Yes = f.LEFT_OUT  # no scale
    above_least: f.Yes = f.LEFT_OUT  # never the least integer of its type


LIMITS = SupportLimits.__struct_fields__
# Limits that can hold for the model as a whole.
_OF_THE_MODEL = ("any_type", "border_types", "registered_codes", "stated_sizes")


class SupportTable(f.TomlTable, frozen=True, kw_only=True):
    """The fields of one `[[support]]` table of a TOML file."""

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
        raise RuleError(f"{where}: expected at least one operator and one limit")
    axes = [
        table["axes"] for table in (values["limits"], values.get("when", {})) if "axes" in table
    ]
    if any(("option" in axis) == ("slot" in axis) for axis in axes):
        raise RuleError(f"{where}: axes must be given by an option or by a slot")
    if WHOLE_MODEL in values["operators"] and len(values["operators"]) > 1:
        raise RuleError(f"{where}: {WHOLE_MODEL} must be the only operator of its row")
    if WHOLE_MODEL in values["operators"]:
        given = (*values["limits"], *values.get("when", {}))
        for limit in given:
            if limit not in _OF_THE_MODEL:
                known = ", ".join(_OF_THE_MODEL)
                raise RuleError(
                    f"{where}: {limit!r} is a limit of operators, not of {WHOLE_MODEL}; known: {known}"
                )
    _check_names(values, where)
    return SupportRow(**values)


def _check_names(values: dict[str, Any], where: str) -> None:
    """Raise RuleError for an operator or an option that does not exist. `values`: the converted
    keys of a row; `where`: its place.
    """
    check_patterns(values["operators"], f"{where}.operators", besides=(WHOLE_MODEL,))
    check_patterns(values.get("unless", ()), f"{where}.unless")
    for key in ("limits", "when"):
        limits = values.get(key, {})
        check_options(limits, f"{where}.{key}")
        for names in ("operator", "around"):
            check_patterns(limits.get(names, ()), f"{where}.{key}.{names}")


def tell_limits(limits: Mapping[str, Any]) -> str:
    """Limits as text, in the row's order: `types int8, uint8; large dimensions 3`."""
    return "; ".join(
        key.replace("_", " ") + ("" if value is True else f" {_value_text(value)}")
        for key, value in limits.items()
    )


def _value_text(value: Any) -> str:
    """A limit's value as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value_text(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(_value_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
