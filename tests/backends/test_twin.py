"""The float twin and the declared reading, compared with NumPy and with the builtin kernels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph, concat_example
from tests.support.verify_forms import level, outputs, readings
from tflite_align.errors import UnsupportedError
from tflite_align.record import replace
from tflite_align.verify.constants import real_values
from tflite_align.verify.frontier import frontier
from tflite_align.verify.object_api import builtin_name, pack, parse, type_name
from tflite_align.verify.twin import declared, twin


def one_conv(scale: float, zero_point: int, *, fused: int = 0) -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", scale, zero_point, fused=fused)
    return graph.bytes(["x"], ["y"])


def by_hand(data: bytes, inputs: np.ndarray) -> np.ndarray:
    """The 1x1 convolution in float64, with the real values of its constants."""
    model = parse(data)
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    weights = real_values(model, tensors["y.w"]).astype(np.float64).reshape(3, 3)
    bias = real_values(model, tensors["y.b"]).astype(np.float64)
    return (inputs.astype(np.float64) @ weights.T + bias).reshape(len(inputs), -1)


def test_the_twin_is_the_real_valued_function() -> None:
    data = one_conv(0.5, 3)
    ran, samples = readings(data)
    real = samples.arrays[0].astype(np.float64) * float(np.float32(0.05))
    assert level(by_hand(data, real), outputs(ran, "twin")) > 95.0


def test_the_declared_reading_rounds_to_the_declared_grid_and_the_kernel_follows_it() -> None:
    ran, _ = readings(one_conv(0.25, 3))
    steps = outputs(ran, "declared") / np.float32(0.25) + 3
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    assert steps.min() >= -128
    assert steps.max() <= 127
    assert np.abs(outputs(ran, "declared") - outputs(ran, "run")).max() <= 0.25 * 1.001


def test_an_int16_zero_point_shifts_the_declared_range() -> None:
    """TFLM's SOFTMAX from int8 to int16 declares a zero point of -32768: values from 0 to 1, half
    of them above 0.5.
    """
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 4))
    graph.activation("y", 2.0**-16, -32768, shape=(1, 4))
    graph.tensors["y"] = replace(graph.tensors["y"], type="int16")
    graph.add("SOFTMAX", ["x"], ["y"], ("SoftmaxOptions", {"beta": 1.0}))
    ran, _ = readings(graph.bytes(["x"], ["y"]))
    apart = np.abs(outputs(ran, "declared") - outputs(ran, "twin"))
    assert outputs(ran, "twin").max() > 0.9
    assert apart.max() <= 2.0**-16


def test_a_relu_implied_by_the_range_is_stated_in_the_twin() -> None:
    ran, _ = readings(one_conv(0.5, -128))
    assert outputs(ran, "twin").min() == 0.0
    stated = twin(one_conv(0.5, -128), frontier(parse(one_conv(0.5, -128))))
    assert "RELU" in operators(stated)
    for other in (one_conv(0.5, -127), one_conv(0.5, -128, fused=1)):
        assert "RELU" not in operators(twin(other, frontier(parse(other))))


def test_a_range_that_ends_at_six_states_relu6() -> None:
    data = one_conv(6 / 255, -128)
    assert "RELU6" in operators(twin(data, frontier(parse(data))))


def operators(data: bytes) -> list[str]:
    model = parse(data)
    codes = [builtin_name(max(c.builtinCode, c.deprecatedBuiltinCode)) for c in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


def test_a_twin_holds_no_quantized_activation() -> None:
    data = concat_example()
    model = parse(twin(data, frontier(parse(data))))
    written = {t for operator in model.subgraphs[0].operators for t in operator.outputs}
    assert {type_name(model.subgraphs[0].tensors[t].type) for t in written} == {"float32"}


def test_every_quantized_activation_of_a_declared_reading_has_its_pair() -> None:
    data = concat_example()
    names = operators(declared(data, frontier(parse(data))))
    assert names.count("QUANTIZE") == names.count("DEQUANTIZE") == 5


def test_a_bias_means_its_integers_times_its_declared_scale() -> None:
    model = parse(one_conv(0.5, 3))
    bias = next(t for t in model.subgraphs[0].tensors if t.name == b"y.b")
    bias.quantization.scale = np.asarray(bias.quantization.scale, np.float32) * np.float32(50)
    data = pack(model)
    ran, samples = readings(data)
    real = samples.arrays[0].astype(np.float64) * float(np.float32(0.05))
    assert level(by_hand(data, real), outputs(ran, "twin")) > 90.0
    assert level(outputs(ran, "twin"), outputs(ran, "run")) < 20.0  # the kernel adds the integers


def test_large_weights_stay_integer_behind_a_dequantize() -> None:
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 128))
    rng = np.random.default_rng(0)
    graph.constant("w", rng.integers(-127, 128, (64, 128)), "int8", 0.02)
    graph.constant("b", rng.integers(-99, 99, 64), "int32", 0.001)
    graph.activation("y", 1.5, shape=(1, 64))
    graph.add("FULLY_CONNECTED", ["x", "w", "b"], ["y"], ("FullyConnectedOptions", {}))
    data = graph.bytes(["x"], ["y"])
    assert operators(twin(data, frontier(parse(data)))) == ["DEQUANTIZE", "FULLY_CONNECTED"]
    ran, _ = readings(data)
    assert level(outputs(ran, "twin"), outputs(ran, "declared")) > 20.0


def test_int4_constants_are_unpacked() -> None:
    model = parse(one_conv(0.5, 3))
    weights = next(t for t in model.subgraphs[0].tensors if t.name == b"y.w")
    weights.type, weights.shape = 17, [3]
    model.buffers[weights.buffer].data = np.array([0x8F, 0x07], np.uint8)
    expected = np.array([-1, -8, 7]) * np.float32(0.02)
    assert real_values(model, weights) == pytest.approx(expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [3e38, np.inf, np.nan])
def test_a_constant_beyond_float32_is_refused_without_a_warning(
    channels: int, scale: float
) -> None:
    model = parse(one_conv(0.5, 3))
    weights = next(t for t in model.subgraphs[0].tensors if t.name == b"y.w")
    weights.quantization.scale = [scale] * channels
    weights.quantization.zeroPoint = [0] * channels
    with pytest.raises(UnsupportedError, match="real values beyond the range of float32"):
        real_values(model, weights)


def test_a_scheme_beyond_affine_has_no_twin() -> None:
    model = parse(one_conv(0.5, 3))
    weights = next(t for t in model.subgraphs[0].tensors if t.name == b"y.w")
    weights.quantization.detailsType = 1
    with pytest.raises(UnsupportedError) as caught:
        frontier(model)
    assert str(caught.value) == "y.w: a quantization scheme beyond affine"


def test_an_unreadable_model_is_refused_in_one_sentence() -> None:
    with pytest.raises(UnsupportedError, match="the object API cannot unpack the model"):
        parse(b"TFL3 nonsense" * 20)


@pytest.mark.parametrize(("code", "low", "high"), [(1, 0.0, np.inf), (2, -1.0, 1.0), (3, 0.0, 6.0)])
def test_an_activation_that_the_float_kernel_refuses_is_applied(
    code: int, low: float, high: float
) -> None:
    """LiteRT's CONCATENATION refuses a fused activation, also in float; the twin applies it as an
    operator of its own.
    """
    graph = Graph()
    graph.activation("x", 0.08, 3)
    graph.activation("z", 0.05, -5)
    graph.activation("y", 0.1, 2, shape=(1, 4, 4, 6))
    options = {"axis": 3, "fusedActivationFunction": code}
    graph.add("CONCATENATION", ["x", "z"], ["y"], ("ConcatenationOptions", options))
    data = graph.bytes(["x", "z"], ["y"])
    ran, samples = readings(data)
    real = [
        (array.astype(np.float64) - point) * float(np.float32(scale))
        for array, scale, point in zip(samples.arrays, (0.08, 0.05), (3, -5), strict=True)
    ]
    wanted = np.clip(np.concatenate(real, axis=-1), low, high).reshape(len(real[0]), -1)
    assert np.abs(outputs(ran, "twin") - wanted).max() < 1e-5
    assert np.abs(outputs(ran, "declared") - wanted).max() < 0.06


def test_an_activation_that_a_kernel_ignores_is_applied() -> None:
    graph = Graph()
    graph.activation("x", 0.01)
    graph.activation("y", 0.01)
    graph.add("ADD", ["x", "x"], ["y"], ("AddOptions", {"fusedActivationFunction": 4}))
    data = graph.bytes(["x"], ["y"])
    assert operators(twin(data, frontier(parse(data)))) == ["ADD", "TANH"]
