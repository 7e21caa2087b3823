"""The cost of precision lost at readers, for every pair of labels (scale, zero point): the one with
which the tensor is written, and the one with which the reader reads it.

The arithmetic of the solver's costs. Many readers are priced at once: an array of a few numbers
costs as much time as one of thousands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks.binder.bound import Requantizing
from ..format.model import Slot
from ..numerics import Label, label_range
from .averages import clip_noise
from .clamps import Clamp
from .cost_tables import FORBIDDEN, Floats
from .problem_records import Node, Value, Weights
from .ranges import Values

__all__ = ["Read", "Reader", "Reads", "computing"]

# A node and the slots of one tensor in it.
Reader = tuple[Node, tuple[Slot, ...]]

_OBSERVED = (
    2.5  # cost of clipping an observed value, as a multiple of the cost of clipping the whole range
)
_ENTRIES = 1 << 18  # largest number of entries of one array


class Read(NamedTuple):
    """A node (operand positions that share a label) that reads a tensor through its `slots`.
    `written`: candidate labels with which the tensor may be written. `shared`: number of slots that
    share the cost of the tensor's lost bits. `cuts`: limits of a QUANTIZE for the type.
    """

    type: str
    value: Value
    node: Node
    slots: tuple[Slot, ...]
    written: tuple[Label, ...]
    shared: int
    cuts: Requantizing | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(number of written labels, of read labels, of slots): reads with equal numbers are priced
        together.
        """
        return len(self.written), len(self.node.domain), len(self.slots)


def computing(reader: Reader) -> int:
    """The number of a reader's slots whose kernel computes its own multiplier, so that no rule ties
    them to another.
    """
    node, slots = reader
    return len(slots) if node.free else len(node.loose.intersection(slots))


