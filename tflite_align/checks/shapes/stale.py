"""Shapes in the file that differ from those that operators compute, and operands that contradict
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...format.model import Model, Slot, Subgraph
from ...rules.targets import Requirement
from ..constraints import WellFormed
from .inference import EarlierState, inferred
from .scene import shape_text

__all__ = ["stale_shapes"]

_Requirements = Callable[[str, str], tuple[tuple[str, Requirement], ...]]


def stale_shapes(
    model: Model, requirements: _Requirements, earlier: EarlierState | None = None
) -> Iterator[WellFormed]:
    """A violated constraint for each tensor whose stated shape its operator does not compute, and
    for each operator whose operands no kernel takes together.

    A tensor without a stated shape is not compared. `earlier`: a state that was checked, for what
    is unchanged since.
    """
    for graph in model.subgraphs:
        yield from _stale(model, graph, requirements, earlier)


def _stale(
    model: Model, graph: Subgraph, requirements: _Requirements, earlier: EarlierState | None
) -> Iterator[WellFormed]:
    """The violated constraints of one subgraph."""
    inference = inferred(model, graph.index, earlier)
    for clash in inference.clashes:
        operator = graph.operators[clash.operator]
        rule = f"shape/{operator.name}/operands"
        type_name = graph.tensors[operator.inputs[0]].type
        if graded := requirements(rule, type_name):
            yield WellFormed(
                rule=rule,
                type=type_name,
                requirements=graded,
                slot=Slot(graph.index, operator.index, "inputs", 0),
                expected=clash.expected,
                actual=clash.actual,
            )
    shapes, tensors = inference.shapes, graph.tensors
    wrong = {index for index, shape in shapes.items() if tensors[index].shape not in ((), shape)}
    if not wrong:
        return
    for operator in graph.operators:
        for position, index in enumerate(operator.outputs):
            rule, tensor = f"shape/{operator.name}", tensors[index]
            if index in wrong and (graded := requirements(rule, tensor.type)):
                yield WellFormed(
                    rule=rule,
                    type=tensor.type,
                    requirements=graded,
                    slot=Slot(graph.index, operator.index, "outputs", position),
                    expected=f"shape {shape_text(shapes[index])}",
                    actual=f"shape {shape_text(tensor.shape)}",
                    fixable=True,
                )
