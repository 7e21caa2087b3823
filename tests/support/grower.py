"""A graph under construction: tensors, operators, and real values of the activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from .models import GraphSpec, OperatorSpec, Quant, TensorSpec
from .numpy_models import LIMITS
from .numpy_operators import FUNCTIONS

__all__ = ["SAMPLES", "DeadError", "Grower", "Options", "float32"]

SAMPLES = 8
_LARGEST = 1e5  # largest real value of an activation
_FIXED = {
    "int8": {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)},
    "uint8": {"LOGISTIC": (1 / 256, 0), "SOFTMAX": (1 / 256, 0), "TANH": (1 / 128, 128)},
    "int16": {
        "LOGISTIC": (1 / 32768, 0),
        "SOFTMAX": (1 / 32768, 0),
        "TANH": (1 / 32768, 0),
    },
}
Options = tuple[str, Mapping[str, Any]] | None
# Copying operators, whose output usually gets its operand's parameters.
_ONE_OPERAND = frozenset(
    [
        "RESHAPE",
        "MAX_POOL_2D",
        "AVERAGE_POOL_2D",
        "PAD",
        "TRANSPOSE",
        "TILE",
        "SLICE",
        "STRIDED_SLICE",
        "GATHER",
        "MIRROR_PAD",
        "SPACE_TO_DEPTH",
        "RESIZE_BILINEAR",
        "SPLIT",
        "PACK",
        "UNPACK",
        "CONCATENATION",
        "MAXIMUM",
        "MINIMUM",
        "REDUCE_MAX",
        "RELU",
        "LEAKY_RELU",
    ]
)


class DeadError(Exception):
    """An operator's output is constant for all samples; the operator is not added."""


