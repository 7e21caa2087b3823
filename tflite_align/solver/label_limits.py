"""Labels (scale, zero point) that a slot (operand position) cannot have: they would move a multiplier
out of its kernel's window, or bias values out of their integer type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from ..checks.binder.bound import Bound
from ..checks.checker import Extent, window_ratios
from ..checks.constraints import BiasOf, Window
from ..format.model import Model, Slot, Tensor, TensorId
from ..format.wiring import slot_tensor
from ..numerics import DTYPES, Label, close_scale, to_float32, type_limits, usable_label
from ..record import Record, replace
from .problem_records import Conflict
from .widening import loses_operands, loses_range

__all__ = ["Limits"]


class _Sides(Record, frozen=True):
    """A window (limits of a ratio of scales) with the (least, greatest) scale of each slot in the
    ratio's numerator and denominator.

    `shared`: labels of several of its slots may change at once, so that each may use an equal part
    of the distance to the upper limit. `given_up`: the window is violated, and its output is not to
    be widened.
    """

    constraint: Window
    numerator: tuple[Extent, ...]
    denominator: tuple[Extent, ...]
    shared: bool = False
    given_up: bool = False

    @property
    def end(self) -> float:
        """The largest ratio that a change of one slot's scale may give: the window's upper limit,
        or less if several slots may change at once (`shared`).
        """
        end, now = self.constraint.source.high, self.ratios()[1]
        if not self.shared or not 0 < now < end:
            return end
        return float(now * (end / now) ** (1 / len(self.numerator + self.denominator)))

    @property
    def sound(self) -> bool:
        """Whether all scales of the constraint are above zero. If not, their ratio is not defined;
        another rule reports such scales.
        """
        return min(least for least, _ in (*self.numerator, *self.denominator)) > 0

    def ratios(self) -> Extent:
        """The least and greatest ratio of scales that the present labels give."""
        return window_ratios(self.constraint, self.numerator, self.denominator)

    def takes(self, side: int, position: int, scale: float) -> bool:
        """Whether the ratio is acceptable if the slot at `position` of the numerator (`side` 0) or
        denominator (1) has this scale: inside the window, or if it is outside now, no worse.

        A ratio above the upper limit is to be corrected by the denominator: numerators must not
        increase it, nor must the denominator of a window that is given up. A ratio below the lower
        limit must not decrease.
        """
        sides = [self.numerator, self.denominator]
        sides[side] = (*sides[side][:position], (scale, scale), *sides[side][position + 1 :])
        if min([least for least, _ in (*sides[0], *sides[1])]) <= 0:
            return True
        low, high = window_ratios(self.constraint, *sides)
        if low < min(self.constraint.source.low, self.ratios()[0]):
            return False
        ignored = side == 0 or self.given_up
        return high < self.end or (ignored and high <= self.ratios()[1])


class Limits:
    """Tests of the labels that a slot may have while all other slots keep theirs: multipliers stay
    in their windows, bias values in their type.

    Limits are computed when a slot is first looked up, as few slots are. `shared`: windows of which
    several slots may get new labels at once.
    """

    def __init__(self, bound: Bound, shared: Collection[Window] = ()) -> None:
        self.bound = bound
        self.model = bound.model
        self.shared = {id(window) for window in shared}
        self.unsettled: dict[Slot, list[BiasOf | tuple[Window, int, int]]] = {}
        # id(window) -> its sides and widening; the bound model keeps the window
        self.declared: dict[int, tuple[_Sides, _Widening | None]] = {}
        self.windows: dict[Slot, list[tuple[_Sides, int, int]]] = {}
        self.least: dict[Slot, float] = {}
        self.frozen: dict[Slot, Label] = {}
        for window in bound.of(Window):
            for side, slots in enumerate((window.numerator, window.denominator)):
                for position, slot in enumerate(slots):
                    self.unsettled.setdefault(slot, []).append((window, side, position))
        for constraint in bound.of(BiasOf):
            self.unsettled.setdefault(constraint.factors[0], []).append(constraint)

    def take_all(self, slot: Slot, least: float, greatest: float) -> bool:
        """Whether the slot may have every scale from `least` to `greatest`. False may also mean
        that this is not known.

        A window's ratio is monotone in each scale, so that the accepted scales are an interval.
        """
        self._settle(slot)
        if slot in self.frozen or least < self.least.get(slot, 0.0):
            return False
        return all(
            sides.takes(side, position, least) and sides.takes(side, position, greatest)
            for sides, side, position in self.windows.get(slot, ())
        )

    def _settle(self, slot: Slot) -> None:
        """Compute the limits of a slot, if that was not done yet."""
        for constraint_place in self.unsettled.pop(slot, ()):
            if isinstance(constraint_place, BiasOf):
                self._bias(slot, constraint_place)
            else:
                constraint, side, position = constraint_place
                sides, widening = self._declared(constraint)
                if widening is not None and widening.lost:
                    sides = replace(sides, given_up=True)
                if id(constraint) in self.shared:
                    sides = replace(sides, shared=True)
                self.windows.setdefault(slot, []).append((sides, side, position))

    def _bias(self, source: Slot, constraint: BiasOf) -> None:
        """Record the smallest scale of the input `source` at which the bias fits its type. If the
        bias does not fit now, the present scale stays allowed: then the weights have to change.
        """
        least = _least_scale(self.model, constraint)
        tensor = slot_tensor(self.model, source)
        if least is not None:
            least = min(least, *_scales(self.model, source))
            self.least[source] = max(least, self.least.get(source, 0.0))
        elif tensor is not None and tensor.quant is not None:
            self.frozen[source] = tensor.quant.label

    def __call__(self, slot: Slot, label: Label) -> bool:
        """Whether the slot may read or write its tensor with the label."""
        self._settle(slot)
        if slot in self.frozen and not _same(label, self.frozen[slot]):
            return False
        if label.scale < self.least.get(slot, 0.0):
            return False
        return all(
            sides.takes(side, position, label.scale)
            for sides, side, position in self.windows.get(slot, ())
        )

    def exceeded(self) -> Iterator[tuple[Window, _Widening]]:
        """Each window whose upper limit is exceeded, with the widening that would satisfy it."""
        for window in self.bound.of(Window):
            _, widening = self._declared(window)
            if widening is not None:
                yield window, widening

    def window_labels(self) -> dict[Slot, Label]:
        """For each output slot with a ratio above its window: its label with the scale enlarged by
        the least factor that brings the ratio back into the window. Left out if the larger scale
        would lose the operands or the range (see `too_coarse`).

        The operands' products have nearly that step, so that little precision is lost.
        """
        widened: dict[Slot, Label] = {}
        for _, widening in self.exceeded():
            assert widening.tensor.label is not None, "it has one scale"
            if widening.lost:
                continue
            # The strictest of several windows.
            scale = max(
                widening.scale, widened[widening.slot].scale if widening.slot in widened else 0.0
            )
            label = Label(to_float32(scale), widening.tensor.label.zero_point)
            if usable_label(label, widening.tensor.type):
                widened[widening.slot] = label
        return widened

    def too_coarse(self, broken: Collection[Slot]) -> list[Conflict]:
        """A conflict for each window whose output is in `broken` and that would need so large an
        output scale that an operand or the whole declared range is lost.
        """
        return [
            Conflict(
                slots=(widening.slot,),
                rules=(constraint.rule,),
                message=f"{widening.slot.address(self.model)} would need a scale"
                f" {widening.scale / (widening.tensor.label or Label(1.0, 0)).scale:.3g} times as coarse for"
                f" {constraint.rule}, and {widening.lost} would be lost; not aligned",
            )
            for constraint, widening in self.exceeded()
            if widening.lost and widening.slot in broken
        ]

    def passed_windows(
        self, labels_seen: Mapping[Slot, Label], source: Mapping[TensorId, Label]
    ) -> list[Window]:
        """The windows that hold with the declared labels and would be violated with the decided
        ones. `labels_seen`: decided label by reading slot; `source`: by written tensor.
        """

        def decided(slot: Slot) -> Label | None:
            """The decided label of a slot; None if it keeps the declared one."""
            return labels_seen.get(slot) or source.get(slot.tensor_id(self.model))

        def moved(slot: Slot, extent: Extent) -> Extent:
            """The (least, greatest) scale of a slot after the decision; `extent`: before it."""
            label = decided(slot)
            return (label.scale, label.scale) if label is not None else extent

        windows = []
        for window in self.bound.of(Window):
            if not any(map(decided, (*window.numerator, *window.denominator))):
                continue
            sides, _ = self._declared(window)
            if not sides.sound or sides.ratios()[1] >= window.source.high:
                continue
            numerator = tuple(map(moved, window.numerator, sides.numerator))
            denominator = tuple(map(moved, window.denominator, sides.denominator))
            if window_ratios(window, numerator, denominator)[1] >= window.source.high:
                windows.append(window)
        return windows

    def _declared(self, window: Window) -> tuple[_Sides, _Widening | None]:
        """A window's sides with the declared labels, and its widening, computed once."""
        found = self.declared.get(id(window))
        if found is None:
            sides = _sides(self.model, window)
            found = self.declared[id(window)] = sides, _widening(self.model, sides)
        return found


