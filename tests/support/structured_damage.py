"""Damage by the schema: the file stays a valid FlatBuffer but states absurd things.

Parameters out of range, vectors of wrong lengths, positions near 2^64, sizes of 2^31, recursive
calls, references to missing tables. Or, with `strained`, only extreme values: scales and zero
points that a file may have but no converter writes. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

from .damage import damaged

__all__ = ["absurd", "strained"]

_ZERO_POINTS = (1000, -129, 128, 256, -1, 1 << 31, 1 << 40, -(1 << 63), (1 << 63) - 1)
_SCALES: tuple[float, ...] = (0.0, -0.0, -1.0, 1e-45, 1e-38, 1e-20, 1e-12, 1e9, 1e30, 3.4e38)
_SCALES += (float("inf"), float("-inf"), float("nan"))
_EXTENTS = (0, -1, -(1 << 31), (1 << 31) - 1, 40000, 65536, 3)
_AXES = (-1, 1, 3, 99, (1 << 31) - 1, -(1 << 31))
_FAR = ((1 << 64) - 1, (1 << 64) - 8, 1 << 63, (1 << 63) - 1, 1 << 32, 7)


class _Absurd:
    def __init__(self, data: bytes, chance: random.Random) -> None:
        self.model = fb.ModelT.InitFromPackedBuf(data, 0)
        self.chance = chance

    def graph(self) -> Any:
        return self.chance.choice(self.model.subgraphs)

    def tensor(self, *, quantized: bool = False) -> Any:
        tensors = [
            t
            for t in self.graph().tensors or []
            if not quantized or (t.quantization is not None and t.quantization.scale is not None)
        ]
        return self.chance.choice(tensors) if tensors else None

    def operator(self) -> Any:
        operators = self.graph().operators
        return self.chance.choice(operators) if operators else None


def _zero_point(a: _Absurd) -> None:
    tensor = a.tensor(quantized=True)
    if tensor is not None:
        tensor.quantization.zeroPoint = [
            a.chance.choice(_ZERO_POINTS) for _ in range(len(tensor.quantization.scale))
        ]


def _scale(a: _Absurd) -> None:
    tensor = a.tensor(quantized=True)
    if tensor is not None:
        scales = list(tensor.quantization.scale)
        where = a.chance.randrange(len(scales) + 1)
        scales[where : where + 1] = [a.chance.choice(_SCALES)]
        tensor.quantization.scale = scales


def _odd_lengths(a: _Absurd) -> None:
    tensor = a.tensor(quantized=True)
    if tensor is not None:
        quant = tensor.quantization
        scales = list(quant.scale)
        quant.scale = a.chance.choice(([], scales * 2, scales + scales[:1], scales[:-1]))
        if a.chance.random() < 0.5:
            quant.zeroPoint = a.chance.choice(([], [0], [0] * (len(scales) + 1)))


def _axis(a: _Absurd) -> None:
    tensor = a.tensor(quantized=True)
    if tensor is not None:
        tensor.quantization.quantizedDimension = a.chance.choice(_AXES)


def _ends(a: _Absurd) -> None:
    tensor = a.tensor(quantized=True)
    if tensor is not None:
        tensor.quantization.min = [a.chance.choice(_SCALES)]
        tensor.quantization.max = [a.chance.choice(_SCALES)] * a.chance.choice((1, 2))


def _shape(a: _Absurd) -> None:
    tensor = a.tensor()
    if tensor is None:
        return
    shape = [] if tensor.shape is None else [int(n) for n in tensor.shape]
    kind = a.chance.randrange(4)
    if kind == 0 and shape:
        shape[a.chance.randrange(len(shape))] = a.chance.choice(_EXTENTS)
    elif kind == 1:
        shape = shape[:-1]
    elif kind == 2:
        shape.append(a.chance.choice(_EXTENTS))
    else:
        shape.reverse()
    if a.chance.random() < 0.2:
        tensor.shapeSignature = shape
    else:
        tensor.shape = shape


def _type(a: _Absurd) -> None:
    tensor = a.tensor()
    if tensor is not None:
        tensor.type = a.chance.choice((*range(20), 100, -1))


def _reference(a: _Absurd) -> None:
    """Set an operand to another tensor, the operator's own output, -1, or an index beyond the
    tensors.
    """
    graph, operator = a.graph(), a.operator()
    if operator is None:
        return
    name = a.chance.choice(("inputs", "inputs", "outputs"))
    refs = [
        int(n) for n in (getattr(operator, name) if getattr(operator, name) is not None else [])
    ]
    many = len(graph.tensors or [])
    if refs:
        wrong = a.chance.choice((-1, -2, many, (1 << 31) - 1, a.chance.randrange(many or 1)))
        refs[a.chance.randrange(len(refs))] = wrong
    if a.chance.random() < 0.2:
        refs = a.chance.choice((refs[:-1], refs * 2, []))
    setattr(operator, name, refs)


def _border(a: _Absurd) -> None:
    """Change graph inputs or outputs: one twice, exchanged, an inner tensor, none."""
    graph = a.graph()
    inputs, outputs = ([int(n) for n in ends] for ends in (graph.inputs, graph.outputs))
    inner = [a.chance.randrange(len(graph.tensors or [0]))]
    ends = [(outputs, inputs), (inputs * 2, outputs), (inputs, outputs * 2), (inputs, inputs)]
    ends += [(inner, outputs), (inputs, inner), ([], outputs), (inputs, [])]
    graph.inputs, graph.outputs = a.chance.choice(ends)


def _code(a: _Absurd) -> None:
    code = a.chance.choice(a.model.operatorCodes)
    kind = a.chance.randrange(3)
    if kind == 0:
        code.version = a.chance.choice((0, -1, 2, 99, (1 << 31) - 1))
    else:
        code.builtinCode = a.chance.choice((*range(209), 9999, -1))
        code.deprecatedBuiltinCode = min(max(code.builtinCode, 0), 127)
    if kind == 2:
        code.customCode = a.chance.choice(("", "FlexAdd", "a\nb\x1b[31m", "x" * 300))


def _buffer(a: _Absurd) -> None:
    tensor, buffers = a.tensor(), a.model.buffers
    if tensor is None:
        return
    kind = a.chance.randrange(4)
    buffer = buffers[tensor.buffer] if 0 <= tensor.buffer < len(buffers) else buffers[0]
    if kind == 0:
        tensor.buffer = a.chance.choice((0, len(buffers) - 1, len(buffers), (1 << 32) - 1))
    elif kind == 1:
        tensor.buffer = a.chance.randrange(len(buffers))
    elif kind == 2 and buffer.data is not None:
        raw = bytes(buffer.data)
        buffer.data = np.frombuffer(a.chance.choice((raw[:-1], raw * 2, b"")), dtype=np.uint8)
    else:
        buffer.offset, buffer.size = a.chance.choice(_FAR), a.chance.choice(_FAR)


def _far_options(a: _Absurd) -> None:
    operator = a.operator()
    if operator is not None:
        operator.largeCustomOptionsOffset = a.chance.choice(_FAR)
        operator.largeCustomOptionsSize = a.chance.choice(_FAR)


def _circle(a: _Absurd) -> None:
    """Let a call refer to its own subgraph or to a missing one."""
    operator = a.operator()
    if operator is None:
        return
    code = fb.OperatorCodeT()
    options: Any
    target = a.chance.choice((0, len(a.model.subgraphs) - 1, 99, -1))
    if a.chance.random() < 0.5:
        code.builtinCode, options = fb.BuiltinOperator.WHILE, fb.WhileOptionsT()
        options.condSubgraphIndex = options.bodySubgraphIndex = target
        operator.builtinOptionsType = fb.BuiltinOptions.WhileOptions
    else:
        code.builtinCode, options = fb.BuiltinOperator.CALL_ONCE, fb.CallOnceOptionsT()
        options.initSubgraphIndex = target
        operator.builtinOptionsType = fb.BuiltinOptions.CallOnceOptions
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    operator.builtinOptions = options
    operator.opcodeIndex = len(a.model.operatorCodes)
    a.model.operatorCodes.append(code)


def _order(a: _Absurd) -> None:
    operators = a.graph().operators
    if operators:
        first, second = (a.chance.randrange(len(operators)) for _ in range(2))
        operators[first], operators[second] = operators[second], operators[first]
        if a.chance.random() < 0.3:
            operators.append(operators[first])


def _options(a: _Absurd) -> None:
    """Change a number or a flag of an operator's options, or their kind."""
    operator = a.operator()
    if operator is None:
        return
    given = operator.builtinOptions
    if given is None or a.chance.random() < 0.2:
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        return
    names = [name for name, value in vars(given).items() if isinstance(value, (int, bool))]
    if names:
        value = a.chance.choice((0, -1, 1, 127))
        name = a.chance.choice(names)
        small = name in ("padding", "fusedActivationFunction", "weightsFormat", "kernelType")
        setattr(given, name, value if small else a.chance.choice((value, 99, (1 << 31) - 1)))


