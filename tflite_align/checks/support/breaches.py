"""One function for each limit that a support row can set (rules/support_rows.py).

A test gets one operator, or one of its tensors, and the row's value. It returns None if the limit
is kept, else (expected, found) as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...format.enums import Activation
from ...format.model import Slot, SlotKind, Tensor
from ...record import Record
from ...rules.rows import SlotPattern
from ...rules.support_rows import SupportRow
from . import geometry, operands, tensor_limits
from .calls import carried_in_order, distinct_outputs
from .least_integer import above_least
from .subject import Mismatch, Subject
from .tensor_limits import COMPUTED, listed
from .whole_file import registered_codes, stated_sizes

__all__ = ["OPERATOR_TESTS", "TENSOR_TESTS", "Breach", "breaches"]

_INPUTS = SlotPattern("inputs", 0, None)
# Names of option values (schema.fbs of TFLite).
_OPTION_WORDS: Mapping[str, Mapping[int, str]] = {
    "padding": {0: "SAME", 1: "VALID"},
    "fused_activation_function": {activation.value: activation.name for activation in Activation},
}
_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs")


class Breach(Record, frozen=True, kw_only=True):
    """A violated limit at a slot; expected and found as text."""

    slot: Slot
    expected: str
    actual: str


def breaches(subject: Subject, row: SupportRow) -> Iterator[Breach]:
    """Each limit of the row that the operator violates; none if the conditions in `when` do not
    hold.
    """
    if row.when and next(_broken(subject, row.when, row.slots), None) is not None:
        return
    yield from _broken(subject, row.limits, row.slots)


def _broken(
    subject: Subject, limits: Mapping[str, Any], slots: Sequence[SlotPattern]
) -> Iterator[Breach]:
    """Each of the limits that the operator violates, at one of the slots."""
    for name, value in limits.items():
        if name in OPERATOR_TESTS:
            words = OPERATOR_TESTS[name](subject, value)
            if words is not None:
                yield Breach(slot=subject.slot(), expected=words[0], actual=words[1])
            continue
        test = TENSOR_TESTS[name]
        for slot_kind, index, tensor in subject.operands(slots):
            words = test(subject, tensor, value)
            if words is not None:
                slot = subject.slot()._replace(kind=slot_kind, index=index)
                yield Breach(slot=slot, expected=words[0], actual=words[1])


def _operator(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if the operator's name is one of `value`, else (expected, found)."""
    operator = subject.operator
    if operator is None or operator.name in value:
        return None
    return "an operator that the target supports", " ".join(
        filter(None, (operator.name, operator.custom_code))
    )