class Grower:
    """A growing graph, with real values of each activation for a few samples."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.type = str(self.rng.choice(["int8", "int8", "uint8", "int16"]))
        self.tensors: dict[str, TensorSpec] = {}
        self.operators: list[OperatorSpec] = []
        self.values: dict[str, list[Any]] = {}  # real values of each activation, by sample
        self.others: list[GraphSpec] = []
        self.read: set[str] = set()
        self.variables: dict[str, TensorSpec] = {}  # variable handle -> tensor

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    # --- tensors -------------------------------------------------------------------------------

    def quant(self, values: list[Any]) -> Quant:
        """Parameters for the range of these samples, sometimes a narrower or wider range."""
        low = min(0.0, *(float(v.min()) for v in values))
        high = max(1e-3, *(float(v.max()) for v in values))
        share = float(self.rng.choice([1.0, 1.0, 1.0, 0.8, 1.3]))
        low, high = low * share, high * share
        bottom, top = LIMITS[self.type]
        if self.type == "int16":
            return Quant(scale=(float32(max(-low, high) / top),), zero_point=(0,))
        scale = float32((high - low) / (top - bottom))
        zero = int(np.clip(np.rint(bottom - low / scale), bottom, top))
        return Quant(scale=(scale,), zero_point=(zero,))

    def activation(self, values: list[Any], quant: Quant | None = None) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors[name] = TensorSpec(
            name=name,
            type=self.type,
            shape=values[0].shape,
            quant=quant or self.quant(values),
        )
        self.values[name] = values
        return name

    def constant(self, data: Any, type_name: str, quant: Quant | None = None) -> str:
        name = f"c{len(self.tensors)}"
        data = np.asarray(data).astype(type_name)
        self.tensors[name] = TensorSpec(
            name=name, type=type_name, shape=data.shape, quant=quant, data=data
        )
        return name

    def real(self, name: str, sample: int) -> Any:
        if name in self.values:
            return self.values[name][sample]
        if not name:
            return None
        spec = self.tensors[name]
        assert spec.data is not None
        if spec.quant is None:
            return spec.data
        scale = np.asarray(spec.quant.scale)
        if len(scale) > 1:
            shape = [1] * spec.data.ndim
            shape[spec.quant.axis] = len(scale)
            scale = scale.reshape(shape)
        return (spec.data.astype(np.float64) - spec.quant.zero_point[0]) * scale

    # --- operators -----------------------------------------------------------------------------

    def operator(self, name: str, inputs: list[str], options: Options = None) -> list[str]:
        """Append an operator; its outputs get the range of their values or fixed parameters.

        Raises DeadError if an output is constant for all samples. `inputs`: tensor names.
        """
        made = _options(options)
        runs = [
            FUNCTIONS[name]([self.real(operand, sample) for operand in inputs], made)
            for sample in range(SAMPLES)
        ]
        if any(
            len({float(v) for run in runs for v in np.ravel(run[n])}) < 2
            for n in range(len(runs[0]))
        ):
            raise DeadError(name)
        outputs = []
        for number in range(len(runs[0])):
            values = [run[number] for run in runs]
            outputs.append(self.activation(values, self._agreed(name, inputs)))
        self.read.update(inputs)
        self.operators.append(
            OperatorSpec(name=name, inputs=inputs, outputs=outputs, options=options)
        )
        return outputs

    def hand_on(
        self, name: str, inputs: list[str], values: list[Any], options: Options, *first: list[str]
    ) -> None:
        """Append an operator that calls subgraphs; `values`: real values of its last output;
        `first`: names of the outputs in front of it.
        """
        made = self.activation(values)
        self.read.update(inputs)
        outputs = [*(name for names in first for name in names), made]
        self.operators.append(
            OperatorSpec(name=name, inputs=inputs, outputs=outputs, options=options)
        )

    def _agreed(self, name: str, inputs: list[str]) -> Quant | None:
        if name in _FIXED[self.type] and self.chance(0.8):
            scale, zero = _FIXED[self.type][name]
            return Quant(scale=(scale,), zero_point=(zero,))
        if name in _ONE_OPERAND and self.chance(0.6):
            return self.tensors[next(i for i in inputs if i in self.values)].quant
        return None

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[str, Any]:
        """int8 (uint8 in a uint8 model) weights, per channel or per tensor, and their scales.
        `axis`: channel axis.
        """
        channels = shape[axis] if self.type != "uint8" and self.chance(0.5) else 1
        scale = self.rng.uniform(0.5, 1.5, channels) / 127 / np.sqrt(np.prod(shape) / shape[axis])
        scales = tuple(float32(s * 2) for s in scale)
        zero = 128 if self.type == "uint8" else 0
        data = self.rng.integers(-127, 128, shape) + zero
        quant = Quant(scale=scales, zero_point=(zero,) * channels, axis=axis)
        kind = "uint8" if self.type == "uint8" else "int8"
        return self.constant(data, kind, quant), np.asarray(scales)

    def bias(self, source: str, scales: Any, channels: int) -> str:
        given = self.tensors[source].quant
        assert given is not None
        each = np.float32(given.scale[0]) * scales.astype(np.float32)
        if self.chance(0.1):
            each = each * np.float32(self.pick(0.5, 0.9, 1.25))
        real = self.rng.normal(0, 0.3, channels)
        quant = Quant(scale=tuple(float(s) for s in each), zero_point=(0,) * len(each))
        kind = "int64" if self.type == "int16" else "int32"
        return self.constant(np.rint(real / each), kind, quant)

    def known(self, rank: int | None = None, largest: int = 4096) -> str | None:
        """An existing activation as an operand: one of the latest four, preferably one that nothing
        reads yet. `rank`: number of dimensions; `largest`: most elements. None if there is none.
        """
        found = [
            name
            for name, values in self.values.items()
            if rank in (None, values[0].ndim)
            and values[0].size <= largest
            and max(float(np.abs(v).max()) for v in values) < _LARGEST
        ]
        if not found:
            return None
        unread = [name for name in found if name not in self.read]
        return str(self.rng.choice(unread[-3:] if unread and self.chance(0.6) else found[-6:]))

    def alike(self, name: str) -> str:
        """A random activation of the same shape; the given one if there is no other."""
        shape = self.values[name][0].shape
        found = [other for other, values in self.values.items() if values[0].shape == shape]
        return str(self.rng.choice(found[-6:]))


def float32(value: float) -> float:
    return float(np.float32(value))


def _options(options: Options) -> Any:
    if options is None:
        return None
    made = getattr(fb, options[0] + "T")()
    for name, value in options[1].items():
        assert hasattr(made, name), f"{options[0]} has no {name}"
        setattr(made, name, value)
    return made
