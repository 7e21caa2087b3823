"""Runs many files in a runtime or in Vela with few processes, and collects refusals and outputs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.rules.operators.operands import Array
from tests.support.kernel_batch import Outcome, run_batch
from tests.support.vela_batch import compile_batch
from tflite_align.format.model import Tensor
from tflite_align.format.reader import read
from tflite_align.numerics import type_limits
from tflite_align.record import Record
from tflite_align.verify.vela import ACCELERATORS

__all__ = ["ask_batch", "real_outputs"]

_INTEGERS = 10  # upper limit of integers for inputs without scale: words, indices


class File(Record, frozen=True, kw_only=True):
    """A file with inputs drawn from a normal distribution in their own parameters."""

    name: str
    data: bytes

    def model(self) -> bytes:
        return self.data

    def fed(self) -> list[Array]:
        graph = read(self.data).subgraphs[0]
        random = np.random.default_rng(zlib.crc32(self.name.partition("-")[0].encode()))
        return [_values(graph.tensors[index], random) for index in graph.inputs]


def ask_batch(files: Mapping[str, bytes], judge: str, folder: Path) -> dict[str, Outcome]:
    """For each name the refusal's message, or the outputs of a runtime that accepts the file.
    `judge`: name of the runtime.
    """
    if judge in ACCELERATORS:
        compiled = compile_batch(files, judge, folder)
        return {name: Outcome(error=found.error) for name, found in compiled.items()}
    given = [File(name=name, data=data) for name, data in files.items()]
    return run_batch(given, judge, folder)


def _values(tensor: Tensor, random: np.random.Generator) -> Array:
    shape = tuple(max(size, 1) for size in tensor.shape)
    values = random.normal(size=shape)
    limits = type_limits(tensor.type)
    if tensor.quant is not None and tensor.quant.scale and limits is not None:
        steps = np.rint(values / tensor.quant.scale[0]) + tensor.quant.zero_point[0]
        clipped: Array = np.clip(steps, *limits).astype(tensor.type)
        return clipped
    if tensor.type.startswith("float"):
        return values.astype(tensor.type)
    return random.integers(0, _INTEGERS, shape).astype(tensor.type)


def real_outputs(data: bytes, outputs: Sequence[Array]) -> Array:
    """The real values of all outputs, concatenated; empty without outputs."""
    graph = read(data).subgraphs[0]
    values = [np.zeros(0)]
    for index, output in zip(graph.outputs, outputs, strict=False):
        quant = graph.tensors[index].quant
        real = output.astype(np.float64).reshape(-1)
        if quant is not None and quant.scale:
            real = (real - quant.zero_point[0]) * quant.scale[0]
        values.append(real)
    return np.concatenate(values)
