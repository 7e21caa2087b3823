"""The error bound of one operator of the written file, against the function that the original declares.

The bound holds for every integer that can occur at the inputs. A kernel is a named integer function
(`functions`); its result is compared with the original's real function of the same input values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .check_linear import accumulated
from .check_read import DTYPES
from .check_real import LARGEST, Operand, UnshownError, declared_range
from .check_task import Kernel, Kernels, Task
from .functions.affine import Affine, NotTakenError
from .functions.parted import PARTED
from .functions.real import BINARY, UNARY
from .functions.registry import PAIRS, SUMS, TABLES
from .functions.resize import weight_error
from .functions.shapes import window_counts
from .functions.steps import step_ends

__all__ = ["COPIES", "NO_KERNEL", "Shown", "show"]

Array = Any


@dataclass(frozen=True, kw_only=True)
class FunctionBound:
    """The bound of one integer function. `worst`: its largest error in steps of the written output;
    `outputs`: (least, greatest) integer of each output; `accumulator`: the same of the accumulator;
    `saturates`: the ends (`low`, `high`) of the output's range that the real result exceeds.
    """

    worst: float
    outputs: tuple[tuple[int, int], ...]
    accumulator: tuple[int, int] | None = None
    saturates: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The bound of an operator over all runtimes. `functions`: the integer functions and `bounds`: the
    largest error in steps of the written output, both by runtime; the rest as in FunctionBound.
    """

    functions: Mapping[str, Sequence[str]]
    bounds: Mapping[str, float]
    outputs: Sequence[tuple[int, int]]
    accumulator: tuple[int, int] | None
    saturates: Sequence[str]


def show(task: Task, kernels: Kernels, runtimes: Sequence[str]) -> Shown:
    """The operator's largest error over all kernels that any of the runtimes may run for it. Raises
    UnshownError, KeyError or DomainError if no bound can be proved.
    """
    ins = [operand.tensor.type if operand is not None else "" for operand in task.inputs]
    outs = [operand.tensor.type for operand in task.outputs]
    functions: dict[str, list[str]] = {}
    runtime_bounds: dict[str, list[FunctionBound]] = {}
    kernel_bounds: dict[Kernel, list[FunctionBound]] = {}
    for runtime in runtimes:
        groups = kernels(runtime, task.operator.name, ins, outs, task.facts)
        if not groups:
            raise UnshownError(f"no function is known of the kernel of {runtime}")
        rows = [_first(task, group, kernel_bounds) for group in groups]
        functions[runtime] = list(dict.fromkeys(name for row in rows for name in row.functions))
        runtime_bounds[runtime] = [bound for row in rows for bound in kernel_bounds[row]]
    each = [bound for bounds in runtime_bounds.values() for bound in bounds]
    accumulators = [bound.accumulator for bound in each if bound.accumulator is not None]
    return Shown(
        functions=functions,
        bounds={
            runtime: max(b.worst for b in bounds) for runtime, bounds in runtime_bounds.items()
        },
        outputs=[_hull(ends) for ends in zip(*(b.outputs for b in each), strict=True)],
        accumulator=_hull(accumulators) if accumulators else None,
        saturates=sorted(frozenset().union(*(b.saturates for b in each))),
    )


def _first(
    task: Task, group: Sequence[Kernel], bounds: dict[Kernel, list[FunctionBound]]
) -> Kernel:
    """The first kernel of a group that accepts the operator's parameters; adds its bounds to `bounds`."""
    for kernel in group:
        if kernel not in bounds:
            kernel_task = replace(task, kernel=kernel)
            try:
                bounds[kernel] = [
                    _BOUNDS[kernel.kind](kernel_task, name) for name in kernel.functions
                ]
            except NotTakenError:
                continue
        return kernel
    raise UnshownError("no kernel takes its parameters")


