"""Limits of operators that call subgraphs: what may stand among the outputs of what they call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...format.model import Subgraph
from .place import Place

__all__ = ["carried_in_order", "distinct_outputs"]


def _called(
    place: Place, options: Sequence[str], fault: Callable[[Subgraph], str]
) -> Iterator[str]:
    """What is wrong with each subgraph that is called; looked for once, however many call it."""
    for name in options:
        index = place.option(name)
        if 0 <= index < len(place.model.subgraphs):
            graph = place.model.subgraphs[index]
            if fault.__name__ not in graph.memo:
                graph.memo[fault.__name__] = fault(graph)
            yield graph.memo[fault.__name__]


def distinct_outputs(place: Place, value: Sequence[str]) -> tuple[str, str] | None:
    """No tensor that a called subgraph computes is twice among its outputs."""
    found = next(filter(None, _called(place, value, _doubled)), "")
    return (
        ("outputs of the called subgraph that are tensors of their own", found) if found else None
    )


def _doubled(graph: Subgraph) -> str:
    computed = {index for one in graph.operators for index in one.outputs}
    counted = Counter(graph.outputs)
    for tensor in graph.outputs:
        if counted[tensor] > 1 and tensor in computed:
            places = [i for i, other in enumerate(graph.outputs) if other == tensor]
            return f"subgraph[{graph.index}]/outputs {places[:8]} are one tensor"
    return ""


def carried_in_order(place: Place, value: Sequence[str]) -> tuple[str, str] | None:
    """No called subgraph hands an input on to a later place than its own, unless it also keeps it
    in its own.
    """
    found = next(filter(None, _called(place, value, _handed_on)), "")
    return ("values handed on by an operator, or to an earlier place", found) if found else None


def _handed_on(graph: Subgraph) -> str:
    first = {tensor: place for place, tensor in reversed([*enumerate(graph.inputs)])}
    for later, tensor in enumerate(graph.outputs):
        own = first.get(tensor, later)
        if own < later and graph.outputs[own] != tensor:
            return f"subgraph[{graph.index}]/outputs[{later}] is its inputs[{own}]"
    return ""
