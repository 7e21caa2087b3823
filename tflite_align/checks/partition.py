"""Prediction of the operators that a single-partition compiler (Edge TPU) would map, from its
support rows.

Such a compiler sorts operators into runs, its own and the CPU's, in the order of the file, each run
taking all operators whose inputs are ready. Its own first run becomes one custom operator; all
later operators stay on the CPU, also those it supports. This is a prediction; no compiler is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from ..format.model import Model, Operator, OperatorId, Subgraph
from ..record import PartlyCompared, Record
from ..rules.targets import Target
from .constraints import Supported
from .support.supported import unsupported

__all__ = ["Left", "TargetMapping", "predict", "predictions"]


class Left(Record, frozen=True, kw_only=True):
    """An operator that is predicted to stay on the CPU. `why` and `rule`: the limit that it
    violates; empty if it only depends on another operator that stays (the compiler reports "more
    than one subgraph").
    """

    address: str  # "subgraph[0]/operator[12] ARG_MAX"
    subgraph: int
    operator: int
    why: str
    rule: str


class TargetMapping(PartlyCompared, frozen=True, kw_only=True):
    """The prediction for one target's compiler: it maps `mapped` of `operators`.

    Operators on the CPU: those of `before` run before the mapped part; `first` is where the graph
    splits after it; `behind` are all others, in file order. `indices`: of the mapped operators in
    the first subgraph.
    """

    target: str
    operators: int
    mapped: int
    before: tuple[Left, ...]
    first: Left | None
    behind: tuple[Left, ...]
    indices: frozenset[int] = frozenset()  # indices of the mapped operators of subgraph 0

    uncompared: ClassVar[frozenset[str]] = frozenset({"indices"})

    @property
    def left(self) -> tuple[Left, ...]:
        """All operators that stay on the CPU."""
        return (*self.before, *([self.first] if self.first is not None else []), *self.behind)


def predictions(model: Model, targets: Sequence[Target]) -> tuple[TargetMapping, ...]:
    """A prediction for each target whose compiler splits graphs once."""
    return tuple(predict(model, target) for target in targets if target.splits == "once")


def predict(model: Model, target: Target) -> TargetMapping:
    """The prediction for one target. Operators of all subgraphs but the first stay on the CPU, with
    the operator that calls them.
    """
    refused: dict[OperatorId, Supported] = {}
    for limit in unsupported(model, target):
        refused.setdefault(limit.slot.operator_id, limit)
    main = model.subgraphs[0]
    mapped_operators = {
        operator.index for operator in main.operators if (0, operator.index) not in refused
    }
    head, mapped = _runs(main, mapped_operators)
    left_behind: Mapping[bool, list[Left]] = {True: [], False: []}
    for graph, operator in _operators(model):
        if graph.index == 0 and operator.index in mapped:
            continue
        left = _left(graph, operator, refused.get(OperatorId(graph.index, operator.index)))
        left_behind[graph.index == 0 and operator.index in head].append(left)
    after_split = left_behind[False]
    return TargetMapping(
        target=target.name,
        operators=sum(len(graph.operators) for graph in model.subgraphs),
        mapped=len(mapped),
        before=tuple(left_behind[True]),
        first=after_split[0] if after_split else None,
        behind=tuple(after_split[1:]),
        indices=frozenset(mapped),
    )


def _operators(model: Model) -> Iterator[tuple[Subgraph, Operator]]:
    """(subgraph, operator) of the whole model, in file order."""
    for graph in model.subgraphs:
        yield from ((graph, operator) for operator in graph.operators)


def _left(graph: Subgraph, operator: Operator, limit: Supported | None) -> Left:
    """The record of an operator that stays on the CPU; `limit`: the violated limit, if any."""
    return Left(
        address=f"subgraph[{graph.index}]/operator[{operator.index}] {operator.name}",
        subgraph=graph.index,
        operator=operator.index,
        why="" if limit is None else f"found {limit.actual}, expected {limit.expected}",
        rule="" if limit is None else limit.rule,
    )


def _runs(graph: Subgraph, mapped_operators: set[int]) -> tuple[set[int], set[int]]:
    """(operators before the mapped run, operators of the mapped run), as operator indices.
    `mapped_operators`: those that the compiler supports. Without a mapped run both are empty.
    """
    written = {tensor for operator in graph.operators for tensor in operator.outputs}
    done: set[int] = set()
    head: set[int] = set()

    # If the file begins with operators that do not depend on the mapped part, these run first.
    begins = next(
        (operator for operator in graph.operators if _ready(operator, written, done)), None
    )
    if begins is not None and begins.index not in mapped_operators:
        head = _run(graph, written, done, {o.index for o in graph.operators} - mapped_operators)
    mapped = _run(graph, written, done, mapped_operators)
    return (head if mapped else set()), mapped


def _run(graph: Subgraph, written: set[int], done: set[int], allowed: set[int]) -> set[int]:
    """The operators of `allowed` that can run next, one after the other; adds their outputs to
    `done`. `written`: tensors that operators of the subgraph compute.
    """
    run = set()
    for operator in graph.operators:
        if operator.index in allowed and _ready(operator, written, done):
            run.add(operator.index)
            done.update(operator.outputs)
    return run


def _ready(operator: Operator, written: set[int], done: set[int]) -> bool:
    """Whether all inputs of the operator are computed; `written`: tensors that some operator
    computes. `done`: tensors computed so far.
    """
    return all(tensor < 0 or tensor not in written or tensor in done for tensor in operator.inputs)
