"""Distances between monotone integer functions, computed from the points where they change value.

A kernel is a list of functions; more than one where an element's position decides which applies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import Record
from .functions.affine import DomainError

__all__ = ["Apart", "Distances", "Kernel", "apart_on", "apart_over", "steps"]

Array = NDArray[Any]
Function = Callable[..., Array]
Kernel = Sequence[Function]


class Apart(Record, frozen=True, kw_only=True):
    """How far the outputs of two kernels are apart. `largest`: in LSB; `differing`: number of cases
    (inputs) with different outputs. `witness`: a case with the largest distance, as (index of the
    interval, integer) or (0, index of the case); None if all are equal.
    """

    largest: int = 0
    differing: int = 0
    witness: tuple[int, int] | None = None

    def joined(self, other: Apart) -> Apart:
        """The largest distance and the number of differing inputs over this record's and `other`'s
        cases.
        """
        farther = self if self.largest >= other.largest else other
        return Apart(
            largest=farther.largest,
            differing=self.differing + other.differing,
            witness=farther.witness,
        )


class Distances(Record, frozen=True, kw_only=True):
    """How far several kernels are apart. `cases`: number of compared inputs; `pairs`: by indices of
    two kernels; `every`: the maximum over all pairs.
    """

    cases: int
    pairs: dict[tuple[int, int], Apart]
    every: Apart

    def joined(self, other: Distances) -> Distances:
        """The distances over this record's and `other`'s cases together."""
        pairs = {pair: apart.joined(other.pairs[pair]) for pair, apart in self.pairs.items()}
        return Distances(
            cases=self.cases + other.cases, pairs=pairs, every=self.every.joined(other.every)
        )


def steps(
    function: Function, low: int, high: int, about: Callable[[Array], Array] | None = None
) -> Array:
    """The integers from `low` + 1 to `high` at which a monotone function changes its value; a jump
    by more than one gives one integer. `about`: estimates the integers at which the function
    reaches given values.
    """
    first, last = (int(value) for value in function(np.array([low, high])))
    if first > last:
        raise DomainError("the integer function is not monotonic")
    targets = np.arange(first + 1, last + 1)
    below, above = np.full(targets.shape, low), np.full(targets.shape, high)
    if about is not None and targets.size:
        near = np.clip(about(targets), low, high)
        room = 1.5 + np.abs(near) * 2.0**-20
        left = np.maximum(np.floor(near - room), low).astype(np.int64)
        right = np.minimum(np.ceil(near + room), high).astype(np.int64)
        below = np.where(function(left) < targets, left, below)
        above = np.where(function(right) >= targets, right, above)
    while targets.size and int((above - below).max()) > 1:
        middle = (below + above) >> 1
        reached = function(middle) >= targets
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return _once(above)


def _once(ordered: Array) -> Array:
    """Distinct values of a sorted array, without the sorting of np.unique. `ordered`: ascending
    values.
    """
    distinct: Array = ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]
    return distinct


def apart_over(
    kernels: Sequence[Kernel],
    intervals: Sequence[tuple[int, int]],
    about: Callable[[Array], Array] | None = None,
) -> Distances:
    """Compare kernels of monotone functions on every integer of the intervals, given as (low,
    high). An integer that lies in several intervals counts several times. `about`: as in `steps`.
    """
    ends = np.asarray(intervals, dtype=np.int64)
    low, high = int(ends[:, 0].min()), int(ends[:, 1].max())
    begins = [steps(function, low, high, about) for kernel in kernels for function in kernel]
    starts = _once(np.sort(np.concatenate([np.array([low], dtype=np.int64), *begins])))
    stops = np.append(starts[1:], high + 1)
    first = np.maximum(starts, ends[:, :1])  # shape [intervals, parts]
    lengths = np.maximum(np.minimum(stops, ends[:, 1:] + 1) - first, 0)
    which = lengths.argmax(axis=0)
    values = first[which, np.arange(starts.size)]
    return _distances(kernels, (starts,), lengths.sum(axis=0), (which, values))


def apart_on(kernels: Sequence[Kernel], *cases: Array) -> Distances:
    """Compare kernels on these cases: arrays of arguments, of equal length. A witness is the index
    of a case.
    """
    numbers = np.arange(cases[0].size)
    return _distances(kernels, cases, np.ones_like(numbers), (np.zeros_like(numbers), numbers))


def _distances(
    kernels: Sequence[Kernel], cases: tuple[Array, ...], lengths: Array, names: tuple[Array, Array]
) -> Distances:
    """The distances between all pairs of kernels. `cases`: arrays of the functions' arguments; by
    case: `lengths`, the number of inputs that it stands for, and `names`, the two numbers that
    identify it as a witness (see Apart).
    """
    answers = [np.stack([function(*cases) for function in kernel]) for kernel in kernels]
    ends = [(integers.min(axis=0), integers.max(axis=0)) for integers in answers]
    pairs, every = {}, np.zeros(lengths.size, dtype=np.int64)
    for i, j in combinations(range(len(kernels)), 2):
        distance = np.maximum(ends[i][1] - ends[j][0], ends[j][1] - ends[i][0])
        distance = np.where(lengths > 0, distance, 0)
        pairs[i, j] = _counted(distance, lengths, names)
        every = np.maximum(every, distance)
    return Distances(cases=int(lengths.sum()), pairs=pairs, every=_counted(every, lengths, names))


def _counted(distance: Array, lengths: Array, names: tuple[Array, Array]) -> Apart:
    """Largest distance, number of differing inputs and witness; arguments as in _distances, by
    case.
    """
    largest = int(distance.max(initial=0))
    at = int(distance.argmax()) if largest else 0
    return Apart(
        largest=largest,
        differing=int(lengths[distance > 0].sum()),
        witness=(int(names[0][at]), int(names[1][at])) if largest else None,
    )
