"""The vocabulary of support rows: what each limit means. Words are those of rules/support_rows.py.

A test sees one operator, or one tensor of it, and the value that the row gives. It returns None
where the limit is kept, else (what was expected, what was found) in words.
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
from .place import Place

__all__ = ["COMPUTED", "OPERATOR_TESTS", "TENSOR_TESTS", "Breach", "breaches"]

# What is found where a constant was expected.
COMPUTED = ("a tensor that is computed", "axes that are computed")

_INPUTS = SlotPattern("inputs", 0, None)
# What the numbers of options stand for (schema.fbs of TFLite).
_OPTION_WORDS: Mapping[str, Mapping[int, str]] = {
    "padding": {0: "SAME", 1: "VALID"},
    "fused_activation_function": {one.value: one.name for one in Activation},
}
_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs")


class Breach(Record, frozen=True, kw_only=True):
    """A limit that is not kept, in words."""

    slot: Slot
    expected: str
    actual: str


_Words = tuple[str, str] | None


def breaches(place: Place, row: SupportRow) -> Iterator[Breach]:
    """Every limit of the row that the operator does not keep; none where `when` does not hold."""
    if row.when and any(True for _ in _broken(place, row.when, row.slots)):
        return
    yield from _broken(place, row.limits, row.slots)


def _broken(
    place: Place, limits: Mapping[str, Any], slots: Sequence[SlotPattern]
) -> Iterator[Breach]:
    for name, value in limits.items():
        if name in OPERATOR_TESTS:
            words = OPERATOR_TESTS[name](place, value)
            if words is not None:
                yield Breach(slot=place.slot(), expected=words[0], actual=words[1])
            continue
        tensors = place.model.subgraphs[place.subgraph].tensors
        for slot in place.select(slots):
            words = TENSOR_TESTS[name](place, tensors[slot.tensor(place.model)], value)
            if words is not None:
                yield Breach(slot=slot, expected=words[0], actual=words[1])


def _listed(words: Sequence[object]) -> str:
    told = [str(word) for word in words]
    return " or ".join(told) if len(told) < 3 else f"{', '.join(told[:-1])} or {told[-1]}"


# --- of the operator ---------------------------------------------------------------------------


def _operator(place: Place, value: Sequence[str]) -> _Words:
    operator = place.operator
    if operator is None or operator.name in value:
        return None
    return "an operator that the target knows", " ".join(
        filter(None, (operator.name, operator.custom_code))
    )


def _custom_code(place: Place, value: Sequence[str]) -> _Words:
    code = (place.operator.custom_code or "") if place.operator is not None else ""
    return None if code in value else (f"the custom operator {_listed(value)}", code or "none")


def _version_at_most(place: Place, value: int) -> _Words:
    version = place.operator.version if place.operator is not None else 0
    return None if version <= value else (f"version {value} or less", f"version {version}")


def _present(place: Place, kind: SlotKind) -> int:
    operator = place.operator
    return sum(index >= 0 for index in operator.operands(kind)) if operator is not None else 0


def _inputs_at_least(place: Place, value: int) -> _Words:
    count = _present(place, "inputs")
    return None if count >= value else (f"{value} inputs or more", f"{count}")


def _inputs_at_most(place: Place, value: int) -> _Words:
    count = _present(place, "inputs")
    return None if count <= value else (f"{value} inputs or fewer", f"{count}")


def _outputs_at_least(place: Place, value: int) -> _Words:
    count = _present(place, "outputs")
    return None if count >= value else (f"{value} outputs or more", f"{count}")


def _outputs_at_most(place: Place, value: int) -> _Words:
    count = _present(place, "outputs")
    return None if count <= value else (f"{value} outputs or fewer", f"{count}")


def _options(place: Place, value: Mapping[str, Sequence[int]]) -> _Words:
    for name, legal in value.items():
        found = place.option(name)
        if found not in legal:
            words = _OPTION_WORDS.get(name, {})
            wanted = _listed([words.get(one, one) for one in legal])
            return f"{name} {wanted}", f"{name} {words.get(found, found)}"
    return None


def _options_at_most(place: Place, value: Mapping[str, int]) -> _Words:
    for name, most in value.items():
        found = place.option(name)
        if found > most:
            return f"{name} up to {most}", f"{name} {found}"
    return None


def _options_equal(place: Place, value: Sequence[Sequence[str]]) -> _Words:
    for names in value:
        found = [place.option(name) for name in names]
        if len(set(found)) > 1:
            return f"{' = '.join(names)}", " and ".join(str(one) for one in found)
    return None


def _axes(place: Place, value: Mapping[str, Any]) -> _Words:
    """Axes, counted from the end, are among the innermost ones of the tensor in `of`."""
    measured = place.tensors(value["of"])
    if not measured:
        return None
    rank = len(measured[0].shape)
    if "option" in value:
        axis = place.option(value["option"])
        axes: list[int] | None = [axis if axis < 0 else axis - rank]
    else:
        axes = _named_axes(place, value["slot"], rank)
    if axes is None:
        return "constant axes", COMPUTED[1]
    outer = [axis for axis in axes if axis < -value["innermost"]]
    expected = f"an axis among the {value['innermost']} innermost dimensions"
    return (expected, f"axis {outer[0] + rank} of {rank}") if outer else None


def _named_axes(place: Place, slot: SlotPattern, rank: int) -> list[int] | None:
    """Axes in a constant operand, counted from the end; None where they are computed."""
    named = place.tensors(slot)
    integers = place.integers(named[0]) if named else None
    if integers is None:
        return None
    return [int(axis) if axis < 0 else int(axis) - rank for axis in integers.flat]


def _axes_include(place: Place, value: Mapping[str, Any]) -> _Words:
    measured = place.tensors(value["of"])
    rank = len(measured[0].shape) if measured else 0
    axes = _named_axes(place, value["slot"], rank)
    told = COMPUTED[1] if axes is None else f"axes {axes}"
    return None if axes is not None and value["axis"] in axes else (f"axis {value['axis']}", told)


def _growth(place: Place, value: Mapping[str, Any]) -> _Words:
    before, after = place.tensors(value["from"]), place.tensors(value["to"])
    if not before or not after:
        return None
    for old, new in zip(before[0].shape, after[0].shape, strict=False):
        if old > 0 and new > value["at_most"] * old:
            return f"a size at most {value['at_most']:g} times as large", f"{old} to {new}"
    return None


def _same_shape(place: Place, value: Sequence[SlotPattern]) -> _Words:
    shapes = [tensor.shape for tensor in place.tensors(*value)]
    if len(set(shapes)) < 2:
        return None
    return "equal shapes", " and ".join(str(list(shape)) for shape in shapes)


def _any_type(place: Place, value: Sequence[str]) -> _Words:
    """Some operand that is computed has one of these types; for the model, of any operator."""
    model, operator = place.model, place.operator
    held = (
        [(graph, one) for graph in model.subgraphs for one in graph.operators]
        if operator is None
        else [(model.subgraphs[place.subgraph], operator)]
    )
    for graph, one in held:
        indices = {index for kind in _KINDS for index in one.operands(kind) if index >= 0}
        typed = [index for index in indices if graph.tensors[index].type in value]
        if any(not model.is_constant(graph.index, index) for index in typed):
            return None
    return f"some computed tensor of {_listed(value)}", "none"


def _some_constant(place: Place, _: object) -> _Words:
    kept = any(place.constant(tensor) for tensor in place.tensors(_INPUTS))
    return None if kept else ("a constant input", "none")


def _constants_zero(place: Place, _: object) -> _Words:
    constants = [tensor for tensor in place.tensors(_INPUTS) if place.constant(tensor)]
    words = (_zero(place, tensor, True) for tensor in constants)
    return next((found for found in words if found is not None), None)


# --- of a tensor -------------------------------------------------------------------------------


def _types(_: Place, tensor: Tensor, value: Sequence[str]) -> _Words:
    return None if tensor.type in value else (_listed(value), tensor.type)


def _constant(place: Place, tensor: Tensor, value: object) -> _Words:
    if place.constant(tensor) == value:
        return None
    told = ("a constant", COMPUTED[0])
    return told if value else (told[1], told[0])


def _absent(_: Place, tensor: Tensor, __: object) -> _Words:
    return "no such operand", tensor.name or "one"


def _static(_: Place, tensor: Tensor, __: object) -> _Words:
    known = all(size >= 0 for size in tensor.shape)
    return None if known else ("sizes that are known", f"{list(tensor.shape)}")


def _ranks(_: Place, tensor: Tensor, value: Sequence[int]) -> _Words:
    rank = len(tensor.shape)
    return None if rank in value else (f"{_listed(value)} dimensions", f"{list(tensor.shape)}")


def _large_dimensions(place: Place, tensor: Tensor, value: int) -> _Words:
    return None if place.constant(tensor) else _innermost_alone(tensor, value)


def _constant_large_dimensions(place: Place, tensor: Tensor, value: int) -> _Words:
    return _innermost_alone(tensor, value) if place.constant(tensor) else None


def _innermost_alone(tensor: Tensor, value: int) -> _Words:
    outer = tensor.shape[: len(tensor.shape) - value] if len(tensor.shape) > value else ()
    if all(size <= 1 for size in outer):
        return None
    noun = "dimension" if value == 1 else f"{value} dimensions"
    return f"sizes above 1 in the innermost {noun} alone", f"{list(tensor.shape)}"


def _elements_at_least(_: Place, tensor: Tensor, value: int) -> _Words:
    return None if tensor.elements >= value else (f"{value} elements or more", f"{tensor.elements}")


def _elements_at_most(_: Place, tensor: Tensor, value: int) -> _Words:
    return (
        None if tensor.elements <= value else (f"{value} elements or fewer", f"{tensor.elements}")
    )


def _positions_at_most(_: Place, tensor: Tensor, value: int) -> _Words:
    count = tensor.elements // max(tensor.shape[-1] if tensor.shape else 1, 1)
    return None if count <= value else (f"{value} positions or fewer", f"{count}")


def _innermost_at_most(_: Place, tensor: Tensor, value: int) -> _Words:
    size = tensor.shape[-1] if tensor.shape else 1
    return None if size <= value else (f"an innermost size up to {value}", f"{size}")


def _innermost_multiple_of(_: Place, tensor: Tensor, value: int) -> _Words:
    size = tensor.shape[-1] if tensor.shape else 1
    return None if size % value == 0 else (f"an innermost size that {value} divides", f"{size}")


def _values(place: Place, tensor: Tensor, value: Sequence[int]) -> _Words:
    integers = place.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    other = [int(one) for one in integers.flat if int(one) not in value]
    return (f"values {_listed(value)}", str(other[0])) if other else None


def _zero(place: Place, tensor: Tensor, __: object) -> _Words:
    integers = place.integers(tensor)
    zero_point = (
        tensor.quant.label.zero_point if tensor.quant is not None and tensor.quant.scale else 0
    )
    kept = integers is not None and bool(np.all(integers == zero_point))
    return None if kept else ("zeros alone", "other values")


def _rows_zero_outside(place: Place, tensor: Tensor, value: int) -> _Words:
    integers = place.integers(tensor)
    if integers is None:
        return "a constant", COMPUTED[0]
    rows = np.atleast_2d(integers)
    outer = rows[: max(len(rows) - value, 0)]
    expected = f"zeros outside the {value} innermost dimensions"
    return (expected, f"{outer.tolist()}") if np.any(outer) else None


def _per_tensor(_: Place, tensor: Tensor, __: object) -> _Words:
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    return None if count <= 1 else ("one scale", f"{count} scales")


OPERATOR_TESTS: Mapping[str, Callable[[Place, Any], _Words]] = {
    "operator": _operator,
    "custom_code": _custom_code,
    "version_at_most": _version_at_most,
    "inputs_at_least": _inputs_at_least,
    "inputs_at_most": _inputs_at_most,
    "outputs_at_least": _outputs_at_least,
    "outputs_at_most": _outputs_at_most,
    "options": _options,
    "options_at_most": _options_at_most,
    "options_equal": _options_equal,
    "axes": _axes,
    "axes_include": _axes_include,
    "growth": _growth,
    "same_shape": _same_shape,
    "same_type": geometry.same_type,
    "output_types": geometry.output_types,
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
}
TENSOR_TESTS: Mapping[str, Callable[[Place, Tensor, Any], _Words]] = {
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
    "per_channel": operands.per_channel,
}
