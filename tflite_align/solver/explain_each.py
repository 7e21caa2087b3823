"""Why many tensors get their parameters, from the solution that an alignment has found: nothing is
solved again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ..checks.binder.bound import Bound
from ..checks.constraints import Constraint
from ..format.model import TensorId
from ..record import replace
from .answered_component import AnsweredComponent
from .explain import TensorStory, with_ranges
from .explanation import Explanation
from .problem_records import SolverOptions
from .solve import Solved

__all__ = ["explain_each"]


def explain_each(
    solved: Solved, options: SolverOptions, keys: Collection[TensorId]
) -> tuple[Explanation, ...]:
    """explain() for those of `keys` that are in solved components, in the components' order.

    Nothing is solved again: the costs of alternatives and of leaving out a QUANTIZE are not
    computed.
    """
    values = solved.values
    keys_here = [
        [value.key for value in posed.problem.values if value.key in keys] for posed in solved.posed
    ]
    overviews = []
    for at, bound in _parts(solved, [at for at, some in enumerate(keys_here) if some]):
        posed, answer = solved.posed[at], solved.answers[at]
        case = AnsweredComponent(bound, values, options, posed, answer)
        for key in keys_here[at]:
            tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
            explanation = Explanation(key=key, name=tensor.name, type=tensor.type, status="outside")
            story = TensorStory(case, key, priced=False)
            overviews.append(
                story.completed(with_ranges(explanation, bound, values), None, clean=False)
            )
    return tuple(overviews)


def _parts(solved: Solved, places: Iterable[int]) -> Iterator[tuple[int, Bound]]:
    """(component number, bound model with only its constraints) of each component in `places`."""
    parts: dict[int, list[Constraint]] = {at: [] for at in places}
    owner = {
        slot: at for at in parts for node in solved.posed[at].problem.nodes for slot in node.slots
    }
    for constraint in solved.bound.constraints:
        for at in {owner[slot] for slot in constraint.slots if slot in owner}:
            parts[at].append(constraint)
    for at, keys_here in parts.items():
        yield at, replace(solved.bound, constraints=tuple(keys_here))
