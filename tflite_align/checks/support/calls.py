"""Limits of operators that call subgraphs, on the outputs of those subgraphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...format.model import Subgraph
from .subject import Mismatch, Subject

__all__ = ["carried_in_order", "distinct_outputs"]


def _called(
    subject: Subject, options: Sequence[str], fault: Callable[[Subgraph], str]
) -> Iterator[str]:
    """The text of `fault` for each subgraph that the operator calls by these options; cached for
    other callers.
    """
    for name in options:
        index = subject.option(name)
        if 0 <= index < len(subject.model.subgraphs):
            graph = subject.model.subgraphs[index]
            if fault.__name__ not in graph.memo:
                graph.memo[fault.__name__] = fault(graph)
            yield graph.memo[fault.__name__]


def distinct_outputs(subject: Subject, value: Sequence[str]) -> Mismatch:
    """The limit that no tensor computed by a called subgraph is listed twice among its outputs.
    `value`: options that name the subgraphs. Returns (expected, found) if violated.
    """
    fault_text = next(filter(None, _called(subject, value, _doubled)), "")
    return (
        ("a different tensor for each output of the called subgraph", fault_text)
        if fault_text
        else None
    )


def _doubled(graph: Subgraph) -> str:
    """The tensor that a subgraph computes and lists twice among its outputs, as text; "" if there
    is none.
    """
    computed = {index for operator in graph.operators for index in operator.outputs}
    counted = Counter(graph.outputs)
    for tensor in graph.outputs:
        if counted[tensor] > 1 and tensor in computed:
            places = [i for i, output in enumerate(graph.outputs) if output == tensor]
            return f"subgraph[{graph.index}]/outputs {places[:8]} are one tensor"
    return ""


def carried_in_order(subject: Subject, value: Sequence[str]) -> Mismatch:
    """The limit that no called subgraph passes an input on to an output at a later position, unless
    the output at the input's own position is the input too. Returns (expected, found) if violated.
    """
    fault_text = next(filter(None, _called(subject, value, _handed_on)), "")
    return (
        (
            "an output that an operator computes, or that returns an input at the same or an earlier position",
            fault_text,
        )
        if fault_text
        else None
    )


def _handed_on(graph: Subgraph) -> str:
    """The output that violates carried_in_order, as text; "" if there is none."""
    first = {tensor: position for position, tensor in reversed([*enumerate(graph.inputs)])}
    for later, tensor in enumerate(graph.outputs):
        position_in = first.get(tensor, later)
        if position_in < later and graph.outputs[position_in] != tensor:
            return f"subgraph[{graph.index}]/outputs[{later}] is its inputs[{position_in}]"
    return ""
