"""The data for drawing a model: graphs, groups of tied tensors, and reasons for parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..checks.constraints import Same
from ..checks.disjoint import DisjointSets
from ..format.model import Model, Operator, Slot, Subgraph, Tensor, TensorId
from ..numerics import Label, Range, label_range
from ..record import replace
from ..report.explanation_text import explanation_lines
from ..report.model_view import (
    GroupView,
    Mark,
    MemberView,
    ModelView,
    OperatorView,
    SubgraphView,
    TensorView,
    Why,
)
from ..solver.explain_each import explain_each
from ..solver.problem_records import Solution, SolverOptions
from ..solver.solve import Solved

__all__ = ["view_of"]

_MOST = 400  # largest number of tensors explained in the page; `explain` explains any tensor


def view_of(
    bound: Bound,
    findings: Sequence[Finding],
    *,
    after: Model | None = None,
    solution: Solution | None = None,
    solved: Solved | None = None,
    settings: SolverOptions | None = None,
) -> ModelView:
    """The data for drawing the bound model before alignment and, if it changed, `after`.

    `solution`, `solved` (its intermediate results) and `settings`: None if nothing was decided.
    `findings`: of the input file.
    """
    before = tuple(_graph(bound.model, graph) for graph in bound.model.subgraphs)
    whys: tuple[Why, ...] = ()
    if solution is not None and solved is not None and settings is not None:
        keys = [key for component in solution.components for key in component.tensors]
        explanations = explain_each(solved, settings, frozenset(keys[:_MOST]))
        whys = tuple(
            Why(
                key=explanation.key, lines=tuple(explanation_lines(explanation, alternatives=False))
            )
            for explanation in explanations
        )
    view = ModelView(before=before, groups=_groups(bound, findings, solution), whys=whys)
    if after is None:
        return view
    after_views = tuple(_graph(after, graph) for graph in after.subgraphs)
    graphs = zip(bound.model.subgraphs, after.subgraphs, strict=True)
    pairs = [
        _matched(old, new, _same_operators(*both))
        for old, new, both in zip(before, after_views, graphs, strict=True)
    ]
    return replace(
        view, before=tuple(old for old, _ in pairs), after=tuple(new for _, new in pairs)
    )


# --- graphs -------------------------------------------------------------------------------------


def _graph(model: Model, graph: Subgraph) -> SubgraphView:
    """One subgraph for drawing."""
    return SubgraphView(
        index=graph.index,
        name=graph.name,
        tensors=tuple(_tensor(model, graph.index, tensor) for tensor in graph.tensors),
        inputs=graph.inputs,
        outputs=graph.outputs,
        operators=tuple(_operator(operator) for operator in graph.operators),
    )


def _operator(operator: Operator) -> OperatorView:
    """One operator for drawing."""
    return OperatorView(
        index=operator.index,
        name=operator.custom_code or operator.name,
        inputs=operator.inputs,
        outputs=operator.outputs,
    )


def _tensor(model: Model, subgraph: int, tensor: Tensor) -> TensorView:
    """One tensor for drawing. `subgraph`: its index."""
    quant = tensor.quant
    return TensorView(
        index=tensor.index,
        name=tensor.name,
        type=tensor.type,
        shape=tensor.shape,
        label=tensor.label,
        channels=len(quant.scale) if quant is not None else 0,
        constant=model.is_constant(subgraph, tensor.index),
    )


def _matched(
    before: SubgraphView, after: SubgraphView, pairs: Mapping[int, int]
) -> tuple[SubgraphView, SubgraphView]:
    """Both graphs with each operator's index in the other graph, or a mark if it is not there.
    `pairs`: index in `after` -> index in `before`.
    """
    back = {old: new for new, old in pairs.items()}
    return (
        replace(before, operators=_paired(before.operators, back, "removed")),
        replace(after, operators=_paired(after.operators, pairs, "added")),
    )


def _same_operators(before: Subgraph, after: Subgraph) -> dict[int, int]:
    """Index in `after` -> index in `before`, for operators that are in both."""
    old = {_identity(operator): operator.index for operator in before.operators}
    identities = ((operator.index, _identity(operator)) for operator in after.operators)
    return {index: old[identity] for index, identity in identities if identity in old}


def _identity(operator: Operator) -> int | tuple[int, ...]:
    """A key that an operator has in both graphs: its origin, or the outputs of an added operator."""
    return operator.outputs if operator.origin is None else operator.origin


def _paired(
    operators: Sequence[OperatorView], pairs: Mapping[int, int], alone: Mark
) -> tuple[OperatorView, ...]:
    """The operators with their index in the other graph; those without get the mark `alone`.
    `pairs`: index -> index in the other graph.
    """
    return tuple(
        replace(operator, other=pairs[operator.index])
        if operator.index in pairs
        else replace(operator, mark=alone)
        for operator in operators
    )


# --- groups -------------------------------------------------------------------------------------


def _groups(
    bound: Bound, findings: Sequence[Finding], solution: Solution | None
) -> tuple[GroupView, ...]:
    """Groups of tied tensors that a finding or decision concerns, in model order."""
    model = bound.model
    touched = {finding.tensor_id for finding in findings}
    if solution is not None:
        touched |= {cut.key for cut in solution.cuts} | set(solution.source)
    views: list[GroupView] = []
    for keys, rules in _tied(bound):
        members = [member for key in keys if (member := _member(model, key, solution)) is not None]
        if len(members) < 2 or not touched.intersection(keys):
            continue
        hull = Range(
            min(member.before.low for member in members),
            max(member.before.high for member in members),
        )
        views.append(GroupView(index=len(views), rules=rules, hull=hull, members=tuple(members)))
    return tuple(views)


def _tied(bound: Bound) -> Iterator[tuple[list[TensorId], tuple[str, ...]]]:
    """(tensors, rules) of each group that `same` rules tie together, in model order."""
    sets = DisjointSets[TensorId](lambda key: key)
    ties = bound.of(Same)
    for tie in ties:
        first, *rest = _keys(bound.model, tie.slots) or [TensorId(-1, -1)]
        for key in rest:
            sets.union(first, key)
    members: dict[TensorId, set[TensorId]] = {}
    rules: dict[TensorId, set[str]] = {}
    for tie in ties:
        for key in _keys(bound.model, tie.slots):
            members.setdefault(sets.find(key), set()).add(key)
            rules.setdefault(sets.find(key), set()).add(tie.rule)
    for key in sorted(members, key=lambda key_of_group: min(members[key_of_group])):
        yield sorted(members[key]), tuple(sorted(rules[key]))


def _keys(model: Model, slots: Sequence[Slot]) -> list[TensorId]:
    """(subgraph, tensor) of the slots that hold a tensor."""
    tensor_ids = (slot.tensor_id(model) for slot in slots)
    return [key for key in tensor_ids if key[1] >= 0]


def _member(model: Model, key: TensorId, solution: Solution | None) -> MemberView | None:
    """One tensor of a group, with its ranges before and after; None without per-tensor parameters."""
    tensor = model.subgraphs[key[0]].tensors[key[1]]
    label = tensor.label
    if label is None:
        return None
    before = label_range(label, tensor.type)
    if solution is None:
        return MemberView(key=key, name=tensor.name, before=before, after=None)
    sources: Mapping[TensorId, Label] = solution.source
    written = sources.get(key, label)
    ratio = written.scale / label.scale if label.scale > 0 else 0.0
    return MemberView(
        key=key,
        name=tensor.name,
        before=before,
        after=label_range(written, tensor.type),
        cuts=tuple(label_range(cut.label, tensor.type) for cut in solution.cuts if cut.key == key),
        bits=math.log2(ratio) if ratio > 0 and math.isfinite(ratio) else 0.0,
    )
