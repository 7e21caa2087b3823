"""Constraints + the parameters a model has now -> findings, sorted, all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..format.model import Model, QuantParams, Slot, Tensor, TensorId
from ..format.type_groups import BIAS_TYPES
from ..format.wiring import own_state, slot_tensor
from ..numerics import (
    DTYPES,
    Label,
    close_scale,
    first_apart,
    int4_unpack,
    is_power_of_two,
    product_scale,
)
from ..record import Record
from ..rules.fixes import fix_of
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

__all__ = ["Extent", "Finding", "Grade", "check_bound", "expected_bias_scales", "window_ratios"]


class Grade(Record, frozen=True, kw_only=True):
    """How grave a finding is for one target, and what happens there."""

    target: str
    severity: Literal["error", "warning"]
    behaviour: str


class Finding(Record, frozen=True, kw_only=True):
    """One broken constraint at one slot. `expected` and `actual` are for people; `message` is
    the whole sentence that every report prints. `offset`: the byte of the file where the
    FlatBuffers table stands that is wrong (the tensor's parameters, else the tensor, else the
    operator); -1 where there is none. `fix`: id of the repair; "" where none is known. `severity` and
    `behaviour` are the gravest of its `grades`, one for each target that it concerns, in the order
    they were asked for.
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

    @property
    def fixable(self) -> bool:
        """Whether a repair is known, switched on or not."""
        return bool(self.fix)

    @property
    def tensor_id(self) -> TensorId:
        return TensorId(self.slot.subgraph, self.tensor)

    @property
    def sort_key(self) -> tuple[tuple[int, int, int, int], str]:
        return (self.slot.sort_key, self.rule)


# Slot, what was expected, what was found, the sentence, the kind of fault ("": no repair is known).
_Fault = tuple[Slot, str, str, str, str]


def check_bound(bound: Bound) -> list[Finding]:
    """Every finding of a bound model, sorted by slot and rule."""
    findings = []
    model = bound.model
    for constraint in bound.constraints:
        faults = _FAULTS.get(type(constraint))
        if faults is not None:
            findings += [_finding(model, constraint, fault) for fault in faults(model, constraint)]
    return sorted(findings, key=lambda finding: finding.sort_key)


def _finding(model: Model, constraint: Constraint, fault: _Fault) -> Finding:
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
    if tensor is not None:
        return tensor.quant.pos if tensor.quant is not None else tensor.pos
    if slot.operator >= 0:
        return model.subgraphs[slot.subgraph].operators[slot.operator].pos
    return -1


def _said(_: Model, constraint: WellFormed | Supported) -> Iterator[_Fault]:
    """Constraints that are bound only where they are broken."""
    expected, actual = constraint.expected, constraint.actual
    if isinstance(constraint, Supported):
        yield constraint.slot, expected, actual, constraint.sentence, constraint.repair
        return
    wrong = f"found {actual}, expected {expected}"
    kind = "parameters" if constraint.fixable else ""
    yield constraint.slot, expected, actual, wrong, kind


def _quant(model: Model, slot: Slot) -> QuantParams:
    tensor = slot_tensor(model, slot)
    assert tensor is not None
    assert tensor.quant is not None
    return tensor.quant


def _same(model: Model, constraint: Same) -> Iterator[_Fault]:
    wanted = _quant(model, constraint.reference).label
    name = _relative(constraint.reference, constraint.slots[0], model)
    for slot in constraint.slots:
        found = _quant(model, slot).label
        if found == wanted:
            continue
        if found.scale != wanted.scale:
            sentence = f"scale {found.scale:.9g} differs from {name}'s {wanted.scale:.9g}"
        else:
            sentence = f"zero_point {found.zero_point} differs from {name}'s {wanted.zero_point}"
        same_zero = found.zero_point == wanted.zero_point
        noise = same_zero and close_scale(found.scale, wanted.scale)
        yield slot, wanted.in_words, found.in_words, sentence, "noise" if noise else "tied"