def _custom_code(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if the operator's custom code is one of `value`, else (expected, found)."""
    code = (subject.operator.custom_code or "") if subject.operator is not None else ""
    return None if code in value else (f"the custom operator {listed(value)}", code or "none")


def _version_at_most(subject: Subject, value: int) -> Mismatch:
    """None if the operator's version is at most `value`, else (expected, found)."""
    version = subject.operator.version if subject.operator is not None else 0
    return None if version <= value else (f"version {value} or less", f"version {version}")


def _present(subject: Subject, slot_kind: SlotKind) -> int:
    """The number of the operator's inputs or outputs that are present (index not -1)."""
    operator = subject.operator
    return sum(index >= 0 for index in operator.operands(slot_kind)) if operator is not None else 0


def _inputs_at_least(subject: Subject, value: int) -> Mismatch:
    """None if at least `value` inputs are present, else (expected, found)."""
    count = _present(subject, "inputs")
    return None if count >= value else (f"{value} inputs or more", f"{count}")


def _inputs_at_most(subject: Subject, value: int) -> Mismatch:
    """None if at most `value` inputs are present, else (expected, found)."""
    count = _present(subject, "inputs")
    return None if count <= value else (f"{value} inputs or fewer", f"{count}")


def _outputs_at_least(subject: Subject, value: int) -> Mismatch:
    """None if at least `value` outputs are present, else (expected, found)."""
    count = _present(subject, "outputs")
    return None if count >= value else (f"{value} outputs or more", f"{count}")


def _outputs_at_most(subject: Subject, value: int) -> Mismatch:
    """None if at most `value` outputs are present, else (expected, found)."""
    count = _present(subject, "outputs")
    return None if count <= value else (f"{value} outputs or fewer", f"{count}")


def _options(subject: Subject, value: Mapping[str, Sequence[int]]) -> Mismatch:
    """None if each named option has one of its legal values, else (expected, found)."""
    for name, legal in value.items():
        actual = subject.option(name)
        if actual not in legal:
            words = _OPTION_WORDS.get(name, {})
            expected = listed([words.get(value_code, value_code) for value_code in legal])
            return f"{name} {expected}", f"{name} {words.get(actual, actual)}"
    return None


def _options_at_most(subject: Subject, value: Mapping[str, int]) -> Mismatch:
    """None if each named option is at most its value, else (expected, found)."""
    for name, most in value.items():
        actual = subject.option(name)
        if actual > most:
            return f"{name} up to {most}", f"{name} {actual}"
    return None


def _options_equal(subject: Subject, value: Sequence[Sequence[str]]) -> Mismatch:
    """None if the options of each group have one value, else (expected, found)."""
    for names in value:
        actual = [subject.option(name) for name in names]
        if len(set(actual)) > 1:
            return f"{' = '.join(names)}", " and ".join(str(item) for item in actual)
    return None


def _axes(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if the axes of the operator (an option, or a constant operand) are among the innermost
    `value["innermost"]` dimensions of the tensor `value["of"]`, else (expected, found).
    """
    measured = subject.tensors(value["of"])
    if not measured:
        return None
    rank = len(measured[0].shape)
    if "option" in value:
        axis = subject.option(value["option"])
        axes: list[int] | None = [axis if axis < 0 else axis - rank]
    else:
        axes = _named_axes(subject, value["slot"], rank)
    if axes is None:
        return "constant axes", COMPUTED[1]
    outer = [axis for axis in axes if axis < -value["innermost"]]
    expected = f"an axis among the {value['innermost']} innermost dimensions"
    return (expected, f"axis {outer[0] + rank} of {rank}") if outer else None


def _named_axes(subject: Subject, slot: SlotPattern, rank: int) -> list[int] | None:
    """The axes in a constant operand, counted from the end (-1 is the last); None if they are
    computed. `rank`: the tensor's number of dimensions.
    """
    named = subject.tensors(slot)
    integers = subject.integers(named[0]) if named else None
    if integers is None:
        return None
    return [int(axis) if axis < 0 else int(axis) - rank for axis in integers.flat]


def _axes_include(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if a constant operand of axes lists `value["axis"]` (-1: the last axis), else (expected,
    found).
    """
    measured = subject.tensors(value["of"])
    rank = len(measured[0].shape) if measured else 0
    axes = _named_axes(subject, value["slot"], rank)
    actual = COMPUTED[1] if axes is None else f"axes {axes}"
    return None if axes is not None and value["axis"] in axes else (f"axis {value['axis']}", actual)


def _growth(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if no size in `to` is more than `at_most` times the size in `from` on the same axis,
    else (expected, found).
    """
    before, after = subject.tensors(value["from"]), subject.tensors(value["to"])
    if not before or not after:
        return None
    for old, new in zip(before[0].shape, after[0].shape, strict=False):
        if old > 0 and new > value["at_most"] * old:
            return f"a size at most {value['at_most']:g} times as large", f"{old} resized to {new}"
    return None


def _same_shape(subject: Subject, value: Sequence[SlotPattern]) -> Mismatch:
    """None if all operands that the patterns name have one shape, else (expected, found)."""
    shapes = [tensor.shape for tensor in subject.tensors(*value)]
    if len(set(shapes)) < 2:
        return None
    return "equal shapes", " and ".join(str(list(shape)) for shape in shapes)


def _any_type(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if some computed operand of the operator has one of these types, else (expected, found).
    A row for the whole model accepts an operand of any operator.
    """
    model, operator = subject.model, subject.operator
    operators = (
        [(graph, operator) for graph in model.subgraphs for operator in graph.operators]
        if operator is None
        else [(model.subgraphs[subject.subgraph], operator)]
    )
    for graph, computing in operators:
        indices = {
            index for slot_kind in _KINDS for index in computing.operands(slot_kind) if index >= 0
        }
        typed = [index for index in indices if graph.tensors[index].type in value]
        if any(not model.is_constant(graph.index, index) for index in typed):
            return None
    return f"some computed tensor of {listed(value)}", "none"


def _some_constant(subject: Subject, _: object) -> Mismatch:
    """None if at least one input is a constant, else (expected, found)."""
    has_constant = any(subject.constant(tensor) for tensor in subject.tensors(_INPUTS))
    return None if has_constant else ("a constant input", "none")


def _constants_zero(subject: Subject, _: object) -> Mismatch:
    """None if all constant inputs hold only zeros, else (expected, found)."""
    constants = [tensor for tensor in subject.tensors(_INPUTS) if subject.constant(tensor)]
    words = (tensor_limits.zero(subject, tensor, True) for tensor in constants)
    return next((breach for breach in words if breach is not None), None)


# --- of a tensor -------------------------------------------------------------------------------


OPERATOR_TESTS: Mapping[str, Callable[[Subject, Any], Mismatch]] = {
    "operator": _operator,
    "custom_code": _custom_code,
    "version_at_most": _version_at_most,
    "inputs_at_least": _inputs_at_least,
    "inputs_at_most": _inputs_at_most,
    "outputs_at_least": _outputs_at_least,
    "outputs_at_most": _outputs_at_most,
    "inputs_equal": geometry.inputs_equal,
    "outputs_equal": geometry.outputs_equal,
    "channels_times": geometry.channels_times,
    "options": _options,
    "options_at_most": _options_at_most,
    "options_equal": _options_equal,
    "axes": _axes,
    "axes_include": _axes_include,
    "growth": _growth,
    "same_shape": _same_shape,
    "same_type": geometry.same_type,
    "output_types": geometry.output_types,
    "outputs_inside": geometry.outputs_inside,
    "some_constant": _some_constant,
    "constants_zero": _constants_zero,
    "any_type": _any_type,
    "distinct_outputs": distinct_outputs,
    "carried_in_order": carried_in_order,
    "options_at_least": geometry.options_at_least,
    "options_product_at_most": geometry.options_product_at_most,
    "options_within": geometry.options_within,
    "same_parameters": geometry.same_parameters,
    "reduced": geometry.reduced,
    "strided_axes": geometry.strided_axes,
    "upscale": geometry.upscale,
    "around": geometry.around,
    "border_types": geometry.border_types,
    "grouped": geometry.grouped,
    "whole_groups": geometry.whole_groups,
    "filled_filters": geometry.filled_filters,
    "registered_codes": registered_codes,
    "stated_sizes": stated_sizes,
}
TENSOR_TESTS: Mapping[str, Callable[[Subject, Tensor, Any], Mismatch]] = {
    "types": tensor_limits.types,
    "constant": tensor_limits.constant,
    "absent": tensor_limits.absent,
    "static": tensor_limits.static,
    "ranks": tensor_limits.ranks,
    "large_dimensions": tensor_limits.large_dimensions,
    "constant_large_dimensions": tensor_limits.constant_large_dimensions,
    "elements_at_least": tensor_limits.elements_at_least,
    "elements_at_most": tensor_limits.elements_at_most,
    "positions_at_most": tensor_limits.positions_at_most,
    "innermost_at_most": tensor_limits.innermost_at_most,
    "innermost_multiple_of": tensor_limits.innermost_multiple_of,
    "values": tensor_limits.values,
    "zero": tensor_limits.zero,
    "rows_zero_outside": tensor_limits.rows_zero_outside,
    "per_tensor": tensor_limits.per_tensor,
    "types_not": operands.types_not,
    "quantized": operands.quantized,
    "zero_points": operands.zero_points,
    "static_behind": operands.static_behind,
    "shaped": operands.shaped,
    "unit_dimension": operands.unit_dimension,
    "affine": operands.affine,
    "raw": operands.raw,
    "real_at_most": operands.real_at_most,
    "varied": operands.varied,
    "per_channel": operands.per_channel,
    "above_least": above_least,
}
