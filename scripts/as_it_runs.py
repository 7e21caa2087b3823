"""Outputs of a quantized file in real runtimes, compared with the float network it was made from."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy as np

from tflite_align.verify.engines import Engine, open_engine
from tflite_align.verify.judges import available

__all__ = ["KERNELS", "Ran", "run"]

# LiteRT's builtin kernels; LiteRT with its default delegate; TensorFlow Lite Micro.
KERNELS = ("litert", "xnnpack", "tflm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The outputs of one file in one runtime. `values`: dequantized, [samples, elements]; None if
    the runtime refused the file (`refused`: its message) or is not installed (`absent`: why).
    """

    values: np.ndarray | None = None
    refused: str = ""
    absent: str = ""

    def sqnr(self, reference: np.ndarray) -> float:
        """SQNR in dB against the float network's outputs `reference`, [samples, elements]. Only if
        there are `values`.
        """
        assert self.values is not None, self.refused or self.absent
        noise = np.square(self.values - reference).sum()
        return float(10 * np.log10(np.square(reference, dtype=np.float64).sum() / noise))


def run(model: pathlib.Path, kernels: str, inputs: np.ndarray) -> Ran:
    """Run the file on one input after the other.

    `inputs`: real values, [samples, ...], channels first also if the file needs them last.
    `kernels`: name of the kernel set.
    """
    missing = available(kernels)
    if missing is not None:
        return Ran(absent=missing)
    try:
        engine = open_engine(str(model), kernels, threads=1)
        return Ran(values=np.stack([_one(engine, value) for value in inputs]))
    except (RuntimeError, ValueError) as error:
        return Ran(refused=str(error).strip() or "refused")


def _one(engine: Engine, value: np.ndarray) -> np.ndarray:
    """The outputs for one input: dequantized, flat."""
    (wanted,) = engine.inputs
    if value.shape != wanted.shape[1:]:
        value = np.moveaxis(value, 0, -1)
    engine.feed(0, wanted.quantize(value.reshape(wanted.shape)))
    engine.invoke()
    outputs = [engine.output(index).reshape(-1) for index in range(engine.output_count)]
    return np.concatenate(outputs)
