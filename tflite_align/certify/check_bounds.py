"""The error bound of one operator of the written file, against the function that the original declares.

The bound holds for every integer that can occur at the inputs. A kernel is a named integer function
(`functions`); its result is compared with the original's real function of the same input values.
Values are float64: with float32 scales and integers below 2^32 each value of a tensor is exact, and a
few operations on them have a relative error below 2^-48 of the largest, which `_SLACK` covers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .check_read import ReadOperator, ReadTensor
from .functions.affine import Affine, NotTakenError
from .functions.cases import (
    LARGEST,
    Cases,
    SummedChannel,
    accumulator_cases,
    copy_cases,
    pair_cases,
    position_cases,
    product_channel,
    sum_cases,
    table_cases,
    weighted_channels,
)
from .functions.limits import LIMITS, activation_limits_away, activation_limits_even
from .functions.operand_slots import COPIED, INDEXED, PADDED, SUMMANDS, WEIGHTED
from .functions.registry import SUMS
from .functions.rounded_constants import is_rounded
from .functions.shapes import row_facts, summed_counts

__all__ = [
    "Kernel",
    "Kernels",
    "Operand",
    "Shown",
    "Task",
    "UnshownError",
    "hull",
    "show",
    "upward",
]

Array = Any
N = TypeVar("N", int, float)
Ends = tuple[int, int]  # the least and the greatest integer
_SLACK = 1e-6  # LSB: bounds are rounded up to a multiple of it, and once more
_SIX = 6e-3  # how near to 6 the range of a RELU6 ends: a quarter of a step of an 8-bit range
_FUSED = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}


class UnshownError(ValueError):
    """No bound is proved for the operator; the message gives the reason."""


class Kernel(NamedTuple):
    """A row of `schema/arithmetic`: its class, the integer functions that its elements may get, the
    activation whose limits replace the fused one's, and whether these limits round ties to even.
    """

    kind: str
    functions: tuple[str, ...]
    clamp: str = ""
    even: bool = False


NO_KERNEL = Kernel("none", ())

# (runtime, operator's name, input types, output types, options and properties of shapes and scales) ->
# groups of kernels: any group may run, and within a group the first kernel that takes the parameters.
Kernels = Callable[
    [str, str, Sequence[str], Sequence[str], Mapping[str, Any]], Sequence[Sequence[Kernel]]
]


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor of the original (`given`) and of the written file. `arrives`: (least, greatest) integer
    that can occur, None where it is not tracked. `needed`: the real values that readers distinguish.
    """

    given: ReadTensor
    tensor: ReadTensor
    arrives: Ends | None
    needed: tuple[float, float]

    @cached_property
    def affine(self) -> Affine:
        """The written tensor's parameters, with the integers that can occur as limits."""
        if len(self.tensor.scale) != 1 or self.tensor.scale[0] <= 0:
            raise UnshownError("an operand does not have one positive scale")
        if self.arrives is None:
            raise UnshownError("the range of integers of an operand is not known")
        return Affine(self.tensor.scale[0], self.tensor.zero_point[0], *self.arrives)

    @cached_property
    def stated(self) -> tuple[float, float]:
        """The real values (low, high) at which the original's range clamps; infinite: nowhere."""
        low, high = self.given.declared
        above = high if low == 0 and abs(high - 6) <= _SIX else 0.0 if high == 0 else math.inf
        return (0.0 if low == 0 else -math.inf), above

    def rounded(self, *clipped: int) -> bool:
        """Whether the constant is the original's, `clipped` to (least, greatest) and rounded."""
        if self.given.constant == self.tensor.constant:
            return True
        if not len(self.given.scale) == len(self.tensor.scale) == 1:
            return False
        both = [(t.integers(), t.scale[0], t.zero_point[0]) for t in (self.given, self.tensor)]
        return is_rounded(both[0], both[1], *clipped)

    @property
    def meant(self) -> tuple[Array, Array] | None:
        """The integers of a constant that is clipped to its type, and the original's real values."""
        if not self.tensor.data or self.rounded():
            return None
        if not self.rounded(*self.tensor.limits):
            raise UnshownError("a constant is not the original's, clipped and rounded")
        pairs = np.stack([self.tensor.integers().ravel(), self.given.integers().ravel()])
        written, given = np.unique(pairs, axis=1)
        return written, (given - self.given.zero_point[0]) * self.given.scale[0]

    def off(self, written: Array, real: Array) -> float:
        """The largest error of the real values `written`, in steps (LSB) of the written tensor. Any
        value between the exact result (`real`) and this result clipped to `needed` is correct.
        """
        clipped = np.clip(real, *self.needed)
        below, above = np.minimum(real, clipped) - written, written - np.maximum(real, clipped)
        return max(float(below.max()), float(above.max()), 0.0) / self.tensor.scale[0]


