"""Limits of operators that call subgraphs: what may stand among the outputs of what they call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model import Subgraph
from .place import Place

__all__ = ["carried_in_order", "distinct_outputs"]


def _called(place: Place, options: Sequence[str]) -> Iterator[Subgraph]:
    for name in options:
        index = place.option(name)
        if 0 <= index < len(place.model.subgraphs):
            yield place.model.subgraphs[index]


def distinct_outputs(place: Place, value: Sequence[str]) -> tuple[str, str] | None:
    """No tensor that a called subgraph computes is twice among its outputs."""
    for graph in _called(place, value):
        computed = {index for one in graph.operators for index in one.outputs}
        for tensor in graph.outputs:
            if tensor in computed and graph.outputs.count(tensor) > 1:
                places = [i for i, other in enumerate(graph.outputs) if other == tensor]
                named = f"subgraph[{graph.index}]/outputs {places} are one tensor"
                return "outputs of the called subgraph that are tensors of their own", named
    return None


def carried_in_order(place: Place, value: Sequence[str]) -> tuple[str, str] | None:
    """No called subgraph hands an input on to a later place than its own, unless it also keeps it
    in its own.
    """
    for graph in _called(place, value):
        for later, tensor in enumerate(graph.outputs):
            own = graph.inputs.index(tensor) if tensor in graph.inputs else later
            if own < later and graph.outputs[own] != tensor:
                expected = "values handed on by an operator, or to an earlier place"
                return expected, f"subgraph[{graph.index}]/outputs[{later}] is its inputs[{own}]"
    return None
