"""Calls of subgraphs that LiteRT computes wrongly with any parameters: they are reported, and no
repair creates one.

Each form of call is run by the builtin kernels and compared with NumPy. The targets' tables list
exactly the forms that can be wrong, including those that are right by chance in this test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.verify.frontier import Frontier, frontier
from tflite_align.verify.object_api import parse
from tflite_align.verify.twin import declared, twin

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")

Array = np.ndarray[Any, Any]
Options = tuple[str, dict[str, Any]]
SHAPE = (1, 2)
STEP = 0.125
A, B = np.array([[1.0, 2.0]]), np.array([[0.25, -0.5]])
ROUNDS = 3
# Outputs of a called subgraph with inputs a and b; d is a + b, a2 and b2 are copies.
FORMS: dict[str, tuple[str, str]] = {
    "straight": ("a", "b"),
    "swapped": ("b", "a"),
    "first input twice": ("a", "a"),
    "second input twice": ("b", "b"),
    "delay": ("d", "a"),
    "delay, copied": ("d", "a2"),
    "ahead": ("b", "d"),
    "computed twice": ("d", "d"),
    "copied twice": ("b2", "b3"),
    "constant twice": ("k", "k"),
}
# One tensor as two outputs: LiteRT reads released memory, which may still have the right values.
BY_LUCK = {("IF", "computed twice"), ("IF", "copied twice")}


def _tensor(name: str, kind: str, scale: float = STEP, data: Array | None = None) -> TensorSpec:
    quant = None if kind == "float32" else Quant(scale=(scale,), zero_point=(0,))
    return TensorSpec(name=name, type=kind, shape=SHAPE, quant=quant, data=data)


def _integer(name: str, value: int | None = None) -> TensorSpec:
    return TensorSpec(
        name=name, type="int32", data=None if value is None else np.asarray(value, dtype="int32")
    )


def _called(kind: str, outputs: Sequence[str], *, counted: bool) -> GraphSpec:
    shape = TensorSpec(
        name="shape", type="int32", shape=(2,), data=np.asarray(SHAPE, dtype="int32")
    )
    names = ("a", "b", "d", "a2", "b2", "b3")
    add: Options = ("AddOptions", {})
    operators = [OperatorSpec(name="ADD", inputs=["a", "b"], outputs=["d"], options=add)]
    operators += [
        OperatorSpec(name="RESHAPE", inputs=[name[0], "shape"], outputs=[name])
        for name in ("a2", "b2", "b3")
    ]
    if counted:
        operators.append(
            OperatorSpec(name="ADD", inputs=["i", "one"], outputs=["next"], options=add)
        )
    return GraphSpec(
        name="called",
        tensors=[
            *(_tensor(name, kind) for name in names),
            _tensor("k", kind, data=np.full(SHAPE, 3)),
            shape,
            *((_integer("i"), _integer("one", 1), _integer("next")) if counted else ()),
        ],
        operators=operators,
        inputs=["i", "a", "b"] if counted else ["a", "b"],
        outputs=["next", *outputs] if counted else outputs,
    )


def _if(kind: str, outputs: Sequence[str]) -> bytes:
    options = ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 1})
    choice = TensorSpec(name="choice", type="bool", data=np.array(True))
    operands = ["choice", "x", "y"]
    main = GraphSpec(
        tensors=[choice, *(_tensor(name, kind) for name in "xypq")],
        operators=[OperatorSpec(name="IF", inputs=operands, outputs=["p", "q"], options=options)],
        inputs=["x", "y"],
        outputs=["p", "q"],
    )
    return model_bytes([main, _called(kind, outputs, counted=False)])


def _while(kind: str, outputs: Sequence[str]) -> bytes:
    options = ("WhileOptions", {"condSubgraphIndex": 1, "bodySubgraphIndex": 2})
    operands, results = ["zero", "x", "y"], ["n", "p", "q"]
    main = GraphSpec(
        tensors=[_integer("zero", 0), _integer("n"), *(_tensor(name, kind) for name in "xypq")],
        operators=[OperatorSpec(name="WHILE", inputs=operands, outputs=results, options=options)],
        inputs=["x", "y"],
        outputs=["p", "q"],
    )
    more = TensorSpec(name="more", type="bool")
    less: Options = ("LessOptions", {})
    condition = GraphSpec(
        name="condition",
        tensors=[
            _integer("i"),
            _integer("rounds", ROUNDS),
            more,
            *(_tensor(name, kind) for name in "ab"),
        ],
        operators=[
            OperatorSpec(name="LESS", inputs=["i", "rounds"], outputs=["more"], options=less)
        ],
        inputs=["i", "a", "b"],
        outputs=["more"],
    )
    return model_bytes([main, condition, _called(kind, outputs, counted=True)])


def _exact(kind: str, outputs: Sequence[str], rounds: int) -> list[Array]:
    a, b = A, B
    k = np.full(SHAPE, 3.0 if kind == "float32" else 3 * STEP)
    for _ in range(rounds):
        held = {"a": a, "b": b, "d": a + b, "a2": a, "b2": b, "b3": b, "k": k}
        a, b = (held[name] for name in outputs)
    return [a, b]


def _run(data: bytes, feeds: Sequence[Array]) -> list[Array]:
    """Real values of the graph outputs after the second of two invocations. The first one has
    negated inputs, so that its outputs, if they remain in memory, are wrong. `feeds`: real values
    of the inputs.
    """
    kernels = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(model_content=data, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    graph = read(data).subgraphs[0]
    for flip in (-1, 1):
        for index, values in zip(graph.inputs, feeds, strict=True):
            tensor = graph.tensors[index]
            given = values if tensor.type == "bool" else flip * values
            if tensor.quant is not None and tensor.quant.scale:
                given = np.rint(given / tensor.quant.scale[0]).astype(np.int8)
            interpreter.set_tensor(
                index, np.asarray(given, dtype=interpreter.get_tensor(index).dtype)
            )
        interpreter.invoke()
    scales = [
        tensor.quant.scale[0] if tensor.quant is not None and tensor.quant.scale else 1.0
        for tensor in (graph.tensors[index] for index in graph.outputs)
    ]
    return [
        interpreter.get_tensor(index) * scale
        for index, scale in zip(graph.outputs, scales, strict=True)
    ]


@pytest.mark.backends
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["int8", "float32"])
@pytest.mark.parametrize("operator", ["IF", "WHILE"])
def test_calls_that_litert_computes_wrongly_have_findings(
    operator: str, kind: str, form: str
) -> None:
    outputs = FORMS[form]
    data = (_if if operator == "IF" else _while)(kind, outputs)
    exact = _exact(kind, outputs, 1 if operator == "IF" else ROUNDS)
    right = all(
        np.allclose(one, other, atol=1e-3)
        for one, other in zip(_run(data, [A, B]), exact, strict=True)
    )
    for target in ("tflite", "litert"):
        found = check(data, AlignOptions(targets=(target,), verify=False)).findings
        rules = [f.rule for f in found if f.rule in ("support/IF/outputs", "support/WHILE/carried")]
        assert rules or right, f"{target}: nothing about outputs that are wrong"
        if (operator, form) not in BY_LUCK:
            assert not (rules and right), f"{target}: {rules}"


@pytest.mark.backends
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reading", [twin, declared])
@pytest.mark.parametrize("operator", ["IF", "WHILE"])
def test_the_twin_computes_these_calls_correctly(
    operator: str, reading: Callable[[bytes, Frontier], bytes], form: str
) -> None:
    outputs = FORMS[form]
    data = (_if if operator == "IF" else _while)("int8", outputs)
    floats = reading(data, frontier(parse(data)))
    exact = _exact("int8", outputs, 1 if operator == "IF" else ROUNDS)
    for one, other in zip(_run(floats, [A, B]), exact, strict=True):
        assert np.allclose(one, other, atol=1e-3)


@pytest.mark.backends
def test_a_quantize_before_two_equal_outputs_writes_two_tensors() -> None:
    """One branch of an IF returns its input as both outputs. The QUANTIZE that is inserted there
    writes two tensors.
    """
    options = ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2})
    choice = TensorSpec(name="choice", type="bool")
    wide = 2 * STEP
    main = GraphSpec(
        tensors=[
            choice,
            _tensor("x", "int8"),
            _tensor("p", "int8", wide),
            _tensor("q", "int8", wide),
        ],
        operators=[
            OperatorSpec(name="IF", inputs=["choice", "x"], outputs=["p", "q"], options=options)
        ],
        inputs=["choice", "x"],
        outputs=["p", "q"],
    )
    straight = GraphSpec(
        name="straight",
        tensors=[_tensor("a", "int8")],
        operators=[],
        inputs=["a"],
        outputs=["a", "a"],
    )
    computed = GraphSpec(
        name="computed",
        tensors=[
            _tensor("a", "int8"),
            _tensor("d", "int8", wide),
            _tensor("e", "int8", wide),
        ],
        operators=[
            OperatorSpec(name="ADD", inputs=["a", "a"], outputs=["d"], options=("AddOptions", {})),
            OperatorSpec(name="MUL", inputs=["a", "a"], outputs=["e"], options=("MulOptions", {})),
        ],
        inputs=["a"],
        outputs=["d", "e"],
    )
    data = model_bytes([main, straight, computed])
    for optimize in (False, True):
        chosen = AlignOptions(verify=False, optimize=optimize)
        result = align(data, chosen)
        assert result.report.remaining == ()
        assert align(result.data, chosen).data == result.data
        for values in _run(result.data, [np.array(True), A]):
            assert np.abs(values - A).max() <= wide / 2
