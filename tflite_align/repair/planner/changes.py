"""Records of what a stage did: the changed model and descriptions of the changes."""

from __future__ import annotations

from typing import Literal

from ...format.model import Model, OperatorId
from ...record import Record

__all__ = ["Change", "ModelState", "Plan", "edited_operators"]

ChangeKind = Literal[
    "moved",
    "snapped",
    "cut",
    "removed",
    "composed",
    "constant",
    "bias",
    "parameters",
    "version",
    "activation",
    "converted",
    "retyped",
    "shape",
    "folded",
]


class Change(Record, frozen=True, kw_only=True):
    """One change of one tensor, described for reports. `before`, `after`, `why`: text; `readers`:
    addresses of the slots that it was made for.
    """

    kind: ChangeKind
    subgraph: int
    tensor: int
    name: str
    before: str
    after: str
    why: str
    readers: tuple[str, ...] = ()


class Plan(Record, frozen=True, kw_only=True):
    """The result of a stage: the changed model and descriptions of the changes.

    `edited`: (subgraph, operator) of every operator with a requantized or replaced operand, by its
    index in the model that the stage started from.
    """

    model: Model
    changes: tuple[Change, ...]
    edited: frozenset[OperatorId]

    def edited_origins(self, model: Model) -> frozenset[OperatorId]:
        """The edited operators by their index in the original file; `model` is the one the stage
        started from.
        """
        places = ((graph, index) for graph, index in self.edited if index >= 0)
        origins = (
            (graph, model.subgraphs[graph].operators[index].origin) for graph, index in places
        )
        return frozenset(
            OperatorId(graph, origin) for graph, origin in origins if origin is not None
        )


class ModelState(Record, frozen=True, kw_only=True):
    """A model and all changes since the file was read; no changes if it is the file's.

    `edited`: changed operators, by their index in the original file.
    """

    model: Model
    changes: tuple[Change, ...] = ()
    edited: frozenset[OperatorId] = frozenset()

    def after(self, plan: Plan) -> ModelState:
        """The state after one more stage, which started from this state's model."""
        if plan.model is self.model:
            return self
        return ModelState(
            model=plan.model,
            changes=self.changes + plan.changes,
            edited=self.edited | plan.edited_origins(self.model),
        )

    def plan_for(self, model: Model) -> Plan:
        """A plan with all changes since the model that this state began with."""
        edited = frozenset(
            OperatorId(graph.index, operator.index)
            for graph in model.subgraphs
            for operator in graph.operators
            if operator.origin is not None
            and OperatorId(graph.index, operator.origin) in self.edited
        )
        return Plan(model=self.model, changes=self.changes, edited=edited)


def edited_operators(model: Model, origins: frozenset[OperatorId]) -> frozenset[OperatorId]:
    """(subgraph, index) of the operators that are new in this state of a model or were changed.

    `origins`: the changed ones, by their index in the original file.
    """
    return frozenset(
        OperatorId(graph.index, operator.index)
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.origin is None or (graph.index, operator.origin) in origins
    )
