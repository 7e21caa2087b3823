"""Shapes of operators whose operands share sizes: weights, biases and states of recurrent networks.

The operator's row in schema/shapes.toml names each size of each operand, such as `cells features`.
A name stands for one size in all operands, so that it is found from one of them and compared with
the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, shape_text

__all__ = ["named_sizes"]

_ELEMENTS = "elements: "  # in front of a product: the number of elements counts, not the shape


def named_sizes(at: Scene) -> list[Shape]:
    """The outputs' shapes from the row's names; ContradictionError if an operand has other sizes
    than those before it.

    Nothing is known of the basic LSTM kernel (option `kernel_type`), which has other operands, and
    of outputs that are joined (option `merge_outputs`). With `time_major`, batch and time change
    places.
    """
    if at.option("kernel_type"):
        raise UnknownShapeError
    sizes = {name: at.option(name) for name in at.row.options}
    if min(sizes.values(), default=1) < 1:
        raise UnknownShapeError
    for index, text in enumerate(at.row.inputs):
        if text and at.has(index) and at.operator.inputs[index] in at.shapes:
            _compare(at, index, text, sizes)
    if at.option("merge_outputs"):
        raise UnknownShapeError
    return [_output(at, text, sizes) for text in at.row.outputs]


def _compare(at: Scene, index: int, text: str, sizes: dict[str, int]) -> None:
    """Compare the shape of inputs[index] with the sizes that are known, and add its other sizes to
    `sizes`. `text`: the row's names for this operand.
    """
    shape = at.shape(index)
    if not shape and not at.certain(index):
        return  # a shape may have been left out of the file
    axes = [text.removeprefix(_ELEMENTS)] if text.startswith(_ELEMENTS) else _axes(at, text)
    extents = (math.prod(shape),) if text.startswith(_ELEMENTS) else shape
    if len(axes) != len(extents):
        raise ContradictionError(f"inputs[{index}] of {len(axes)} dimensions", shape_text(shape))
    for product, extent in zip(axes, extents, strict=True):
        if not _agrees(product, extent, sizes):
            raise ContradictionError(f"inputs[{index}] of {_words(axes, sizes)}", shape_text(shape))


def _output(at: Scene, text: str, sizes: dict[str, int]) -> Shape:
    """The shape of an output; UnknownShapeError if one of its sizes is unknown."""
    names = _axes(at, text)
    if any(name not in sizes for name in names):
        raise UnknownShapeError
    return tuple(sizes[name] for name in names)


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
    known = math.prod(sizes[name] for name in names if name in sizes)
    unknown = [name for name in names if name not in sizes]
    if not unknown:
        return extent == known
    if len(unknown) == 1 and known > 0:
        sizes[unknown[0]], remainder = divmod(extent, known)
        return remainder == 0
    return True


def _words(axes: Sequence[str], sizes: dict[str, int]) -> str:
    """The named sizes with their values, as text: `[cells = 3, features = 4]`."""
    parts = []
    for product in axes:
        names = product.split("*")
        known = all(name in sizes for name in names)
        value = math.prod(sizes[name] for name in names) if known else "?"
        parts.append(f"{product} = {value}")
    return f"[{', '.join(parts)}]"
