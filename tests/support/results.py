"""Operators of an alignment's result and the tensors they read, by name."""

from __future__ import annotations

from tflite_align import AlignResult
from tflite_align.format.reader import read


def names(result: AlignResult) -> list[str]:
    """Names of the operators of the first subgraph, in its order."""
    return [operator.name for operator in read(result.data).subgraphs[0].operators]


def reads(result: AlignResult, operator: int) -> list[str]:
    """Names of the tensors that an operator of the result reads."""
    graph = read(result.data).subgraphs[0]
    return [graph.tensors[index].name for index in graph.operators[operator].inputs]
