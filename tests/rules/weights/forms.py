"""Operators with weights in the forms that converters write: float and integer activations; weights
with one scale or one per channel, with a zero point, in groups, dilated, without a bias.

`weight_forms` varies each well-formed base in one or two respects. Right is the operator's function
of real values.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tests.rules.operators.operands import Array
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.numerics import Range, covering_label
from tflite_align.record import Record, replace

__all__ = ["WEIGHTED", "WeightForm", "weight_forms"]

_LARGEST = {"int4": 7, "int8": 127, "uint8": 127}
_NAMED = (
    *("zero", "bias", "groups", "dilation", "stride", "multiplier", "batch", "rank", "keep"),
    *("turned", "computed", "asymmetric", "wide", "activate", "lowest"),
)
_POINT = {
    "int4": 2,
    "int8": 30,
    "uint8": 30,
}  # a zero point large enough to change results if it is ignored
_HYBRID = 0.04  # share of the largest output; some kernels quantize float activations
_SHARE = 0.02  # share of the output's range
WEIGHTED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "BATCH_MATMUL",
    "TRANSPOSE_CONV",
)
_KINDS = (
    ("float32", "float32"),
    ("float32", "int8"),
    ("float32", "int4"),
    ("float32", "uint8"),
    ("int8", "int8"),
    ("int8", "int4"),
    ("int16", "int8"),
    ("int16", "int4"),
    ("uint8", "uint8"),
    ("uint8", "int8"),
)


class WeightForm(Record, frozen=True, kw_only=True):
    """One operator. `scales`: "one", "channel" (one a channel of the output) or "same" (one a
    channel, all equal); `zero`: whether the weights have a zero point other than 0; `bias`:
    "given", "-1" or "none" (not in the list of inputs); `groups` of CONV_2D; `rank` of the
    activations of FULLY_CONNECTED and BATCH_MATMUL; `turned`: BATCH_MATMUL's right operand is
    transposed; `computed`: the weights are no constant; `lowest`: one of them is the lowest that the type holds.
    """

    operator: str
    activation: str
    weights: str
    scales: str = "one"
    zero: bool = False
    bias: str = "given"
    groups: int = 1
    dilation: int = 1
    stride: int = 1
    multiplier: int = 1
    batch: int = 1
    rank: int = 2
    keep: bool = False
    turned: bool = False
    computed: bool = False
    asymmetric: bool = False
    wide: bool = False
    activate: int = 0
    lowest: bool = False

    @property
    def name(self) -> str:
        words = [self.operator, self.activation, self.weights, self.scales]
        plain = WeightForm(operator="", activation="", weights="")
        for field in _NAMED:
            value = getattr(self, field)
            if value != getattr(plain, field):
                words.append(field if value is True else f"{field}{value}")
        return "-".join(words)

    # --- operands ------------------------------------------------------------------------------

    def _random(self, part: str) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(f"{self.operator} {part}".encode()))

    def _shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of the activation and the weights."""
        depth = 32 if self.wide else 4
        if self.operator == "CONV_2D":
            return (self.batch, 6, 6, depth), (8, 3, 3, depth // self.groups)
        if self.operator == "DEPTHWISE_CONV_2D":
            return (self.batch, 6, 6, depth), (1, 3, 3, depth * self.multiplier)
        if self.operator == "TRANSPOSE_CONV":
            return (self.batch, 3, 3, depth), (6, 3, 3, depth)
        depth = 40 if self.wide else 8
        outer = {1: (), 2: (3,), 3: (2, 3), 4: (2, 1, 3)}[self.rank]
        if self.operator == "FULLY_CONNECTED":
            return (*outer, depth), (5, depth)
        right = (5, depth) if self.turned else (depth, 5)
        return (*outer, depth), (*outer[:-1], *right)

    @property
    def axis(self) -> int:
        if self.operator == "DEPTHWISE_CONV_2D":
            return 3
        if self.operator == "BATCH_MATMUL":
            return self.rank - 2 if self.turned else self.rank - 1
        return 0

    def _activations(self) -> tuple[Array, Quant | None]:
        shape, _ = self._shapes()
        real = self._random("x").uniform(-2.0, 2.0, shape)
        return self._stored(real, self.activation, Range(-2.0, 2.0))

    @staticmethod
    def _stored(real: Array, kind: str, reach: Range) -> tuple[Array, Quant | None]:
        if kind == "float32":
            return real.astype(np.float32), None
        label = covering_label(reach, kind, symmetric=kind == "int16")
        info = np.iinfo(kind)
        steps = np.rint(real / label.scale) + label.zero_point
        quant = Quant(scale=(label.scale,), zero_point=(label.zero_point,))
        return np.clip(steps, info.min, info.max).astype(kind), quant

    def _weights(self) -> tuple[Array, Quant | None]:
        _, shape = self._shapes()
        real = self._random("w").uniform(-1.0, 1.0, shape)
        if self.weights == "float32":
            return real.astype(np.float32), None
        count = shape[self.axis] if self.scales in ("channel", "same") else 1
        largest = _LARGEST[self.weights]
        scale = np.full(count, np.float32(1.0 / largest), np.float32)
        if self.scales == "channel":
            scale *= np.linspace(0.6, 1.0, count, dtype=np.float32)
        middle = 128 if self.weights == "uint8" else 0
        point = middle + (_POINT[self.weights] if self.zero else 0)
        wide = np.ones(len(shape), int)
        wide[self.axis] = count
        steps = np.rint(real / scale.reshape(wide)) + point
        low, high = (1, 255) if self.weights == "uint8" else (-largest, largest)
        steps = np.clip(steps, low, high)
        if self.lowest:
            steps.flat[0] = low - 1
        quant = Quant(scale=tuple(map(float, scale)), zero_point=(point,) * count, axis=self.axis)
        return steps.astype("uint8" if self.weights == "uint8" else "int8"), quant

    def _bias(self, inputs: Quant | None, weights: Quant | None) -> tuple[str, Array, Quant | None]:
        _, shape = self._shapes()
        count = shape[self.axis]
        real = self._random("b").uniform(-1.0, 1.0, count)
        if inputs is None or weights is None:
            return "float32", real.astype(np.float32), None
        scale = np.float32(inputs.scale[0]) * np.asarray(weights.scale, np.float32)
        kind = "int64" if self.activation == "int16" else "int32"
        quant = Quant(scale=tuple(map(float, scale)), zero_point=(0,) * len(scale))
        return kind, np.rint(real / scale).astype(kind), quant

    # --- meaning -------------------------------------------------------------------------------

    def expected(self) -> Array:
        x, w = _real(*self._activations()), _real(*self._weights())
        result = _MEANINGS[self.operator](self, x, w)
        if self.bias == "given" and self.operator != "BATCH_MATMUL":
            _, b, quant = self._bias(self._activations()[1], self._weights()[1])
            result = result + _real(b, quant)
        return np.maximum(result, 0.0) if self.activate else result

    def right(self, outputs: Sequence[Array]) -> bool:
        """Whether these outputs are the operator's function, as precisely as their types allow."""
        wanted, quant = self.expected(), self._output_quant()
        if len(outputs) != 1 or outputs[0].size != wanted.size:
            return False
        given = _real(outputs[0].reshape(wanted.shape), quant)
        reach = max(float(np.abs(wanted).max()), 1e-6)
        share = _HYBRID if quant is None and self.weights != "float32" else _SHARE
        return float(np.abs(given - wanted).max()) <= share * reach

    def _output_quant(self) -> Quant | None:
        if self.activation == "float32":
            return None
        wanted = self.expected()
        reach = Range(min(float(wanted.min()), -0.1), max(float(wanted.max()), 0.1))
        return self._stored(wanted, self.activation, reach)[1]

    # --- model ---------------------------------------------------------------------------------

    def fed(self) -> list[Array]:
        values = [self._activations()[0]]
        return [*values, self._weights()[0]] if self.computed else values

    def model(self) -> bytes:
        (x, x_quant), (w, w_quant) = self._activations(), self._weights()
        wanted = self.expected()
        tensors = [
            TensorSpec(name="x", type=self.activation, shape=x.shape, quant=x_quant),
            TensorSpec(
                name="w",
                type=self.weights,
                shape=w.shape,
                quant=w_quant,
                data=None if self.computed else w,
            ),
            TensorSpec(
                name="y", type=self.activation, shape=wanted.shape, quant=self._output_quant()
            ),
        ]
        inputs = ["x", "w"]
        if self.operator == "TRANSPOSE_CONV":
            sizes = np.asarray(wanted.shape, np.int32)
            tensors.append(TensorSpec(name="s", type="int32", shape=(4,), data=sizes))
            inputs = ["s", "w", "x"]
        if self.operator != "BATCH_MATMUL" and self.bias != "none":
            kind, b, b_quant = self._bias(x_quant, w_quant)
            given = self.bias == "given"
            tensors.append(
                TensorSpec(
                    name="b", type=kind if given else "", shape=b.shape, quant=b_quant, data=b
                )
            )
            inputs.append("b")
        operator = OperatorSpec(
            name=self.operator, inputs=inputs, outputs=["y"], options=self._options(), version=1
        )
        fed = ["x", "w"] if self.computed else ["x"]
        return model_bytes(
            [GraphSpec(tensors=tensors, operators=[operator], inputs=fed, outputs=["y"])]
        )

    def _options(self) -> tuple[str, dict[str, int]]:
        window = {"padding": 1, "strideW": self.stride, "strideH": self.stride}
        act = {"fusedActivationFunction": self.activate}
        dilation = {"dilationWFactor": self.dilation, "dilationHFactor": self.dilation}
        options: dict[str, tuple[str, dict[str, int]]] = {
            "CONV_2D": ("Conv2DOptions", {**window, **act, **dilation}),
            "DEPTHWISE_CONV_2D": (
                "DepthwiseConv2DOptions",
                {**window, **act, **dilation, "depthMultiplier": self.multiplier},
            ),
            "TRANSPOSE_CONV": ("TransposeConvOptions", {**window, **act}),
            "FULLY_CONNECTED": (
                "FullyConnectedOptions",
                {
                    **act,
                    "keepNumDims": self.keep,
                    "asymmetricQuantizeInputs": self.asymmetric,
                },
            ),
            "BATCH_MATMUL": (
                "BatchMatMulOptions",
                {"adjY": self.turned, "asymmetricQuantizeInputs": self.asymmetric},
            ),
        }
        return options[self.operator]


def _real(values: Array, quant: Quant | None) -> Array:
    if quant is None:
        return values.astype(np.float64)
    wide = np.ones(values.ndim, int)
    if len(quant.scale) > 1:
        wide[quant.axis] = len(quant.scale)
    scale = np.asarray(quant.scale, np.float64).reshape(wide)
    points = np.asarray(quant.zero_point, np.float64).reshape(wide)
    real: Array = (values.astype(np.float64) - points) * scale
    return real


def _conv(form: WeightForm, x: Array, w: Array) -> Array:
    per = w.shape[3]
    made = w.shape[0] // form.groups
    parts = [
        np.einsum(
            "nhwijc,oijc->nhwo",
            _windows(form, x[..., group * per : (group + 1) * per]),
            w[group * made : (group + 1) * made],
        )
        for group in range(form.groups)
    ]
    return np.concatenate(parts, axis=-1)


def _depthwise(form: WeightForm, x: Array, w: Array) -> Array:
    spread = np.repeat(_windows(form, x), form.multiplier, axis=-1)
    made: Array = np.einsum("nhwijc,ijc->nhwc", spread, w[0])
    return made


def _windows(form: WeightForm, x: Array) -> Array:
    """[n, h, w, 3, 3, c]: no padding."""
    reach = 2 * form.dilation + 1
    views = np.lib.stride_tricks.sliding_window_view(x, (reach, reach), axis=(1, 2))
    picked = views[:, :: form.stride, :: form.stride, :, :: form.dilation, :: form.dilation]
    moved: Array = picked.transpose(0, 1, 2, 4, 5, 3)
    return moved


def _transposed(form: WeightForm, x: Array, w: Array) -> Array:
    size = (x.shape[1] - 1) * form.stride + 3
    result = np.zeros((x.shape[0], size, size, w.shape[0]))
    for row, column in itertools.product(range(x.shape[1]), range(x.shape[2])):
        top, left = row * form.stride, column * form.stride
        patch = np.einsum("nc,oijc->nijo", x[:, row, column], w)
        result[:, top : top + 3, left : left + 3] += patch
    return result


def _product(form: WeightForm, x: Array, w: Array) -> Array:
    if form.operator == "FULLY_CONNECTED":
        made = x @ w.T
        return made if form.keep else made.reshape(-1, w.shape[0])
    product: Array = np.matmul(x, np.swapaxes(w, -1, -2) if form.turned else w)
    return product


_MEANINGS = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _product,
    "BATCH_MATMUL": _product,
}


