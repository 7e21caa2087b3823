"""Decides, by trying all inputs of small graphs, whether a written file exceeds its certified
bound.

Independent code: files are read with the generated object API, and kernels are computed in float64
and rounded to nearest. Real kernels differ from that by at most one step; an error above two steps
here therefore is above one step in a real kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

__all__ = ["BREAKS", "worst_distance"]

Array = Any
BREAKS = 2.0  # steps; a larger error here exceeds the bound in a real kernel

_DTYPES = {fb.TensorType.INT8: "int8", fb.TensorType.INT32: "<i4"}
_COPIES = {"RESHAPE", "CONCATENATION", "MAX_POOL_2D"}
_NAMES = {code: name for name, code in vars(fb.BuiltinOperator).items() if isinstance(code, int)}
_CLAMPS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}


class _File:
    """A parsed file: tensors and operators of its only subgraph."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.graph = model.subgraphs[0]

    def tensor(self, index: int) -> Any:
        return self.graph.tensors[index]

    def constant(self, index: int) -> Array | None:
        tensor = self.tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        kind = _DTYPES[tensor.type]
        return np.frombuffer(bytes(bytearray(data)), kind).astype(np.int64)

    def scale(self, index: int) -> Array:
        quant = self.tensor(index).quantization
        return np.array(quant.scale, np.float64)

    def zero(self, index: int) -> Array:
        return np.array(self.tensor(index).quantization.zeroPoint, np.int64)

    def real(self, index: int, integers: Array) -> Array:
        return (integers - self.zero(index)) * self.scale(index)

    def range(self, index: int) -> tuple[float, float]:
        low, high = (float(self.real(index, np.array([q]))[0]) for q in (-128, 127))
        return low, high

    def name(self, operator: Any) -> str:
        return str(_NAMES[self.model.operatorCodes[operator.opcodeIndex].builtinCode])

    def clamp(self, operator: Any) -> tuple[float, float]:
        options = operator.builtinOptions
        return _CLAMPS[getattr(options, "fusedActivationFunction", 0)]


def worst_distance(
    original: Any, written: Any, mapping: Sequence[int | None], stands_for: Sequence[int | None]
) -> float:
    """The largest error, in steps of the written output, of any operator; infinite for a changed
    constant. `original`, `written`: files; `mapping`: original operator by written one;
    `stands_for`: original tensor by written one.
    """
    o, w = _File(original), _File(written)
    values = _inputs(w)
    worst = 0.0
    for number, operator in enumerate(w.graph.operators):
        source = mapping[number]
        given = None if source is None else o.graph.operators[source]
        operands = [values.get(i, w.constant(i)) for i in operator.inputs]
        output = operator.outputs[0]
        values[output] = _kernel(w, operator, operands)
        if given is not None and w.name(operator) in {"ADD", "MUL"}:
            worst = max([worst, *_constants(o, w, given, operator)])
        if w.name(operator) == "ARG_MAX":
            real = w.real(operator.inputs[0], operands[0])
            chosen = np.take_along_axis(real, values[output][:, None], axis=1)[:, 0]
            off = np.max(real.max(axis=1) - chosen) / float(w.scale(operator.inputs[0])[0])
            worst = max(worst, float(off))
            continue
        f = _declared(o, w, given, operator, operands)
        if f is not None:
            y = w.real(output, values[output])
            origin = stands_for[output]
            assert origin is not None
            worst = max(worst, _distance(o, w, origin, f, y) / float(w.scale(output)[0]))
    return worst


def _inputs(w: _File) -> dict[int, Array]:
    """Every combination of the integers of all input elements, [rows, elements]."""
    sizes = [int(np.prod(w.tensor(i).shape)) for i in w.graph.inputs]
    rows = np.array(list(itertools.product(range(-128, 128), repeat=sum(sizes))), np.int64)
    ends = np.cumsum([0, *sizes])
    return {i: rows[:, a:b] for i, a, b in zip(w.graph.inputs, ends, ends[1:], strict=False)}


