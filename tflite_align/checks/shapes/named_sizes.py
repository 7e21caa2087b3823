"""Sizes that an operator's operands share, such as the features of an input and of its weights.

A row of operands in schema/shapes.toml names each size of each input. A name stands for one size in
all inputs, so that it is found from one of them and compared with the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

from ...record import Record
from ...rules.shape_rows import load_operand_sizes
from .scene import ContradictionError, Scene, Shape, UnknownShapeError, shape_text

__all__ = ["named_sizes"]

_SCALAR = "scalar"
_MORE = "..."


def named_sizes(at: Scene) -> list[Shape]:
    """The outputs' shapes by the names in the operator's row of operands; UnknownShapeError if one
    of the sizes is unknown, or outputs are joined (option `merge_outputs`).
    """
    if at.option("merge_outputs"):
        raise UnknownShapeError
    return [_output(at, text) for text in at.row.outputs]


def _output(at: Scene, text: str) -> Shape:
    """The shape of an output. `text`: the names of its sizes."""
    names = _ordered(at, text.split())
    if any(name not in at.sizes for name in names):
        raise UnknownShapeError
    return tuple(at.sizes[name] for name in names)


class _Names(Record, frozen=True):
    """The text of a row for one input. `kind`: `elements`, `dimensions`, `shape`, or "" for names of
    axes. `open_end`: further axes may follow. `alone`: no other text has one of these names, so that
    only the number of axes can be wrong.
    """

    kind: str
    axes: tuple[str, ...]
    open_end: bool
    alone: bool


@cache
def _names(operator: str, index: int) -> _Names | None:
    """What the operator's row says of inputs[index]; None for nothing."""
    row = load_operand_sizes()[operator]
    text = row.text(index)
    kind, separator, name = text.partition(": ")
    if separator:
        return _Names(kind, (name,), open_end=False, alone=False)
    axes = () if text == _SCALAR else tuple(text.split())
    others = [
        name
        for place, other in enumerate(row.inputs)
        if place != index
        for name in other.replace("*", " ").split()
    ]
    shared = {*others, *row.options, *(axis for axis in axes if axis.isdigit() or "*" in axis)}
    open_end = axes[-1:] == (_MORE,)
    alone = not open_end and len(set(axes)) == len(axes) and shared.isdisjoint(axes)
    return _Names("", axes[: len(axes) - open_end], open_end, alone) if text else None


def compare_operands(at: Scene) -> None:
    """Add the sizes that the operator's row of operands names to `at.sizes`; ContradictionError if
    an input has other sizes than those before it.

    Nothing is known of the basic LSTM kernel (option `kernel_type`), which has other operands.
    With the option `time_major`, batch and time change places.
    """
    operator = at.operator
    options = {name: at.option(name) for name in load_operand_sizes()[operator.name].options}
    if at.option("kernel_type") or min(options.values(), default=1) < 1:
        return
    at.sizes.update(options)
    for index, tensor in enumerate(operator.inputs):
        names, shape = _names(operator.name, index), at.shapes.get(tensor)
        if names is None or shape is None or (names.alone and len(shape) == len(names.axes)):
            continue
        if shape or at.certain(index):
            _compare(at, index, shape, names)


def _compare(at: Scene, index: int, shape: Shape, names: _Names) -> None:
    """Compare the shape of inputs[index] with the known sizes, and add its other sizes to them."""
    if names.kind == "shape":
        (name,) = names.axes
        known = at.whole_shapes.setdefault(name, shape)
        if known != shape:
            raise ContradictionError(
                f"inputs[{index}] of shape {shape_text(known)}", shape_text(shape)
            )
    elif names.kind:
        (name,) = names.axes
        count = math.prod(shape) if names.kind == "elements" else len(shape)
        if not _agrees(name, count, at.sizes):
            expected = f"inputs[{index}] of {_value(name, at.sizes)} {names.kind}"
            raise ContradictionError(expected, shape_text(shape))
    else:
        _compare_axes(at, index, shape, names)


def _compare_axes(at: Scene, index: int, shape: Shape, names: _Names) -> None:
    """As _compare, axis by axis."""
    axes = _ordered(at, names.axes)
    if len(shape) < len(axes) or (len(shape) > len(axes) and not names.open_end):
        dimensions = f"of {len(axes)} dimensions{' or more' if names.open_end else ''}"
        expected = dimensions if axes else "a scalar"
        raise ContradictionError(f"inputs[{index}] {expected}", shape_text(shape))
    for product, extent in zip(axes, shape, strict=False):
        if not _agrees(product, extent, at.sizes):
            expected = f"inputs[{index}] of {_words(axes, at.sizes)}"
            raise ContradictionError(expected, shape_text(shape))


def _ordered(at: Scene, axes: Sequence[str]) -> Sequence[str]:
    """The names of the axes; batch and time change places if the operator is time-major."""
    if at.option("time_major") and "time" in axes:
        return (axes[1], axes[0], *axes[2:])
    return axes


def _agrees(product: str, extent: int, sizes: dict[str, int]) -> bool:
    """Whether an extent is the product of the named sizes; if one of them is unknown, it is found
    by division.
    """
    names = product.split("*")
    known = math.prod(_size(name, sizes) for name in names if _known(name, sizes))
    unknown = [name for name in names if not _known(name, sizes)]
    if not unknown:
        return extent == known
    if len(unknown) == 1 and known > 0:
        sizes[unknown[0]], remainder = divmod(extent, known)
        return remainder == 0
    return True


def _known(name: str, sizes: Mapping[str, int]) -> bool:
    """Whether the name stands for a number."""
    return name.isdigit() or name in sizes


def _size(name: str, sizes: Mapping[str, int]) -> int:
    """The number that a known name stands for."""
    return int(name) if name.isdigit() else sizes[name]


def _value(product: str, sizes: Mapping[str, int]) -> str:
    """The product of the named sizes as text; `?` if one is unknown."""
    names = product.split("*")
    if not all(_known(name, sizes) for name in names):
        return "?"
    return str(math.prod(_size(name, sizes) for name in names))


def _words(axes: Sequence[str], sizes: Mapping[str, int]) -> str:
    """The sizes with their values, as text: `[cells = 3, features = 4, 2]`."""
    values = [
        product if product.isdigit() else f"{product} = {_value(product, sizes)}"
        for product in axes
    ]
    return f"[{', '.join(values)}]"
