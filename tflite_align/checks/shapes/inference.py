"""Shapes of all tensors of a model, from those of its inputs and constants on, as a runtime that
allocates finds them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...format.model import Model, Subgraph
from ...record import Record, field
from ...rules.shape_rows import load_shapes
from . import arranging, computing
from .folding import folded
from .scene import ContradictionError, Scene, Shape, ShapeFunction, UnknownShapeError

__all__ = ["FUNCTIONS", "Clash", "Inferred", "inferred"]

# What a row of the table may name, and what finds the shapes.
FUNCTIONS: Mapping[str, ShapeFunction] = {
    name.rstrip("_").replace("_", " "): getattr(module, name)
    for module in (arranging, computing)
    for name in module.__all__
    if name != "join"
}


class Clash(Record, frozen=True, kw_only=True):
    """An operator whose operands no kernel takes together."""

    operator: int
    expected: str
    actual: str


class Inferred(Record, frozen=True, kw_only=True):
    """Of one subgraph: the shapes that operators make, by tensor, and what contradicts."""

    shapes: Mapping[int, Shape] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()


def inferred(model: Model, subgraph: int) -> Inferred:
    """Found once for a subgraph, whose constants stay what they are.

    A subgraph that others call takes its callers' shapes: nothing is known of it.
    """
    graph = model.subgraphs[subgraph]
    known: Inferred | None = graph.memo.get("shapes")
    if known is None:
        named = subgraph in model.named_subgraphs
        known = graph.memo["shapes"] = _inferred(model, graph) if named else Inferred()
    return known


def _inferred(model: Model, graph: Subgraph) -> Inferred:
    rows = load_shapes()
    names = {operator.name for operator in graph.operators}
    named = {name: (rows[name], FUNCTIONS[rows[name].function]) for name in names if name in rows}
    shapes = _given(graph)
    values: dict[int, object] = {}
    made: dict[int, Shape] = {}
    clashes: list[Clash] = []
    for operator in graph.operators:
        if operator.name not in named:
            continue
        row, function = named[operator.name]
        at = Scene(
            model=model,
            graph=graph,
            operator=operator,
            operand=row.operand,
            shapes=shapes,
            values=values,  # type: ignore[arg-type]
        )
        try:
            found = function(at)
        except UnknownShapeError:
            continue
        except ContradictionError as clash:
            clashes.append(
                Clash(operator=operator.index, expected=clash.expected, actual=clash.actual)
            )
            continue
        for tensor, shape in zip(operator.outputs, found, strict=False):
            if tensor >= 0:
                shapes[tensor] = made[tensor] = shape
        if found and operator.outputs and (integers := folded(at, found[0])) is not None:
            at.keep(integers)
    return Inferred(shapes=made, clashes=tuple(clashes))


def _given(graph: Subgraph) -> dict[int, Shape]:
    """What the file alone says: of inputs, constants and states."""
    written = {tensor for operator in graph.operators for tensor in operator.outputs}
    found = {}
    for tensor in graph.tensors:
        if tensor.index in written or min(tensor.shape, default=0) < 0:
            continue
        if not tensor.shape and tensor.shape_signature:
            continue
        found[tensor.index] = tensor.shape
    return found
