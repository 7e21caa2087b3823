"""The optimum in a certificate: the solver's cost tables, its choice, and an elimination order.

With these, anyone can recompute the least cost of any choice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from ..numerics import Label
from ..solver.cost_tables import FORBIDDEN, Answer, Sharing, Table
from ..solver.prepare import Posed
from ..solver.solve import Solved
from .check_graph import RefutedError, match_files
from .check_optimum import UNIT, see_chosen
from .check_pair import claims
from .check_read import read_file
from .functions.elimination import CostsError, chosen_cost, smallest_cost

__all__ = ["with_optimum"]

Row = dict[str, Any]

_COSTS = 20_000  # cost entries of one component: some 200 KB
_ALL_COSTS = 60_000  # cost entries of a certificate
_JOINT = 200_000  # entries of a joint table during elimination
_AXES = 30  # axes that a numpy array may have


def with_optimum(certificate: Row, original: bytes, written: bytes, solved: Solved) -> Row:
    """Add to the certificate the optimum of every component whose cost tables are small enough, and
    list the other components with the reason. `original`, `written`: the files' bytes; `solved`:
    the solver's result.
    """
    before, after = read_file(original), read_file(written)
    matched = match_files(before, after, claims(certificate))
    components: list[Row] = []
    left_out: list[Row] = []
    room = _ALL_COSTS
    for number, (posed, answer) in enumerate(zip(solved.posed, solved.answers, strict=True)):
        size = sum(table.costs.size for table in posed.tables)
        order = _order(posed)
        if size > min(_COSTS, room) or order is None:
            left_out.append({"component": number, "why": "too large"})
            continue
        row = _component(posed, answer, order)
        try:
            see_chosen(row, after, matched, "")
            row["cost"], row["bound"] = chosen_cost(row), smallest_cost(row)
        except (RefutedError, CostsError, IndexError, KeyError) as error:
            left_out.append({"component": number, "why": str(error).removeprefix(": ")})
            continue
        components.append(row)
        room -= size
    if not components and not left_out:
        return certificate
    claim = {"unit": float(UNIT), "components": components, "left_out": left_out}
    return {**certificate, "optimum": claim}


def _component(posed: Posed, answer: Answer, order: Sequence[int]) -> Row:
    """The certificate's row of one component: groups with candidates, tables, choice, elimination
    order.
    """
    numbers: dict[Label, int] = {}
    nodes = posed.problem.nodes
    groups = [
        {
            "candidates": [numbers.setdefault(label, len(numbers)) for label in node.domain],
            "slots": [[s.subgraph, s.operator, s.kind, s.index] for s in node.slots],
        }
        for node in nodes
    ]
    return {
        "labels": [[label.scale, label.zero_point] for label in numbers],
        "groups": groups,
        "tables": list(_tables(posed.tables)),
        "quantize": [
            {
                "source": one.source,
                "readers": list(one.readers),
                "cost": round(one.cost / float(UNIT)),
            }
            for one in posed.sharings
        ],
        "chosen": list(answer.choice),
        "order": list(order),
    }


def _tables(tables: Sequence[Table]) -> Iterator[Row]:
    """The component's cost tables as certificate rows: tables over the same groups are added up,
    tables of zeros dropped.
    """
    summed: dict[tuple[int, ...], Any] = {}
    for table in tables:
        scope, costs = table.scope, table.costs
        if len(scope) > 1 and scope[0] > scope[1]:
            scope, costs = (scope[1], scope[0]), costs.T
        summed[scope] = summed.get(scope, 0) + costs
    for scope, costs in sorted(summed.items()):
        if np.any(costs):
            lines = costs.reshape(-1, costs.shape[-1]).tolist()
            yield {"groups": list(scope), "costs": [" ".join(map(_cell, line)) for line in lines]}


def _cell(cost: float) -> str:
    """A cost as a whole number of `UNIT`; "-" for an excluded choice."""
    return "-" if cost >= FORBIDDEN / 2 else str(round(cost / float(UNIT)))


def _order(posed: Posed) -> list[int] | None:
    """Elimination order: smallest joint table first, then lowest group. None if tables grow too
    large.
    """
    sizes = posed.sizes
    around: list[set[int]] = [{group} for group in range(len(sizes))]
    scopes = [table.scope for table in posed.tables]
    scopes += [_around(one) for one in posed.sharings]
    if any(_is_large(scope, sizes) for scope in scopes):
        return None
    for scope in scopes:
        for group in scope:
            around[group].update(scope)
    left, order = set(range(len(sizes))), []
    while left:
        _, group = min((prod(sizes[g] for g in around[group]), group) for group in left)
        if _is_large(around[group], sizes):
            return None
        for other in around[group] - {group}:
            around[other] = (around[other] | around[group]) - {group}
        left.discard(group)
        order.append(group)
    return order


def _is_large(scope: Collection[int], sizes: Sequence[int]) -> bool:
    """Whether a joint table over the groups in `scope` has too many axes or entries. `sizes`:
    number of candidates by group.
    """
    return len(scope) > _AXES or prod(sizes[g] for g in scope) > _JOINT


def _around(sharing: Sharing) -> tuple[int, ...]:
    """The groups of a sharing: its source, then its readers, each once."""
    return tuple(dict.fromkeys((sharing.source, *sharing.readers)))