def _relative(slot: Slot, near: Slot, model: Model) -> str:
    """A slot's name as seen from the same operator, or its whole address from elsewhere."""
    if slot.operator_id == near.operator_id:
        return f"{slot.kind}[{slot.index}]"
    return slot.address(model)


def _fixed(model: Model, constraint: Fixed) -> Iterator[_Fault]:
    quant = _quant(model, constraint.slot)
    if quant.per_tensor and constraint.keeps(quant.label):
        return
    wanted, found = _told(constraint, constraint.labels[0]), f"{len(quant.scale)} scales"
    if quant.per_tensor:
        found = _told(constraint, quant.label)
    sentence = f"{found} declared, but the kernel always writes {wanted}"
    yield constraint.slot, wanted, found, sentence, _fixed_fault(quant, constraint.labels[0])


def _told(constraint: Fixed, label: Label) -> str:
    """The part of a label that the rule holds."""
    parts = {"scale": f"scale {label.scale:.9g}", "zero_point": f"zero_point {label.zero_point}"}
    return parts.get(constraint.source.held, label.in_words)


def _fixed_fault(quant: QuantParams, legal: Label) -> str:
    if not quant.per_tensor:
        return ""
    label = quant.label
    noise = label.zero_point == legal.zero_point and close_scale(label.scale, legal.scale)
    return "noise" if noise else "fixed"


def _zero_point(model: Model, constraint: ZeroPoint) -> Iterator[_Fault]:
    found = [z for z in _quant(model, constraint.slot).zero_point if z != 0]
    if found:
        slot = constraint.slot
        sentence = f"zero_point {found[0]} where the {constraint.type} kernel takes it as 0"
        # Only a cut could bring another zero point here, and this operator is one.
        graph = model.subgraphs[slot.subgraph]
        fixable = slot.operator >= 0 and graph.operators[slot.operator].name != CUT
        kind = "state" if own_state(model, slot) else "zero_point"
        yield slot, "zero_point 0", f"zero_point {found[0]}", sentence, kind if fixable else ""


def _power(model: Model, constraint: Power) -> Iterator[_Fault]:
    for scale in _quant(model, constraint.slot).scale:
        if not is_power_of_two(scale):
            sentence = f"scale {scale:.9g} is no power of two"
            yield (
                constraint.slot,
                "a power of two",
                f"{scale:.9g}",
                sentence,
                "state" if own_state(model, constraint.slot) and 0 < scale < np.inf else "",
            )
            return


def _weight(model: Model, constraint: Weight) -> Iterator[_Fault]:
    quant = _quant(model, constraint.slot)
    slot = constraint.slot
    rule = constraint.source
    if rule.symmetric and any(quant.zero_point):
        found = next(z for z in quant.zero_point if z)
        sentence = f"weight zero_point {found}, expected 0"
        yield slot, "zero_point 0", f"zero_point {found}", sentence, "zero_point"
    if len(quant.scale) > 1:
        axis = quant.quantized_dimension
        if rule.axis is None:
            sentence = f"{len(quant.scale)} scales where the kernel takes one a tensor"
            yield slot, "1 scale", f"{len(quant.scale)} scales", sentence, "axis"
        elif axis != rule.axis:
            sentence = f"quantized_dimension {axis}, expected {rule.axis}"
            yield slot, f"axis {rule.axis}", f"axis {axis}", sentence, "axis"
    if rule.minimum is not None:
        yield from _weight_values(model, constraint, rule.minimum)


def _weight_values(model: Model, constraint: Weight, minimum: int) -> Iterator[_Fault]:
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


def expected_bias_scales(model: Model, constraint: BiasOf) -> list[float]:
    """Multiplier x the factors' scales, one a channel where the weights are per-axis."""
    quants = [_quant(model, slot) for slot in constraint.factors]
    first = quants[0].scale[0]
    for middle in quants[1:-1]:
        first *= middle.scale[0]
    last = quants[-1].scale if len(quants) > 1 else (1.0,)
    return product_scale(first, last, constraint.source.multiplier)


