#!/usr/bin/env python3
"""De-aligned models of any size, made without a converter; bench.py measures growth with them.

A model is a chain of blocks like a converter's (int8, per-channel weights, a bias with scale input
scale x weight scale):

    conv -> conv -> add with the block's input -> concat of the sum and a conv -> reshape

The sum and the first convolution are read twice. In a broken block every activation has its own
parameters, which violates the rules of CONCATENATION and RESHAPE; in the others all share those of
the first convolution. The same arguments give the same bytes. A large constant is inline, as in a
converter's file, and last in the file: `write_model` makes it a hole, so that gigabytes need no
disk space.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

from tflite_align.record import Record

__all__ = ["Synthetic", "build", "write_model"]

SIDE = 8  # activations are [1, SIDE, SIDE, channels]
BLOCK = 5  # operators per block
DEPTH = 4096  # columns of the big constant
_HOLE = 16  # placeholder bytes of the large constant until it is written
_CODES = (
    fb.BuiltinOperator.CONV_2D,
    fb.BuiltinOperator.ADD,
    fb.BuiltinOperator.CONCATENATION,
    fb.BuiltinOperator.RESHAPE,
    fb.BuiltinOperator.FULLY_CONNECTED,
)
_INDEX = {code: index for index, code in enumerate(_CODES)}


class Synthetic(Record, frozen=True):
    """A model's bytes without its last constant, which is `hole` zero bytes at the end."""

    head: bytes
    hole: int

    @property
    def data(self) -> bytes:
        """The whole file's bytes."""
        return self.head + bytes(self.hole)


def _scale(number: int) -> float:
    """A float32 scale for each tensor: 0.02 to 0.06, in irregular order. `number`: the tensor's."""
    spread = (number * 2654435761 % 2**32) / 2**32
    return float(np.float32(0.02 + 0.04 * spread))