def _kernel(w: _File, operator: Any, operands: list[Array]) -> Array:
    """A kernel's result on the written file, before rounding. `operands`: integers of the inputs."""
    name, output = w.name(operator), operator.outputs[0]
    if name == "ARG_MAX":
        return np.argmax(operands[0], axis=1)
    zero, scale = int(w.zero(output)[0]), float(w.scale(output)[0])
    low, high = w.clamp(operator)
    low, high = max(-128, np.rint(low / scale) + zero), min(127, np.rint(high / scale) + zero)
    if name in _COPIES:
        held = operands if name == "CONCATENATION" else operands[:1]
        return np.clip(np.concatenate(held, axis=1), low, high).astype(np.int64)
    if name == "NEG":
        return np.where(operands[0] == -128, -128, -operands[0])
    real = _real(w, operator, operands, w, operator)
    return np.clip(np.rint(real / scale) + zero, low, high).astype(np.int64)


def _real(w: _File, operator: Any, operands: list[Array], of: _File, given: Any) -> Array:
    """The real function; weights and bias from `of`, with the original's bias read by its declared
    scale. `operands`: integers of the inputs.
    """
    name, ins = w.name(operator), operator.inputs
    x = w.real(ins[0], operands[0])
    if name == "FULLY_CONNECTED":
        weights, bias = of.constant(given.inputs[1]), of.constant(given.inputs[2])
        assert weights is not None
        assert bias is not None
        by = of.scale(given.inputs[1])
        columns = x.shape[1]
        weights = (weights.reshape(-1, columns) - of.zero(given.inputs[1])[0]) * by[:, None]
        unit = of.scale(given.inputs[2]) if of is not w else w.scale(ins[0]) * by
        return x @ weights.T + bias * unit
    if name in {"ADD", "MUL"}:
        other = w.real(ins[1], operands[1])
        return x + other if name == "ADD" else x * other
    if name == "LOGISTIC":
        return 1 / (1 + np.exp(-x))
    if name == "NEG":
        return -x
    if name == "RELU":
        return np.maximum(x, 0)
    assert name == "QUANTIZE", name
    return x


def _declared(o: _File, w: _File, given: Any, operator: Any, operands: list[Array]) -> Array | None:
    name = w.name(operator)
    if name == "CONCATENATION":
        parts = [w.real(i, q) for i, q in zip(operator.inputs, operands, strict=True)]
        f = np.concatenate(parts, axis=1)
    elif name in _COPIES:
        f = w.real(operator.inputs[0], operands[0])
    elif given is None:
        f = _real(w, operator, operands, w, operator)
    else:
        f = _real(w, operator, operands, o, given)
    return f if given is None else np.clip(f, *o.clamp(given))


def _constants(o: _File, w: _File, given: Any, operator: Any) -> Iterator[float]:
    for ours, theirs in zip(operator.inputs, given.inputs, strict=True):
        constant, was = w.constant(ours), o.constant(theirs)
        if constant is not None and was is not None:
            off = np.abs(w.real(ours, constant) - o.real(theirs, was)) / w.scale(ours)
            yield np.inf if np.max(off) > 0.51 else 0.0


def _distance(o: _File, w: _File, origin: int, f: Array, y: Array) -> float:
    """Distance, in steps, of the written values from the segment between f and f clipped to the
    smallest range that readers can distinguish. `origin`: tensor of the original; `f`: real
    results; `y`: written real values.
    """
    del w
    declared = o.range(origin)
    stated = (
        0.0 if declared[0] == 0 else -np.inf,
        declared[1]
        if declared[0] == 0 and abs(declared[1] - 6) <= 6e-3
        else 0.0
        if declared[1] == 0
        else np.inf,
    )
    f = np.clip(f, *stated)
    needed = _least_needed(o, origin, declared)
    clipped = np.clip(f, *needed)
    low, high = np.minimum(f, clipped), np.maximum(f, clipped)
    return float(np.max(np.maximum(np.maximum(low - y, y - high), 0)))


def _least_needed(o: _File, origin: int, ends: tuple[float, float]) -> tuple[float, float]:
    """The smallest part of a tensor's range that passes all copying operators behind it. `origin`:
    tensor of the original; `ends`: its range.
    """
    behind = [
        operator.outputs[0]
        for operator in o.graph.operators
        if o.name(operator) in _COPIES and origin in list(operator.inputs)
    ]
    for index in behind:
        inner = _least_needed(o, index, o.range(index))
        low, high = np.clip(inner, *ends)
        ends = float(low), float(high)
    return ends