class _Widening(Record, frozen=True):
    """The scale that the output `slot` of a violated window would need. `lost`: the values for
    which it would be too coarse, as text; "" if there are none.
    """

    slot: Slot
    tensor: Tensor
    scale: float
    lost: str


def _widening(model: Model, sides: _Sides) -> _Widening | None:
    """The widening for a window; None if it is not exceeded, or has several outputs."""
    constraint = sides.constraint
    if len(constraint.denominator) != 1:
        return None
    slot = constraint.denominator[0]
    tensor = slot_tensor(model, slot)
    if tensor is None or tensor.label is None or not sides.sound:
        return None
    _, high = sides.ratios()
    if high < constraint.source.high:
        return None
    scale = tensor.label.scale
    # 0.1 % beyond the bound, so that rounding to float32 stays beyond it.
    wider = scale * high / constraint.source.high * 1.001
    loss = ""
    if loses_range(tensor.label, wider, tensor.type):
        loss = "all values within its range"
    elif loses_operands(constraint, scale, wider, [*sides.numerator]):
        loss = "its finest operand"
    return _Widening(slot, tensor, wider, loss)


def _same(first: Label, second: Label) -> bool:
    """Whether two labels are equal but for float rounding of the scale."""
    return first.zero_point == second.zero_point and close_scale(first.scale, second.scale)


