"""The optimum that a certificate claims: the cost of the chosen labels and the least cost of any
choice, both recomputed from the certificate's cost tables.

The tables are trusted: the cost of a choice is the solver's claim. Costs are whole numbers of
`UNIT`, so that every sum is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from .check_graph import Matched, RefutedError
from .check_read import ReadFile

__all__ = [
    "TOLERANCE",
    "UNIT",
    "CheckedOptimum",
    "check_optimum",
    "chosen_cost",
    "see_chosen",
    "smallest_cost",
]

UNIT = Fraction(1, 10**9)
TOLERANCE = Fraction(1, 10**6)  # difference that the solver treats as equal
_CELLS = 1 << 20  # largest joint table; a certificate that needs a larger one is rejected
_GREATEST = 1 << 62

Row = Mapping[str, Any]
Factor = tuple[tuple[int, ...], Any]  # groups, and the costs of their joint choices


@dataclass(frozen=True, kw_only=True)
class CheckedOptimum:
    """`optimal` of `components` are at most `TOLERANCE` above the least cost; `gap`: the greatest
    excess, in the solver's costs. `left_out`: components without a claim.
    """

    components: int
    optimal: int
    gap: Fraction
    left_out: int


def check_optimum(claim: Row, after: ReadFile, matched: Sequence[Matched]) -> CheckedOptimum:
    """Raises RefutedError, with the component, where the claim does not hold."""
    gaps = []
    for number, row in enumerate(claim["components"]):
        place = f"optimum/component[{number}]"
        see_chosen(row, after, matched, place)
        cost, least = chosen_cost(row, place), smallest_cost(row, place)
        bound = int(row["bound"])
        if row["cost"] != cost:
            raise RefutedError(f"{place}: the chosen labels cost {cost}, not {row['cost']}")
        if bound > least:
            raise RefutedError(f"{place}: there are labels that cost {least}, below {bound}")
        gaps.append((cost - bound) * UNIT)
    return CheckedOptimum(
        components=len(gaps),
        optimal=sum(gap <= TOLERANCE for gap in gaps),
        gap=max(gaps, default=Fraction(0)),
        left_out=len(claim["left_out"]),
    )


def see_chosen(row: Row, after: ReadFile, matched: Sequence[Matched], place: str) -> None:
    """Every slot of a group has the group's label in the written file."""
    where = [{source: n for n, source in enumerate(one.operators)} for one in matched]
    for number, (group, pick) in enumerate(zip(row["groups"], row["chosen"], strict=True)):
        scale, zero_point = row["labels"][group["candidates"][_inside(pick)]]
        for subgraph, operator, kind, index in group["slots"]:
            graph = after.graphs[subgraph]
            holder = graph if operator < 0 else graph.operators[where[subgraph][operator]]
            tensor = graph.tensors[
                {"inputs": holder.inputs, "outputs": holder.outputs}[kind][index]
            ]
            if (tensor.scale, tensor.zero_point) != ((scale,), (zero_point,)):
                slot = f"subgraph[{subgraph}]/operator[{operator}]/{kind}[{index}]"
                raise RefutedError(f"{place}: {slot} has not the label chosen for group {number}")


def _inside(index: int) -> int:
    """A nonnegative index in range: negative ones would be a second name for the same choice."""
    if index < 0:
        raise IndexError(f"{index} is no index")
    return index


def chosen_cost(row: Row, place: str) -> int:
    factors, excluded = _factors(row, place)
    chosen = row["chosen"]
    cost = sum(int(costs[tuple(_inside(chosen[g]) for g in scope)]) for scope, costs in factors)
    if 2 * cost > excluded:
        raise RefutedError(f"{place}: what is chosen is excluded")
    return cost


def smallest_cost(row: Row, place: str) -> int:
    """The least cost of any choice, group after group eliminated in the certificate's order."""
    factors, _ = _factors(row, place)
    sizes = [len(group["candidates"]) for group in row["groups"]]
    if sorted(row["order"]) != list(range(len(sizes))):
        raise RefutedError(f"{place}: its order does not name each group once")
    for group in row["order"]:
        around = [factor for factor in factors if group in factor[0]]
        factors = [factor for factor in factors if group not in factor[0]]
        scope = (*sorted({g for others, _ in around for g in others} - {group}), group)
        joint = np.zeros(_small([sizes[g] for g in scope], place), np.int64)
        for others, costs in around:
            axes = sorted(range(len(others)), key=lambda axis: scope.index(others[axis]))
            shape = [sizes[g] if g in others else 1 for g in scope]
            joint += np.transpose(costs, axes).reshape(shape)
        factors.append((scope[:-1], joint.min(axis=-1)))
    return sum(int(costs) for _, costs in factors)


def _small(shape: Sequence[int], place: str) -> Sequence[int]:
    if prod(shape) > _CELLS:
        raise RefutedError(f"{place}: its order needs a table of {prod(shape)} costs")
    return shape


def _factors(row: Row, place: str) -> tuple[list[Factor], int]:
    """The cost tables with a cost for excluded choices: more than twice the sum of all other costs.

    A choice with an excluded entry thus costs more than half of that value, and any other choice
    less.
    """
    groups = [group["candidates"] for group in row["groups"]]
    tables = [
        (table["groups"], [line.split() for line in table["costs"]]) for table in row["tables"]
    ]
    finite = [abs(int(cell)) for _, rows in tables for line in rows for cell in line if cell != "-"]
    shared = [int(one["cost"]) * len(one["readers"]) for one in row["quantize"]]
    if min(shared, default=0) < 0:
        raise RefutedError(f"{place}: a QUANTIZE costs less than nothing")
    excluded = 1 + 2 * (sum(finite) + sum(shared))
    if excluded * (len(tables) + 2) >= _GREATEST:
        raise RefutedError(f"{place}: its costs are too large")
    factors: list[Factor] = []
    for scope, rows in tables:
        costs = [[excluded if cell == "-" else int(cell) for cell in line] for line in rows]
        if len(set(scope)) < len(scope):
            raise RefutedError(f"{place}: a table names a group twice")
        shape = [len(groups[_inside(g)]) for g in scope]
        factors.append((tuple(scope), np.array(costs, np.int64).reshape(shape)))
    factors += [_quantize(one, groups, place) for one in row["quantize"]]
    return factors, excluded


def _quantize(row: Row, groups: Sequence[Sequence[int]], place: str) -> Factor:
    """One QUANTIZE for each label that a reader sees and the source does not write."""
    scope = tuple(dict.fromkeys((row["source"], *row["readers"])))
    _small([len(groups[_inside(g)]) for g in scope], place)
    labels = np.meshgrid(*[np.array(groups[g]) for g in scope], indexing="ij")
    count = sum(_is_new(labels, position) for position in range(1, len(scope)))
    return scope, int(row["cost"]) * (count + np.zeros(labels[0].shape, np.int64))


def _is_new(labels: Sequence[Any], position: int) -> Any:
    earlier: Iterable[Any] = labels[:position]
    return np.all([labels[position] != one for one in earlier], axis=0).astype(np.int64)
