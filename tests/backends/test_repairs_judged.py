"""Verification of repairs for which SQNR alone would give a wrong verdict."""

from __future__ import annotations

import numpy as np

from tests.support.models import CONV, Graph, OperatorSpec, Quant, TensorSpec
from tflite_align import align


def put(graph: Graph, spec: TensorSpec) -> str:
    graph.tensors[spec.name] = spec
    return spec.name


def hybrid_with_a_wrong_axis() -> bytes:
    """Float activations and int8 weights with one scale per input channel, which no kernel
    supports.
    """
    graph = Graph(seed=3)
    channels = 3
    scales = tuple(float(s) for s in graph.rng.uniform(0.01, 0.02, channels))
    weights = graph.rng.integers(-127, 128, (channels, 1, 1, channels))
    quant = Quant(scale=scales, zero_point=(0,) * channels, axis=3)
    put(graph, TensorSpec(name="x", type="float32", shape=(1, 4, 4, channels)))
    put(
        graph,
        TensorSpec(name="w", type="int8", shape=weights.shape, quant=quant, data=weights),
    )
    bias = graph.rng.normal(size=channels).astype(np.float32)
    put(graph, TensorSpec(name="b", type="float32", shape=(channels,), data=bias))
    put(graph, TensorSpec(name="y", type="float32", shape=(1, 4, 4, channels)))
    graph.operators.append(
        OperatorSpec(name="CONV_2D", inputs=["x", "w", "b"], outputs=["y"], options=CONV, version=5)
    )
    return graph.bytes(["x"], ["y"])


def test_a_file_without_activation_noise_may_lose_some_sqnr() -> None:
    report = align(hybrid_with_a_wrong_axis()).report
    assert report.changes != ()
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("verified", 0), report.reasons
    (score,) = report.verification.outputs
    assert score.declared_original_db == 100.0
    assert score.declared_aligned_db is not None
    assert 40.0 < score.declared_aligned_db < 90.0


def test_an_output_of_more_bits_than_its_kernel_writes_has_the_same_verdict() -> None:
    """FULLY_CONNECTED from int8 to int16 has no kernel. It becomes int8 to int8 with a QUANTIZE
    behind it, which adds a rounding: the verification is inconclusive, not failed.
    """
    graph = Graph(seed=1)
    put(graph, TensorSpec(name="x", type="int8", shape=(1, 25), quant=one_scale(0.008)))
    graph.constant("w", graph.rng.integers(-127, 128, (10, 25)), "int8", 0.007)
    graph.constant("b", graph.rng.integers(-2000, 2000, 10), "int32", 0.008 * 0.007)
    put(graph, TensorSpec(name="y", type="int16", shape=(1, 10), quant=one_scale(0.00025)))
    graph.add("FULLY_CONNECTED", ["x", "w", "b"], ["y"], ("FullyConnectedOptions", {}))
    report = align(graph.bytes(["x"], ["y"])).report
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("inconclusive", 0), report.reasons
    assert "no more than one or two additional roundings cause" in report.verification.why


def one_scale(scale: float) -> Quant:
    return Quant(scale=(scale,), zero_point=(0,))


def small_convolution() -> bytes:
    """Input 2x2, kernel 2x2, padding SAME: LiteRT's float kernel computes it wrongly with several
    threads.
    """
    graph = Graph("uint8", seed=2)
    graph.activation("x", 0.027, 131, (1, 2, 2, 12))
    graph.constant("k", graph.rng.integers(0, 256, (12,)), "uint8", 0.01)
    graph.activation("m", 0.015, 45, (1, 2, 2, 12))
    graph.add("MAXIMUM", ["x", "k"], ["m"], ("MaximumMinimumOptions", {}))
    graph.constant("w", graph.rng.integers(0, 256, (2, 2, 2, 12)), "uint8", 0.003)
    graph.constant("b", graph.rng.integers(-2000, 2000, 2), "int32", 0.015 * 0.003)
    graph.activation("y", 0.03, 231, (1, 2, 2, 2))
    graph.add("CONV_2D", ["m", "w", "b"], ["y"], CONV)
    return graph.bytes(["x"], ["y"])


def test_floats_are_computed_on_one_thread() -> None:
    report = align(small_convolution()).report
    assert report.changes != ()
    assert report.verification is not None
    assert report.verification.steps is not None
    assert report.verification.steps.beyond == ()
    assert (report.verification.word, report.exit_status) == ("verified", 0), report.reasons


def weights_with_a_scale_a_column() -> bytes:
    """An int16 BATCH_MATMUL whose int8 weights have one scale per column, which no kernel supports."""
    graph = Graph("int16", seed=4)
    graph.activation("x", 0.0001, shape=(1, 4, 8))
    scales = tuple(float(s) for s in graph.rng.uniform(0.005, 0.02, 6))
    weights = graph.rng.integers(-127, 128, (1, 8, 6))
    quant = Quant(scale=scales, zero_point=(0,) * 6, axis=2)
    put(graph, TensorSpec(name="w", type="int8", shape=(1, 8, 6), quant=quant, data=weights))
    graph.activation("y", 0.001, shape=(1, 4, 6))
    graph.add("BATCH_MATMUL", ["x", "w"], ["y"], ("BatchMatMulOptions", {}))
    return graph.bytes(["x"], ["y"])


def test_rounding_of_constants_needs_a_minimum_sqnr() -> None:
    """Only the weights lose precision. That costs more than 10 dB, since int16 activations have
    little noise, but the SQNR stays above the minimum.
    """
    report = align(weights_with_a_scale_a_column()).report
    assert report.changes != ()
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("verified", 0), report.reasons
    (score,) = report.verification.outputs
    assert (score.declared_original_db or 0.0) - (score.declared_aligned_db or 0.0) > 10.0


def test_an_empty_graph_input_gets_an_empty_array() -> None:
    graph = Graph()
    graph.activation("x", 0.08, 3, shape=(0, 4))
    graph.activation("z", 0.05, 3, shape=(2, 4))
    graph.activation("y", 0.05, 3, shape=(2, 4))
    graph.add("CONCATENATION", ["x", "z"], ["y"], ("ConcatenationOptions", {"axis": 0}))
    report = align(graph.bytes(["x", "z"], ["y"])).report
    assert report.verification is not None
    assert report.verification.word == "verified", report.verification.why


def test_a_lowered_operator_version_is_verified() -> None:
    """No runtime loads the original's operator version. Its float twin uses the version that is
    written.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.operators.append(OperatorSpec(name="ELU", inputs=["x"], outputs=["y"], version=2))
    report = align(graph.bytes(["x"], ["y"])).report
    assert [change.kind for change in report.changes] == ["version"]
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("verified", 0), report.reasons