class _Net:
    """A model under construction; lists hold positions in the builder."""

    def __init__(self, channels: int) -> None:
        """Start an empty model whose activations have `channels` channels at first."""
        self.builder = flatbuffers.Builder(1 << 20)
        self.channels = channels
        self.random = np.random.default_rng(7)
        self.buffers: list[int] = []
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.scales: list[tuple[float, ...]] = []
        self.zero_points: list[int] = []

    def vector(self, values: Sequence[float], kind: str) -> int:
        """Write a vector of numbers; its position. `kind`: FlatBuffers type of an element."""
        return int(self.builder.CreateNumpyVector(np.asarray(values, kind)))

    def references(self, positions: list[int]) -> int:
        """Write a vector of references; its position."""
        self.builder.StartVector(4, len(positions), 4)
        for position in reversed(positions):
            self.builder.PrependUOffsetTRelative(position)
        return int(self.builder.EndVector())

    def buffer(self, data: bytes | None) -> int:
        """The new buffer's index; the data is 16-byte aligned, as in converter output."""
        at = 0
        if data is not None:
            self.builder.StartVector(1, len(data), 16)
            self.builder.head -= len(data)
            self.builder.Bytes[self.builder.head : self.builder.head + len(data)] = data
            at = self.builder.EndVector()
        fb.BufferStart(self.builder)
        if at:
            fb.BufferAddData(self.builder, at)
        self.buffers.append(fb.BufferEnd(self.builder))
        return len(self.buffers) - 1

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        scale: Sequence[float],
        *,
        kind: int = fb.TensorType.INT8,
        zero_point: int = 0,
        buffer: int = 0,
    ) -> int:
        """Write a tensor; its index. `kind`: type code; `buffer`: index."""
        quant = 0
        if scale:
            zero_points = self.vector([zero_point] * len(scale), "<i8")
            scales = self.vector(scale, "<f4")
            fb.QuantizationParametersStart(self.builder)
            fb.QuantizationParametersAddScale(self.builder, scales)
            fb.QuantizationParametersAddZeroPoint(self.builder, zero_points)
            quant = fb.QuantizationParametersEnd(self.builder)
        sizes = self.vector(shape, "<i4")
        title = self.builder.CreateString(name)
        fb.TensorStart(self.builder)
        fb.TensorAddShape(self.builder, sizes)
        fb.TensorAddType(self.builder, kind)
        fb.TensorAddBuffer(self.builder, buffer)
        fb.TensorAddName(self.builder, title)
        if quant:
            fb.TensorAddQuantization(self.builder, quant)
        self.tensors.append(fb.TensorEnd(self.builder))
        self.scales.append(tuple(scale))
        self.zero_points.append(zero_point)
        return len(self.tensors) - 1

    def activation(self, name: str, shape: Sequence[int], like: int | None = None) -> int:
        """Write an activation with the parameters of the tensor `like`, or its own; its index."""
        if like is not None:
            zero_point = self.zero_points[like]
            return self.tensor(name, shape, self.scales[like], zero_point=zero_point)
        number = len(self.tensors)
        return self.tensor(name, shape, (_scale(number),), zero_point=number * 37 % 61 - 30)

    def operator(
        self, code: int, inputs: Sequence[int], outputs: Sequence[int], kind: int, options: int
    ) -> None:
        """Write an operator. `code`: builtin code; `kind`, `options`: type and position of its
        option table. `inputs`, `outputs`: tensor indices.
        """
        ins, outs = self.vector(inputs, "<i4"), self.vector(outputs, "<i4")
        fb.OperatorStart(self.builder)
        fb.OperatorAddOpcodeIndex(self.builder, _INDEX[code])
        fb.OperatorAddInputs(self.builder, ins)
        fb.OperatorAddOutputs(self.builder, outs)
        fb.OperatorAddBuiltinOptionsType(self.builder, kind)
        fb.OperatorAddBuiltinOptions(self.builder, options)
        self.operators.append(fb.OperatorEnd(self.builder))

    def bias(self, name: str, source: int, weights: int, count: int) -> int:
        """Write a bias with scale input scale x weight scale; its index. `source`, `weights`:
        tensor indices; `count`: of values.
        """
        products = np.float32(self.scales[source][0]) * np.asarray(self.scales[weights], "<f4")
        data = self.random.integers(-2000, 2000, count, dtype=np.int32).astype("<i4").tobytes()
        return self.tensor(
            name,
            (count,),
            tuple(products.tolist()),
            kind=fb.TensorType.INT32,
            buffer=self.buffer(data),
        )

    def conv(self, name: str, source: int, shape: Sequence[int], inputs: int) -> int:
        """Write a 1x1 convolution from `inputs` channels to those of `shape`; the index of its
        output. `source`: index of the input tensor.
        """
        count = shape[-1]
        data = self.random.integers(-127, 128, count * inputs, dtype=np.int8).tobytes()
        scales = tuple(_scale(len(self.tensors) + channel) / 16 for channel in range(count))
        weights = self.tensor(
            f"{name}/weights", (count, 1, 1, inputs), scales, buffer=self.buffer(data)
        )
        bias = self.bias(f"{name}/bias", source, weights, count)
        out = self.activation(name, shape)
        fb.Conv2DOptionsStart(self.builder)
        fb.Conv2DOptionsAddStrideH(self.builder, 1)
        fb.Conv2DOptionsAddStrideW(self.builder, 1)
        fb.Conv2DOptionsAddFusedActivationFunction(self.builder, fb.ActivationFunctionType.RELU6)
        options = fb.Conv2DOptionsEnd(self.builder)
        kind = fb.BuiltinOptions.Conv2DOptions
        self.operator(_CODES[0], (source, weights, bias), (out,), kind, options)
        return out

    def block(self, name: str, source: int, inputs: int, *, broken: bool) -> int:
        """Write one block of operators; the index of its last activation, which has twice the net's
        channels. `source`: index of the input tensor.
        """
        channels = self.channels
        shape = (1, SIDE, SIDE, channels)
        first = self.conv(f"{name}/conv1", source, shape, inputs)
        second = self.conv(f"{name}/conv2", first, shape, channels)
        like = None if broken else first
        total = self.activation(f"{name}/add", shape, like)
        fb.AddOptionsStart(self.builder)
        options = fb.AddOptionsEnd(self.builder)
        kind = fb.BuiltinOptions.AddOptions
        self.operator(_CODES[1], (first, second), (total,), kind, options)
        joined = self.activation(f"{name}/concat", (1, SIDE, SIDE, 2 * channels), like)
        fb.ConcatenationOptionsStart(self.builder)
        fb.ConcatenationOptionsAddAxis(self.builder, 3)
        options = fb.ConcatenationOptionsEnd(self.builder)
        kind = fb.BuiltinOptions.ConcatenationOptions
        self.operator(_CODES[2], (total, first), (joined,), kind, options)
        return self.reshape(f"{name}/reshape", joined, (1, SIDE, SIDE, 2 * channels), like)

    def reshape(self, name: str, source: int, shape: Sequence[int], like: int | None = None) -> int:
        """Write a RESHAPE; the index of its output. `source`: index of the input tensor."""
        out = self.activation(name, shape, like)
        sizes = self.vector(shape, "<i4")
        fb.ReshapeOptionsStart(self.builder)
        fb.ReshapeOptionsAddNewShape(self.builder, sizes)
        options = fb.ReshapeOptionsEnd(self.builder)
        self.operator(_CODES[3], (source,), (out,), fb.BuiltinOptions.ReshapeOptions, options)
        return out

    def dense(self, source: int, rows: int, buffer: int) -> int:
        """Write a FULLY_CONNECTED with the large constant, [rows, DEPTH], as weights; the index of
        its output. `source`: index of the input; `buffer`: of the constant.
        """
        weights = self.tensor("dense/weights", (rows, DEPTH), (0.004,), buffer=buffer)
        flat = self.reshape("flatten", source, (1, DEPTH))
        out = self.activation("dense", (1, rows))
        fb.FullyConnectedOptionsStart(self.builder)
        options = fb.FullyConnectedOptionsEnd(self.builder)
        kind = fb.BuiltinOptions.FullyConnectedOptions
        self.operator(_CODES[4], (flat, weights, -1), (out,), kind, options)
        return out


