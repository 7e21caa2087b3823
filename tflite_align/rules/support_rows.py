"""[[support]] rows of a target file: what its runtime or compiler takes of an operator, as data.

A row names operators and limits. Each limit is one word of a closed vocabulary (`LIMITS`); what
a word means is in `tflite_align.checks.support`, the one place that evaluates it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..errors import RuleError
from ..record import Record, field
from . import fields as f
from .rows import SlotPattern, named

__all__ = ["CPU", "LIMITS", "SUPPORT", "WHOLE_MODEL", "SupportRow", "parse_support", "tell_limits"]

WHOLE_MODEL = "MODEL"
# The part of rows whose breach means: a compiler leaves the operator to the CPU.
CPU = "cpu"

_EVERY = (SlotPattern("inputs", 0, None), SlotPattern("outputs", 0, None))


class SupportRow(Record, frozen=True, kw_only=True):
    """Every operator that `operators` name and `when` holds for keeps within `limits`.

    `operators` are glob patterns of operator names; "MODEL" stands for the model as a whole.
    Limits of tensors concern the operands in `slots`, those that are absent left out. A broken
    limit is a finding `support/OPERATOR`, with `/part` where the row has one; `repair` names the fix
    that mends it, which few rows have. Of rows with `once` and one part, an operator has one finding: the first.
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
        """Whether the row applies to operators of that name."""
        return _matches(self.operators, operator) and not _matches(self.unless, operator)

    def rule(self, operator: str) -> str:
        """The stable id of the rule for operators of that name."""
        return f"support/{operator}" + (f"/{self.part}" if self.part else "")


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(named(name, pattern) for pattern in patterns)


def _nested(table: f.Table) -> f.Parser:
    return f.Parser(lambda value, where: f.parse_table(value, table, where), f.schema_of(table))


def _dictionary(item: f.Parser) -> f.Parser:
    return f.map_of(item, keys_are_types=False)


def _yes(value: Any, where: str) -> bool:
    if value is not True:
        raise RuleError(f"{where}: expected true, found {value!r}")
    return True


_YES = f.Parser(_yes, {"const": True})
_AXES: f.Table = {
    "option": f.TomlField(f.text),
    "slot": f.TomlField(f.slot),
    "of": f.TomlField(f.slot, required=True),
    "innermost": f.TomlField(f.integer, required=True),
}
_AXIS: f.Table = {
    "slot": f.TomlField(f.slot, required=True),
    "of": f.TomlField(f.slot, required=True),
    "axis": f.TomlField(f.integer, required=True),  # counted from the end: -1 is the innermost
}
_GROWTH: f.Table = {
    "from": f.TomlField(f.slot, required=True),
    "to": f.TomlField(f.slot, required=True),
    "at_most": f.TomlField(f.number, required=True),
}
_PRODUCT: f.Table = {
    "options": f.TomlField(f.list_of(f.text), required=True),
    "at_most": f.TomlField(f.integer, required=True),
}
_REDUCED: f.Table = {
    "slot": f.TomlField(f.slot, required=True),
    "of": f.TomlField(f.slot, required=True),
    "each_at_most": f.TomlField(f.integer),
    "product_at_most": f.TomlField(f.integer),
}
_STRIDED: f.Table = {
    "slot": f.TomlField(f.slot, required=True),
    "axes": f.TomlField(f.list_of(f.integer), required=True),  # counted from the end
}
_UPSCALE: f.Table = {
    "from": f.TomlField(f.slot, required=True),
    "to": f.TomlField(f.slot, required=True),
    "factors": f.TomlField(f.list_of(f.integer), required=True),
    "alike": f.TomlField(_YES),
}

