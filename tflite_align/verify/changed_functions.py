"""Which operators of an aligned file compute another function than the original's operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from .unpacked import is_constant, operator_name

__all__ = ["changed_operators", "match_operators"]

_QUANTIZATION = ("scale", "zeroPoint", "quantizedDimension", "detailsType")


def changed_operators(before: Any, after: Any) -> frozenset[int]:
    """Indices of operators in subgraph 0 of `after` that are new or differ from the original's
    operator: in options, or in an operand's type, shape, parameters or constant. `before`, `after`:
    unpacked models.
    """
    first, second = before.subgraphs[0], after.subgraphs[0]
    names = [
        tuple(operator_name(model, operator) for operator in model.subgraphs[0].operators)
        for model in (before, after)
    ]
    matched = match_operators(*names)
    return frozenset(
        index
        for index, operator in enumerate(second.operators)
        if index not in matched
        or not _same(before, first.operators[matched[index]], after, operator)
    )


def match_operators(before: tuple[str, ...], after: tuple[str, ...]) -> dict[int, int]:
    """Aligned operator index -> original operator index, matched in order by name; only QUANTIZE
    operators may be added or removed. `before`, `after`: operator names in file order.
    """
    matched: dict[int, int] = {}
    old = 0
    for new, name in enumerate(after):
        if name != "QUANTIZE":
            while old < len(before) and before[old] == "QUANTIZE":
                old += 1
        if old < len(before) and before[old] == name:
            matched[new] = old
            old += 1
    return matched


def _same(before: Any, one: Any, after: Any, other: Any) -> bool:
    """Whether operator `one` of the model `before` and operator `other` of `after` are equal in
    options and operands.
    """
    if one.builtinOptionsType != other.builtinOptionsType:
        return False
    if not _equal_fields(one.builtinOptions, other.builtinOptions):
        return False
    operands = (one.inputs, other.inputs), (one.outputs, other.outputs)
    return all(
        len(mine) == len(theirs)
        and all(
            _same_tensor(before, first, after, second)
            for first, second in zip(mine, theirs, strict=True)
        )
        for mine, theirs in operands
    )


def _equal_fields(first: Any, second: Any) -> bool:
    """Whether all fields of two unpacked tables are equal."""
    if first is None or second is None:
        return first is second
    fields = vars(first)
    return fields.keys() == vars(second).keys() and all(
        _equal(value, vars(second)[name]) for name, value in fields.items()
    )


def _same_tensor(before: Any, first: int, after: Any, second: int) -> bool:
    """Whether two tensors (indices) are equal in type, shape, parameters and constant. `before`,
    `after`: unpacked models.
    """
    if first < 0 or second < 0:
        return first < 0 and second < 0
    first_tensor, second_tensor = (
        before.subgraphs[0].tensors[first],
        after.subgraphs[0].tensors[second],
    )
    if first_tensor.type != second_tensor.type or not _equal(
        first_tensor.shape, second_tensor.shape
    ):
        return False
    if not all(
        _equal(_field(first_tensor.quantization, name), _field(second_tensor.quantization, name))
        for name in _QUANTIZATION
    ):
        return False
    constant = is_constant(before, first_tensor)
    if constant != is_constant(after, second_tensor):
        return False
    return not constant or _equal(
        before.buffers[first_tensor.buffer].data, after.buffers[second_tensor.buffer].data
    )


def _field(quantization: Any, name: str) -> Any:
    """A field of a tensor's parameters; None without parameters. `quantization`: the parameters,
    unpacked.
    """
    return None if quantization is None else getattr(quantization, name)


def _equal(first: Any, second: Any) -> bool:
    """Whether two values are equal; an absent vector equals an empty one, NaN equals NaN."""
    if isinstance(first, (np.ndarray, list)) or isinstance(second, (np.ndarray, list)):
        return np.array_equal(() if first is None else first, () if second is None else second)
    return bool(first == second) or bool(first != first and second != second)  # noqa: PLR0124 - not a number
