"""Runtimes print the error texts of README and docs/messages.md, and accept the aligned files."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.models import Graph, Quant, concat_example
from tests.support.pages import CHECKOUT
from tflite_align import AlignOptions, align, check
from tflite_align.record import replace
from tflite_align.verify.judges import available, judge_file

ROW = re.compile(r"^\| `([^`]+)` .*?\| ([^|]+?) \|", re.MULTILINE)


def unary(
    operator: str,
    output: tuple[int, ...] = (1, 4, 4, 3),
    scale: float = 0.05,
    **options: object,
) -> bytes:
    """A convolution, followed by `operator`, whose output has shape `output` and scale `scale`."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    inputs = ["c"]
    if operator in ("RESHAPE", "RESIZE_BILINEAR"):
        sizes = [1, 48] if operator == "RESHAPE" else [8, 8]
        inputs.append(graph.constant("sizes", np.array(sizes), "int32"))
    graph.activation("y", scale, shape=output)
    name = str(options.pop("table", ""))
    graph.add(operator, inputs, ["y"], (name, dict(options)) if name else None)
    return graph.bytes(["x"], ["y"])


def wrong_axis() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.1)
    quant = Quant(scale=(0.01, 0.02, 0.03), zero_point=(0, 0, 0), axis=3)
    graph.tensors["y.w"] = replace(graph.tensors["y.w"], quant=quant)
    for name in ("x", "y"):  # weights as in a dynamic range model
        graph.tensors[name] = replace(graph.tensors[name], type="float32", quant=None)
    zeros = np.zeros(3, np.float32)
    bias = replace(graph.tensors["y.b"], type="float32", quant=None, data=zeros)
    graph.tensors["y.b"] = bias
    return graph.bytes(["x"], ["y"])


def pool() -> bytes:
    options = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2, "padding": 1}
    return unary("MAX_POOL_2D", (1, 2, 2, 3), table="Pool2DOptions", **options)


def resize() -> bytes:
    return unary("RESIZE_BILINEAR", (1, 8, 8, 3), table="ResizeBilinearOptions")


def softmax() -> bytes:
    return unary("SOFTMAX", table="SoftmaxOptions", beta=1.0)


# The constant part of a runtime's message -> (judge, a file that causes the message, the rule).
CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "t->params.scale != output->params.scale": ("litert", concat_example, "same/CONCATENATION"),
    "output->params.scale == 1. / 256 was not true.": (
        "litert",
        lambda: unary("LOGISTIC"),
        "fixed/LOGISTIC/scale",
    ),
    "output->params.zero_point != -128": ("litert", softmax, "fixed/SOFTMAX"),
    "quantized_dimension != 0 (3 != 0)": ("litert", wrong_axis, "weight/CONV_2D"),
    "failed to delegate RESIZE_BILINEAR node": ("xnnpack", resize, "same/RESIZE_BILINEAR"),
    "input->params.scale) != static_cast<double>(output_tensor->params.scale)": (
        "tflm",
        concat_example,
        "same/CONCATENATION",
    ),
    "scale_diff <= 1.0e-6 was not true.": ("tflm", pool, "same/MAX_POOL_2D"),
    "output->params.zero_point != std::numeric_limits<int8_t>::min()": (
        "tflm",
        lambda: unary("LOGISTIC", scale=1 / 256),
        "fixed/LOGISTIC/zero_point",
    ),
    "Input and output quantisation must match": (
        "ethos-u55",
        lambda: unary("RESHAPE", (1, 48)),
        "same/RESHAPE",
    ),
}
TARGETS = {"litert": "litert", "xnnpack": "xnnpack", "tflm": "tflm", "ethos-u55": "ethos-u55"}


@pytest.mark.backends
@pytest.mark.parametrize("message", CASES)
def test_the_runtime_prints_the_message_and_accepts_the_aligned_file(message: str) -> None:
    judge, make, rule = CASES[message]
    if missing := available(judge):
        pytest.skip(missing)
    data = make()
    refusal = judge_file(data, judge)
    assert refusal.status == "refused"
    assert message in " ".join(refusal.reason.split())
    options = AlignOptions(targets=(judge,), verify=False, io="free")
    assert any(f.rule.startswith(rule) for f in check(data, options).findings)
    assert judge_file(align(data, options).data, judge).status == "accepted"


def test_every_message_of_the_pages_is_one_of_these() -> None:
    page = (CHECKOUT / "docs" / "messages.md").read_text(encoding="utf-8")
    assert [message for message, _ in ROW.findall(page)] == list(CASES)
    for message, (_, _, rule) in CASES.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{message}`"))
        assert f"`{rule}`" in row
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    shown = [message for message, _ in ROW.findall(readme.partition("<!--")[0])]
    assert len(shown) == 8
    assert [m for m in shown if not any(m.startswith(known) for known in CASES)] == []
