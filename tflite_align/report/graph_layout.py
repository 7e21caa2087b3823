"""Layout of a graph: operators in layers from top to bottom, chains in vertical lanes.

The layouts of graph libraries take minutes for thousands of operators. A model is a few long chains
with branches, for which one pass in file order is enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Record

__all__ = ["Edge", "Placed", "place"]

_LONGEST = 400  # longest edge, in layers, that is routed around vertices


class Edge(Record, frozen=True, kw_only=True):
    """Tensor `tensor` (index) from vertex `source` to vertex `target`.

    `lane`: the lane in which the edge is routed around the vertices between its ends; None if there
    are none.
    """

    source: int
    target: int
    tensor: int
    lane: int | None = None


class Placed(Record, frozen=True, kw_only=True):
    """The layout. `spots`: (lane, layer) of each vertex; the first chain is in lane 0, other lanes
    may be negative.
    """

    spots: tuple[tuple[int, int], ...]
    edges: tuple[Edge, ...]


def place(edges: Sequence[Edge], count: int) -> Placed:
    """Lay out `count` vertices, numbered in topological order.

    An edge to a lower number is drawn but does not influence the layout.
    """
    into: list[list[Edge]] = [[] for _ in range(count)]
    layers = [0] * count
    for edge in sorted(edges, key=lambda other: (other.target, other.source)):
        if edge.source < edge.target:
            into[edge.target].append(edge)
    for vertex in range(count):
        above = [layers[edge.source] for edge in into[vertex]]
        layers[vertex] = max(above, default=-1) + 1
    _pull_down(edges, layers)
    occupied: set[tuple[int, int]] = set()
    lanes = [0] * count
    routed: dict[Edge, Edge] = {}
    for vertex in sorted(range(count), key=lambda other: (layers[other], other)):
        near = max(into[vertex], key=lambda edge: (layers[edge.source], -edge.source), default=None)
        wanted = lanes[near.source] if near is not None else 0
        lanes[vertex] = _nearest(wanted, range(layers[vertex], layers[vertex] + 1), occupied)
        occupied.add((lanes[vertex], layers[vertex]))
        for edge in into[vertex]:
            between = range(layers[edge.source] + 1, layers[vertex])
            if not 0 < len(between) <= _LONGEST:
                continue
            lane = _nearest(lanes[vertex], between, occupied)
            occupied.update((lane, layer) for layer in between)
            routed[edge] = Edge(
                source=edge.source, target=edge.target, tensor=edge.tensor, lane=lane
            )
    spots = tuple(zip(lanes, layers, strict=True))
    return Placed(spots=spots, edges=tuple(routed.get(edge, edge) for edge in edges))


def _pull_down(edges: Sequence[Edge], layers: list[int]) -> None:
    """Move each vertex without producers to the layer above its first reader; changes `layers`, by
    vertex. `edges`: (from, to) vertices.
    """
    led = {edge.target for edge in edges if edge.source < edge.target}
    first: dict[int, int] = {}
    for edge in edges:
        if edge.source < edge.target and edge.source not in led:
            below = layers[edge.target]
            first[edge.source] = min(first.get(edge.source, below), below)
    for vertex, below in first.items():
        layers[vertex] = below - 1


def _nearest(wanted: int, layers: range, occupied: set[tuple[int, int]]) -> int:
    """The lane nearest to `wanted` that is free in all given layers; the right one of two equally
    near. `occupied`: (lane, layer).
    """
    step = 0
    while True:
        for lane in (wanted + step, wanted - step):
            if all((lane, layer) not in occupied for layer in layers):
                return lane
        step += 1
