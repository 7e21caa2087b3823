"""Sizes that an operator's operands share, such as the features of an input and of its weights.

A row of operands in schema/shapes.toml names each size of each input. A name stands for one size in
all inputs, so that it is found from one of them and compared with the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...rules.shape_rows import OperandSizes
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
    names = _axes(at, text)
    if any(name not in at.sizes for name in names):
        raise UnknownShapeError
    return tuple(at.sizes[name] for name in names)


def compare_operands(at: Scene, row: OperandSizes) -> None:
    """Add the sizes that the row names to `at.sizes`; ContradictionError if an input has other
    sizes than those before it.

    Nothing is known of the basic LSTM kernel (option `kernel_type`), which has other operands.
    With the option `time_major`, batch and time change places.
    """
    options = {name: at.option(name) for name in row.options}
    if at.option("kernel_type") or min(options.values(), default=1) < 1:
        return
    at.sizes.update(options)
    for index, tensor in enumerate(at.operator.inputs):
        text = row.text(index)
        if text and tensor in at.shapes and (at.shapes[tensor] or at.certain(index)):
            _compare(at, index, text)


def _compare(at: Scene, index: int, text: str) -> None:
    """Compare the shape of inputs[index] with the known sizes, and add its other sizes to them.
    `text`: the row's names for this input.
    """
    shape = at.shape(index)
    kind, _, name = text.partition(": ")
    if kind == "shape":
        if at.whole_shapes.setdefault(name, shape) != shape:
            raise ContradictionError(
                f"inputs[{index}] of shape {shape_text(at.whole_shapes[name])}", shape_text(shape)
            )
        return
    counted = {"elements": math.prod(shape), "dimensions": len(shape)}
    if kind in counted:
        if not _agrees(name, counted[kind], at.sizes):
            expected = f"inputs[{index}] of {_value(name, at.sizes)} {kind}"
            raise ContradictionError(expected, shape_text(shape))
        return
    axes = [] if text == _SCALAR else _axes(at, text)
    open_end = axes[-1:] == [_MORE]
    axes = axes[: len(axes) - open_end]
    if len(shape) < len(axes) or (len(shape) > len(axes) and not open_end):
        counted_axes = f"{len(axes)} dimensions{' or more' if open_end else ''}"
        expected = "a scalar" if text == _SCALAR else f"of {counted_axes}"
        raise ContradictionError(f"inputs[{index}] {expected}", shape_text(shape))
    for product, extent in zip(axes, shape, strict=False):
        if not _agrees(product, extent, at.sizes):
            raise ContradictionError(
                f"inputs[{index}] of {_words(axes, at.sizes)}", shape_text(shape)
            )


def _axes(at: Scene, text: str) -> list[str]:
    """The names of the axes; batch and time change places if the operator is time-major."""
    axes = text.split()
    if at.option("time_major") and "time" in axes:
        axes[0], axes[1] = axes[1], axes[0]
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