def upward(bound: float) -> float:
    """The bound (steps) rounded up to a multiple of `_SLACK`, plus one `_SLACK` for float64."""
    return round(math.ceil(bound / _SLACK + 1) * _SLACK, 6)


def hull(ends: Iterable[tuple[N, N]]) -> tuple[N, N]:
    """The smallest interval that contains all (least, greatest) intervals in `ends`."""
    low, high = zip(*ends, strict=True)
    return min(low), max(high)


class ShownBound(NamedTuple):
    """The bound of one output. `worst`: largest error in steps. `ends`, `total`: (least, greatest)
    integer of output and accumulator. `saturates`: ends of the range that the real result exceeds.
    """

    worst: float
    ends: Ends
    total: Ends | None
    saturates: frozenset[str]


class Shown(NamedTuple):
    """The bound of an operator. By runtime: `functions`, names of integer functions; `bounds`,
    largest error in steps of the output. `outputs`: the bound of each output; `whole`: all joined.
    """

    functions: Mapping[str, Sequence[str]]
    bounds: Mapping[str, float]
    outputs: Sequence[ShownBound]
    whole: ShownBound


@dataclass(frozen=True, kw_only=True)
class Task:
    """An operator of the written file. `given`: the original's; `types`: of the outputs as they are
    stored; `as_run`: whether a bias is read in input scale x weight scale. A bound is computed of
    `output`, one of `outputs`, and for the row `kernel`.
    """

    given: ReadOperator
    operator: ReadOperator
    inputs: Sequence[Operand | None]
    outputs: Sequence[Operand]
    types: Sequence[str]
    as_run: bool
    output: Operand
    kernel: Kernel = NO_KERNEL

    @property
    def name(self) -> str:
        return self.operator.name

    @cached_property
    def out(self) -> Affine:
        """The output's parameters, with the limits of the type and of the kernel's activation."""
        fused = _FUSED[self.operator.options.get("fused_activation_function", 0)]
        at = activation_limits_even if self.kernel.even else activation_limits_away
        low, high = self.output.tensor.limits
        return at(self.kernel.clamp or fused, self.output.affine._replace(low=low, high=high))

    @property
    def facts(self) -> Mapping[str, Any]:
        """Options and properties of shapes and scales that kernel rows depend on, by name."""
        operands = [(o.tensor.shape, o.tensor.scale) if o else ((), ()) for o in self.inputs]
        operands.append((self.output.tensor.shape, self.output.tensor.scale))
        second = self.inputs[1] if len(self.inputs) > 1 else None
        known = second and second.tensor.data and self.operator.options.get("keep_dims")
        axes = second.tensor.integers().ravel().tolist() if second and known else ()
        return row_facts(self.name, self.operator.options, operands, axes)

    @property
    def copied(self) -> Sequence[Operand]:
        """The data operands of an operator that copies integers; of READ_VARIABLE its output, of an
        operator that returns an index the operand from which the index selects.
        """
        if self.name in {"READ_VARIABLE", *INDEXED}:
            return [self.output]
        return [operand for operand in self.inputs[COPIED[self.name]] if operand is not None]

    def input(self, index: int) -> Operand:
        """The operand at position `index` among the inputs; UnshownError if it is absent."""
        operand = self.inputs[index]
        if operand is None:
            raise UnshownError("an operand is absent")
        return operand


