"""Distances between the outputs of several kernels of one operator, over all its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import Record
from .arithmetic import ArithmeticRow
from .functions.affine import Affine, DomainError, NotTakenError
from .functions.registry import FLOATS, FUNCTIONS, POSITIONS, SUMS
from .operator_cases import CHANNELED, Channel, OperatorCase, UnknownHereError
from .step_distances import Apart, Distances, Kernel, apart_on, apart_over

__all__ = ["Measured", "measured", "taken"]

Array = NDArray[Any]

_TRIED = 1 << 16  # samples of int16 pairs, of which there are 2^32
_MOST = 1 << 16  # largest operand that is enumerated


class Measured(Record, frozen=True, kw_only=True):
    """How far the outputs of an operator's kernels are apart. `pairs`: distances by indices of two
    rows; `every`: the maximum over all pairs; `cases`: number of compared inputs.

    `witness`: description of an input with the largest distance. `exact`: whether all possible
    inputs were compared.
    """

    pairs: Mapping[tuple[int, int], Apart] = {}
    every: Apart = Apart()
    cases: int = 0
    witness: str = ""
    exact: bool = True


class _Cases(Record, frozen=True, kw_only=True):
    """Distances of kernels over a part of the operator's possible inputs; `name` describes the
    input of a witness, see Apart. `exact`: whether all inputs of the part were compared.
    """

    distances: Distances
    name: Callable[[int, int], str]
    exact: bool = True


def measured(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> Measured:
    """Compare the outputs of the rows' functions over all possible inputs of the operator.

    Raises UnknownHereError or DomainError where the functions are unknown.
    """
    total: Distances | None = None
    witness, exact = "", True
    for part in _parts(case, rows):
        every = part.distances.every
        if every.witness is not None and (total is None or every.largest > total.every.largest):
            witness = part.name(*every.witness)
        total = part.distances if total is None else total.joined(part.distances)
        exact = exact and part.exact
    if total is None:
        raise UnknownHereError("no output depends on an enumerated operand")
    return Measured(
        pairs=total.pairs, every=total.every, cases=total.cases, witness=witness, exact=exact
    )


def taken(case: OperatorCase, row: ArithmeticRow) -> bool:
    """Whether the row's functions accept the operator's parameters."""
    if row.kind not in ("pairs", "table"):
        return True
    zeros = [case.affine("inputs", i).zero_point for i in range(_operands(row))]
    try:
        for function in _elementwise(case, row):
            function(*(np.array([zero], dtype=np.int64) for zero in zeros))
    except NotTakenError:
        return False
    except DomainError:
        return True  # the error is reported when all cases are compared
    return True


def _parts(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> Iterator[_Cases]:
    """The operator's possible inputs in parts, each with the distances of the rows' kernels."""
    if case.operator.name in CHANNELED:
        return _accumulators(case, rows)
    if all(row.function in SUMS for row in rows):
        return _sums(case, rows)
    if any(row.function in POSITIONS for row in rows):
        raise UnknownHereError(
            "each output interpolates between four integers: too many combinations to compare"
            " exhaustively"
        )
    if all(row.function in FLOATS for row in rows):
        return iter([_floats(case, rows)])
    return iter([_pairs(case, rows) if rows[0].kind == "pairs" else _table(case, rows)])


def _outputs(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> list[Affine]:
    """The output's parameters for each row, clamped as its kernel does."""
    return [row.limits(case.fused, case.affine("outputs", 0)) for row in rows]