# --- variations ----------------------------------------------------------------------------------

_ODD = ({"zero": True}, {"wide": True}, {"computed": True}, {"lowest": True})
_VARIED = {
    "CONV_2D": (
        *_ODD,
        {"bias": "-1"},
        {"bias": "none"},
        {"groups": 2},
        {"groups": 4},
        {"dilation": 2},
        {"stride": 2},
        {"batch": 2},
        {"activate": 1},
    ),
    "DEPTHWISE_CONV_2D": (
        *_ODD,
        {"bias": "-1"},
        {"bias": "none"},
        {"multiplier": 2},
        {"dilation": 2},
        {"stride": 2},
        {"batch": 2},
    ),
    "TRANSPOSE_CONV": (*_ODD, {"bias": "none"}, {"stride": 2}, {"batch": 2}, {"activate": 1}),
    "FULLY_CONNECTED": (
        *_ODD,
        {"bias": "-1"},
        {"bias": "none"},
        {"rank": 1},
        {"rank": 3},
        {"rank": 3, "keep": True},
        {"asymmetric": True},
        {"activate": 1},
    ),
    "BATCH_MATMUL": (
        *_ODD,
        {"rank": 3},
        {"rank": 4},
        {"turned": True},
        {"turned": True, "rank": 3},
        {"asymmetric": True},
        {"computed": True, "turned": True},
    ),
}


def weight_forms(operator: str) -> Iterator[WeightForm]:
    """All kinds of activations and weights, with one scale and several, and their variations."""
    for activation, weights in _KINDS:
        kinds = ("one",) if weights == "float32" else ("one", "channel", "same")
        for scales in kinds:
            base = WeightForm(
                operator=operator, activation=activation, weights=weights, scales=scales
            )
            yield base
            for changes in _VARIED[operator]:
                if weights == "int4" and changes.get("computed"):
                    continue
                if not (weights == "float32" and {"zero", "lowest"} & set(changes)):
                    yield replace(base, **changes)