class Reads:
    """Computes the cost of reads for every pair of labels, from the tensors' ranges and noise and
    the weights of the cost function.
    """

    def __init__(self, values: Values, weights: Weights) -> None:
        self.values = values
        self.weights = weights
        self.rows: dict[tuple[str, tuple[Label, ...]], Floats] = {}

    def priced(self, reads: Sequence[Read]) -> list[Floats]:
        """For each read an array [written labels, read labels] of costs in the solver's units;
        FORBIDDEN where a needed QUANTIZE is impossible.
        """
        groups: dict[tuple[int, int, int], list[int]] = {}
        for position, read in enumerate(reads):
            groups.setdefault(read.shape, []).append(position)
        prices: list[Any] = [None] * len(reads)
        for (rows, columns, _), places in groups.items():
            most = max(_ENTRIES // (rows * columns), 1)
            for start in range(0, len(places), most):
                some = places[start : start + most]
                block = self._block([reads[position] for position in some])
                for position, costs in zip(some, block, strict=True):
                    prices[position] = costs
        return prices

    def grid(self, labels: tuple[Label, ...], type_name: str) -> Floats:
        """Array of shape [4, labels]: scale, low end, high end (real values) and zero point of each
        label. `type_name`: integer type of the tensor.
        """
        cached = self.rows.get((type_name, labels))
        if cached is None:
            ranges = [(label, label_range(label, type_name)) for label in labels]
            cached = self.rows[type_name, labels] = np.array(
                [
                    [label.scale for label in labels],
                    [span.low for _, span in ranges],
                    [span.high for _, span in ranges],
                    [float(label.zero_point) for label in labels],
                ]
            )
        return cached

    def _block(self, group: Sequence[Read]) -> Floats:
        """Costs of reads with equal numbers of labels and slots; shape [reads, written labels, read
        labels].

        Counted slot by slot, so that ties between slots make no difference; a bit of a tensor's
        precision counts once, shared by the readers that compute their own multiplier. `group`:
        reads with equal numbers of labels and slots.
        """
        weights = self.weights
        written = np.array([self.grid(read.written, read.type) for read in group])
        labels_seen = np.array([self.grid(read.node.domain, read.type) for read in group])
        a, b = written[:, :, :, None], labels_seen[:, :, None, :]
        same = (a[:, 0] == b[:, 0]) & (a[:, 3] == b[:, 3])
        low, high = np.maximum(a[:, 1], b[:, 1]), np.minimum(a[:, 2], b[:, 2])
        step = np.maximum(a[:, 0], b[:, 0])
        slots = len(group[0].slots)
        total = self._clip(group, low, high, step)
        total = total + slots * self._clamp(group, low, high, step)
        noise = a[:, 0] ** 2 + np.where(same, 0.0, b[:, 0] ** 2)
        saw = _column(self.values.noise[read.value.key] for read in group)
        plain = [self._slots(read, averaged=False) for read in group]
        counts = [computing((read.node, slots)) for read, slots in zip(group, plain, strict=True)]
        shares = [count / read.shared for count, read in zip(counts, group, strict=True)]
        bits = 0.5 * np.log2(noise / saw)
        total = total + _column(s * weights.bit for s in shares) * np.maximum(0.0, bits)
        total = total + _column(s * weights.finer for s in shares) * np.maximum(-8.0, bits)
        # A tied reader's own label causes no loss at this reader: the loss is counted at its readers.
        bits = 0.5 * np.log2(noise / (saw + b[:, 0] ** 2))
        tied = _column(
            (len(slots) - count) * weights.bit for slots, count in zip(plain, counts, strict=True)
        )
        total = total + tied * np.maximum(0.0, bits)
        for position, read in enumerate(group):
            for slot in self._joined(read):
                total[position] += self._lost_in_join(read, slot, noise[position], b[position, 0])
            for slot in self._slots(read, averaged=True):
                clipped = np.zeros_like(low[position])
                if not self._strict(read, slot):
                    need = self.values.need(slot, read.value.key)
                    clipped = clip_noise(
                        need.low,
                        need.high,
                        low[position],
                        high[position],
                        crowded=read.value.key in self.values.crowded,
                    )
                total[position] += self._averaged(
                    read, slot, noise[position], b[position, 0], clipped
                )
        total = np.where(self._below_zero(group, low, step), FORBIDDEN, total)
        zero = (a[:, 3] == 0) & (b[:, 3] == 0)
        return _possible(group, total, same, zero, a[:, 0] / b[:, 0])

    def _below_zero(self, group: Sequence[Read], low: Floats, step: Floats) -> NDArray[np.bool_]:
        """Whether a uint8 reader needs zero point 0 and its tensor has negative values, which would
        be clipped. `group`: reads with equal numbers of labels and slots.
        """
        unsigned = [read.node.zero and read.type == "uint8" for read in group]
        if not any(unsigned):
            return np.zeros(low.shape, dtype=np.bool_)
        needs = [min(self.values.need(s, read.value.key).low for s in read.slots) for read in group]
        below: NDArray[np.bool_] = _flags(unsigned) & (_column(needs) < low - step)
        return below

    def _strict(self, read: Read, slot: Slot) -> bool:
        """Whether `weights.clip` applies to the clipping of values that the slot needs. In front of an
        average it does not, as the effect on the mean is counted; for observed values it always does.
        """
        return slot not in self.values.averaged or read.value.key in self.values.observed

    def _slots(self, read: Read, *, averaged: bool) -> tuple[Slot, ...]:
        """The reader's operand positions whose elements its operator averages (MEAN,
        AVERAGE_POOL_2D, RESIZE_BILINEAR); with averaged=False all its other positions.
        """
        known = self.values.averaged
        if not known:
            return () if averaged else read.slots
        return tuple([slot for slot in read.slots if (slot in known) is averaged])

    def _joined(self, read: Read) -> tuple[Slot, ...]:
        """The reader's tied slots whose kernel copies this tensor, next to coarser ones, into one
        output.
        """
        joined = self.values.joined
        if not joined or read.node.free:
            return ()
        return tuple(s for s in read.slots if s in joined and s not in read.node.loose)

    def _lost_in_join(self, read: Read, slot: Slot, noise: Floats, steps_seen: Floats) -> Floats:
        """The cost of the bits that a fine operand loses at the label that it shares with coarser
        operands, as far as the output's declared precision would have kept them; an array [written
        labels, read labels]. `noise`: of the values as read; `steps_seen`: scale of the read label.

        Readers of the output count its noise relative to the coarsest operand's, so that the loss
        of finer ones has to be counted here.
        """
        saw = self.values.noise[read.value.key]
        declared = 0.5 * np.log2(noise / (saw + self.values.joined[slot]))
        counted = 0.5 * np.log2(noise / (saw + steps_seen**2))
        loss: Floats = np.maximum(declared, 0.0) - np.maximum(counted, 0.0)
        return self.weights.bit * np.maximum(loss, 0.0)

    def _averaged(
        self, read: Read, slot: Slot, noise: Floats, steps_seen: Floats, clipped: Floats
    ) -> Floats:
        """The cost of precision lost in the means of an averaged operand; an array [written labels,
        read labels].

        `noise`: noise of the elements as read; `steps_seen`: their step; `clipped`: noise from
        clipping. A mean is rounded to its operand's step if a rule ties output and operand, else to
        its declared step.
        """
        average, weights = self.values.averaged[slot], self.weights
        free = computing((read.node, (slot,)))
        rounded = average.step**2 if free else steps_seen**2
        share = 1 / read.shared if free else 1.0
        saw = average.left * self.values.noise[read.value.key] + rounded
        left = average.left * noise + rounded
        bits = np.maximum(0.5 * np.log2(left / saw), -8.0)
        beyond = 0.5 * np.log2((left + clipped) / np.maximum(left, saw))
        total = weights.bit * np.maximum(bits, 0.0) + weights.blur * np.maximum(beyond, 0.0)
        return share * (total + (weights.finer * bits if free else 0.0))

    def _clip(self, group: Sequence[Read], low: Floats, high: Floats, step: Floats) -> Floats:
        """The cost of clipping parts of the range that readers need. `low`, `high`: ends of what
        remains, real values; `step`: scale; all of shape [reads, written labels, read labels], like
        the result.

        Up to one step at the end of a declared range costs nothing; of observed values only half a
        step, by which rounding changes them anyway. Before an average, clipping costs by its effect
        on the mean, unless the values were observed. `group`: reads with equal numbers of labels
        and slots.
        """
        observed = self.values.observed
        was_observed = _column(1.0 if read.value.key in observed else 0.0 for read in group)
        step = np.where(was_observed > 0, 0.5 * step, step)
        total: Floats = np.zeros_like(low)
        for index in range(len(group[0].slots)):
            needs = [self.values.need(read.slots[index], read.value.key) for read in group]
            bottom, top = _column(n.low for n in needs), _column(n.high for n in needs)
            missing = np.maximum(0.0, low - bottom - step)
            missing = missing + np.maximum(0.0, top - high - step)
            if self.values.averaged:
                missing = missing * _column(self._strict(r, r.slots[index]) for r in group)
            total = total + missing / np.maximum(top - bottom, step)
            if observed:
                total = total + _OBSERVED * was_observed * (missing > 0)
        return self.weights.clip * total

    def _clamp(self, group: Sequence[Read], low: Floats, high: Floats, step: Floats) -> Floats:
        """The cost of undoing a clamp that only the declared range implies; small if the operator
        can get it as fused activation. `group`: reads with equal numbers of labels and slots.
        """
        total = self._saturated(group, low, high)
        clamps = [self.values.clamps.get(read.value.key) for read in group]
        if not any(clamps):
            return total
        effective = [clamp or _UNCLAMPED for clamp in clamps]
        broken = _flags(clamp.low for clamp in effective) & (low < 0)
        broken |= _flags(clamp.high for clamp in effective) & (high > 0)
        ends = _column(clamp.ceiling for clamp in effective) + step
        broken |= _flags(clamp.six for clamp in effective) & (high > ends)
        weights = self.weights
        stated = [
            read.value.key in self.values.silent and clamp.activation is not None
            for read, clamp in zip(group, effective, strict=True)
        ]
        stating = _column(weights.state if is_stated else weights.clamp for is_stated in stated)
        return np.asarray(total + stating * broken)

    def _saturated(self, group: Sequence[Read], low: Floats, high: Floats) -> Floats:
        """The cost of a range that lets values through which the tensor's declared range clips, for
        tensors whose range may be widened. `low`, `high`: ends of the range, real values. `group`:
        reads with equal numbers of labels and slots.
        """
        saturations = [self.values.saturations.get(read.value.key) for read in group]
        if not any(saturations):
            return np.zeros_like(low)
        bottom = _column(
            saturation.held.low if saturation else -math.inf for saturation in saturations
        )
        top = _column(
            saturation.held.high if saturation else math.inf for saturation in saturations
        )
        return np.asarray(self.weights.clamp * ((low < bottom) | (high > top)))

    def constant(
        self, value: Value, slots: tuple[Slot, ...], domain: tuple[Label, ...], type_name: str
    ) -> Floats:
        """The cost of re-expressing a constant with each label of `domain`: lost precision and
        clipping; no QUANTIZE is needed. `slots`: the constant's readers; `type_name`: its integer
        type.
        """
        declared = self.values.labels[value.key]
        needs = [self.values.need(slot, value.key) for slot in slots]
        is_observed = value.key in self.values.observed
        costs = []
        for label in domain:
            if label == declared:
                costs.append(0.0)
                continue
            span = label_range(label, type_name)
            step = (0.25 if is_observed else 0.5) * label.scale
            clipped = 0.0
            for need in needs:
                missing = max(0.0, span.low - need.low - step)
                missing += max(0.0, need.high - span.high - step)
                clipped += missing / max(need.high - need.low, step)
                clipped += _OBSERVED if is_observed and missing > 0 else 0.0
            finer = max(0.0, math.log2(label.scale / declared.scale))
            costs.append(self.weights.clip * clipped + self.weights.change + finer)
        return np.array(costs)


_ANY = Requantizing()
_NEVER = Requantizing(ratio=0.0)  # the target has no QUANTIZE within the type
_UNCLAMPED = Clamp(low=False, high=False, six=False, ceiling=0.0)


def _possible(
    group: Sequence[Read],
    total: Floats,
    same: NDArray[np.bool_],
    zero: NDArray[np.bool_],
    ratio: Floats,
) -> Floats:
    """The costs, with FORBIDDEN where a required QUANTIZE is impossible. `same`: the two labels
    agree; `zero`: zero points are 0; `ratio`: of their scales. `group`: reads with equal numbers of
    labels and slots.
    """
    if any(not read.node.uncut.isdisjoint(read.slots) for read in group):
        forbidden = _flags(not read.node.uncut.isdisjoint(read.slots) for read in group)
        total = np.where(same | ~forbidden, total, FORBIDDEN)
    kinds = [read.cuts or _NEVER for read in group]
    if any(quantize_limits != _ANY for quantize_limits in kinds):
        able = zero | _flags(not quantize_limits.zero for quantize_limits in kinds)
        able = able & (ratio < _column(quantize_limits.farthest for quantize_limits in kinds))
        total = np.where(same | able, total, FORBIDDEN)
    return total


def _column(numbers: Iterable[float]) -> Floats:
    """One number per read, in a shape that broadcasts over the reads' cost tables."""
    return np.array(list(numbers), dtype=np.float64)[:, None, None]


def _flags(truths: Iterable[bool]) -> NDArray[np.bool_]:
    """One truth value per read, in a shape that broadcasts over the reads' cost tables."""
    return np.array(list(truths), dtype=np.bool_)[:, None, None]