def show(task: Task, kernels: Kernels, runtimes: Sequence[str]) -> Shown:
    """The operator's bound over all kernels that the runtimes (names) may run; UnshownError,
    KeyError or DomainError without a proof. `kernels`: rows of integer functions.
    """
    ins = [operand.tensor.type if operand else "" for operand in task.inputs]
    facts, known, functions, bounds = task.facts, dict[Kernel, list[ShownBound]](), {}, {}
    for runtime in runtimes:
        groups = kernels(runtime, task.name, ins, task.types, facts)
        rows = [_first(task, group, known) for group in groups]
        if not rows:
            raise UnshownError(f"no integer function is known for {runtime}'s kernel")
        functions[runtime] = list(dict.fromkeys(name for row in rows for name in row.functions))
        bounds[runtime] = max(bound.worst for row in rows for bound in known[row])
    outputs = [_joined(each) for each in zip(*known.values(), strict=True)]
    return Shown(functions, bounds, outputs, _joined(outputs))


def _joined(bounds: Sequence[ShownBound]) -> ShownBound:
    """The bound that covers all of `bounds`: largest error, hulls of the intervals."""
    totals = [bound.total for bound in bounds if bound.total]
    return ShownBound(
        max(bound.worst for bound in bounds),
        hull(bound.ends for bound in bounds),
        hull(totals) if totals else None,
        frozenset().union(*(bound.saturates for bound in bounds)),
    )


def _first(task: Task, group: Sequence[Kernel], known: dict[Kernel, list[ShownBound]]) -> Kernel:
    """The kernel of `group` that supports the operator's parameters; UnshownError without one.
    `known`: kernel -> bound of each output, extended by this call.
    """
    for kernel in group:
        tasks = [replace(task, kernel=kernel, output=output) for output in task.outputs]
        try:
            known[kernel] = known.get(kernel) or [_bound(each) for each in tasks]
        except NotTakenError:
            continue
        ends = (*task.copied, *task.outputs) if kernel.kind == "copy" else ()
        if len({operand.affine[:2] for operand in ends}) > 1:  # some kernels requantize then
            what = f"a copy can be {max(bound.worst for bound in known[kernel]):.6g} LSB off"
            raise UnshownError(f"the operands' parameters differ: {what}")
        return kernel
    raise UnshownError("no kernel supports its parameters")


def _bound(task: Task) -> ShownBound:
    kind, names = task.kernel.kind, task.kernel.functions
    if kind != "copy" and len(task.outputs) > 1:
        raise UnshownError("bounds are shown only of an operator with one output")
    return _joined([_compared(task, c) for name in names for c in _CLASSES[kind](task, name)])


def _compared(task: Task, cases: Cases) -> ShownBound:
    """The bound from cases: integers that a kernel writes, with the exact real results."""
    operand, half, most = task.output, task.out.scale / 2, LARGEST * task.out.scale
    clamp = LIMITS[_FUSED[task.given.options.get("fused_activation_function", 0)]]
    low, high = max(clamp[0], operand.stated[0]), min(clamp[1], operand.stated[1])
    real = cases.real if low == -high == -math.inf else np.clip(cases.real, low, high)
    ends = float(real.min()), float(real.max())
    if not -most <= ends[0] <= ends[1] <= most:
        if np.any(np.isnan(real)) or max(-operand.needed[0], operand.needed[1]) > most / 2:
            raise UnshownError("no error bound: real values exceed 2^26 steps of the output")
        real = np.clip(real, -most, most)  # which only shortens the segment
    written = (cases.written - task.out.zero_point) * task.out.scale
    low, high = operand.tensor.declared
    past = {"low": ends[0] < low - half, "high": ends[1] > high + half}
    return ShownBound(
        operand.off(written, real) + cases.more,
        (int(cases.written.min()), int(cases.written.max())),
        cases.total,
        frozenset(end for end, reached in past.items() if reached),
    )


# --- the classes: the cases of a kernel's function for this operator -------------------------------


def _copies(task: Task, _: str) -> Iterator[Cases]:
    """The cases of copied integers, of each data operand; PAD also writes its zero point."""
    if any(each.tensor.type != task.output.tensor.type for each in task.copied):
        raise UnshownError("a copy changes the type")
    for source in task.copied:
        yield from copy_cases(source.affine, task.out)
    if task.name in PADDED:
        yield Cases(np.array([task.out.zero_point]), np.zeros(1))


