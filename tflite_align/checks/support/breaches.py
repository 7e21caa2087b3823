"""The vocabulary of support rows: a test for each limit of rules/support_rows.py.

A test gets one operator, or one of its tensors, and the row's value. It returns None if the limit
is kept, else (expected, found) as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...format.enums import Activation
from ...format.model import Slot, SlotKind, Tensor
from ...record import Record
from ...rules.rows import SlotPattern
from ...rules.support_rows import SupportRow
from . import geometry, operands
from .calls import carried_in_order, distinct_outputs
from .subject import Subject

__all__ = ["COMPUTED", "OPERATOR_TESTS", "TENSOR_TESTS", "Breach", "breaches"]

# Text for an operand that should be a constant.
COMPUTED = ("a tensor that is computed", "axes that are computed")

_INPUTS = SlotPattern("inputs", 0, None)
# Names of option values (schema.fbs of TFLite).
_OPTION_WORDS: Mapping[str, Mapping[int, str]] = {
    "padding": {0: "SAME", 1: "VALID"},
    "fused_activation_function": {activation.value: activation.name for activation in Activation},
}
_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs")


class Breach(Record, frozen=True, kw_only=True):
    """A limit that is not kept, in words."""

    slot: Slot
    expected: str
    actual: str


_Words = tuple[str, str] | None


def breaches(subject: Subject, row: SupportRow) -> Iterator[Breach]:
    """Every limit of the row that the operator does not keep; none where `when` does not hold."""
    if row.when and next(_broken(subject, row.when, row.slots), None) is not None:
        return
    yield from _broken(subject, row.limits, row.slots)


def _broken(
    subject: Subject, limits: Mapping[str, Any], slots: Sequence[SlotPattern]
) -> Iterator[Breach]:
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


def _listed(words: Sequence[object]) -> str:
    texts = [str(word) for word in words]
    return " or ".join(texts) if len(texts) < 3 else f"{', '.join(texts[:-1])} or {texts[-1]}"


# --- of the operator ---------------------------------------------------------------------------


def _operator(subject: Subject, value: Sequence[str]) -> _Words:
    operator = subject.operator
    if operator is None or operator.name in value:
        return None
    return "an operator that the target knows", " ".join(
        filter(None, (operator.name, operator.custom_code))
    )


def _custom_code(subject: Subject, value: Sequence[str]) -> _Words:
    code = (subject.operator.custom_code or "") if subject.operator is not None else ""
    return None if code in value else (f"the custom operator {_listed(value)}", code or "none")


def _version_at_most(subject: Subject, value: int) -> _Words:
    version = subject.operator.version if subject.operator is not None else 0
    return None if version <= value else (f"version {value} or less", f"version {version}")


def _present(subject: Subject, slot_kind: SlotKind) -> int:
    operator = subject.operator
    return sum(index >= 0 for index in operator.operands(slot_kind)) if operator is not None else 0


def _inputs_at_least(subject: Subject, value: int) -> _Words:
    count = _present(subject, "inputs")
    return None if count >= value else (f"{value} inputs or more", f"{count}")


def _inputs_at_most(subject: Subject, value: int) -> _Words:
    count = _present(subject, "inputs")
    return None if count <= value else (f"{value} inputs or fewer", f"{count}")


def _outputs_at_least(subject: Subject, value: int) -> _Words:
    count = _present(subject, "outputs")
    return None if count >= value else (f"{value} outputs or more", f"{count}")


def _outputs_at_most(subject: Subject, value: int) -> _Words:
    count = _present(subject, "outputs")
    return None if count <= value else (f"{value} outputs or fewer", f"{count}")


def _options(subject: Subject, value: Mapping[str, Sequence[int]]) -> _Words:
    for name, legal in value.items():
        actual = subject.option(name)
        if actual not in legal:
            words = _OPTION_WORDS.get(name, {})
            expected = _listed([words.get(value_code, value_code) for value_code in legal])
            return f"{name} {expected}", f"{name} {words.get(actual, actual)}"
    return None


def _options_at_most(subject: Subject, value: Mapping[str, int]) -> _Words:
    for name, most in value.items():
        actual = subject.option(name)
        if actual > most:
            return f"{name} up to {most}", f"{name} {actual}"
    return None


def _options_equal(subject: Subject, value: Sequence[Sequence[str]]) -> _Words:
    for names in value:
        actual = [subject.option(name) for name in names]
        if len(set(actual)) > 1:
            return f"{' = '.join(names)}", " and ".join(str(item) for item in actual)
    return None


def _axes(subject: Subject, value: Mapping[str, Any]) -> _Words:
    """Axes, counted from the end, are among the innermost ones of the tensor in `of`."""
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
    """Axes in a constant operand, counted from the end; None where they are computed."""
    named = subject.tensors(slot)
    integers = subject.integers(named[0]) if named else None
    if integers is None:
        return None
    return [int(axis) if axis < 0 else int(axis) - rank for axis in integers.flat]


def _axes_include(subject: Subject, value: Mapping[str, Any]) -> _Words:
    measured = subject.tensors(value["of"])
    rank = len(measured[0].shape) if measured else 0
    axes = _named_axes(subject, value["slot"], rank)
    actual = COMPUTED[1] if axes is None else f"axes {axes}"
    return None if axes is not None and value["axis"] in axes else (f"axis {value['axis']}", actual)


def _growth(subject: Subject, value: Mapping[str, Any]) -> _Words:
    before, after = subject.tensors(value["from"]), subject.tensors(value["to"])
    if not before or not after:
        return None
    for old, new in zip(before[0].shape, after[0].shape, strict=False):
        if old > 0 and new > value["at_most"] * old:
            return f"a size at most {value['at_most']:g} times as large", f"{old} to {new}"
    return None


def _same_shape(subject: Subject, value: Sequence[SlotPattern]) -> _Words:
    shapes = [tensor.shape for tensor in subject.tensors(*value)]
    if len(set(shapes)) < 2:
        return None
    return "equal shapes", " and ".join(str(list(shape)) for shape in shapes)


def _any_type(subject: Subject, value: Sequence[str]) -> _Words:
    """Some operand that is computed has one of these types; for the model, of any operator."""
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
    return f"some computed tensor of {_listed(value)}", "none"


def _some_constant(subject: Subject, _: object) -> _Words:
    has_constant = any(subject.constant(tensor) for tensor in subject.tensors(_INPUTS))
    return None if has_constant else ("a constant input", "none")


def _constants_zero(subject: Subject, _: object) -> _Words:
    constants = [tensor for tensor in subject.tensors(_INPUTS) if subject.constant(tensor)]
    words = (_zero(subject, tensor, True) for tensor in constants)
    return next((breach for breach in words if breach is not None), None)


# --- of a tensor -------------------------------------------------------------------------------


def _types(_: Subject, tensor: Tensor, value: Sequence[str]) -> _Words:
    return None if tensor.type in value else (_listed(value), tensor.type)


def _constant(subject: Subject, tensor: Tensor, value: object) -> _Words:
    if subject.constant(tensor) == value:
        return None
    actual = ("a constant", COMPUTED[0])
    return actual if value else (actual[1], actual[0])


def _absent(_: Subject, tensor: Tensor, __: object) -> _Words:
    return "no such operand", tensor.name or "one"


def _static(_: Subject, tensor: Tensor, __: object) -> _Words:
    static = all(size >= 0 for size in tensor.shape)
    return None if static else ("sizes that are known", f"{list(tensor.shape)}")


def _ranks(_: Subject, tensor: Tensor, value: Sequence[int]) -> _Words:
    rank = len(tensor.shape)
    return None if rank in value else (f"{_listed(value)} dimensions", f"{list(tensor.shape)}")


def _large_dimensions(subject: Subject, tensor: Tensor, value: int) -> _Words:
    return None if subject.constant(tensor) else _innermost_alone(tensor, value)


def _constant_large_dimensions(subject: Subject, tensor: Tensor, value: int) -> _Words:
    return _innermost_alone(tensor, value) if subject.constant(tensor) else None


def _innermost_alone(tensor: Tensor, value: int) -> _Words:
    outer = tensor.shape[: len(tensor.shape) - value] if len(tensor.shape) > value else ()
    if all(size <= 1 for size in outer):
        return None
    noun = "dimension" if value == 1 else f"{value} dimensions"
    return f"sizes above 1 in the innermost {noun} alone", f"{list(tensor.shape)}"


def _elements_at_least(_: Subject, tensor: Tensor, value: int) -> _Words:
    return None if tensor.elements >= value else (f"{value} elements or more", f"{tensor.elements}")


def _elements_at_most(_: Subject, tensor: Tensor, value: int) -> _Words:
    return (
        None if tensor.elements <= value else (f"{value} elements or fewer", f"{tensor.elements}")
    )


def _positions_at_most(_: Subject, tensor: Tensor, value: int) -> _Words:
    count = tensor.elements // max(tensor.shape[-1] if tensor.shape else 1, 1)
    return None if count <= value else (f"{value} positions or fewer", f"{count}")


def _innermost_at_most(_: Subject, tensor: Tensor, value: int) -> _Words:
    size = tensor.shape[-1] if tensor.shape else 1
    return None if size <= value else (f"an innermost size up to {value}", f"{size}")


def _innermost_multiple_of(_: Subject, tensor: Tensor, value: int) -> _Words:
    size = tensor.shape[-1] if tensor.shape else 1
    return None if size % value == 0 else (f"an innermost size that {value} divides", f"{size}")


def _values(subject: Subject, tensor: Tensor, value: Sequence[int]) -> _Words:
    integers = subject.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    illegal = [int(integer) for integer in integers.flat if int(integer) not in value]
    return (f"values {_listed(value)}", str(illegal[0])) if illegal else None


def _zero(subject: Subject, tensor: Tensor, __: object) -> _Words:
    integers = subject.integers(tensor)
    zero_point = (
        tensor.quant.label.zero_point if tensor.quant is not None and tensor.quant.scale else 0
    )
    zeros = integers is not None and bool(np.all(integers == zero_point))
    return None if zeros else ("zeros alone", "other values")


def _rows_zero_outside(subject: Subject, tensor: Tensor, value: int) -> _Words:
    integers = subject.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    rows = np.atleast_2d(integers)
    outer = rows[: max(len(rows) - value, 0)]
    expected = f"zeros outside the {value} innermost dimensions"
    return (expected, f"{outer.tolist()}") if np.any(outer) else None


def _per_tensor(_: Subject, tensor: Tensor, __: object) -> _Words:
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    return None if count <= 1 else ("one scale", f"{count} scales")


OPERATOR_TESTS: Mapping[str, Callable[[Subject, Any], _Words]] = {
    "operator": _operator,
    "custom_code": _custom_code,
    "version_at_most": _version_at_most,
    "inputs_at_least": _inputs_at_least,
    "inputs_at_most": _inputs_at_most,
    "outputs_at_least": _outputs_at_least,
    "outputs_at_most": _outputs_at_most,
    "outputs_equal": geometry.outputs_equal,
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
    "same_parameters": geometry.same_parameters,
    "reduced": geometry.reduced,
    "strided_axes": geometry.strided_axes,
    "upscale": geometry.upscale,
    "around": geometry.around,
    "border_types": geometry.border_types,
    "grouped": geometry.grouped,
    "whole_groups": geometry.whole_groups,
}
TENSOR_TESTS: Mapping[str, Callable[[Subject, Tensor, Any], _Words]] = {
    "types": _types,
    "constant": _constant,
    "absent": _absent,
    "static": _static,
    "ranks": _ranks,
    "large_dimensions": _large_dimensions,
    "constant_large_dimensions": _constant_large_dimensions,
    "elements_at_least": _elements_at_least,
    "elements_at_most": _elements_at_most,
    "positions_at_most": _positions_at_most,
    "innermost_at_most": _innermost_at_most,
    "innermost_multiple_of": _innermost_multiple_of,
    "values": _values,
    "zero": _zero,
    "rows_zero_outside": _rows_zero_outside,
    "per_tensor": _per_tensor,
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
}
