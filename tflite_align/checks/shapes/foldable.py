"""Operators that compute sizes from known shapes, and the values they would write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from numpy.typing import NDArray

from ...format.model import Model, Operator
from ...format.writer.metadata import unknown_metadata
from .inference import inferred, settled

__all__ = ["foldable", "folds_away"]


def foldable(model: Model, subgraph: int, *, resized: bool) -> Mapping[int, NDArray[Any]]:
    """The integers of computed tensors that are the same in every run, by tensor index.

    `resized`: an application may resize inputs whose signature leaves sizes open. Empty if the
    model has metadata that may refer to operators by position, as then none can be removed.
    `subgraph`: its index.
    """
    if unknown_metadata(model):
        return {}
    graph = model.subgraphs[subgraph]
    known_values = (settled if resized else inferred)(model, subgraph).values
    written = {tensor for operator in graph.operators for tensor in operator.outputs}
    return {
        tensor: known_values[tensor]
        for tensor in sorted(written.intersection(known_values).difference(graph.outputs))
        if known_values[tensor].size and not graph.tensors[tensor].is_variable
    }


def folds_away(operator: Operator, known_values: Collection[int]) -> bool:
    """Whether all outputs of the operator are among the known values."""
    return bool(operator.outputs) and all(tensor in known_values for tensor in operator.outputs)