def _accumulators(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> Iterator[_Cases]:
    """Compare over all accumulators of a convolution or matrix product; one part for each scale of
    weights and choice of functions. `rows`: the kernels whose functions are compared.
    """
    data = case.affine("inputs", CHANNELED[case.operator.name].data)
    outputs = _outputs(case, rows)
    groups: dict[tuple[float, tuple[tuple[str, ...], ...]], list[Channel]] = {}
    for channel in case.channels():
        key = channel.weight_scale, _functions(case, rows, channel.index)
        groups.setdefault(key, []).append(channel)
    for (scale, functions), channels in groups.items():  # each with the same functions
        kernels = [
            [partial(_behind, FUNCTIONS[name], (data.scale, scale, out)) for name in names]
            for names, out in zip(functions, outputs, strict=True)
        ]
        about = partial(_near, real=data.scale * scale / outputs[0].scale, output=outputs[0])
        yield _Cases(
            distances=apart_over(kernels, [(each.low, each.high) for each in channels], about),
            name=partial(_accumulator, channels),
        )


def _functions(
    case: OperatorCase, rows: Sequence[ArithmeticRow], channel: int
) -> tuple[tuple[str, ...], ...]:
    """The functions that this output channel can get, by row."""
    return tuple(row.functions_of(channel, _channels(case)) for row in rows)


def _channels(case: OperatorCase) -> int:
    """The number of channels of the first output; 1 for a scalar."""
    shape = case.operand("outputs", 0).shape
    return shape[-1] if shape else 1


def _accumulator(channels: Sequence[Channel], which: int, value: int) -> str:
    """The description of an accumulator; `which`: index into `channels`."""
    return f"channel {channels[which].index}, accumulator {value}"


def _near(values: Array, real: float, output: Affine) -> Array:
    """Estimated accumulators at which the output reaches these integers; `real`: the multiplier."""
    accumulators: Array = (values - output.zero_point - 0.5) / real
    return accumulators


def _sums(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> Iterator[_Cases]:
    """Compare over all sums of elements; one part for each number of elements. `rows`: the kernels
    whose functions are compared.
    """
    operand, outputs = case.affine("inputs", 0), _outputs(case, rows)
    ends = (0, _channels(case) - 1)  # a channel of a block, and one left over
    for count in case.counts():
        for functions in dict.fromkeys(_functions(case, rows, channel) for channel in ends):
            kernels = [
                [partial(_behind, FUNCTIONS[name], (count, operand, out)) for name in names]
                for names, out in zip(functions, outputs, strict=True)
            ]
            yield _Cases(
                distances=apart_over(kernels, [(count * operand.low, count * operand.high)]),
                name=partial(_sum, count),
            )


def _sum(count: int, _: int, value: int) -> str:
    """A case's description, e.g. `sum 12 of 4 elements`."""
    return f"sum {value} of {count} elements"


def _floats(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> _Cases:
    """Compare over all finite float32 values, enumerated in ascending order. `rows`: the kernels
    whose functions are compared.
    """
    kernels = [
        [partial(_of_place, FUNCTIONS[name], output) for name in row.functions]
        for row, output in zip(rows, _outputs(case, rows), strict=True)
    ]
    most = int(np.array(np.finfo(np.float32).max).view(np.int32))
    return _Cases(
        distances=apart_over(kernels, [(-most, most)]),
        name=lambda _, index: f"{float(_float32(np.array([index]))[0])!r}",
    )


def _float32(places: Array) -> Array:
    """The float32 value for each index in ascending order: 0 is 0.0, 1 the smallest positive value,
    -1 the negative one nearest to 0. `places`: indices, int64.
    """
    values: Array = np.abs(places).astype(np.int32).view(np.float32)
    return np.copysign(values, np.where(places < 0, np.float32(-1), np.float32(1)))


def _of_place(function: Callable[..., Any], output: Affine, places: Array) -> Array:
    """The integers that a QUANTIZE of float32 values writes. `function`: computes them from values
    and the output's parameters `output`; `places`: the values by their index, as in _float32.
    """
    integers: Array = function(_float32(places), output)
    return integers


def _operands(row: ArithmeticRow) -> int:
    """The number of operands that the row's functions take."""
    return 2 if row.kind == "pairs" else 1


def _elementwise(case: OperatorCase, row: ArithmeticRow) -> Kernel:
    """The row's functions with parameters and options filled in: arguments are the operands' integers."""
    output = row.limits(case.fused, case.affine("outputs", 0))
    operands = [case.affine("inputs", i) for i in range(_operands(row))]
    options = {"alpha": case.operator.options["alpha"]} if "leaky" in row.function else {}
    return [
        partial(_behind, partial(FUNCTIONS[name], **options), (*operands, output))
        for name in row.functions
    ]


def _behind(function: Callable[..., Any], arguments: tuple[Any, ...], *cases: Array) -> Array:
    """Call the function with the cases first and the operator's fixed arguments last."""
    integers: Array = function(*cases, *arguments)
    return integers


def _pairs(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> _Cases:
    """Compare over all pairs of integers of two operands, or over a sample of them if they are too
    many. `rows`: the kernels whose functions are compared.
    """
    a, b = (_values(case, index) for index in (0, 1))
    exact = a.size * b.size <= _MOST
    if exact:
        first, second = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
    else:
        rng = np.random.default_rng(0)
        first, second = (rng.choice(values, _TRIED) for values in (a, b))
    kernels = [_elementwise(case, row) for row in rows]
    return _Cases(
        distances=apart_on(kernels, first, second),
        name=lambda _, position: f"{first[position]} and {second[position]}",
        exact=exact,
    )


def _values(case: OperatorCase, index: int) -> Array:
    """The integers that an operand can have: those of a constant, or all of its type. `index`:
    position among the inputs.
    """
    operand = case.affine("inputs", index)
    tensor = case.operand("inputs", index)
    if case.model.is_constant(case.graph.index, tensor.index):
        return np.unique(case.integers("inputs", index).astype(np.int64))
    return np.arange(operand.low, operand.high + 1)


def _table(case: OperatorCase, rows: Sequence[ArithmeticRow]) -> _Cases:
    """Compare over all integers of one operand. `rows`: the kernels whose functions are compared."""
    operand = case.affine("inputs", 0)
    if operand.high - operand.low >= _MOST:
        raise UnknownHereError(f"{case.operand('inputs', 0).type} has too many integers to try")
    x = np.arange(operand.low, operand.high + 1)
    kernels = [_elementwise(case, row) for row in rows]
    return _Cases(distances=apart_on(kernels, x), name=lambda _, index: str(x[index]))
