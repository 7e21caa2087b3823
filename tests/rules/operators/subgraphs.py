"""Operators that call other subgraphs."""

from __future__ import annotations

import numpy as np

from tests.rules.operators.graphs import body, of_two, resource, tensor
from tests.rules.operators.operands import Array, Form, data, maker, output
from tests.rules.operators.resources import HANDLE, READ, assign
from tests.support.models import GraphSpec, OperatorSpec

NUMBERS = ("float32", "int32")


@maker("IF", types=(), plain=NUMBERS)
def _if(type_name: str) -> Form:
    return Form(
        inputs=(data(type_name="bool"), data(4, 6), data(4, 6)),
        outputs=(output(4, 6),),
        reference=lambda holds, a, b: a + b if holds else a * b,
        options=("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2}),
        subgraphs=(
            of_two("ADD", "AddOptions", type_name, 4, 6),
            of_two("MUL", "MulOptions", type_name, 4, 6),
        ),
    )


@maker("WHILE", types=(), plain=NUMBERS)
def _while(type_name: str) -> Form:
    """A WHILE that adds 3 until 10 is reached."""
    shape = tensor("a", type_name, 1)
    condition = body(
        OperatorSpec(name="LESS", inputs=["a", "end"], outputs=["c"], options=("LessOptions", {})),
        [shape],
        [tensor("c", "bool", 1)],
        [tensor("end", type_name, 1, data=np.array([10]))],
    )
    step = body(
        OperatorSpec(name="ADD", inputs=["a", "by"], outputs=["c"], options=("AddOptions", {})),
        [shape],
        [tensor("c", type_name, 1)],
        [tensor("by", type_name, 1, data=np.array([3]))],
    )

    def count(x: Array) -> Array:
        result: Array = x + 3 * np.maximum(np.ceil((10 - x.astype(float)) / 3), 0).astype(x.dtype)
        return result

    return Form(
        inputs=(data(1),),
        outputs=(output(1),),
        reference=count,
        options=("WhileOptions", {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}),
        subgraphs=(condition, step),
    )


@maker("CALL_ONCE", types=(), plain=("float32", "int32", "bool", "int8"))
def _call_once(type_name: str) -> Form:
    """A CALL_ONCE whose subgraph assigns the variable that the main subgraph reads."""
    values = np.array([1, 0, 1], dtype=type_name)
    once = OperatorSpec(
        name="CALL_ONCE",
        inputs=[],
        outputs=[],
        options=("CallOnceOptions", {"initSubgraphIndex": 1}),
    )
    first = GraphSpec(
        tensors=[resource("handle"), tensor("value", type_name, 3, data=values)],
        operators=[HANDLE, assign("value")],
        inputs=[],
        outputs=[],
        name="first",
    )
    return Form(
        inputs=(),
        outputs=(output(3),),
        reference=lambda: values,
        operators=(once, HANDLE, READ),
        inner=(resource("handle"),),
        subgraphs=(first,),
    )
