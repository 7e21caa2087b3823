"""Checks of parameters that need no operator rule: whether scale, zero point and axis are valid.

Sources: LiteRT's model parser (interpreter_builder.cc ParseQuantization) for axis and lengths; the
quantization specification for scale and zero point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..format.model import Model, Operator, QuantParams, Slot, Subgraph, Tensor
from ..format.type_groups import ACTIVATION_TYPES
from ..format.wiring import links, quantized
from ..numerics import SMALLEST_SCALE, label_range, type_limits
from ..rules.targets import Requirement
from ..rules.versions import load_versions
from .binder.bound import Sound
from .constraints import WellFormed
from .scales import ScaleFault, scale_faults

__all__ = ["wellformed"]

_Requirements = Callable[[str, str], tuple[tuple[str, Requirement], ...]]

_NOTHING = Sound()
_STALE = 4.0  # widths of the range by which a recorded range may end outside of it


def wellformed(
    model: Model, requirements: _Requirements, sound: Sound = _NOTHING
) -> list[WellFormed]:
    """A violated constraint for each fault in the parameters of each used tensor. `sound`: what is
    known to be without faults and is skipped.

    Integer tensors without a scale are raw integers and have no faults.
    """
    faults: list[WellFormed] = []
    for graph in model.subgraphs:
        faults += _names(model, graph, requirements)
        faults += _versions(graph, sound.operators_left(graph), requirements)
        for tensor in sound.tensors_left(graph):
            quant = tensor.quant
            if quant is None or not quant.scale or quant.details or _plain(tensor, quant):
                continue
            slot = _first_slot(model, graph, tensor)
            if slot is None:
                continue
            for rule, expected, actual, fixable in _faults(model, graph.index, tensor, quant):
                graded = requirements(rule, tensor.type)
                if graded:
                    faults.append(
                        WellFormed(
                            rule=rule,
                            type=tensor.type,
                            requirements=graded,
                            slot=slot,
                            expected=expected,
                            actual=actual,
                            fixable=fixable,
                        )
                    )
    return faults


def _names(model: Model, graph: Subgraph, requirements: _Requirements) -> Iterator[WellFormed]:
    """A violated constraint for each tensor with the name of an earlier one."""
    if len({tensor.name for tensor in graph.tensors}) == len(graph.tensors):
        return
    names: set[str] = set()
    for tensor in graph.tensors:
        if tensor.name not in names:
            names.add(tensor.name)
            continue
        slot = _first_slot(model, graph, tensor)
        graded = requirements("names/duplicate", tensor.type)
        if tensor.name and slot is not None and graded:
            yield WellFormed(
                rule="names/duplicate",
                type=tensor.type,
                requirements=graded,
                slot=slot,
                expected="a unique name",
                actual=f"{tensor.name!r} again",
                fixable=True,
            )


def _versions(
    graph: Subgraph, operators: Sequence[Operator], requirements: _Requirements
) -> Iterator[WellFormed]:
    """A violated constraint for each of the operators whose version is older than the kernels for
    its operand types.
    """
    rows = load_versions()
    named = {name: rows.get(name) for name in {operator.name for operator in operators}}
    for operator in operators:
        row = named[operator.name]
        if row is None:
            continue
        operands = operator.operands(row.slot.kind)
        index = operands[row.slot.start] if row.slot.start < len(operands) else -1
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is None or not quantized(tensor) or tensor.type not in row.versions:
            continue
        needed = row.versions[tensor.type]
        if operator.version >= needed:
            continue
        graded = requirements(f"version/{operator.name}", tensor.type)
        if graded and row.holds(operator):
            yield WellFormed(
                rule=f"version/{operator.name}",
                type=tensor.type,
                requirements=graded,
                slot=Slot(graph.index, operator.index, row.slot.kind, row.slot.start),
                expected=f"version {needed} or later for {tensor.type}",
                actual=f"version {operator.version}",
                fixable=True,
            )


def _stale(tensor: Tensor, quant: QuantParams) -> bool:
    """Whether a tensor's recorded min and max cannot belong to its scale: they end more than
    `_STALE` widths of the scale's range outside of it.

    Smaller differences are normal, since converters widen, mirror and override ranges without
    updating the record: a public SSD of 2018 records 2.6 times the width.
    """
    if tensor.type not in ACTIVATION_TYPES or not quant.per_tensor:
        return False
    if len(quant.minimum) != 1 or len(quant.maximum) != 1:
        return False
    span = label_range(quant.label, tensor.type)
    beyond = max(span.low - quant.minimum[0], quant.maximum[0] - span.high)
    return not beyond <= _STALE * (span.high - span.low)


def _first_slot(model: Model, graph: Subgraph, tensor: Tensor) -> Slot | None:
    """The slot that writes the tensor, else the first that reads it; None if no operator uses it."""
    wiring = links(model, graph.index)
    if tensor.index in wiring.producer:
        return wiring.producer[tensor.index]
    return next(iter(wiring.readers.get(tensor.index, ())), None)


# Scale up to which every integer of an activation has a finite float32 value, with a margin.
_PLAIN_SCALE = 1e30


def _plain(tensor: Tensor, quant: QuantParams) -> bool:
    """Quick test that a tensor's parameters have no fault, as for most tensors of most files."""
    limits = type_limits(tensor.type)
    shape, count, points = tensor.shape, len(quant.scale), quant.zero_point
    if limits is None or len(points) != count or quant.minimum:
        return False
    if shape and not 0 <= quant.quantized_dimension < len(shape):
        return False
    if count == 1:
        plain = SMALLEST_SCALE <= quant.scale[0] < _PLAIN_SCALE
        return plain and limits[0] <= points[0] <= limits[1]
    if not shape or shape[quant.quantized_dimension] != count:
        return False
    if any(points) and not limits[0] <= min(points) <= max(points) <= limits[1]:
        return False
    least, greatest = quant.extent
    return least >= SMALLEST_SCALE and greatest < _PLAIN_SCALE