def _bias(model: Model, constraint: BiasOf) -> Iterator[_Fault]:
    bias = slot_tensor(model, constraint.slot)
    if bias is None:
        return
    known = model.constant(constraint.slot.subgraph, bias.index) is not None
    if bias.type not in constraint.legal_types:
        wanted = constraint.legal_types[0]
        sentence = f"{bias.type} bias where {constraint.type} activations need {wanted}"
        yield constraint.slot, wanted, bias.type, sentence, "type" if known else ""
        if bias.type not in BIAS_TYPES:
            return
    elif constraint.stated not in {"", bias.type}:
        sentence = f"{constraint.source.type_option} states {constraint.stated}, but the bias is {bias.type}"
        yield constraint.slot, constraint.stated, bias.type, sentence, "type" if known else ""
    if bias.quant is None or not bias.quant.scale:
        if known:
            right = expected_bias_scales(model, constraint)[0]
            sentence = f"bias without a scale; input scale x weight scale = {right:.9g}"
            yield constraint.slot, f"{right:.9g}", "none", sentence, "scale"
        return
    if any(bias.quant.zero_point):
        found = next(z for z in bias.quant.zero_point if z)
        sentence = f"bias zero_point {found}, expected 0"
        yield (
            constraint.slot,
            "zero_point 0",
            f"zero_point {found}",
            sentence,
            "zero_point" if known else "",
        )
    yield from _bias_scale(model, constraint, list(bias.quant.scale), fixable=known)


def _bias_scale(
    model: Model, constraint: BiasOf, found: list[float], *, fixable: bool
) -> Iterator[_Fault]:
    wanted = expected_bias_scales(model, constraint)
    count = max(len(wanted), len(found))
    if min(len(wanted), len(found)) not in (1, count):
        sentence = f"{len(found)} bias scales for {len(wanted)} weight scales"
        yield (
            constraint.slot,
            f"{len(wanted)} scales",
            f"{len(found)} scales",
            sentence,
            "",
        )
        return
    wanted, found = _stretch(wanted, count), _stretch(found, count)
    if wanted == found:
        return
    channel = first_apart(wanted, found)
    if channel is not None:
        right, given = wanted[channel], found[channel]
        place = f" in channel {channel}" if count > 1 else ""
        sentence = (
            f"bias scale {given:.9g}{place} differs from input scale x weight scale = {right:.9g}"
        )
        yield constraint.slot, f"{right:.9g}", f"{given:.9g}", sentence, "scale" if fixable else ""


def _stretch(values: list[float], count: int) -> list[float]:
    return values * count if len(values) == 1 else values


# The least and the greatest scale of a slot's tensor.
Extent = tuple[float, float]


def window_ratios(
    constraint: Window, numerator: Sequence[Extent], denominator: Sequence[Extent]
) -> Extent:
    """(least, largest) ratio of a window, given the extent of each slot's scales."""
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


def _window(model: Model, constraint: Window) -> Iterator[_Fault]:
    extents = [_quant(model, slot).extent for slot in constraint.slots]
    if not all(least > 0 and greatest < np.inf for least, greatest in extents):
        return  # params/scale says so
    count = len(constraint.numerator)
    low, high = window_ratios(constraint, extents[:count], extents[count:])
    window = constraint.source
    if low >= window.low and high < window.high:
        return
    worst = high if high >= window.high else low
    span = f"{window.low:g} <= ratio < {window.high:g}"
    slot = constraint.denominator[0] if constraint.denominator else constraint.numerator[0]
    sentence = f"scale ratio {worst:.6g} is outside {span}"
    yield slot, span, f"{worst:.6g}", sentence, "window" if high >= window.high else ""


# What can be wrong with each kind of constraint; a user's own kinds are never broken.
_FAULTS: dict[type[Constraint], Callable[[Model, Any], Iterable[_Fault]]] = {
    Same: _same,
    Fixed: _fixed,
    ZeroPoint: _zero_point,
    Weight: _weight,
    BiasOf: _bias,
    Window: _window,
    Power: _power,
    Supported: _said,
    WellFormed: _said,
}
