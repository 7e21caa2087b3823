"""Models whose operators pass tensors on as bytes: variables, IF and WHILE.

Their rules are made by the binder from `resource` and `calls`, not from constraint entries, so
these cases name tensors instead of slots. A variable returns its input; a called subgraph adds
1 to it, since a mere copy would undo at its output what went wrong at its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tests.rules.operators.cases import dequantize
from tests.rules.operators.operands import Array
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.record import Record, replace

__all__ = ["BoundaryCase", "boundary_cases", "boundary_violated"]

_SHAPE = (1, 8)
_ROWS = {
    "READ_VARIABLE": ("x", "y"),
    "IF": ("x", "then_in", "then_out", "else_in", "else_out", "y"),
    "WHILE": ("x", "cond_in", "body_in", "body_out", "y"),
}


class BoundaryCase(Record, frozen=True, kw_only=True):
    """A model that hands its int8 input on, or on plus 1; `quants` by tensor name."""

    name: str
    operator: str
    quants: Mapping[str, Quant]

    def model(self) -> bytes:
        builder = {"READ_VARIABLE": _variable, "IF": _if, "WHILE": _while}[self.operator]
        return model_bytes(builder(self.quants))

    def fed(self) -> list[Array]:
        x = np.arange(-100, 100, 25, dtype="int8").reshape(_SHAPE)
        first = {"IF": [np.array([True])], "WHILE": [np.array([0], dtype="int32")]}
        return [*first.get(self.operator, []), x]

    def faults(self, outputs: Sequence[Array]) -> list[str]:
        declared, given = self.quants["x"], self.quants["y"]
        added = 0.0 if self.operator == "READ_VARIABLE" else 1.0
        real = dequantize(self.fed()[-1], declared) + added
        point, scale = given.zero_point[0], given.scale[0]
        wanted = np.clip(real, (-128 - point) * scale, (127 - point) * scale)
        steps = np.abs(dequantize(outputs[-1], given) - wanted).max() / scale
        return [] if steps <= 1.01 else [f"{self.name}: off by {steps:.2f} steps"]


def boundary_cases() -> list[BoundaryCase]:
    """A case for each such operator, with equal parameters at all tensors."""
    quant = Quant(scale=(0.03125,), zero_point=(5,))
    return [
        BoundaryCase(name=f"{name}-int8", operator=name, quants=dict.fromkeys(tensors, quant))
        for name, tensors in _ROWS.items()
    ]


def boundary_violated() -> Iterator[BoundaryCase]:
    """Each boundary case with twice the scale at one tensor; tensors that cannot affect the outputs
    (branches that are not taken, a condition's copy) are left out.
    """
    for case in boundary_cases():
        for tensor, quant in case.quants.items():
            if tensor in ("cond_in", "else_in", "else_out"):
                continue
            moved = replace(quant, scale=(quant.scale[0] * 2,))
            yield replace(
                case, name=f"{case.name}-{tensor}-scale", quants={**case.quants, tensor: moved}
            )


def _tensor(name: str, quants: Mapping[str, Quant]) -> TensorSpec:
    return TensorSpec(name=name, type="int8", shape=_SHAPE, quant=quants[name])


def _variable(quants: Mapping[str, Quant]) -> list[GraphSpec]:
    handle = TensorSpec(name="handle", type="resource")
    shared = {"container": "", "sharedName": "memory"}
    return [
        GraphSpec(
            tensors=[handle, _tensor("x", quants), _tensor("y", quants)],
            operators=[
                OperatorSpec(
                    name="VAR_HANDLE",
                    inputs=[],
                    outputs=["handle"],
                    options=("VarHandleOptions", shared),
                ),
                OperatorSpec(name="ASSIGN_VARIABLE", inputs=["handle", "x"], outputs=[]),
                OperatorSpec(name="READ_VARIABLE", inputs=["handle"], outputs=["y"]),
            ],
            inputs=["x"],
            outputs=["y"],
        )
    ]


def _plus_one(name: str, quants: Mapping[str, Quant], before: str, after: str) -> GraphSpec:
    unit = Quant(scale=(0.03125,), zero_point=(0,))
    return GraphSpec(
        name=name,
        tensors=[
            _tensor(before, quants),
            TensorSpec(name="unit", type="int8", shape=(1,), quant=unit, data=np.array([32])),
            _tensor(after, quants),
        ],
        operators=[
            OperatorSpec(
                name="ADD", inputs=[before, "unit"], outputs=[after], options=("AddOptions", {})
            )
        ],
        inputs=[before],
        outputs=[after],
    )


def _if(quants: Mapping[str, Quant]) -> list[GraphSpec]:
    options = ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2})
    main = GraphSpec(
        tensors=[
            TensorSpec(name="choice", type="bool", shape=(1,)),
            _tensor("x", quants),
            _tensor("y", quants),
        ],
        operators=[OperatorSpec(name="IF", inputs=["choice", "x"], outputs=["y"], options=options)],
        inputs=["choice", "x"],
        outputs=["y"],
    )
    return [
        main,
        _plus_one("then", quants, "then_in", "then_out"),
        _plus_one("else", quants, "else_in", "else_out"),
    ]


def _counter(name: str) -> TensorSpec:
    return TensorSpec(name=name, type="int32", shape=(1,))


def _while(quants: Mapping[str, Quant]) -> list[GraphSpec]:
    options = ("WhileOptions", {"condSubgraphIndex": 1, "bodySubgraphIndex": 2})
    main = GraphSpec(
        tensors=[_counter("i"), _tensor("x", quants), _counter("n"), _tensor("y", quants)],
        operators=[
            OperatorSpec(name="WHILE", inputs=["i", "x"], outputs=["n", "y"], options=options)
        ],
        inputs=["i", "x"],
        outputs=["n", "y"],
    )
    limit = TensorSpec(name="limit", type="int32", shape=(1,), data=np.array([1]))
    condition = GraphSpec(
        name="cond",
        tensors=[
            _counter("i"),
            _tensor("cond_in", quants),
            limit,
            TensorSpec(name="more", type="bool", shape=(1,)),
        ],
        operators=[
            OperatorSpec(
                name="LESS", inputs=["i", "limit"], outputs=["more"], options=("LessOptions", {})
            )
        ],
        inputs=["i", "cond_in"],
        outputs=["more"],
    )
    step = _plus_one("body", quants, "body_in", "body_out")
    one = TensorSpec(name="one", type="int32", shape=(1,), data=np.array([1]))
    add = OperatorSpec(
        name="ADD", inputs=["i", "one"], outputs=["next"], options=("AddOptions", {})
    )
    body = replace(
        step,
        tensors=[_counter("i"), one, _counter("next"), *step.tensors],
        operators=[add, *step.operators],
        inputs=["i", "body_in"],
        outputs=["next", "body_out"],
    )
    return [main, condition, body]