# The vocabulary. First what is asked of the operator, then of each tensor in the row's slots.
LIMITS: f.Table = {
    "operator": f.TomlField(f.list_of(f.text)),  # its name is one of these
    "custom_code": f.TomlField(f.list_of(f.text)),
    "version_at_most": f.TomlField(f.integer),
    "inputs_at_least": f.TomlField(f.integer),  # operands that are present
    "inputs_at_most": f.TomlField(f.integer),
    "outputs_at_least": f.TomlField(f.integer),
    "outputs_at_most": f.TomlField(f.integer),
    "options": f.TomlField(_dictionary(f.list_of(f.integer))),  # option -> legal values
    "options_at_most": f.TomlField(_dictionary(f.integer)),
    "options_equal": f.TomlField(f.list_of(f.list_of(f.text))),  # options that have one value
    "axes": f.TomlField(_nested(_AXES)),  # axes named by an option or operand are innermost ones
    "axes_include": f.TomlField(_nested(_AXIS)),  # a constant operand names this axis
    "options_at_least": f.TomlField(_dictionary(f.integer)),
    "options_product_at_most": f.TomlField(_nested(_PRODUCT)),
    "reduced": f.TomlField(_nested(_REDUCED)),  # sizes along the axes of a constant operand
    "strided_axes": f.TomlField(_nested(_STRIDED)),  # strides of a constant operand are 1 elsewhere
    "upscale": f.TomlField(_nested(_UPSCALE)),  # factors by which height and width grow
    "same_parameters": f.TomlField(f.list_of(f.slot)),  # one scale and zero point
    "around": f.TomlField(f.list_of(f.text)),  # it dilates one of these, with its counterpart
    "border_types": f.TomlField(f.list_of(f.text)),  # of the model's own inputs and outputs
    "grouped": f.TomlField(f.truth),  # filters see a part of the channels each
    "whole_groups": f.TomlField(f.truth),  # filters see a whole part of the channels
    "growth": f.TomlField(_nested(_GROWTH)),  # size of each dimension of `to` over that of `from`
    "same_shape": f.TomlField(f.list_of(f.slot)),
    "same_type": f.TomlField(f.list_of(f.slot)),
    "output_types": f.TomlField(f.list_of(f.text)),  # the type of its first output
    "some_constant": f.TomlField(_YES),  # some input is a constant
    "constants_zero": f.TomlField(_YES),  # inputs that are constants stand for 0 everywhere
    "any_type": f.TomlField(f.list_of(f.text)),  # some operand that is computed has one
    # Of subgraphs that these options name: no computed tensor is an output twice; no input is
    # handed on to a later place than its own.
    "distinct_outputs": f.TomlField(f.list_of(f.text)),
    "carried_in_order": f.TomlField(f.list_of(f.text)),
    "types": f.TomlField(f.list_of(f.text)),
    "types_not": f.TomlField(f.list_of(f.text)),
    "quantized": f.TomlField(f.list_of(f.text)),  # tensors of these types have a scale
    "affine": f.TomlField(_YES),  # no scheme beyond scales and zero points
    "zero_points": f.TomlField(f.map_of(f.list_of(f.integer))),  # type -> [least, greatest]
    "static_behind": f.TomlField(f.integer),  # sizes but the outermost so many are known
    "shaped": f.TomlField(_YES),  # a constant, or no scalar
    "unit_dimension": f.TomlField(f.integer),  # one of the so many innermost sizes is 1
    "constant": f.TomlField(f.truth),
    "absent": f.TomlField(_YES),
    "static": f.TomlField(_YES),  # no dimension of unknown size
    "ranks": f.TomlField(f.list_of(f.integer)),
    # Only so many innermost dimensions exceed 1, except in constants.
    "large_dimensions": f.TomlField(f.integer),
    "constant_large_dimensions": f.TomlField(f.integer),  # the same, of constants
    "elements_at_least": f.TomlField(f.integer),
    "elements_at_most": f.TomlField(f.integer),
    "positions_at_most": f.TomlField(f.integer),  # elements over the innermost size
    "innermost_at_most": f.TomlField(f.integer),
    "innermost_multiple_of": f.TomlField(f.integer),
    "values": f.TomlField(f.list_of(f.integer)),  # integers of a constant are among these
    "zero": f.TomlField(_YES),  # a constant stands for 0 everywhere
    "rows_zero_outside": f.TomlField(f.integer),  # rows of a constant but the last so many are 0
    "per_tensor": f.TomlField(_YES),  # one scale at most
    "per_channel": f.TomlField(f.integer),  # a scale for each index along this dimension
    "raw": f.TomlField(_YES),  # no scale
}

SUPPORT: f.Table = {
    "operators": f.TomlField(f.list_of(f.text), required=True),
    "unless": f.TomlField(f.list_of(f.text)),
    "part": f.TomlField(f.text),
    "slots": f.TomlField(f.list_of(f.slot)),
    "when": f.TomlField(_nested(LIMITS)),
    "limits": f.TomlField(_nested(LIMITS), required=True),
    "severity": f.TomlField(f.choice("error", "warning", "off"), required=True),
    "behaviour": f.TomlField(f.text, required=True),
    "sources": f.TomlField(f.list_of(f.text), required=True),
    "note": f.TomlField(f.text),
    "once": f.TomlField(_YES),
    "repair": f.TomlField(f.choice("types")),
}


def parse_support(values: dict[str, Any], where: str) -> SupportRow:
    """A row from its parsed keys; RuleError for one that could never decide anything."""
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
    """Limits in words, in the row's order: `types int8, uint8; large dimensions 3`."""
    return "; ".join(
        key.replace("_", " ") + ("" if value is True else f" {_told(value)}")
        for key, value in limits.items()
    )


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(_told(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