def _faults(
    model: Model, subgraph: int, tensor: Tensor, quant: QuantParams
) -> Iterator[ScaleFault]:
    """Faults of one tensor's parameters; none for float32. `subgraph`: its index."""
    if tensor.type == "float32":
        yield from _shape_faults(tensor, quant)
        return
    wrong = list(scale_faults(model, subgraph, tensor))
    yield from wrong
    if not wrong and _stale(tensor, quant):
        span = label_range(quant.label, tensor.type)
        expected = f"a range of about {span.low:.6g}..{span.high:.6g}"
        yield "minmax/stale", expected, f"{quant.minimum[0]:.6g}..{quant.maximum[0]:.6g}", True
    yield from _shape_faults(tensor, quant)


def _shape_faults(tensor: Tensor, quant: QuantParams) -> Iterator[ScaleFault]:
    """Faults of the quantized axis and of the number of scales, compared with the tensor's shape."""
    rank = len(tensor.shape)
    axis = quant.quantized_dimension
    count = len(quant.scale)
    if rank and not 0 <= axis < rank:
        # A single scale, or a single axis of that length, determines the correct axis.
        certain = count == 1 or tensor.shape.count(count) == 1
        span = "0" if rank == 1 else f"from 0 to {rank - 1}"
        expected = f"quantized_dimension {span} for shape {list(tensor.shape)}"
        yield "params/axis", expected, f"quantized_dimension {axis}", certain
    elif rank and count > 1 and tensor.shape[axis] not in (count, -1):
        size = tensor.shape[axis]
        legal = "1 scale" if size == 1 else f"1 or {size} scales"
        expected = f"{legal} (axis {axis} of {list(tensor.shape)})"
        yield "params/length", expected, f"{count} scales", count in tensor.shape
    if quant.zero_point and len(quant.zero_point) not in (1, count):
        legal = "1 zero point" if count == 1 else f"1 or {count} zero points"
        yield "params/length", legal, f"{len(quant.zero_point)} zero points", False
    if not quant.zero_point:
        expected = "a zero point" if count == 1 else f"{count} zero points"
        yield "params/zero_point/none", f"{expected} beside the scale", "none", True
