"""Limits on relations between operands: strides, resize factors, reduced axes, graph inputs and
outputs.

A test gets one operator (`subject`) and the row's value for the limit. It returns None if the limit
is kept, else (expected, found) as text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...format.model import Operator
from ...rules.rows import SlotPattern
from .subject import Mismatch, Subject

__all__ = [
    "around",
    "border_types",
    "channels_times",
    "filled_filters",
    "grouped",
    "inputs_equal",
    "options_at_least",
    "options_product_at_most",
    "options_within",
    "output_types",
    "outputs_equal",
    "outputs_inside",
    "reduced",
    "same_parameters",
    "same_type",
    "strided_axes",
    "upscale",
    "whole_groups",
]

_LARGEST = 3.402823e38  # of float32
_FACTORS = (SlotPattern("inputs", 0, 2),)


def options_at_least(subject: Subject, value: Mapping[str, int]) -> Mismatch:
    """None if each option is at least the row's value, else (expected, found)."""
    for name, least in value.items():
        actual = subject.option(name)
        if actual < least:
            return f"{name} of {least} or more", f"{name} {actual}"
    return None


def options_within(subject: Subject, value: Mapping[str, Sequence[float]]) -> Mismatch:
    """None if each option, a float, lies between the row's two numbers, else (expected, found)."""
    for name, (low, high) in value.items():
        actual = subject.number(name)
        if not low <= actual <= high:
            finite = "a finite " if high < math.inf else ""
            bound = f" of {low:g} or more" if low > -_LARGEST else ""
            return f"{finite}{name}{bound}", f"{actual:g}"
    return None


def inputs_equal(subject: Subject, value: str) -> Mismatch:
    """None if the operator has as many inputs as the option named by `value` states, else
    (expected, found).
    """
    operator = subject.operator
    return _counted(subject, "inputs", operator.inputs if operator is not None else (), value)


def channels_times(subject: Subject, value: str) -> Mismatch:
    """None if the innermost size of the second input is that of the first times the option `value`,
    else (expected, found).
    """
    first, second = SlotPattern("inputs", 0, 1), SlotPattern("inputs", 1, 2)
    shapes = [tensor.shape for tensor in subject.tensors(first, second)]
    if len(shapes) != 2 or not all(shape and shape[-1] > 0 for shape in shapes):
        return None
    stated, (size, made) = subject.option(value), (shape[-1] for shape in shapes)
    if size * stated == made:
        return None
    return f"{value} {made / size:g} for {size} channels and {made} filters", f"{stated}"


def outputs_equal(subject: Subject, value: str) -> Mismatch:
    """None if the operator has as many outputs as the option named by `value` states, else
    (expected, found).
    """
    operator = subject.operator
    return _counted(subject, "outputs", operator.outputs if operator is not None else (), value)


def _counted(subject: Subject, noun: str, operands: Sequence[int], option: str) -> Mismatch:
    """None if the number of `operands` (tensor indices) is the value of the option, else (expected,
    found). `noun`: what the operands are called.
    """
    count, stated = len(operands), subject.option(option)
    if count == stated:
        return None
    return f"as many {noun} as the option {option}, {stated}", f"{count}"