def _hull(ends: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest interval that contains all given (least, greatest) intervals."""
    return min(low for low, _ in ends), max(high for _, high in ends)


def _real(integers: Array, by: Affine) -> Array:
    """The real values of integers under these parameters."""
    return (integers - by.zero_point) * by.scale


def _saturated(real: Array, output: Operand) -> frozenset[str]:
    """The ends (`low`, `high`) of the output's declared range that the real results exceed by more
    than half a step.
    """
    low, high = declared_range(output.tensor)
    half, real = output.tensor.scale[0] / 2, np.clip(real, *output.target.stated)
    past = {"low": np.min(real) < low - half, "high": np.max(real) > high + half}
    return frozenset(end for end, reached in past.items() if reached)


# Operators that copy integers -> their data inputs; all outputs are data.
_FIRST = slice(0, 1)
COPIES: Mapping[str, slice] = {
    **dict.fromkeys(
        (
            "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT_V",
            "UNPACK", "GATHER", "GATHER_ND", "TILE", "REVERSE_V2", "REVERSE_SEQUENCE",
            "BROADCAST_TO", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH",
            "DEPTH_TO_SPACE", "PAD", "MIRROR_PAD", "MAX_POOL_2D", "REDUCE_MAX", "REDUCE_MIN",
            "RESIZE_NEAREST_NEIGHBOR",
        ),
        _FIRST,
    ),
    "SPLIT": slice(1, 2),
    "CONCATENATION": slice(0, None),
    "PACK": slice(0, None),
    "PADV2": slice(0, 3, 2),
    "MAXIMUM": slice(0, 2),
    "MINIMUM": slice(0, 2),
}  # fmt: skip
_PADDED = {"PAD", "SPACE_TO_BATCH_ND"}  # the padding is the output's zero point


def _copy(task: Task, _: str) -> FunctionBound:
    """Integers are copied; with equal parameters, so are the real values. A maximum or minimum of
    several operands has no larger error than the worst of them.
    """
    data: Sequence[Operand] = task.outputs  # of a variable, what is read was assigned
    if task.operator.name != "READ_VARIABLE":
        data = [o for o in task.inputs[COPIES[task.operator.name]] if o is not None]
    low, high = _hull([operand.affine[2:] for operand in data])
    worst = 0.0
    for output, out in zip(task.outputs, task.outs, strict=True):
        for operand in data:
            if operand.tensor.type != output.tensor.type:
                raise UnshownError("a copy changes the type")
            by = operand.affine
            q = np.arange(by.low, by.high + 1)
            f = np.clip(_real(q, by), *task.clamp)
            worst = max(worst, output.target.distance(_real(np.clip(q, out.low, out.high), out), f))
    if any(operand.affine[:2] != output.affine[:2] for operand in data for output in task.outputs):
        # Some kernels requantize then, others do not.
        raise UnshownError(f"its operands' parameters differ: a copy can be {worst:.6g} LSB off")
    if task.operator.name in _PADDED:
        low, high = _hull([(low, high), *((out.zero_point, out.zero_point) for out in task.outs)])
    ends = [np.clip([low, high], out.low, out.high) for out in task.outs]
    return FunctionBound(
        worst=worst, outputs=tuple((int(first), int(last)) for first, last in ends)
    )


def _table(task: Task, name: str) -> FunctionBound:
    """The bound of a function of one operand, from all integers that it can have."""
    by, real = task.input(0), UNARY[task.operator.name]
    q = np.arange(by.low, by.high + 1)
    slope = {k: v for k, v in task.operator.options.items() if k == "alpha"}
    y = np.asarray(TABLES[name](q, by, task.only[1], **slope))
    return _compared(task, y, real(_real(q, by), task.given.options))


def _pairs(task: Task, name: str) -> FunctionBound:
    """The bound of a function of two operands, from all pairs of integers; of 16-bit operands, see
    _parted.
    """
    first, second, real = task.input(0), task.input(1), BINARY[task.operator.name]
    if (first.high - first.low) * (second.high - second.low) > 2**17:
        return _parted(task, name, first, second)
    grid = np.meshgrid(*(np.arange(by.low, by.high + 1) for by in (first, second)))
    a, b = (side.ravel() for side in grid)
    y = np.asarray(PAIRS[name](a, b, first, second, task.only[1]))
    x = _real(a, first), _real(b, second)
    if max(np.max(np.abs(side), initial=0) for side in x) > LARGEST * task.only[1].scale:
        raise UnshownError("steps too far apart to say anything")
    return _compared(task, y, real(*x))


def _parted(task: Task, name: str, first: Affine, second: Affine) -> FunctionBound:
    """The bound for two 16-bit operands, whose pairs are too many to compare. Some functions depend
    on one integer made of both (their sum, for example): all its values are compared. A maximum or
    minimum of equal scales is compared on every integer that either operand can have.
    """
    (_, out), operator = task.only, task.operator.name
    if operator in {"MAXIMUM", "MINIMUM"} and first[:2] == second[:2]:
        q = np.arange(min(first.low, second.low), max(first.high, second.high) + 1)
        return _compared(task, np.clip(q, out.low, out.high), _real(q, first))
    if PARTED.get(name, ("",))[0] != operator:
        raise UnshownError("pairs of 16-bit integers are too many to look at")
    part = PARTED[name][1](first, second, out)
    a, y = step_ends(part.last, part.low, part.high, part.unit / out.scale, out.zero_point)
    bound = _compared(task, y, part.unit * a)
    return replace(bound, worst=bound.worst + part.off / out.scale)


def _compared(task: Task, y: Array, real: Array) -> FunctionBound:
    """The bound of the single output, whose integers `y` a kernel computes where `real` is right."""
    (output, out), real = task.only, np.clip(real, *task.clamp)
    if not np.all(np.abs(real) <= LARGEST * out.scale):
        raise UnshownError("steps too far apart to say anything")
    return FunctionBound(
        worst=output.target.distance(_real(y, out), real),
        outputs=((int(y.min()), int(y.max())),),
        saturates=_saturated(real, output),
    )


def _counts(task: Task) -> list[int]:
    """The numbers of elements that one output may sum up; pooling windows that overlap a border
    hold fewer. Empty if they cannot be derived from the shapes.
    """
    if task.operator.name == "AVERAGE_POOL_2D":
        return window_counts(task.shape, task.operator.options)
    whole, left = math.prod(task.shape), math.prod(task.outputs[0].tensor.shape)
    return [whole // left] if left and whole % left == 0 and whole else []


def _summed(task: Task, name: str) -> FunctionBound:
    """The bound of a sum or a mean. For each number of elements the output is monotone in their
    integer sum, so that the points where it changes value suffice.
    """
    (output, out), by, counts = task.only, task.input(0), _counts(task)
    if not counts or max(counts) * 2 ** (8 * np.dtype(DTYPES[output.tensor.type]).itemsize) > 2**31:
        raise UnshownError("how many elements are added up is not known, or too many")
    bounds, totals = [], []
    for count in counts:
        unit = by.scale if task.operator.name == "SUM" else by.scale / count
        zero = out.zero_point - count * by.zero_point * unit / out.scale
        kernel = partial(_integers, SUMS[name], count=count, operand=by, output=out)
        totals.append((count * by.low, count * by.high))
        a, y = step_ends(kernel, *totals[-1], unit / out.scale, zero)
        bounds.append(_compared(task, y, unit * (a - count * by.zero_point)))
    return FunctionBound(
        worst=max(bound.worst for bound in bounds),
        outputs=(_hull([bound.outputs[0] for bound in bounds]),),
        accumulator=_hull(totals),
        saturates=frozenset().union(*(bound.saturates for bound in bounds)),
    )


def _position(task: Task, name: str) -> FunctionBound:
    """The bound of a resize: each output integer lies between the input integers it is interpolated
    from, and the kernel's interpolation weights, which depend only on the position, have a bounded
    error.
    """
    (output, out), by, size = task.only, task.input(0), task.inputs[1]
    given, taken = (shape[1:3] for shape in (task.shape, output.tensor.shape))
    if size is None or not size.tensor.data or tuple(size.tensor.integers().ravel()) != taken:
        raise UnshownError("its size is not the constant that its output's shape says")
    if by[:2] != out[:2]:
        raise UnshownError("its operands' parameters differ")
    off, rounded = weight_error(
        name, (given[0], given[1]), (taken[0], taken[1]), task.given.options
    )
    ends = _real(np.array([by.low, by.high]), by)
    return FunctionBound(
        worst=0.5 + off * (by.high - by.low) + rounded + output.target.distance(ends, ends),
        outputs=((by.low, by.high),),
        saturates=_saturated(ends, output),
    )


def _integers(function: Callable[..., Any], total: Array, **parameters: Any) -> Array:
    """Call an integer function by keyword parameters; the result as an array."""
    return np.asarray(function(total, **parameters))


def _accumulate(task: Task, name: str) -> FunctionBound:
    """The bound of a convolution, matrix product, sum or mean, from its integer accumulator."""
    if name in SUMS:
        return _summed(task, name)
    (output, out), line = task.only, task.line
    worst, low, high = accumulated(line, name, out, output.target, task.clamp)
    ends = np.concatenate([line.real(line.low), line.real(line.high)])
    return FunctionBound(
        worst=worst,
        outputs=((low, high),),
        accumulator=(int(line.low.min()), int(line.high.max())),
        saturates=_saturated(np.clip(ends, *task.clamp), output),
    )


NO_KERNEL = Kernel("none", ())
_BOUNDS: Mapping[str, Callable[[Task, str], FunctionBound]] = {
    "copy": _copy,
    "table": _table,
    "pairs": _pairs,
    "accumulate": _accumulate,
    "taps": _summed,
    "position": _position,
}
