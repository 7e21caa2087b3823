"""Value ranges observed in the float twin equal those of an interpreter, tensor by tensor."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.support.models import Graph, wide_member
from tflite_align import AlignOptions, align
from tflite_align.format.model import TensorId
from tflite_align.format.reader import read
from tflite_align.numerics import Range, covers, intersect, label_range
from tflite_align.verify.frontier import frontier
from tflite_align.verify.object_api import parse
from tflite_align.verify.observe import Observed, observe
from tflite_align.verify.twin import twin
from tflite_align.verify.unpacked import params, quantized_tensors

pytestmark = pytest.mark.backends
Array = np.ndarray[Any, Any]


def calibration(data: bytes, count: int) -> dict[str | int, Array]:
    """`count` random values for each input, all of them representable in the input's quantized
    type.
    """
    generator, model = np.random.default_rng(3), parse(data)
    found: dict[str | int, Array] = {}
    for number, index in enumerate(model.subgraphs[0].inputs):
        tensor = model.subgraphs[0].tensors[index]
        label = params(tensor)
        scale, zero_point = label.label if label is not None else (0.01, 0)
        integers = generator.integers(-100, 100, (count, *tensor.shape))
        found[number] = ((integers - zero_point) * scale).astype(np.float32)
    return found


def directly(data: bytes, given: dict[str | int, Array]) -> dict[TensorId, Any]:
    """(minimum, maximum) of every tensor of the float twin, from LiteRT's builtin kernels with all
    tensors kept.
    """
    model = parse(data)
    interpreter = Interpreter(
        model_content=twin(data, frontier(model)),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    graph = model.subgraphs[0]
    written = [*graph.inputs, *(t for operator in graph.operators for t in operator.outputs)]
    kept = [t for t in written if t in quantized_tensors(model, graph)]
    rows: dict[int, list[Array]] = {tensor: [] for tensor in kept}
    for sample in range(len(given[0])):
        for number, detail in enumerate(interpreter.get_input_details()):
            value = given[number][sample].reshape(detail["shape"]).astype(np.float32)
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        for tensor, values in rows.items():
            values.append(interpreter.get_tensor(tensor).copy())
    return {
        TensorId(0, t): (float(np.min(found)), float(np.max(found))) for t, found in rows.items()
    }


def same(found: Observed, expected: dict[TensorId, Any]) -> None:
    assert found.why == ""
    assert set(found.ranges) == set(expected)
    for key, (low, high) in expected.items():
        width = max(high - low, 1e-6)
        assert found.ranges[key] == pytest.approx((low, high), abs=1e-4 * width)


def test_ranges_of_the_sample_match_an_interpreter(sample: bytes) -> None:
    given = calibration(sample, 20)
    found = observe(sample, given)
    assert found.samples == 20
    assert len(found.ranges) > 5
    same(found, directly(sample, given))


def test_ranges_of_a_converters_model(fixtures_dir: Path) -> None:
    data = (fixtures_dir / "residual_int8.tflite").read_bytes()
    given = calibration(data, 6)
    same(observe(data, given), directly(data, given))


@pytest.mark.parametrize("name", ["hey_jarvis_v1", "okay_nabu"])
def test_a_streaming_model_runs_through_all_inputs_without_a_reset(
    name: str, corpus_dir: Path
) -> None:
    data = (corpus_dir / "microwakeword" / f"{name}.tflite").read_bytes()
    given = calibration(data, 40)
    same(observe(data, given), directly(data, given))
    backwards: dict[str | int, Array] = {0: given[0][::-1]}
    assert observe(data, backwards).ranges != observe(data, given).ranges


def test_a_folded_relu_is_part_of_the_function() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.5, -128)
    data = graph.bytes(["x"], ["y"])
    written = read(data).subgraphs[0].outputs[0]
    assert observe(data, calibration(data, 8)).ranges[TensorId(0, written)][0] == 0.0


def test_progress_is_reported() -> None:
    reports: list[tuple[str, float]] = []
    data = wide_member()
    observe(data, calibration(data, 4), progress=lambda stage, done: reports.append((stage, done)))
    assert {stage for stage, _ in reports} == {"observe calibration"}
    assert [done for _, done in reports] == sorted(done for _, done in reports)
    assert (reports[0][1], reports[-1][1]) == (0.0, 1.0)


def test_without_a_twin_there_are_no_ranges_but_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.5)
    data = graph.bytes(["x"], ["y"])
    given = calibration(data, 2)
    module = import_module(
        "tflite_align.verify.observe"
    )  # as `tflite_align.verify.observe` is also a function
    monkeypatch.setattr(module, "available", lambda _: "no runtime is installed")
    assert observe(data, given) == Observed(why="no runtime is installed")
    monkeypatch.setattr(module, "LARGEST_MODEL", 10)
    assert (
        observe(data, given).why
        == f"no float twin: size: the model has {len(data)} bytes; models above 10 are not run"
    )


def test_aligned_models_do_not_clip_observed_values() -> None:
    """For random calibrations, the ranges chosen by the alignment contain every observed value."""
    data = wide_member()
    for seed in range(4):
        generator = np.random.default_rng(seed)
        spread = generator.uniform(0.1, 2.0)
        given: dict[str | int, Any] = {
            "x": generator.normal(0, spread, (30, 4, 4, 3)).astype(np.float32)
        }
        result = align(data, AlignOptions(calibration=given, verify=False))
        before, after = read(data).subgraphs[0], read(result.data).subgraphs[0]
        for (_, index), seen in observe(data, given).ranges.items():
            first, last = before.tensors[index].quant, after.tensors[index].quant
            assert first is not None
            assert last is not None
            declared = label_range(first.label, "int8")
            held = label_range(last.label, "int8")
            needed = intersect(declared, Range(*seen))
            assert covers(held, needed, slack=0.5 * last.label.scale * (1 + 1e-5))
