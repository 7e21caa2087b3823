"""The JSON data of the page's script: graphs, groups and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from ...checks.checker import Finding
from ...format.model import TensorId
from ...numerics import Range, label_range
from ..graph_folding import folded, folded_edges
from ..graph_layout import Edge, Placed, place
from ..model_view import ModelView, OperatorView, SubgraphView, TensorView
from ..report import Report
from ..terminal_text import follow_up, printable

__all__ = ["page_data"]

_WORTH_FOLDING = 24  # largest number of operators that is drawn unfolded


def page_data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """JSON values for each report; `graphs` is empty for a report without a view."""
    return [_entry(report) for report in reports]


def _entry(report: Report) -> dict[str, Any]:
    """The JSON values of one report for the page's script."""
    view = report.view or ModelView(before=())
    groups = {m.key: group.index for group in view.groups for m in group.members}
    moved = {TensorId(change.subgraph, change.tensor) for change in report.changes}
    broken = {(finding.slot.subgraph, finding.slot.operator) for finding in report.findings}
    left = {(finding.slot.subgraph, finding.slot.operator) for finding in report.remaining}
    graphs = {
        "before": [_graph(graph, groups, _touched(graph, broken, moved)) for graph in view.before]
    }
    if view.after:
        graphs["after"] = [
            _graph(
                graph,
                _groups_after(view, graph),
                _touched(graph, left, moved) | _mended(graph, broken),
            )
            for graph in view.after
        ]
    return {
        "graphs": graphs,
        "groups": [{"rules": group.rules} for group in view.groups],
        "whys": {f"{why.key[0]}.{why.key[1]}": why.lines for why in view.whys},
        "findings": _notes(report.findings),
        "left": _notes(report.remaining),
        "changes": [
            {
                "key": f"{change.subgraph}.{change.tensor}",
                "text": printable(
                    f"{change.kind}: {change.before} \u2192 {change.after}: {change.why}"
                ),
            }
            for change in report.changes
        ],
    }


def _groups_after(view: ModelView, graph: SubgraphView) -> dict[TensorId, int]:
    """The group number of each tensor of the aligned graph.

    If a QUANTIZE was inserted at a tensor of the group, the group's tensor is its input or its
    output: the one with the parameters that most tensors of the group have.
    """
    groups_by_tensor: dict[TensorId, int] = {}
    shared: dict[int, Range] = {}
    cut: dict[int, int] = {}
    for group in view.groups:
        label_counts = Counter(
            r for m in group.members for r in (m.after, *m.cuts) if r is not None
        )
        shared[group.index] = label_counts.most_common(1)[0][0] if label_counts else group.hull
        for member in group.members:
            if member.after in (None, shared[group.index]):
                groups_by_tensor[member.key] = group.index
            elif member.cuts and member.key[0] == graph.index:
                cut[member.key[1]] = group.index
    for operator in graph.operators:
        index = cut.get(operator.inputs[0]) if operator.mark == "added" else None
        if index is None:
            continue
        for output in operator.outputs:
            tensor = graph.tensors[output]
            label = tensor.label
            if label is not None and label_range(label, tensor.type) == shared[index]:
                groups_by_tensor[TensorId(graph.index, output)] = index
    return groups_by_tensor


def _notes(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For each finding: indices of subgraph, operator and tensor, severity, text."""
    return [
        {
            "graph": finding.slot.subgraph,
            "operator": finding.slot.operator,
            "tensor": finding.tensor,
            "severity": finding.severity,
            "text": printable(f"{finding.message}{follow_up(finding)}"),
        }
        for finding in findings
    ]


# --- the graph ----------------------------------------------------------------------------------


def _touched(
    graph: SubgraphView, noted: Collection[tuple[int, int]], moved: Collection[TensorId]
) -> set[int]:
    """Indices of operators that have a finding (`noted`), were added or removed, or read or write a
    tensor that the alignment changed (`moved`).
    """
    return {
        operator.index
        for operator in graph.operators
        if operator.mark
        or (graph.index, operator.index) in noted
        or any(
            TensorId(graph.index, tensor) in moved
            for tensor in (*operator.inputs, *operator.outputs)
        )
    }


def _mended(graph: SubgraphView, broken: Collection[tuple[int, int]]) -> set[int]:
    """Indices of operators that had a finding before the alignment. `broken`: (subgraph, operator)
    with a finding before.
    """
    return {
        operator.index for operator in graph.operators if (graph.index, operator.other) in broken
    }


def _graph(graph: SubgraphView, groups: dict[TensorId, int], touched: set[int]) -> dict[str, Any]:
    """The drawing of one subgraph. `vertices`: graph inputs, then operators, then graph outputs.

    `folded`: the same with runs of untouched operators as one vertex, if that is shorter. `groups`:
    group number by tensor. `touched`: operators to draw as changed or with findings.
    """
    first = len(graph.inputs)
    last = first + len(graph.operators)
    writer = {tensor: at for at, tensor in enumerate(graph.inputs)}
    edges = []
    for operator in graph.operators:
        writer.update((tensor, first + operator.index) for tensor in operator.outputs)
    for operator in graph.operators:
        edges += [
            Edge(source=writer[tensor], target=first + operator.index, tensor=tensor)
            for tensor in dict.fromkeys(operator.inputs)
            if tensor in writer
        ]
    edges += [
        Edge(source=writer[tensor], target=last + at, tensor=tensor)
        for at, tensor in enumerate(graph.outputs)
        if tensor in writer
    ]
    placed = place(edges, last + len(graph.outputs))
    items = folded(len(graph.operators), touched) if touched else []
    document: dict[str, Any] = {"spots": placed.spots, "edges": _edges(placed)}
    if len(graph.operators) >= _WORTH_FOLDING and 0 < len(items) < len(graph.operators):
        short = folded_edges(edges, first, items)
        over = place(short, first + len(items) + len(graph.outputs))
        document["folded"] = {"items": items, "spots": over.spots, "edges": _edges(over)}
    used = {
        tensor for operator in graph.operators for tensor in (*operator.inputs, *operator.outputs)
    }
    used |= {*graph.inputs, *graph.outputs}
    return {
        "index": graph.index,
        "name": printable(graph.name),
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [_operator(operator) for operator in graph.operators],
        "tensors": {
            str(tensor.index): _tensor(tensor, groups.get(TensorId(graph.index, tensor.index)))
            for tensor in graph.tensors
            if tensor.index in used
        },
        **document,
    }


def _edges(placed: Placed) -> list[list[Any]]:
    """The edges as lists of numbers."""
    return [[edge.source, edge.target, edge.tensor, edge.lane] for edge in placed.edges]


def _operator(operator: OperatorView) -> list[Any]:
    """One operator as a list of JSON values for the page's script."""
    return [
        printable(operator.name),
        operator.inputs,
        operator.outputs,
        operator.mark,
        operator.other,
    ]


def _tensor(tensor: TensorView, group: int | None) -> dict[str, Any]:
    """One tensor; `group`: its number, if it belongs to one."""
    document: dict[str, Any] = {
        "name": printable(tensor.name),
        "form": f"{tensor.type} [{', '.join(map(str, tensor.shape))}]",
    }
    if tensor.label is not None:
        document["label"] = f"{tensor.label.scale:.7g}, {tensor.label.zero_point}"
    elif tensor.channels:
        document["label"] = f"{tensor.channels} scales"
    if tensor.constant:
        document["constant"] = True
    if group is not None:
        document["group"] = group
    return document
