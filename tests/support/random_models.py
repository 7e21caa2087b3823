"""Random graphs of copying operators, CONCATENATION and arithmetic, as Hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.models import POOL, SHAPE, Graph
from tflite_align import AlignOptions

PLAIN = AlignOptions(verify=False)
SCALES = st.sampled_from([0.02, 0.05, 0.07, 0.1, 0.25])
ZERO_POINTS = st.sampled_from([-128, -20, 0, 17])
KINDS = st.sampled_from(["conv", "relu_conv", "pool", "maximum", "add", "logistic", "reshape"])


@st.composite
def models(draw: st.DrawFn, kinds: st.SearchStrategy[str] = KINDS) -> bytes:
    """The bytes of a random graph: each operator reads earlier activations, and its output has
    random parameters. `kinds`: strategy for the names of operators.
    """
    graph = Graph(seed=draw(st.integers(0, 99)))
    known = [graph.activation("x", draw(SCALES), draw(ZERO_POINTS))]
    for step in range(draw(st.integers(1, 8))):
        kind = draw(kinds)
        name = f"t{step}"
        first, second = (draw(st.sampled_from(known)) for _ in range(2))
        scale, zero_point = draw(SCALES), draw(ZERO_POINTS)
        if kind in {"conv", "relu_conv"}:
            graph.conv(first, name, scale, zero_point, fused=int(kind == "relu_conv"))
        else:
            graph.activation(name, scale, zero_point)
            _operator(graph, kind, first, second, name)
        known.append(name)
    outputs = draw(st.lists(st.sampled_from(known[1:]), min_size=1, max_size=3, unique=True))
    return graph.bytes(["x"], outputs)


def _operator(graph: Graph, kind: str, first: str, second: str, name: str) -> None:
    if kind == "pool":
        graph.add("MAX_POOL_2D", [first], [name], POOL)
    elif kind == "maximum":
        graph.add("MAXIMUM", [first, second], [name])
    elif kind == "add":
        graph.add("ADD", [first, second], [name], ("AddOptions", {}))
    elif kind in {"logistic", "quantize"}:
        graph.add(kind.upper(), [first], [name])
    else:
        graph.constant("shape", SHAPE, "int32")
        graph.add("RESHAPE", [first, "shape"], [name])
