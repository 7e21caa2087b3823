"""Runs of operators that nothing happened to, drawn as one vertex: an overview of a large graph."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .graph_layout import Edge

__all__ = ["Item", "folded", "folded_edges"]

_LEAST = 3  # operators that are worth one vertex in their place

Item = tuple[int, int]  # first and last operator; the same where one stands for itself


def folded(count: int, touched: Collection[int]) -> list[Item]:
    """The operators in the order of the file, those that stand between touched ones as one item.

    That order is one in which values flow, so that an item of neighbours in it closes no circle.
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
    """The edges between vertices of which items stand for operators; none within an item.

    Vertices are numbered as graph_layout has them: graph inputs, then operators, then outputs.
    """
    count = items[-1][1] + 1 if items else 0
    of = {at: index for index, (first, last) in enumerate(items) for at in range(first, last + 1)}

    def vertex(old: int) -> int:
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