def _variable(a: _Absurd) -> None:
    tensor = a.tensor()
    if tensor is not None:
        tensor.isVariable = not tensor.isVariable


_HURTS: tuple[Callable[[_Absurd], None], ...] = (
    *(_zero_point, _zero_point, _scale, _scale, _odd_lengths, _axis, _ends, _shape, _shape),
    *(_type, _reference, _border, _code, _buffer, _far_options, _circle, _order, _options),
    _variable,
)


def absurd(data: bytes, seed: int) -> bytes:
    """The model with one to four absurd statements and sometimes damaged bytes."""
    chance = random.Random(seed)  # noqa: S311 - damage, not secrets
    made = _Absurd(data, chance)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(_HURTS)(made)
    builder = flatbuffers.Builder(len(data))
    try:
        builder.Finish(made.model.Pack(builder), b"TFL3")
    except (TypeError, ValueError, OverflowError, AttributeError):
        return damaged(data, seed)  # a value that does not fit the schema's type
    packed = bytes(builder.Output())
    return damaged(packed, seed) if chance.random() < 0.1 else packed


# --- valid but extreme parameters -----------------------------------------------------------------

_LIMITS = {fb.TensorType.INT8: (-128, 127), fb.TensorType.UINT8: (0, 255)}
_LIMITS |= {fb.TensorType.INT16: (-32768, 32767)}


