"""Layout of the drawing: no overlaps, edges routed around vertices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tflite_align.report.graph_layout import Edge, place


def _edges(*pairs: tuple[int, int]) -> list[Edge]:
    return [Edge(source=a, target=b, tensor=at) for at, (a, b) in enumerate(pairs)]


def test_a_chain_is_in_one_lane() -> None:
    placed = place(_edges((0, 1), (1, 2)), 3)
    assert placed.spots == ((0, 0), (0, 1), (0, 2))
    assert [edge.lane for edge in placed.edges] == [None, None]


def test_skip_connection_goes_round_the_branch() -> None:
    placed = place(_edges((0, 1), (1, 2), (0, 2)), 3)
    assert placed.spots == ((0, 0), (0, 1), (0, 2))
    assert placed.edges[2].lane not in (None, 0)


def test_late_input_stands_above_its_reader() -> None:
    placed = place(_edges((0, 2), (2, 3), (1, 3)), 4)
    assert placed.spots[1][1] == placed.spots[3][1] - 1


def test_edge_that_leads_back_is_drawn() -> None:
    placed = place(_edges((0, 1), (1, 0)), 2)
    assert len(placed.edges) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=80))
def test_no_two_vertices_overlap(pairs: list[tuple[int, int]]) -> None:
    edges = _edges(*pairs)
    placed = place(edges, 31)
    assert len(set(placed.spots)) == 31
    assert [(e.source, e.target, e.tensor) for e in placed.edges] == [
        (e.source, e.target, e.tensor) for e in edges
    ]
    for edge in placed.edges:
        if edge.source < edge.target:
            assert placed.spots[edge.source][1] < placed.spots[edge.target][1]
        if edge.lane is not None:
            between = range(placed.spots[edge.source][1] + 1, placed.spots[edge.target][1])
            assert not {(edge.lane, layer) for layer in between} & set(placed.spots)
