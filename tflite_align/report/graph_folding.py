"""Folding runs of unchanged operators into one vertex, for an overview of a large graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .graph_layout import Edge

__all__ = ["Item", "folded", "folded_edges"]

_LEAST = 3  # shortest run that is folded

Item = tuple[int, int]  # first and last operator of a vertex; equal for a single operator


def folded(count: int, touched: Collection[int]) -> list[Item]:
    """Groups of operators, (first, last) index in file order, without the `touched` ones, which are
    groups of one. `count`: number of operators.

    File order is a topological order, so that merging consecutive operators creates no cycle.
    """
    items: list[Item] = []
    start = 0
    for at in [*sorted(touched), count]:
        if at - start >= _LEAST:
            items.append((start, at - 1))
        else:
            items += [(vertex, vertex) for vertex in range(start, at)]
        if at < count:
            items.append((at, at))
        start = at + 1
    return items


def folded_edges(edges: Sequence[Edge], inputs: int, items: Sequence[Item]) -> list[Edge]:
    """The edges between the folded vertices; edges inside a vertex are dropped. `inputs`: number of
    graph inputs; `items`: groups of operators.

    Vertices are numbered as in graph_layout: graph inputs, then operators, then graph outputs.
    """
    count = items[-1][1] + 1 if items else 0
    of = {at: index for index, (first, last) in enumerate(items) for at in range(first, last + 1)}

    def vertex(old: int) -> int:
        """The number of a vertex after folding. `old`: its number before."""
        if old < inputs:
            return old
        if old < inputs + count:
            return inputs + of[old - inputs]
        return old - count + len(items)

    edges_by_key: dict[tuple[int, int, int], Edge] = {}
    for edge in edges:
        ends = vertex(edge.source), vertex(edge.target)
        if ends[0] != ends[1]:
            folded = Edge(source=ends[0], target=ends[1], tensor=edge.tensor)
            edges_by_key[(*ends, edge.tensor)] = folded
    return list(edges_by_key.values())
