"""The report as node data for Google's Model Explorer: a value and a colour per operator.

Its TFLite adapter names an operator by its index and a graph by the subgraph's name, or `main` for
a first subgraph without one. The data apply to the aligned file, for `check` to the checked file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from .model_view import SubgraphView
from .report import Report, Unread

__all__ = ["render_model_explorer"]

_EXACT_DB = 120.0  # value shown for an exact operator
_INK = "#000000"
_ERROR, _WARNING, _REPAIRED = "#ff8a80", "#ffd180", "#b9f6ca"
# Upper limits in dB and their colours: below 30 dB an 8-bit operator deserves attention.
_LEVELS = ((15.0, "#ff8a80"), (30.0, "#ffe082"), (_EXACT_DB, "#ffffff"))


def render_model_explorer(reports: Sequence[Report], _: Sequence[Unread] = ()) -> str:
    """JSON for Model Explorer's `--node_data_paths`. Raises UsageError for more than one report.

    The value is the operator's SQNR in dB (120 for exact), or 1 for a finding where operators were
    not compared. Colours show findings and repairs. An unreadable file has no data.
    """
    if len(reports) > 1:
        raise UsageError(f"a .me.json report is of one model; there are {len(reports)}")
    document = {}
    for report in reports:
        view = report.view
        graphs = (view.after or view.before) if view is not None else ()
        document = {_called(graph): _graph(report, graph) for graph in graphs}
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _called(graph: SubgraphView) -> str:
    """The name under which Model Explorer shows the subgraph."""
    return graph.name or ("main" if graph.index == 0 else f"subgraph_{graph.index}")


def _graph(report: Report, graph: SubgraphView) -> dict[str, Any]:
    """The JSON values of one subgraph in Model Explorer's format."""
    levels = _levels(report, graph.index)
    results: dict[str, dict[str, Any]] = {
        str(operator): {"value": round(level, 2)} for operator, level in sorted(levels.items())
    }
    for operator, colour in _colours(report, graph).items():
        node = results.setdefault(str(operator), {"value": 0 if levels else 1})
        node |= {"bgColor": colour, "textColor": _INK}
    thresholds = [{"value": at, "bgColor": colour, "textColor": _INK} for at, colour in _LEVELS]
    return {
        "name": "tflite_align: SQNR, dB" if levels else "tflite_align: findings",
        "results": results,
        **({"thresholds": thresholds} if levels else {}),
    }


def _levels(report: Report, subgraph: int) -> dict[int, float]:
    """By operator index: the lowest SQNR in dB among the outputs that were compared. `subgraph`:
    its index.
    """
    steps = report.verification.steps if report.verification is not None else None
    found: dict[int, float] = {}
    for one in steps.operators if steps is not None else ():
        if one.subgraph == subgraph and one.sqnr_db is not None and not math.isnan(one.sqnr_db):
            level = min(one.sqnr_db, _EXACT_DB)
            found[one.operator] = min(level, found.get(one.operator, level))
    return found


def _colours(report: Report, graph: SubgraphView) -> dict[int, str]:
    """By operator index: colours of operators with remaining findings, and of those whose findings
    were repaired.
    """
    had = {(one.slot.subgraph, one.slot.operator) for one in report.findings}
    colours = {
        one.index: _REPAIRED
        for one in graph.operators
        if report.command == "align" and (graph.index, one.other) in had
    }
    for one in sorted(report.remaining, key=lambda found: found.severity == "error"):
        if one.slot.subgraph == graph.index and one.slot.operator >= 0:
            colours[one.slot.operator] = _ERROR if one.severity == "error" else _WARNING
    return dict(sorted(colours.items()))
