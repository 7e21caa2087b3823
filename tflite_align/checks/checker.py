"""The checker: compares constraints with the parameters that the model has now, and returns all
violations as sorted findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..format.model import Model, QuantParams, Slot, Tensor, TensorId
from ..format.wiring import own_state, slot_tensor
from ..numerics import (
    DTYPES,
    Label,
    close_scale,
    int4_unpack,
    is_power_of_two,
)
from ..record import Record, brief
from ..rules.fixes import fix_of
from .bias_faults import bias_faults
from .binder.bound import CUT, Bound
from .constraints import (
    BiasOf,
    Constraint,
    Fixed,
    Power,
    Same,
    Supported,
    Weight,
    WellFormed,
    Window,
    ZeroPoint,
)
from .faults import Fault, quant_of
from .masks import clipped

__all__ = ["Extent", "Finding", "Grade", "check_bound", "window_ratios"]


class Grade(Record, frozen=True, kw_only=True):
    """The severity of a finding on one target, and what that target does with the operator
    (`behaviour`).
    """

    target: str
    severity: Literal["error", "warning"]
    behaviour: str


class Finding(Record, frozen=True, kw_only=True):
    """One violated constraint at one slot.

    `expected` and `actual` are text; `message` is the whole sentence that every report prints.
    `tensor`: index in the subgraph, -1 for none. `offset`: byte offset in the file of the
    FlatBuffers table concerned (the tensor's parameters, else the tensor, else the operator); -1
    without one. `fix`: id of the repair; "" if there is none. `severity` and `behaviour` are the
    worst of `grades`, which has one entry per target concerned, in the order of the options.
    `notes`: sentences on its consequences (checks/consequences.py).
    """

    rule: str
    slot: Slot
    address: str
    tensor: int
    tensor_name: str
    severity: Literal["error", "warning"]
    expected: str
    actual: str
    behaviour: str
    message: str
    fix: str
    targets: tuple[str, ...]
    offset: int = -1
    grades: tuple[Grade, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return brief(f"<Finding {self.severity}: {self.message}>")

    @property
    def fixable(self) -> bool:
        """Whether a repair exists, switched on or not."""
        return bool(self.fix)

    @property
    def tensor_id(self) -> TensorId:
        """(subgraph, tensor) of the finding."""
        return TensorId(self.slot.subgraph, self.tensor)

    @property
    def sort_key(self) -> tuple[tuple[int, int, int, int], str]:
        """The order of findings: position in the file, then rule."""
        return (self.slot.sort_key, self.rule)


def check_bound(bound: Bound) -> list[Finding]:
    """Compare the constraints of a bound model with its parameters: all violations, sorted by slot
    and rule.
    """
    findings = []
    model = bound.model
    for constraint in bound.constraints:
        faults = _FAULTS.get(type(constraint))
        if faults is not None:
            for fault in faults(model, constraint):
                findings.append(_finding(model, constraint, fault))  # noqa: PERF401 - most have none
    return sorted(findings, key=lambda finding: finding.sort_key)


def _finding(model: Model, constraint: Constraint, fault: Fault) -> Finding:
    """The finding of one violation (`fault`) of a constraint."""
    slot, expected, actual, sentence, fault_kind = fault
    tensor = slot_tensor(model, slot)
    address = slot.address(model)
    graded = sorted(constraint.requirements, key=lambda pair: pair[1].severity != "error")
    return Finding(
        rule=constraint.rule,
        slot=slot,
        address=address,
        tensor=-1 if tensor is None else tensor.index,
        tensor_name="" if tensor is None else tensor.name,
        severity=constraint.severity,
        expected=expected,
        actual=actual,
        behaviour=graded[0][1].behaviour,
        message=f"{address}: {sentence} (rule {constraint.rule})",
        fix=fix_of(constraint.rule, fault_kind),
        targets=tuple(name for name, _ in constraint.requirements),
        offset=_offset(model, slot, tensor),
        grades=tuple(
            Grade(
                target=name,
                severity="error" if level.severity == "error" else "warning",
                behaviour=level.behaviour,
            )
            for name, level in constraint.requirements
        ),
    )


def _offset(model: Model, slot: Slot, tensor: Tensor | None) -> int:
    """The byte offset in the file of the field that a finding is about, see Finding.offset."""
    if tensor is not None:
        return tensor.quant.pos if tensor.quant is not None else tensor.pos
    if slot.operator >= 0:
        return model.subgraphs[slot.subgraph].operators[slot.operator].pos
    return -1


def _said(_: Model, constraint: WellFormed | Supported) -> Iterator[Fault]:
    """The fault of a constraint that exists only where it is violated: its texts are taken over,
    nothing is compared.
    """
    expected, actual = constraint.expected, constraint.actual
    if isinstance(constraint, Supported):
        yield constraint.slot, expected, actual, constraint.sentence, constraint.repair
        return
    wrong = f"found {actual}, expected {expected}"
    repair = "parameters" if constraint.fixable else ""
    yield constraint.slot, expected, actual, wrong, repair


def _same(model: Model, constraint: Same) -> Iterator[Fault]:
    """A fault for each slot with another label than the constraint's reference slot."""
    expected = quant_of(model, constraint.reference).label
    for slot in constraint.slots:
        actual = quant_of(model, slot).label
        if actual == expected:
            continue
        name = _relative(constraint.reference, constraint.slots[0], model)
        if actual.scale != expected.scale:
            sentence = f"scale {actual.scale:.9g} differs from {name}'s {expected.scale:.9g}"
        else:
            sentence = f"zero_point {actual.zero_point} differs from {name}'s {expected.zero_point}"
        same_zero = actual.zero_point == expected.zero_point
        noise = same_zero and close_scale(actual.scale, expected.scale)
        yield slot, expected.in_words, actual.in_words, sentence, "noise" if noise else "tied"


def _relative(slot: Slot, near: Slot, model: Model) -> str:
    """A slot as text: `inputs[1]` if it belongs to the same operator as `near`, else its whole
    address.
    """
    if slot.operator_id == near.operator_id:
        return f"{slot.kind}[{slot.index}]"
    return slot.address(model)


def _fixed(model: Model, constraint: Fixed) -> Iterator[Fault]:
    """The fault of a slot without one of the rule's labels."""
    quant = quant_of(model, constraint.slot)
    if quant.per_tensor and constraint.keeps(quant.label):
        return
    expected, actual = _label_text(constraint, constraint.labels[0]), f"{len(quant.scale)} scales"
    if quant.per_tensor:
        actual = _label_text(constraint, quant.label)
    sentence = f"declares {actual}, but the kernel always writes with {expected}"
    yield constraint.slot, expected, actual, sentence, _fixed_fault(quant, constraint.labels[0])


def _label_text(constraint: Fixed, label: Label) -> str:
    """The label in words, or only the part of it (scale or zero point) that the rule prescribes."""
    parts = {"scale": f"scale {label.scale:.9g}", "zero_point": f"zero_point {label.zero_point}"}
    return parts.get(constraint.source.held, label.in_words)


def _fixed_fault(quant: QuantParams, legal: Label) -> str:
    """The kind of fault, for the table of repairs: `noise` for a scale that differs only by
    rounding, `fixed` otherwise, "" for several scales.
    """
    if not quant.per_tensor:
        return ""
    label = quant.label
    noise = label.zero_point == legal.zero_point and close_scale(label.scale, legal.scale)
    return "noise" if noise else "fixed"


def _zero_point(model: Model, constraint: ZeroPoint) -> Iterator[Fault]:
    """The fault if a slot that must have zero point 0 has another one."""
    zero_points = [z for z in quant_of(model, constraint.slot).zero_point if z != 0]
    if zero_points:
        slot = constraint.slot
        sentence = f"zero_point {zero_points[0]}, but the {constraint.type} kernel computes with 0"
        # Only an inserted QUANTIZE could give another zero point here, and this operator is a QUANTIZE.
        graph = model.subgraphs[slot.subgraph]
        fixable = slot.operator >= 0 and graph.operators[slot.operator].name != CUT
        repair = "state" if own_state(model, slot) else "zero_point"
        yield (
            slot,
            "zero_point 0",
            f"zero_point {zero_points[0]}",
            sentence,
            repair if fixable else "",
        )


def _power(model: Model, constraint: Power) -> Iterator[Fault]:
    """The fault if a slot's scale is no power of two."""
    for scale in quant_of(model, constraint.slot).scale:
        if not is_power_of_two(scale):
            sentence = f"scale {scale:.9g} is not a power of two"
            yield (
                constraint.slot,
                "a power of two",
                f"{scale:.9g}",
                sentence,
                "state" if own_state(model, constraint.slot) and 0 < scale < np.inf else "",
            )
            return


def _weight(model: Model, constraint: Weight) -> Iterator[Fault]:
    """Faults of constant weights: zero points, number of scales, axis, or integers below the rule's
    least.
    """
    quant = quant_of(model, constraint.slot)
    slot = constraint.slot
    rule = constraint.source
    if rule.symmetric and any(quant.zero_point):
        zero_point = next(z for z in quant.zero_point if z)
        sentence = f"weight zero_point {zero_point}, expected 0"
        yield slot, "zero_point 0", f"zero_point {zero_point}", sentence, "zero_point"
    if len(quant.scale) > 1:
        axis = quant.quantized_dimension
        if rule.axis is None:
            sentence = f"{len(quant.scale)} scales, but the kernel reads one for the tensor"
            yield slot, "1 scale", f"{len(quant.scale)} scales", sentence, "axis"
        elif axis != rule.axis:
            sentence = f"quantized_dimension {axis}, expected {rule.axis}"
            yield slot, f"axis {rule.axis}", f"axis {axis}", sentence, "axis"
    if rule.minimum is not None:
        yield from _weight_values(model, constraint, rule.minimum)


def _weight_values(model: Model, constraint: Weight, minimum: int) -> Iterator[Fault]:
    """The fault of weights with an integer below `minimum` (int8: -127)."""
    slot = constraint.slot
    data = model.constant(slot.subgraph, slot.tensor(model))
    if data is None:
        return
    values = (
        int4_unpack(data)
        if constraint.type == "int4"
        else np.frombuffer(data, dtype=DTYPES[constraint.type])
    )
    lowest = int(values.min(initial=minimum))
    if lowest < minimum:
        sentence = f"weight {lowest} below {minimum}"
        yield slot, f"weights >= {minimum}", str(lowest), sentence, "minimum"


# The least and the greatest scale of a slot's tensor.
Extent = tuple[float, float]


def window_ratios(
    constraint: Window, numerator: Sequence[Extent], denominator: Sequence[Extent]
) -> Extent:
    """(least, largest) ratio of scales that a window constrains, given (least, largest) scale of
    each slot in its numerator and denominator.
    """
    rule = constraint.source
    low = high = rule.multiplier
    if rule.form == "product":
        for least, greatest in numerator:
            low, high = low * least, high * greatest
    elif rule.form == "maximum":
        low = high = low * max([greatest for _, greatest in numerator])
    elif rule.form == "square":
        low = high = low * max([greatest for _, greatest in numerator]) ** 2
    else:
        low *= min([least for least, _ in numerator])
        high *= max([greatest for _, greatest in numerator])
    for least, greatest in denominator:
        low, high = low / greatest, high / least
    return low, high


def _window(model: Model, constraint: Window) -> Iterator[Fault]:
    """The fault of a ratio of scales that a kernel's multiplier cannot hold."""
    extents = [quant_of(model, slot).extent for slot in constraint.slots]
    if not all(least > 0 and greatest < np.inf for least, greatest in extents):
        return  # reported by params/scale
    count = len(constraint.numerator)
    low, high = window_ratios(constraint, extents[:count], extents[count:])
    window = constraint.source
    if low >= window.low and high < window.high:
        return
    worst = high if high >= window.high else low
    span = f"{window.low:g} <= ratio < {window.high:g}"
    slot = constraint.denominator[0] if constraint.denominator else constraint.numerator[0]
    sentence = f"scale ratio {worst:.6g} is outside {span}"
    if not constraint.numerator:
        span = f"less than {window.high:g} steps"
        clamp = f"the clamp at {window.multiplier:g} is {worst:.6g} steps of the output"
        sentence = f"{clamp}, more than the kernel's integer holds"
    repair = "window" if high >= window.high and constraint.denominator else ""
    if repair and _clipping_helps(model, constraint, extents):
        repair = "mask"
    yield slot, span, f"{worst:.6g}", sentence, repair


def _clipping_helps(model: Model, constraint: Window, extents: Sequence[Extent]) -> bool:
    """Whether the ratio is inside the window after a repair has clipped each operand to the range
    that its reader distinguishes. `extents`: (least, largest) scale of each slot.
    """
    labels = clipped(model, constraint.denominator[0].operator_id)
    if not labels:
        return False
    pairs = zip(constraint.slots, extents, strict=True)
    new = [
        (labels[slot].scale, labels[slot].scale) if slot in labels else extent
        for slot, extent in pairs
    ]
    count = len(constraint.numerator)
    return window_ratios(constraint, new[:count], new[count:])[1] < constraint.source.high


# Constraint class -> function that yields its faults; overrides' constraints have no faults.
_FAULTS: dict[type[Constraint], Callable[[Model, Any], Iterable[Fault]]] = {
    Same: _same,
    Fixed: _fixed,
    ZeroPoint: _zero_point,
    Weight: _weight,
    BiasOf: bias_faults,
    Window: _window,
    Power: _power,
    Supported: _said,
    WellFormed: _said,
}
