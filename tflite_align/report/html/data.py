"""What the page's script reads, as JSON values: drawn graphs, groups, figures."""

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

_WORTH_FOLDING = 24  # operators; what fits a screen is drawn whole


def page_data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """One entry a report; `graphs` is empty for a report without a view."""
    return [_entry(report) for report in reports]


def _entry(report: Report) -> dict[str, Any]:
    view = report.view or ModelView(before=())
    groups = {m.key: group.index for group in view.groups for m in group.members}
    moved = {TensorId(change.subgraph, change.tensor) for change in report.changes}
    found = {(one.slot.subgraph, one.slot.operator) for one in report.findings}
    left = {(one.slot.subgraph, one.slot.operator) for one in report.remaining}
    graphs = {"before": [_graph(one, groups, _touched(one, found, moved)) for one in view.before]}
    if view.after:
        graphs["after"] = [
            _graph(one, _groups_after(view, one), _touched(one, left, moved) | _mended(one, found))
            for one in view.after
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
    """Group of each tensor once QUANTIZE are inserted: of a tensor that was cut off, the side
    that holds what the rest of the group holds.
    """
    found: dict[TensorId, int] = {}
    shared: dict[int, Range] = {}
    cut: dict[int, int] = {}
    for group in view.groups:
        held = Counter(r for m in group.members for r in (m.after, *m.cuts) if r is not None)
        shared[group.index] = held.most_common(1)[0][0] if held else group.hull
        for member in group.members:
            if member.after in (None, shared[group.index]):
                found[member.key] = group.index
            elif member.cuts and member.key[0] == graph.index:
                cut[member.key[1]] = group.index
    for operator in graph.operators:
        index = cut.get(operator.inputs[0]) if operator.mark == "added" else None
        if index is None:
            continue
        for number in operator.outputs:
            tensor = graph.tensors[number]
            label = tensor.label
            if label is not None and label_range(label, tensor.type) == shared[index]:
                found[TensorId(graph.index, number)] = index
    return found


def _notes(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "graph": one.slot.subgraph,
            "operator": one.slot.operator,
            "tensor": one.tensor,
            "severity": one.severity,
            "text": printable(f"{one.message}{follow_up(one)}"),
        }
        for one in findings
    ]


# --- the graph ----------------------------------------------------------------------------------


def _touched(
    graph: SubgraphView, noted: Collection[tuple[int, int]], moved: Collection[TensorId]
) -> set[int]:
    """Operators with a finding, added or removed ones, and those at a tensor that moved."""
    return {
        one.index
        for one in graph.operators
        if one.mark
        or (graph.index, one.index) in noted
        or any(TensorId(graph.index, tensor) in moved for tensor in (*one.inputs, *one.outputs))
    }


def _mended(graph: SubgraphView, found: Collection[tuple[int, int]]) -> set[int]:
    """Those that had a finding before the alignment."""
    return {one.index for one in graph.operators if (graph.index, one.other) in found}


def _graph(graph: SubgraphView, groups: dict[TensorId, int], touched: set[int]) -> dict[str, Any]:
    """`vertices` are the graph's inputs, then its operators, then its outputs. `folded`: the same
    with runs of untouched operators as one vertex, where that makes it shorter.
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
    drawn: dict[str, Any] = {"spots": placed.spots, "edges": _edges(placed)}
    if len(graph.operators) >= _WORTH_FOLDING and 0 < len(items) < len(graph.operators):
        short = folded_edges(edges, first, items)
        over = place(short, first + len(items) + len(graph.outputs))
        drawn["folded"] = {"items": items, "spots": over.spots, "edges": _edges(over)}
    used = {tensor for one in graph.operators for tensor in (*one.inputs, *one.outputs)}
    used |= {*graph.inputs, *graph.outputs}
    return {
        "index": graph.index,
        "name": printable(graph.name),
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [_operator(one) for one in graph.operators],
        "tensors": {
            str(one.index): _tensor(one, groups.get(TensorId(graph.index, one.index)))
            for one in graph.tensors
            if one.index in used
        },
        **drawn,
    }


def _edges(placed: Placed) -> list[list[Any]]:
    return [[one.source, one.target, one.tensor, one.lane] for one in placed.edges]


def _operator(operator: OperatorView) -> list[Any]:
    return [
        printable(operator.name),
        operator.inputs,
        operator.outputs,
        operator.mark,
        operator.other,
    ]


def _tensor(tensor: TensorView, group: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": printable(tensor.name),
        "form": f"{tensor.type} [{', '.join(map(str, tensor.shape))}]",
    }
    if tensor.label is not None:
        told["label"] = f"{tensor.label.scale:.7g}, {tensor.label.zero_point}"
    elif tensor.channels:
        told["label"] = f"{tensor.channels} scales"
    if tensor.constant:
        told["constant"] = True
    if group is not None:
        told["group"] = group
    return told
