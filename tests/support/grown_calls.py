"""Subgraph calls and variables of random graphs: IF, WHILE, READ_VARIABLE, ASSIGN_VARIABLE."""

from __future__ import annotations

from typing import Any

import numpy as np

from .grower import Grower, Options, float32
from .models import GraphSpec, OperatorSpec, Quant, TensorSpec
from .numpy_models import LIMITS

__all__ = ["branch", "delayed", "first_values", "loop", "remembered"]


def _called(g: Grower, name: str, source: str, quant: Quant, factor: str) -> GraphSpec:
    """A subgraph that multiplies its input by a constant; for WHILE it also counts iterations.
    `source`, `factor`: names of input and constant.
    """
    shape = g.values[source][0].shape
    outer = g.tensors[source].quant
    tensors = [
        TensorSpec(name="a", type=g.type, shape=shape, quant=outer),
        TensorSpec(name="d", type=g.type, shape=shape, quant=quant),
        g.tensors[factor],
    ]
    inputs, outputs = ["a"], ["d"]
    operators = [
        OperatorSpec(name="MUL", inputs=["a", factor], outputs=["d"], options=("MulOptions", {}))
    ]
    if name == "body":
        tensors += [_counter("i"), _counter("next"), _counter("one", 1)]
        inputs, outputs = ["i", "a"], ["next", "d"]
        plus: Options = ("AddOptions", {})
        operators.append(
            OperatorSpec(name="ADD", inputs=["i", "one"], outputs=["next"], options=plus)
        )
    return GraphSpec(
        name=name, tensors=tensors, operators=operators, inputs=inputs, outputs=outputs
    )


def _counter(name: str, value: int | None = None) -> TensorSpec:
    data = None if value is None else np.asarray([value], dtype="int32")
    return TensorSpec(name=name, type="int32", shape=(1,), data=data)


def _factor(g: Grower) -> tuple[str, float]:
    """A quantized constant below 1, and its real value."""
    top = LIMITS[g.type][1]
    share = float(g.pick(0.3, 0.6, 0.9))
    quant = Quant(scale=(float32(1 / top),), zero_point=(0,))
    name = g.constant(np.full((1,), round(share * top)), g.type, quant)
    return name, round(share * top) * quant.scale[0]


def branch(g: Grower) -> None:
    """IF: multiplies with one of two constants, selected by a bool graph input."""
    source = g.known(rank=4)
    assert source is not None
    if "choice" not in g.tensors:
        g.tensors["choice"] = TensorSpec(name="choice", type="bool", shape=(1,))
    number = 1 + len(g.others)
    for name in ("then", "else"):
        factor, share = _factor(g)
        values = [v * share for v in g.values[source]]
        g.others.append(_called(g, name, source, g.quant(values), factor))
    options = {"thenSubgraphIndex": number, "elseSubgraphIndex": number + 1}
    g.hand_on("IF", ["choice", source], values, ("IfOptions", options))


def loop(g: Grower) -> None:
    """WHILE: multiplies three times with a constant."""
    source = g.known(rank=4)
    assert source is not None
    number = 1 + len(g.others)
    factor, share = _factor(g)
    values = [v * share**3 for v in g.values[source]]
    more = TensorSpec(name="more", type="bool", shape=(1,))
    carried = TensorSpec(
        name="a", type=g.type, shape=values[0].shape, quant=g.tensors[source].quant
    )
    less = OperatorSpec(
        name="LESS", inputs=["i", "rounds"], outputs=["more"], options=("LessOptions", {})
    )
    condition = GraphSpec(
        name="condition",
        tensors=[_counter("i"), _counter("rounds", 3), carried, more],
        operators=[less],
        inputs=["i", "a"],
        outputs=["more"],
    )
    body = _called(g, "body", source, g.quant([v * share for v in g.values[source]]), factor)
    g.others += [condition, body]
    zero = g.constant([0], "int32")
    options = {"condSubgraphIndex": number, "bodySubgraphIndex": number + 1}
    rounds = f"rounds{number}"
    g.tensors[rounds] = TensorSpec(name=rounds, type="int32", shape=(1,))
    g.hand_on("WHILE", [zero, source], values, ("WhileOptions", options), [rounds])


# --- variables ------------------------------------------------------------------------------------


def _read(g: Grower, values: list[Any]) -> tuple[str, str]:
    """(handle, tensor) of a new variable, which is zero at first, and of the tensor into which it
    is read.
    """
    handle = f"variable{len(g.variables)}"
    g.tensors[handle] = TensorSpec(name=handle, type="resource")
    options: Options = ("VarHandleOptions", {"sharedName": handle})
    g.operators.append(
        OperatorSpec(name="VAR_HANDLE", inputs=[], outputs=[handle], options=options)
    )
    made = g.activation(values)
    g.operators.append(
        OperatorSpec(
            name="READ_VARIABLE",
            inputs=[handle],
            outputs=[made],
            options=("ReadVariableOptions", {}),
        )
    )
    g.variables[handle] = g.tensors[made]
    return handle, made


def _assign(g: Grower, handle: str, source: str) -> None:
    g.read.add(source)
    options: Options = ("AssignVariableOptions", {})
    g.operators.append(
        OperatorSpec(name="ASSIGN_VARIABLE", inputs=[handle, source], outputs=[], options=options)
    )


def delayed(g: Grower) -> None:
    """Add a value and its value in the previous invocation, kept in a variable."""
    source = g.known(rank=4, largest=1024)
    if source is None or g.type == "uint8":
        return
    values = g.values[source]
    handle, before = _read(g, [np.zeros_like(values[0]), *values[:-1]])
    g.operator("CONCATENATION", [before, source], ("ConcatenationOptions", {"axis": 3}))
    _assign(g, handle, source)


def remembered(g: Grower) -> None:
    """Add a sum over invocations that decays."""
    source = g.known(rank=4)
    if source is None or g.type == "uint8":
        return
    factor, share = _factor(g)
    sums = [np.zeros_like(g.values[source][0])]
    for value in g.values[source]:
        sums.append(sums[-1] * share + value)
    handle, before = _read(g, sums[:-1])
    (left,) = g.operator("MUL", [before, factor], ("MulOptions", {}))
    plus: Options = ("AddOptions", {"potScaleInt16": False} if g.type == "int16" else {})
    (made,) = g.operator("ADD", [left, source], plus)
    _assign(g, handle, made)


def first_values(g: Grower) -> None:
    """The subgraph that initializes every variable with zeros, called once at the start."""
    if not g.variables:
        return
    tensors, operators = [], []
    for handle, held in g.variables.items():
        assert held.quant is not None
        zeros = np.full(held.shape, held.quant.zero_point[0], held.type)
        tensors.append(TensorSpec(name=handle, type="resource"))
        tensors.append(
            TensorSpec(
                name=f"first {handle}",
                type=held.type,
                shape=held.shape,
                quant=held.quant,
                data=zeros,
            )
        )
        made: Options = ("VarHandleOptions", {"sharedName": handle})
        operators += [
            OperatorSpec(name="VAR_HANDLE", inputs=[], outputs=[handle], options=made),
            OperatorSpec(
                name="ASSIGN_VARIABLE",
                inputs=[handle, f"first {handle}"],
                outputs=[],
                options=("AssignVariableOptions", {}),
            ),
        ]
    g.others.append(
        GraphSpec(name="first", tensors=tensors, operators=operators, inputs=[], outputs=[])
    )
    options = {"initSubgraphIndex": len(g.others)}
    once: Options = ("CallOnceOptions", options)
    g.operators.insert(0, OperatorSpec(name="CALL_ONCE", inputs=[], outputs=[], options=once))
