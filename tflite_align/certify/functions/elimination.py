"""The cost of a joint choice of labels, and the least cost of any choice, in whole numbers.

A certificate's row of a component holds: groups with their candidate labels, cost tables over the
candidates of one or two groups, the cost of an inserted QUANTIZE, and the order in which groups are
eliminated (schema/certificate.schema.json).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

__all__ = ["CostsError", "chosen_cost", "one_choice", "smallest_cost"]

_CELLS = 1 << 20  # largest joint table; a row that needs a larger one is rejected
_GREATEST = 1 << 62

Row = Mapping[str, Any]
Factor = tuple[tuple[int, ...], Any]  # groups, and the costs of their joint choices


class CostsError(ValueError):
    """The cost tables cannot be added up, or the choice has an excluded entry."""


def one_choice(index: int) -> int:
    """The index itself if it is not negative, else IndexError: Python would count a negative one
    from the end, a second name for the same choice.
    """
    if index < 0:
        raise IndexError(f"label {index} does not exist")
    return index


def chosen_cost(row: Row) -> int:
    """The cost of the choice that the row names; CostsError if an entry of it is excluded."""
    factors, excluded = _factors(row)
    chosen = row["chosen"]
    cost = sum(int(costs[tuple(one_choice(chosen[g]) for g in scope)]) for scope, costs in factors)
    if 2 * cost > excluded:
        raise CostsError(
            "the certificate's choice of scales and zero points is one that its cost table excludes"
        )
    return cost


def smallest_cost(row: Row) -> int:
    """The least cost of any choice, by eliminating one group after the other in the row's order."""
    factors, _ = _factors(row)
    sizes = [len(group["candidates"]) for group in row["groups"]]
    if sorted(row["order"]) != list(range(len(sizes))):
        raise CostsError(
            "the elimination order of the component does not name each group exactly once"
        )
    for group in row["order"]:
        around = [factor for factor in factors if group in factor[0]]
        factors = [factor for factor in factors if group not in factor[0]]
        scope = (*sorted({g for others, _ in around for g in others} - {group}), group)
        joint = np.zeros(_small([sizes[g] for g in scope]), np.int64)
        for others, costs in around:
            axes = sorted(range(len(others)), key=lambda axis: scope.index(others[axis]))
            shape = [sizes[g] if g in others else 1 for g in scope]
            joint += np.transpose(costs, axes).reshape(shape)
        factors.append((scope[:-1], joint.min(axis=-1)))
    return sum(int(costs) for _, costs in factors)


def _small(shape: Sequence[int]) -> Sequence[int]:
    """The shape itself, if a table of it has at most `_CELLS` entries; CostsError otherwise."""
    if prod(shape) > _CELLS:
        raise CostsError(f"the elimination order needs a table of {prod(shape)} costs")
    return shape


def _factors(row: Row) -> tuple[list[Factor], int]:
    """(cost tables, cost of an excluded entry). That cost is more than twice the sum of all other
    costs, so that a choice with an excluded entry costs more than half of it, and any other choice
    less.
    """
    groups = [group["candidates"] for group in row["groups"]]
    tables = [
        (table["groups"], [line.split() for line in table["costs"]]) for table in row["tables"]
    ]
    finite = [abs(int(cell)) for _, rows in tables for line in rows for cell in line if cell != "-"]
    shared = [int(one["cost"]) * len(one["readers"]) for one in row["quantize"]]
    if min(shared, default=0) < 0:
        raise CostsError("the cost of a QUANTIZE is negative")
    excluded = 1 + 2 * (sum(finite) + sum(shared))
    if excluded * (len(tables) + 2) >= _GREATEST:
        raise CostsError("the costs of the component are too large")
    factors: list[Factor] = []
    for scope, rows in tables:
        costs = [[excluded if cell == "-" else int(cell) for cell in line] for line in rows]
        if len(set(scope)) < len(scope):
            raise CostsError("a table names a group twice")
        shape = [len(groups[one_choice(g)]) for g in scope]
        factors.append((tuple(scope), np.array(costs, np.int64).reshape(shape)))
    factors += [_quantize(one, groups) for one in row["quantize"]]
    return factors, excluded


def _quantize(row: Row, groups: Sequence[Sequence[int]]) -> Factor:
    """The table of QUANTIZE costs behind one tensor: one QUANTIZE for each label that a reader sees
    and the source does not write. `groups`: candidate label indices by group.
    """
    scope = tuple(dict.fromkeys((row["source"], *row["readers"])))
    _small([len(groups[one_choice(g)]) for g in scope])
    labels = np.meshgrid(*[np.array(groups[g]) for g in scope], indexing="ij")
    count = sum(_is_new(labels, position) for position in range(1, len(scope)))
    return scope, int(row["cost"]) * (count + np.zeros(labels[0].shape, np.int64))


def _is_new(labels: Sequence[Any], position: int) -> Any:
    """1 where the label of the tensor at `position` differs from those of all before it, else 0; an
    array over the joint choices.
    """
    earlier: Iterable[Any] = labels[:position]
    return np.all([labels[position] != one for one in earlier], axis=0).astype(np.int64)
