"""Parts of models with several operators or subgraphs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rules.operators.operands import Array
from tests.support.models import GraphSpec, OperatorSpec, TensorSpec


def tensor(name: str, type_name: str, *shape: int, data: Array | None = None) -> TensorSpec:
    return TensorSpec(name=name, type=type_name, shape=shape, data=data)


def resource(name: str) -> TensorSpec:
    """A handle of a variable or a table."""
    return tensor(name, "resource", 1)


def body(
    operator: OperatorSpec,
    given: Sequence[TensorSpec],
    made: Sequence[TensorSpec],
    held: Sequence[TensorSpec] = (),
) -> GraphSpec:
    """A subgraph of one operator, for calls. `given`, `made`, `held`: its inputs, outputs and
    constants.
    """
    return GraphSpec(
        tensors=[*given, *made, *held],
        operators=[operator],
        inputs=[spec.name for spec in given],
        outputs=[spec.name for spec in made],
        name="body",
    )


def of_two(name: str, table: str, type_name: str, *shape: int) -> GraphSpec:
    """A subgraph of one operator with two inputs of the same shape."""
    return body(
        OperatorSpec(
            name=name, inputs=["a", "b"], outputs=["c"], options=(table, {}) if table else None
        ),
        [tensor("a", type_name, *shape), tensor("b", type_name, *shape)],
        [tensor("c", type_name, *shape)],
    )