def build(operators: int, *, channels: int = 8, constant: int = 0, sound: int = 0) -> Synthetic:
    """A model of `operators` operators (whole blocks), and with `constant` > 0 of two more that end
    in a constant of about as many bytes (whole rows of DEPTH); `channels` must then be 32.

    `sound`: how many of each ten blocks are not broken, the first ones.
    """
    if constant and SIDE * SIDE * 2 * channels != DEPTH:
        raise ValueError(f"a big constant needs {DEPTH // (2 * SIDE * SIDE)} channels")
    net = _Net(channels)
    rows = max(constant // DEPTH, 1) if constant else 0
    # The builder writes backwards: the object built first, the hole, is last in the file.
    big = net.buffer(bytes(_HOLE)) if rows else -1
    empty = net.buffer(None)
    if rows:
        # Buffer 0 must be empty.
        net.buffers.reverse()
        big, empty = empty, 0
    last = net.activation("input", (1, SIDE, SIDE, channels))
    source, inputs = last, channels
    for number in range(operators // BLOCK):
        last = net.block(f"block{number}", last, inputs, broken=number % 10 >= sound)
        inputs = 2 * channels
    if rows:
        last = net.dense(last, rows, big)
    head = bytearray(_finish(net, source, last))
    if not rows:
        return Synthetic(bytes(head), 0)
    at = len(head) - _HOLE - 4
    assert int.from_bytes(head[at : at + 4], "little") == _HOLE
    head[at : at + 4] = (rows * DEPTH).to_bytes(4, "little")
    return Synthetic(bytes(head[:-_HOLE]), rows * DEPTH)


def _finish(net: _Net, source: int, last: int) -> Any:
    """Write the subgraph and the model. `source`: index of the input tensor. `last`: index of the
    output tensor.
    """
    builder = net.builder
    tensors, operators = net.references(net.tensors), net.references(net.operators)
    ins, outs = net.vector([source], "<i4"), net.vector([last], "<i4")
    fb.SubGraphStart(builder)
    fb.SubGraphAddTensors(builder, tensors)
    fb.SubGraphAddInputs(builder, ins)
    fb.SubGraphAddOutputs(builder, outs)
    fb.SubGraphAddOperators(builder, operators)
    graphs = net.references([fb.SubGraphEnd(builder)])
    codes = []
    for code in _CODES:
        fb.OperatorCodeStart(builder)
        fb.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
        fb.OperatorCodeAddBuiltinCode(builder, code)
        fb.OperatorCodeAddVersion(builder, 1)
        codes.append(fb.OperatorCodeEnd(builder))
    known = net.references(codes)
    buffers = net.references(net.buffers)
    fb.ModelStart(builder)
    fb.ModelAddVersion(builder, 3)
    fb.ModelAddOperatorCodes(builder, known)
    fb.ModelAddSubgraphs(builder, graphs)
    fb.ModelAddBuffers(builder, buffers)
    builder.Finish(fb.ModelEnd(builder), b"TFL3")
    return builder.Output()


def write_model(path: Path, model: Synthetic) -> None:
    """Write the model as a file; its large constant is a hole if the file system supports holes."""
    with path.open("wb") as stream:
        stream.write(model.head)
        stream.truncate(len(model.head) + model.hole)


def main() -> int:
    """Write a model to a file; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--operators", type=int, default=100, help="number of operators")
    parser.add_argument("--channels", type=int, default=8, help="channels of the first activations")
    parser.add_argument("--constant", type=int, default=0, help="bytes of one large constant")
    parser.add_argument(
        "--sound", type=int, default=0, help="number of blocks in ten without findings"
    )
    given = parser.parse_args()
    model = build(
        given.operators, channels=given.channels, constant=given.constant, sound=given.sound
    )
    write_model(given.out, model)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