def _sums(task: Task, name: str) -> Iterator[Cases]:
    """The cases of a sum or mean over elements with the integer function `name`."""
    source, output = task.input(0).tensor, task.output.tensor
    counts = summed_counts(task.name, source.shape, output.shape, task.operator.options)
    if not counts or max(counts) * (output.limits[1] - output.limits[0] + 1) > 2**31:
        raise UnshownError("the number of summed elements is unknown or too large")
    return sum_cases(name, task.name, counts, task.input(0).affine, task.out)


def _position(task: Task, name: str) -> Iterator[Cases]:
    """The cases of an operator that interpolates between elements. `name`: the integer function."""
    source, output, size = task.input(0).tensor, task.output.tensor, task.input(1).tensor
    if not size.data or (*size.integers().flat,) != output.shape[1:3]:
        raise UnshownError("the size operand is not a constant equal to the output's shape")
    if task.input(0).affine[:2] != task.out[:2]:
        raise UnshownError("the operands' parameters differ")
    images = (source.shape[1], source.shape[2]), (output.shape[1], output.shape[2])
    return position_cases(name, task.input(0).affine, *images, task.given.options)


def _accumulate(task: Task, name: str) -> Iterator[Cases]:
    """The cases of a convolution, matrix product or sum with the integer function `name`."""
    if name in SUMS:
        return _sums(task, name)
    if task.name == "BATCH_MATMUL":
        depth = task.input(0).tensor.shape[-2 if task.operator.options["adj_x"] else -1]
        channels = product_channel(task.input(0).affine, task.input(1).affine, depth, task.out)
    else:
        channels = _weighted(task)
    return accumulator_cases(name, channels, task.out)


def _weighted(task: Task) -> Iterator[SummedChannel]:
    """The accumulator of each channel of a convolution or matrix product with constant weights."""
    slots = WEIGHTED[task.name]
    x, w = task.input(slots.data), task.input(slots.weights)
    if not w.tensor.data:
        raise UnshownError("the weights are not constant")
    centred, scale = _by_channel(w.tensor, slots.axis)
    given, given_scale = _by_channel(w.given, slots.axis)
    added, offset = np.zeros(len(scale), np.int64), np.zeros(len(scale))
    if len(task.inputs) > slots.bias and (b := task.inputs[slots.bias]):
        added, declared = b.tensor.integers().ravel(), b.given.integers().ravel()
        as_run = task.as_run or not b.given.scale
        if not as_run and any(b.given.zero_point):
            raise UnshownError("the bias has a zero point")
        by = x.given.scale[0] * given_scale if as_run else np.array(b.given.scale)
        offset = declared * by
    weights = centred, scale, given * given_scale[:, None]
    return weighted_channels(x.affine, weights, (added, offset), task.out)


def _by_channel(tensor: ReadTensor, axis: int) -> tuple[Array, Array]:
    """(integers minus zero point, [channels, taps]; scale of each channel along `axis`) of weights."""
    whole = np.moveaxis(tensor.integers(), axis, 0)
    whole = whole.reshape(whole.shape[0], -1)
    along = len(tensor.scale) == len(whole) and tensor.axis == axis % len(tensor.shape)
    if not along and len(tensor.scale) != 1:
        raise UnshownError("the weight has parameters along another axis than its channels")
    zero, scale = (np.resize(v, len(whole)) for v in (tensor.zero_point, tensor.scale))
    return whole - zero[:, None], scale.astype(np.float64)


def _table(task: Task, name: str) -> Iterator[Cases]:
    """The cases of a function of one operand, from all its integers. `name`: the integer function."""
    options = task.operator.options, task.given.options
    return table_cases(name, task.name, task.input(0).affine, task.out, options)


def _pairs(task: Task, name: str) -> Iterator[Cases]:
    sides = task.input(0), task.input(1)
    meant = (sides[0].meant, sides[1].meant) if task.name in SUMMANDS else (None, None)
    return pair_cases(name, task.name, sides[0].affine, sides[1].affine, task.out, meant=meant)


_CLASSES: Mapping[str, Callable[[Task, str], Iterator[Cases]]] = {
    "copy": _copies,
    "table": _table,
    "pairs": _pairs,
    "accumulate": _accumulate,
    "taps": _sums,
    "position": _position,
    "index": _copies,
}
