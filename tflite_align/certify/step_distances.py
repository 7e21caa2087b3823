"""Where monotone integer functions step, and how far the kernels of several runtimes are apart.

A kernel is a list of functions: one, or more where the place of an element says which it gets.
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
    """How far two kernels are apart: `largest`, LSB; `differing` of the cases that were looked at;
    `witness`: a case at which the distance is largest: of several intervals which, and the integer
    or the number of the case.
    """

    largest: int = 0
    differing: int = 0
    witness: tuple[int, int] | None = None

    def joined(self, other: Apart) -> Apart:
        farther = self if self.largest >= other.largest else other
        return Apart(
            largest=farther.largest,
            differing=self.differing + other.differing,
            witness=farther.witness,
        )


class Distances(Record, frozen=True, kw_only=True):
    """`pairs`: by the places of two kernels in their list; `every`: any two of them."""

    cases: int
    pairs: dict[tuple[int, int], Apart]
    every: Apart

    def joined(self, other: Distances) -> Distances:
        pairs = {pair: apart.joined(other.pairs[pair]) for pair, apart in self.pairs.items()}
        return Distances(
            cases=self.cases + other.cases, pairs=pairs, every=self.every.joined(other.every)
        )


def steps(
    function: Function, low: int, high: int, about: Callable[[Array], Array] | None = None
) -> Array:
    """The integers above `low`, up to `high`, at which a monotone function takes another value than
    at the one before; where it jumps by more it steps once. `about`: near which a value begins.
    """
    first, last = (int(value) for value in function(np.array([low, high])))
    if first > last:
        raise DomainError("the function falls")
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
    """Each of them once: np.unique would look at their order again."""
    distinct: Array = ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]
    return distinct


def apart_over(
    kernels: Sequence[Kernel],
    intervals: Sequence[tuple[int, int]],
    about: Callable[[Array], Array] | None = None,
) -> Distances:
    """How far kernels of monotone functions are apart on every integer of the intervals, each of
    them counted for itself.
    """
    ends = np.asarray(intervals, dtype=np.int64)
    low, high = int(ends[:, 0].min()), int(ends[:, 1].max())
    begins = [steps(function, low, high, about) for kernel in kernels for function in kernel]
    starts = _once(np.sort(np.concatenate([np.array([low], dtype=np.int64), *begins])))
    stops = np.append(starts[1:], high + 1)
    first = np.maximum(starts, ends[:, :1])  # [intervals, parts]
    lengths = np.maximum(np.minimum(stops, ends[:, 1:] + 1) - first, 0)
    which = lengths.argmax(axis=0)
    values = first[which, np.arange(starts.size)]
    return _distances(kernels, (starts,), lengths.sum(axis=0), (which, values))


def apart_on(kernels: Sequence[Kernel], *cases: Array) -> Distances:
    """How far kernels are apart on these cases; a witness is the number of one."""
    numbers = np.arange(cases[0].size)
    return _distances(kernels, cases, np.ones_like(numbers), (np.zeros_like(numbers), numbers))


def _distances(
    kernels: Sequence[Kernel], cases: tuple[Array, ...], lengths: Array, names: tuple[Array, Array]
) -> Distances:
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
    largest = int(distance.max(initial=0))
    at = int(distance.argmax()) if largest else 0
    return Apart(
        largest=largest,
        differing=int(lengths[distance > 0].sum()),
        witness=(int(names[0][at]), int(names[1][at])) if largest else None,
    )
