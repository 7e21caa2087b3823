"""The part of a model that can change when violated slots are repaired; everything outside it is
ignored.

Tensors belong together if constraints tie their slots, or real values pass from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..checks.binder.bound import Bound
from ..checks.constraints import Anchored, Same
from ..format.model import Slot, TensorId
from ..format.wiring import links
from ..record import Record, replace
from .policies import policies_of
from .problem_records import SolverOptions

__all__ = ["Region", "region_of"]


class Region(Record, frozen=True):
    """The part of a model that a repair can change. `tensors`: its tensors, in file order, None for
    the whole model; `bound`: the bound model with only the constraints, flows and silent outputs of
    operators that write or read them.
    """

    bound: Bound
    tensors: tuple[TensorId, ...] | None


def region_of(bound: Bound, broken: Iterable[Slot], options: SolverOptions) -> Region:
    """The region of the violated slots (`broken`): all tensors that their repair can change or
    depends on.

    It is the whole model if anchors, policies or --overlap force concern other slots too, and if
    the model has variables, through which values pass between any operators.
    """
    if (
        bound.of(Anchored)
        or bound.variables
        or options.overlap == "force"
        or policies_of(bound, options)
    ):
        return Region(bound, None)
    tensors, operators = _reached(bound, broken)

    def near(slot: Slot) -> bool:
        """Whether the slot belongs to an operator of the region."""
        return slot[:2] in operators

    part = replace(
        bound,
        constraints=tuple(
            [
                constraint
                for constraint in bound.constraints
                # Only constraints of calls and variables have slots of several operators.
                if constraint.slots[0][:2] in operators
                or (type(constraint) is Same and any(map(near, constraint.slots)))
            ]
        ),
        flows=tuple([flow for flow in bound.flows if any(map(near, flow.inputs))]),
        silent=frozenset(filter(near, bound.silent)),
    )
    return Region(part, tuple(sorted(tensors)))


def _reached(bound: Bound, broken: Iterable[Slot]) -> tuple[set[TensorId], set[tuple[int, int]]]:
    """(tensors of the region, (subgraph, operator) of the operators that write or read them).
    Operator -1 stands for the subgraph's inputs and outputs. `broken`: slots of violated
    constraints.
    """
    ties = list(_together(bound))
    ties_of: dict[Slot, list[int]] = {}
    for index, together in enumerate(ties):
        for slot in together:
            ties_of.setdefault(slot, []).append(index)
    model = bound.model
    followed: set[int] = set()

    def tied(slot: Slot) -> Iterator[TensorId]:
        """The tensors that ties connect with the slot. Each tie is followed once, since an operator
        with many operands is a single tie.
        """
        for index in ties_of.get(slot, ()):
            if index not in followed:
                followed.add(index)
                yield from (neighbour.tensor_id(model) for neighbour in ties[index])

    tensors: set[TensorId] = set()
    operators: set[tuple[int, int]] = set()
    ahead = []
    for slot in broken:
        # Intermediates of an operator are neither read nor written by another one.
        operators.add(slot[:2])
        ahead += [slot.tensor_id(model), *tied(slot)]
    while ahead:
        key = ahead.pop()
        if key in tensors or key.tensor < 0:
            continue
        tensors.add(key)
        wiring = links(model, key.subgraph)
        slots = list(wiring.readers.get(key.tensor, ()))
        if key.tensor in wiring.producer:
            slots.append(wiring.producer[key.tensor])
        for slot in slots:
            operators.add(slot[:2])
            ahead += tied(slot)
    return tensors, operators


def _together(bound: Bound) -> Iterator[tuple[Slot, ...]]:
    """The slots of each constraint or flow that connects tensors."""
    for constraint in bound.of(Same):
        yield constraint.slots
    for flow in bound.flows:
        yield (*flow.inputs, *flow.outputs)
