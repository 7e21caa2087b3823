"""PPQ's strategies compared with ours, on the same model and in the same units.

Each strategy is a set of policies of QuantAlignmentPass, with overlap forbidden and forced. The
policies align as that pass does (`policies`), and TFLite's rules apply as well: where the pass
would leave a rule violated, the cost is that of the nearest answer without a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..checks.binder.bound import Bound
from ..format.model import Slot
from ..numerics import Label
from ..record import replace
from ..rules.families import Policy
from .cost_tables import FORBIDDEN
from .costs import cost_tables, lost_bits
from .label_limits import Limits
from .prepare import pose
from .problem import build_problems
from .problem_records import Overlap, Problem, SolverOptions, Strategy
from .ranges import value_flow

__all__ = ["STRATEGIES", "compare"]

# Policies that PPQ's pass accepts: no `large` for pooling and resize, no `input` for the others.
STRATEGIES: Mapping[str, Mapping[str, Policy]] = {
    "ppq default": {  # the defaults of PPQ's pass
        "elementwise": "large",
        "concat": "output",
        "pooling": "none",
        "resize": "none",
        "logical": "large",
    },
    "ppq large": {
        "elementwise": "large",
        "concat": "large",
        "pooling": "output",
        "resize": "output",
        "logical": "large",
    },
    "ppq output": {
        "elementwise": "output",
        "concat": "output",
        "pooling": "output",
        "resize": "output",
        "logical": "none",
    },
    "ppq input": {
        "elementwise": "none",
        "concat": "none",
        "pooling": "input",
        "resize": "input",
        "logical": "none",
    },
}


def compare(bound: Bound, broken: Iterable[Slot], options: SolverOptions) -> list[Strategy]:
    """The result of the given options first, then of PPQ's strategies, each with overlap forbidden
    and forced. `holds` is False where a strategy leaves a rule violated: its cost cannot be
    compared then. `broken`: slots of violated constraints.
    """
    table = _Comparison(bound, list(broken), options)
    strategies = [table.strategy(options, "as aligned")]
    overlaps: tuple[Overlap, ...] = ("forbid", "force")
    for overlap in overlaps:
        for name, policies in STRATEGIES.items():
            settings = replace(options, policies=policies, overlap=overlap)
            strategies.append(table.strategy(settings, f"{name}, {overlap}"))
    return strategies


class _Comparison:
    """A model with violated slots, on which strategies are compared."""

    def __init__(self, bound: Bound, broken: list[Slot], options: SolverOptions) -> None:
        self.bound = bound
        self.broken = broken
        self.values = value_flow(bound, options.observed)
        self.limit = Limits(bound)
        self.suggested = self.limit.window_labels()

    def strategy(self, options: SolverOptions, name: str) -> Strategy:
        """Solve all components with `options` and add up inserted QUANTIZE, the elements they
        process, lost bits and cost. `holds` is False if a rule stays violated.
        """
        total = Strategy(name=name, cuts=0, elements_moved=0, bits_lost=0.0, cost=0.0, holds=True)
        problems = build_problems(self.bound, self.values, options, self.broken, self.suggested)
        for problem in problems:
            posed = pose(self.bound, self.values, options, self.limit, problem)
            price = self._price(options, problem, posed.labels(posed.solve()))
            total = replace(
                total,
                cuts=total.cuts + price.cuts,
                elements_moved=total.elements_moved + price.elements_moved,
                bits_lost=total.bits_lost + price.bits_lost,
                cost=total.cost + price.cost,
                holds=total.holds and price.holds and not posed.conflicts,
            )
        return total

    def _price(self, options: SolverOptions, problem: Problem, chosen: Sequence[Label]) -> Strategy:
        """Inserted QUANTIZE, the elements they process, lost bits and cost of one component with
        the labels `chosen` (by node). Priced with the same weights for every strategy: no policies,
        overlap `auto`.
        """
        nodes = [
            replace(node, domain=(label,))
            for node, label in zip(problem.nodes, chosen, strict=True)
        ]
        fixed = replace(problem, nodes=nodes)
        plain = replace(options, overlap="auto", policies={})
        able = self.bound.cuts.get(problem.type)
        tables, sharings = cost_tables(fixed, self.values, plain, self.limit, able)
        cost = sum(float(np.sum(table.costs)) for table in tables)
        cuts = moved = 0
        for value in fixed.values:
            if value.source is not None:
                further = {chosen[n] for n, _ in value.readers} - {chosen[value.source]}
                cuts += len(further)
                moved += len(further) * value.elements
        for sharing in sharings:
            current = sharing.labels[sharing.source][0]
            cost += sharing.cost * len({sharing.labels[v][0] for v in sharing.readers} - {current})
        return Strategy(
            name="",
            cuts=cuts,
            elements_moved=moved,
            bits_lost=lost_bits(fixed, self.values, plain),
            cost=cost,
            holds=cost < FORBIDDEN
            and all(not node.zero or not node.domain[0].zero_point for node in nodes),
        )