def options_product_at_most(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if the product of these options is at most the row's value, else (expected, found)."""
    product = math.prod(subject.option(name) for name in value["options"])
    within = product <= value["at_most"]
    return (
        None
        if within
        else (f"{' x '.join(value['options'])} up to {value['at_most']}", f"{product}")
    )


def same_parameters(subject: Subject, value: Sequence[Any]) -> Mismatch:
    """None if all quantized operands that the patterns name have the same scale (bit for bit) and
    zero point, else (expected, found).
    """
    labels = [tensor.label for tensor in subject.tensors(*value) if tensor.label is not None]
    for label in labels[1:]:
        first = labels[0]
        if first != label:
            texts = (
                f"scale {label_of_operand.scale:.9g}, zero point {label_of_operand.zero_point}"
                for label_of_operand in (first, label)
            )
            return "equal scales and zero points", " and ".join(texts)
    return None


def same_type(subject: Subject, value: Sequence[SlotPattern]) -> Mismatch:
    """None if all operands that the patterns name have one type, else (expected, found)."""
    types = [tensor.type for tensor in subject.tensors(*value)]
    return None if len(set(types)) < 2 else ("one type", " and ".join(types))


def output_types(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if the first output has one of these types, else (expected, found)."""
    types = [tensor.type for tensor in subject.tensors(SlotPattern("outputs", 0, 1))]
    allowed = not types or types[0] in value
    return None if allowed else (f"an output of {' or '.join(value)}", types[0])


def reduced(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if each size along the axes that a constant operand names, and their product, are at
    most the row's limits, else (expected, found).
    """
    measured = subject.tensors(value["of"])
    named = subject.tensors(value["slot"])
    axes = subject.integers(named[0]) if named else None
    if not measured or axes is None:
        return None
    shape = measured[0].shape
    sizes = [shape[int(axis)] for axis in axes.flat if -len(shape) <= int(axis) < len(shape)]
    if "each_at_most" in value and any(size > value["each_at_most"] for size in sizes):
        return f"reduced sizes up to {value['each_at_most']}", f"{max(sizes)}"
    if "product_at_most" in value and math.prod(sizes) > value["product_at_most"]:
        return f"{value['product_at_most']} reduced elements or fewer", f"{math.prod(sizes)}"
    return None


def strided_axes(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if the strides in a constant operand are positive, and 1 along all but the row's axes
    (counted from the end), else (expected, found).
    """
    named = subject.tensors(value["slot"])
    strides = subject.integers(named[0]) if named else None
    if strides is None:
        return None
    values = [int(stride) for stride in strides.flat]
    allowed = all(
        stride == 1 or (stride > 0 and index - len(values) in value["axes"])
        for index, stride in enumerate(values)
    )
    axes = ", ".join(str(axis) for axis in value["axes"])
    return (
        None
        if allowed
        else (f"positive strides, and 1 except along axes {axes}", f"strides {values}")
    )


def upscale(subject: Subject, value: Mapping[str, Any]) -> Mismatch:
    """None if height and width (NHWC) grow by one of the row's factors; 1 x 1 inputs and unchanged
    sizes are accepted, else (expected, found).

    `alike`: both by the same factor, unless one of them is 1 before and after.
    """
    before, after = subject.tensors(value["from"]), subject.tensors(value["to"])
    if not before or not after or len(before[0].shape) != 4 or len(after[0].shape) != 4:
        return None
    old, new = before[0].shape[1:3], after[0].shape[1:3]
    if old in (new, (1, 1)) or min(old) < 1:
        return None
    corners = subject.option("align_corners")
    pairs = [
        pair for pair in zip(old, new, strict=True) if not value.get("alike") or pair != (1, 1)
    ]
    factors = [
        (end - 1) / (start - 1) if corners and start > 1 else end / start for start, end in pairs
    ]
    allowed = all(factor in value["factors"] for factor in factors)
    if allowed and (not value.get("alike") or len(set(factors)) == 1):
        return None
    expected = f"a factor of {', '.join(str(factor) for factor in value['factors'])}"
    actual = " and ".join(f"{start} to {end}" for start, end in zip(old, new, strict=True))
    return expected + (" for height and width" if value.get("alike") else ""), actual


_RESHAPING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_COUNTERPARTS = {
    "SPACE_TO_BATCH_ND": "BATCH_TO_SPACE_ND",
    "BATCH_TO_SPACE_ND": "SPACE_TO_BATCH_ND",
}


def around(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if the operator (SPACE_TO_BATCH_ND or BATCH_TO_SPACE_ND) and its counterpart enclose one
    of the row's operators, which is thereby dilated, and nothing else reads the tensors between
    them; else (expected, found).
    """
    operator = subject.operator
    expected = f"the matching operator behind a {' or '.join(value)}"
    if operator is None or not operator.inputs or not operator.outputs:
        return expected, "none"
    operators = subject.model.subgraphs[subject.subgraph].operators
    ahead = operator.name == "SPACE_TO_BATCH_ND"

    def next_operator(operator: Operator) -> Operator | None:
        """The next operator along the data, toward the counterpart; None unless there is exactly
        one.
        """
        tensor = operator.outputs[0] if ahead else operator.inputs[0]
        neighbours = [o for o in operators if tensor in (o.inputs if ahead else o.outputs)]
        return neighbours[0] if len(neighbours) == 1 else None

    def behind(operator: Operator | None) -> Operator | None:
        """As `next_operator`, skipping operators that only change a tensor's shape."""
        neighbour = next_operator(operator) if operator is not None else None
        while neighbour is not None and neighbour.name in _RESHAPING:
            neighbour = next_operator(neighbour) if neighbour.inputs and neighbour.outputs else None
        return (
            neighbour if neighbour is not None and neighbour.inputs and neighbour.outputs else None
        )

    middle = behind(operator)
    end = behind(middle) if middle is not None and middle.name in value else None
    matched = end is not None and end.name == _COUNTERPARTS.get(operator.name)
    return None if matched else (expected, "none")


def border_types(subject: Subject, value: Sequence[str]) -> Mismatch:
    """None if the inputs and outputs of all subgraphs have one of these types, or are scalars, else
    (expected, found).
    """
    for graph in subject.model.subgraphs:
        for index in (*graph.inputs, *graph.outputs):
            tensor = graph.tensors[index]
            if tensor.shape and tensor.type not in value:
                return "no such input or output", tensor.type
    return None


def grouped(subject: Subject, value: object) -> Mismatch:
    """None if a convolution is grouped (each filter reads only a part of the input's channels)
    exactly if `value` is true, else (expected, found).
    """
    tensors = subject.tensors(*_FACTORS)
    sizes = [tensor.shape[-1] for tensor in tensors if tensor.shape]
    parts = len(set(sizes)) > 1
    words = ("filters over groups of channels", "filters over all channels")
    return None if parts is value else (words if value else words[::-1])


def whole_groups(subject: Subject, _: object) -> Mismatch:
    """None if a convolution's input has a multiple of the channels that one filter reads, else
    (expected, found).
    """
    shapes = [tensor.shape for tensor in subject.tensors(*_FACTORS)]
    if len(shapes) < 2 or not all(shapes):
        return None
    channels, seen = shapes[0][-1], shapes[1][-1]
    if channels < 1 or seen < 1 or channels % seen == 0:
        return None
    return f"a multiple of the {seen} channels of a filter", f"{channels} channels"


def filled_filters(subject: Subject, _: object) -> Mismatch:
    """None if a convolution's input has as many channels as one filter reads, or more, else
    (expected, found).
    """
    shapes = [tensor.shape for tensor in subject.tensors(*_FACTORS)]
    if len(shapes) < 2 or not all(shapes):
        return None
    channels, seen = shapes[0][-1], shapes[1][-1]
    if channels < 1 or channels >= seen:
        return None
    return f"the {seen} channels of a filter", f"{channels} channels"


def outputs_inside(subject: Subject, _: object) -> Mismatch:
    """None if no output of the operator is an output of the subgraph, else (expected, found)."""
    outputs = subject.operator.outputs if subject.operator is not None else ()
    outside = set(outputs) & set(subject.model.subgraphs[subject.subgraph].outputs)
    if not outside:
        return None
    return "a tensor that is not an output of the subgraph", "an output of the subgraph"
