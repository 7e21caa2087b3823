"""A component with the labels that the solver chose, and data shared by the explanations of its tensors."""

from __future__ import annotations

from functools import cached_property

from ..checks.binder.bound import Bound, Requantizing
from ..checks.constraints import Anchored, Uncut, ZeroPoint
from ..format.model import TensorId
from ..numerics import Label
from ..record import replace
from .cost_tables import Answer, total_cost
from .costs import cost_tables
from .label_limits import Limits
from .prepare import Posed
from .problem_records import SolverOptions, Value, Weights
from .ranges import Values
from .tie_path import Ties

__all__ = ["AnsweredComponent"]

_ANY = Requantizing()
_NOTHING = Weights(cut=0, move=0, bit=0, clip=0, blur=0, clamp=0, state=0, finer=0, change=0)


class AnsweredComponent:
    """A component, its solution, and data that the explanations of all its tensors use."""

    def __init__(
        self,
        bound: Bound,
        values: Values,
        options: SolverOptions,
        posed: Posed,
        answer: Answer | None = None,
    ) -> None:
        self.bound = bound
        self.values = values
        self.options = options
        self.posed = posed
        self.known = answer
        self.unlimited = Limits(replace(bound, constraints=()))
        self.users = [
            constraint
            for constraint in bound.constraints
            if isinstance(constraint, Anchored | Uncut)
        ]
        self.zeros = {c.slot: c for c in bound.of(ZeroPoint)}
        self.nodes = {slot: node for node in posed.problem.nodes for slot in node.slots}

    @cached_property
    def answer(self) -> Answer:
        """The component's solution; solved again if it is not known."""
        return self.known or self.posed.solve()

    @cached_property
    def chosen(self) -> list[Label]:
        """The chosen label of each node."""
        return self.posed.labels(self.answer)

    @cached_property
    def ties(self) -> Ties:
        """Which slots of the component have to have equal or related parameters."""
        return Ties(self.bound, self.posed.problem, self.chosen)

    @cached_property
    def rules(self) -> tuple[str, ...]:
        """The ids of the component's rules, sorted."""
        return tuple(sorted({r for n in self.posed.problem.nodes for r in n.rules if "/" in r}))

    @cached_property
    def operators(self) -> dict[TensorId, float]:
        """By tensor: the cost of the QUANTIZE operators inserted behind it, in the solver's units,
        without the part that grows with the tensor's elements.
        """
        return self._costs(replace(_NOTHING, cut=self.options.weights.cut))

    @cached_property
    def moves(self) -> dict[TensorId, float]:
        """By tensor: the part of the cost of QUANTIZE operators inserted behind it that grows with
        the tensor's elements, in the solver's units.
        """
        return self._costs(replace(_NOTHING, move=self.options.weights.move))

    def _costs(self, weights: Weights) -> dict[TensorId, float]:
        """By tensor: the cost of the inserted QUANTIZE operators under these weights."""
        problem = self.posed.problem
        options = replace(self.options, weights=weights)
        _, sharings = cost_tables(problem, self.values, options, self.unlimited, _ANY)
        holders = [
            value.key
            for value in problem.values
            if value.source is not None
            and any(node_index != value.source for node_index, _ in value.readers)
        ]
        return {key: sharing.cost for key, sharing in zip(holders, sharings, strict=True)}

    def lost(self, value: Value, **weights: float) -> float:
        """The cost of the precision lost at the readers of `value` with the chosen labels, in the
        solver's units. Only the given `weights` count, all others are 0.
        """
        problem = replace(self.posed.problem, values=[value])
        options = replace(self.options, weights=replace(_NOTHING, **weights))
        tables, _ = cost_tables(problem, self.values, options, self.unlimited, _ANY)
        return total_cost(self.answer.choice, tables, ())
