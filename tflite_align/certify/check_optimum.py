"""The optimum that a certificate claims: the cost of the chosen labels and the least cost of any
choice, both recomputed from the certificate's cost tables.

The tables are trusted: the cost of a choice is the solver's claim. Costs are whole numbers of
`UNIT`, so that every sum is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .check_graph import Matched, RefutedError, demand
from .check_read import ReadFile
from .functions.elimination import CostsError, chosen_cost, one_choice, smallest_cost

__all__ = ["UNIT", "CheckedOptimum", "check_optimum", "see_chosen"]

UNIT = Fraction(1, 10**9)
_TOLERANCE = Fraction(1, 10**6)  # difference that the solver treats as equal
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckedOptimum:
    """`optimal` of `components` are at most `_TOLERANCE` above the least cost; `gap`: the greatest
    excess, in the solver's costs. `left_out`: components without a claim.
    """

    components: int
    optimal: int
    gap: Fraction
    left_out: int


def check_optimum(claim: Row, after: ReadFile, matched: Sequence[Matched]) -> CheckedOptimum:
    """Recompute the costs that the certificate claims (`claim`), for every component. `after`: the
    written file. Raises RefutedError, with the component, if a cost, a bound or a chosen label is
    false. `matched`: the correspondence of each subgraph of both files.
    """
    gaps = []
    for position, row in enumerate(claim["components"]):
        address, bound = f"optimum/component[{position}]", int(row["bound"])
        see_chosen(row, after, matched, address)
        try:
            cost, least = chosen_cost(row), smallest_cost(row)
        except CostsError as error:
            raise RefutedError(f"{address}: {error}") from error
        demand(row["cost"] == cost, address, f"the chosen labels cost {cost}, not {row['cost']}")
        demand(bound <= least, address, f"there are labels that cost {least}, below {bound}")
        gaps.append((cost - bound) * UNIT)
    return CheckedOptimum(
        components=len(gaps),
        optimal=sum(gap <= _TOLERANCE for gap in gaps),
        gap=max(gaps, default=Fraction(0)),
        left_out=len(claim["left_out"]),
    )


def see_chosen(row: Row, after: ReadFile, matched: Sequence[Matched], address: str) -> None:
    """Raise RefutedError unless, in the written file, every slot (operand position) of a group has
    the label (scale, zero point) that the certificate's row says was chosen. `matched`: the
    correspondence of each subgraph of both files. `address`: the component, for the message.
    """
    where = [{source: n for n, source in enumerate(one.operators)} for one in matched]
    for number, (group, pick) in enumerate(zip(row["groups"], row["chosen"], strict=True)):
        scale, zero_point = row["labels"][group["candidates"][one_choice(pick)]]
        for subgraph, operator, kind, index in group["slots"]:
            graph = after.graphs[subgraph]
            holder = graph if operator < 0 else graph.operators[where[subgraph][operator]]
            ends = {"inputs": holder.inputs, "outputs": holder.outputs}
            tensor = graph.tensors[ends[kind][index]]
            slot = f"subgraph[{subgraph}]/operator[{operator}]/{kind}[{index}]"
            what = f"{slot} does not have the parameters chosen for group {number}"
            demand((tensor.scale, tensor.zero_point) == ((scale,), (zero_point,)), address, what)
