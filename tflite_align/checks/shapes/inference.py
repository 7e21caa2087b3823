"""The shapes of all tensors of a model, inferred operator by operator from its inputs and
constants, as a runtime that allocates tensors does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ...format.model import Model, Operator, Subgraph
from ...record import Record, field
from ...rules.shape_rows import load_operand_sizes, load_shapes
from . import arranging, computing, looking_up, named_sizes, resizing
from .folding import folded
from .named_sizes import compare_operands
from .scene import ContradictionError, Scene, Shape, ShapeFunction, UnknownShapeError, shape_text

__all__ = ["FUNCTIONS", "Clash", "EarlierState", "Inferred", "inferred", "settled"]

_EXTENTS = 1 << 31  # a file states extents as int32

# Function name in schema/shapes.toml -> shape function.
FUNCTIONS: Mapping[str, ShapeFunction] = {
    name.rstrip("_").replace("_", " "): getattr(module, name)
    for module in (arranging, computing, looking_up, named_sizes, resizing)
    for name in module.__all__
    if name != "join"
}


class Clash(Record, frozen=True, kw_only=True):
    """An operator (index in its subgraph) whose operands have shapes that no kernel takes together;
    the expected and the found shape as text.
    """

    operator: int
    expected: str
    actual: str


class Inferred(Record, frozen=True, kw_only=True):
    """The result for one subgraph: `shapes` by tensor index, contradictions, and `values` of small
    integer tensors by tensor index.
    """

    shapes: Mapping[int, Shape] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    values: Mapping[int, NDArray[Any]] = field(default_factory=dict)


class EarlierState(Record, frozen=True):
    """An earlier state of a model with the same subgraphs. `places`: by subgraph, the index of each
    operator that is unchanged since, as are its tensors -> its index in the earlier state.
    """

    model: Model
    places: Sequence[Mapping[int, int]]


def inferred(model: Model, subgraph: int, earlier: EarlierState | None = None) -> Inferred:
    """The inferred shapes of a subgraph for the sizes that the file states, cached while its
    constants are unchanged. Empty for a subgraph that operators call: its shapes are its callers'.
    """
    return _known(model, subgraph, "shapes", opened=False, earlier=earlier)


def settled(model: Model, subgraph: int) -> Inferred:
    """The shapes and values that hold for every input size that an application may choose: nothing
    is inferred from tensors whose `shape_signature` leaves sizes open. `subgraph`: its index.
    """
    return _known(model, subgraph, "settled shapes", opened=True)


def _known(
    model: Model,
    subgraph: int,
    name: str,
    *,
    opened: bool,
    earlier: EarlierState | None = None,
) -> Inferred:
    """The cached result of _inferred under the key `name`; `opened`: as in _inferred. `subgraph`:
    its index.
    """
    graph = model.subgraphs[subgraph]
    cached: Inferred | None = graph.memo.get(name)
    if cached is None:
        named = subgraph in model.named_subgraphs
        known = None if earlier is None else _Known(graph, earlier)
        cached = _inferred(model, graph, known, opened=opened) if named else Inferred()
        graph.memo[name] = cached
    return cached


class _Known:
    """What can be taken over from an earlier state's inference of a subgraph. `differing`: tensors
    whose shape or values may differ from the earlier ones.
    """

    def __init__(self, graph: Subgraph, earlier: EarlierState) -> None:
        self.places = earlier.places[graph.index]
        self.before = inferred(earlier.model, graph.index)
        self.clashing = {clash.operator for clash in self.before.clashes}
        self.differing = _written(graph) ^ _written(earlier.model.subgraphs[graph.index])

    def holds_for(self, operator: Operator) -> bool:
        """Whether the earlier inference still holds for the operator's outputs, as its inputs are
        unchanged.
        """
        place = self.places.get(operator.index)
        return (
            place is not None
            and place not in self.clashing
            and self.differing.isdisjoint(operator.inputs)
        )

    def take(
        self,
        operator: Operator,
        made: dict[int, Shape],
        shapes: dict[int, Shape],
        values: dict[int, NDArray[Any] | None],
    ) -> None:
        """Add the shapes of the operator's outputs to those `made` and to all `shapes`, and values of
        its operands to those known.
        """
        before = self.before
        for index in operator.outputs:
            if index in before.shapes:
                made[index] = shapes[index] = before.shapes[index]
        if before.values:
            values.update({i: before.values[i] for i in operator.named if i in before.values})

    def compare(
        self, operator: Operator, made: Mapping[int, Shape], values: Mapping[int, object]
    ) -> None:
        """Add outputs whose shapes differ from the earlier ones, or that have values, to
        `differing`.
        """
        before = self.before
        self.differing.update(
            [
                index
                for index in operator.outputs
                if made.get(index) != before.shapes.get(index)
                or index in values
                or index in before.values
            ]
        )


def _written(graph: Subgraph) -> set[int]:
    """The indices of tensors that an operator of the subgraph writes."""
    return {tensor for operator in graph.operators for tensor in operator.outputs}


def _inferred(
    model: Model, graph: Subgraph, known: _Known | None = None, *, opened: bool
) -> Inferred:
    """Infer one subgraph. `known`: from an earlier state; `opened`: sizes that signatures leave open
    count as unknown.
    """
    rows = load_shapes()
    names = {operator.name for operator in graph.operators}
    named = {name: (rows[name], FUNCTIONS[rows[name].function]) for name in names if name in rows}
    operand_rows = load_operand_sizes()
    shapes = _given(graph, opened=opened)
    values: dict[int, NDArray[Any] | None] = {}
    made: dict[int, Shape] = {}
    clashes: list[Clash] = []
    for operator in graph.operators:
        if known is not None and known.holds_for(operator):
            known.take(operator, made, shapes, values)
            continue
        if operator.name in named:
            row, function = named[operator.name]
            at = Scene(
                model=model,
                graph=graph,
                operator=operator,
                row=row,
                shapes=shapes,
                values=values,
            )
            try:
                if operator.name in operand_rows:
                    compare_operands(at)
                made |= _made(at, function)
            except ContradictionError as clash:
                clashes.append(
                    Clash(operator=operator.index, expected=clash.expected, actual=clash.actual)
                )
        if known is not None:
            known.compare(operator, made, values)
    found_values = {tensor: value for tensor, value in values.items() if value is not None}
    return Inferred(shapes=made, clashes=tuple(clashes), values=found_values)


def _made(at: Scene, function: ShapeFunction) -> dict[int, Shape]:
    """The shapes of the operator's outputs; adds them, and values of the first, to those known."""
    try:
        shapes_of_outputs = function(at)
    except UnknownShapeError:
        return {}
    pairs = zip(at.operator.outputs, shapes_of_outputs, strict=False)
    made = {tensor: shape for tensor, shape in pairs if tensor >= 0}
    for shape in made.values():
        if max(shape, default=0) >= _EXTENTS:
            raise ContradictionError(f"extents below {_EXTENTS}", shape_text(shape))
    at.shapes.update(made)
    if shapes_of_outputs and at.counts:
        integers = folded(at, shapes_of_outputs[0])
        if integers is not None:
            at.keep(integers)
    return made


def _given(graph: Subgraph, *, opened: bool) -> dict[int, Shape]:
    """The shapes that the file states for inputs, constants and variables, by tensor index.

    `opened`: sizes that signatures leave open count as unknown.
    """
    written = {tensor for operator in graph.operators for tensor in operator.outputs}
    differing = {}
    for tensor in graph.tensors:
        if tensor.index in written or min(tensor.shape, default=0) < 0:
            continue
        if not tensor.shape and tensor.shape_signature:
            continue
        if opened and min(tensor.shape_signature, default=0) < 0:
            continue
        differing[tensor.index] = tensor.shape
    return differing