def _scales(model: Model, slot: Slot) -> tuple[float, ...]:
    """The scales of a slot's tensor; (1.0,) without parameters."""
    tensor = slot_tensor(model, slot)
    return tensor.quant.scale if tensor is not None and tensor.quant is not None else (1.0,)


def _sides(model: Model, constraint: Window) -> _Sides:
    """The window with the (least, greatest) scale of each of its slots."""

    def extents(slots: tuple[Slot, ...]) -> tuple[Extent, ...]:
        """The (least, greatest) scale of each slot; (1, 1) without parameters."""
        tensors = [slot_tensor(model, slot) for slot in slots]
        return tuple(
            [
                t.quant.extent if t is not None and t.quant is not None else (1.0, 1.0)
                for t in tensors
            ]
        )

    return _Sides(constraint, extents(constraint.numerator), extents(constraint.denominator))


def _least_scale(model: Model, constraint: BiasOf) -> float | None:
    """The smallest scale of the bias's input at which every bias value fits the bias's integer
    type.

    None if the bias cannot be re-expressed: then its input must keep its scale.
    """
    bias = slot_tensor(model, constraint.slot)
    limits = type_limits(constraint.legal_types[0])
    if bias is None or bias.type not in DTYPES or limits is None:
        return None
    data = model.constant(constraint.slot.subgraph, bias.index)
    if data is None:
        return None
    weights = constraint.source.multiplier * np.asarray(
        _scales(model, constraint.factors[-1]) if len(constraint.factors) > 1 else (1.0,)
    )
    for middle in constraint.factors[1:-1]:
        weights = weights * _scales(model, middle)[0]
    declared = bias.quant.scale if bias.quant is not None else ()
    zero = bias.quant.zero_point if bias.quant is not None else ()
    # A bias without parameters is in steps of the declared product.
    scales = np.asarray(declared or weights * _scales(model, constraint.factors[0])[0])
    values = np.frombuffer(data, dtype=DTYPES[bias.type]).astype(np.float64)
    if not values.size or np.any(weights <= 0):
        return None
    if {scales.size, weights.size, max(len(zero), 1)} - {1, values.size}:
        return None
    real = np.abs(values - np.asarray(zero or (0,))) * scales
    return float(np.max(real / weights)) / limits[1]