def _float32(value: float) -> float:
    return float(np.float32(value))


def _rescale(a: _Absurd, tensor: Any) -> None:
    """Multiply one scale, or all of them, by a power of ten: small ones as often as large ones."""
    quant = tensor.quantization
    low, high = a.chance.choice(((-25.0, 8.0), (-2.0, 2.0), (-0.1, 0.1)))
    scales = [float(scale) for scale in quant.scale]
    chosen = range(len(scales))
    if a.chance.random() < 0.7:
        chosen = range(where := a.chance.randrange(len(scales)), where + 1)
    factor = 10.0 ** a.chance.uniform(low, high)
    for index in chosen:
        scales[index] = _float32(scales[index] * factor)
    quant.scale = scales


def _edge(a: _Absurd, tensor: Any) -> None:
    """Set a zero point to an end of the type's range, next to it, or to one of a few
    other values.
    """
    limits = _LIMITS.get(tensor.type)
    if limits is not None:
        low, high = limits
        choice = a.chance.choice((low, low + 1, high, high - 1, 0, 2, -5 if low else 7))
        tensor.quantization.zeroPoint = [choice] * len(tensor.quantization.scale)


def _quantized(tensors: list[Any]) -> list[Any]:
    quants = [(t, t.quantization) for t in tensors]
    return [t for t, quant in quants if quant is not None and quant.scale is not None]


def strained(data: bytes, seed: int) -> bytes:
    """The model with scales multiplied by powers of ten and zero points at the ends of the type,
    for about half of its tensors or for the operands of one or two operators.
    """
    chance = random.Random(seed)  # noqa: S311 - damage, not secrets
    made = _Absurd(data, chance)
    graph = made.graph()
    tensors = list(graph.tensors)
    if chance.random() < 0.5:
        chosen = [tensor for tensor in tensors if chance.random() < 0.4]
    else:
        operators = [made.chance.choice(graph.operators) for _ in range(chance.choice((1, 1, 2)))]
        slots = [int(i) for one in operators for i in (*one.inputs, *one.outputs) if i >= 0]
        chosen = [tensors[index] for index in slots if chance.random() < 0.6]
    for tensor in _quantized(chosen):
        if len(tensor.quantization.scale):
            hurts = chance.choice(((_rescale,), (_rescale,), (_edge,), (_rescale, _edge)))
            for hurt in hurts:
                hurt(made, tensor)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(made.model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
