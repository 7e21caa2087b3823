"""Joins two models into one that computes common operators once: variants of a file and of its
repaired copy differ in a few operators alone.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..record import Record, field
from .unpacked import operator_name

__all__ = ["join"]

_RANGE = frozenset({"min", "max"})  # recorded at calibration; no kernel reads them
# Parts of names of operators whose results can differ from run to run.
_STATEFUL = ("VARIABLE", "VAR_HANDLE", "CALL_ONCE", "HASHTABLE", "RANDOM", "MULTINOMIAL", "CUSTOM")


def join(first: Any, second: Any) -> Any | None:
    """`first` (unpacked), with the operators of `second` that it does not have, and with the
    outputs of both.

    None if one has several subgraphs or they have different inputs; `first` is then unchanged.
    Operators are equal if code, options, operands and outputs are equal: their results are then
    equal bit for bit.
    """
    if len(first.subgraphs) != 1 or len(second.subgraphs) != 1:
        return None
    graph, other = first.subgraphs[0], second.subgraphs[0]
    if _has_state(first) or _has_state(second):
        return None
    inputs = [
        [_form(one.subgraphs[0].tensors[i]) for i in one.subgraphs[0].inputs]
        for one in (first, second)
    ]
    if inputs[0] != inputs[1]:
        return None
    joining = _Joining(first=first, second=second)
    joining.index()
    for operator in other.operators:
        joining.add(operator)
    graph.outputs = [*graph.outputs, *(joining.tensor(index) for index in other.outputs)]
    return first


class _Joining(Record, kw_only=True):
    """Adds the operators of the second model that the first does not have to the first.

    `places`: index of a tensor of the second model -> its index in the joined graph.
    """

    first: Any
    second: Any
    places: dict[int, int] = field(default_factory=dict)
    constants: dict[Any, int] = field(default_factory=dict)
    operators: dict[Any, Any] = field(default_factory=dict)
    codes: dict[Any, int] = field(default_factory=dict)

    def index(self) -> None:
        """Record the tensors and operators of the first model."""
        graph, other = self.first.subgraphs[0], self.second.subgraphs[0]
        self.places.update(zip(other.inputs, graph.inputs, strict=True))
        for index, tensor in enumerate(graph.tensors):
            stored = _stored(self.first, tensor)
            if stored is not None:
                self.constants.setdefault((_form(tensor), stored), index)
        for index, code in enumerate(self.first.operatorCodes):
            self.codes.setdefault(_code(code), index)
        for operator in graph.operators:
            key = self._key(self.first, operator, list(operator.inputs))
            self.operators.setdefault(key, operator)

    def _key(self, model: Any, operator: Any, inputs: list[int]) -> Any:
        """The operator as a value that can be compared: code, inputs, options and form of its
        outputs.
        """
        tensors = model.subgraphs[0].tensors
        return (
            _code(model.operatorCodes[operator.opcodeIndex]),
            tuple(inputs),
            _value(operator.builtinOptions),
            _value(operator.customOptions),
            tuple(_form(tensors[index]) for index in operator.outputs),
        )

    def tensor(self, index: int) -> int:
        """The index in the joined graph of a tensor of the second model; it is added if needed."""
        if index < 0:
            return index
        if index not in self.places:
            self.places[index] = self._new(index)
        return self.places[index]

    def _new(self, index: int) -> int:
        """Add a tensor of the second model, or find an equal constant; its index in the joined
        graph.
        """
        graph, tensor = self.first.subgraphs[0], self.second.subgraphs[0].tensors[index]
        stored = _stored(self.second, tensor)
        key = (_form(tensor), stored)
        if stored is not None and key in self.constants:
            return self.constants[key]
        added = copy.copy(tensor)
        added.buffer = 0
        graph.tensors.append(added)
        if stored is not None:
            self.first.buffers.append(self.second.buffers[tensor.buffer])
            added.buffer = len(self.first.buffers) - 1
            self.constants[key] = len(graph.tensors) - 1
        return len(graph.tensors) - 1

    def add(self, operator: Any) -> None:
        """Add an operator of the second model, or use the equal one that is there."""
        inputs = [self.tensor(index) for index in operator.inputs]
        key = self._key(self.second, operator, inputs)
        same = self.operators.get(key)
        if same is not None:
            self.places.update(zip(operator.outputs, same.outputs, strict=True))
            return
        added = copy.copy(operator)
        added.inputs, added.outputs = inputs, [self.tensor(index) for index in operator.outputs]
        added.opcodeIndex = self._code_index(self.second.operatorCodes[operator.opcodeIndex])
        self.first.subgraphs[0].operators.append(added)
        self.operators[key] = added

    def _code_index(self, code: Any) -> int:
        """The index of an operator code in the first model; it is added if needed."""
        key = _code(code)
        if key not in self.codes:
            self.first.operatorCodes.append(code)
            self.codes[key] = len(self.first.operatorCodes) - 1
        return self.codes[key]


def _code(code: Any) -> Any:
    """(builtin code, version, custom code) of an operator code."""
    return max(code.builtinCode, code.deprecatedBuiltinCode), code.version, code.customCode


def _stored(model: Any, tensor: Any) -> bytes | None:
    """The bytes of a constant; None for a computed tensor."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else np.asarray(data).tobytes()


def _form(tensor: Any) -> Any:
    """Type, shape and parameters of a tensor, as a value that can be compared."""
    shape = _value(tensor.shape), _value(tensor.shapeSignature)
    return tensor.type, shape, _value(tensor.quantization, _RANGE)


def _value(value: Any, without: frozenset[str] = frozenset()) -> Any:
    """An unpacked table, vector or number as tuples and bytes, which can be compared and hashed.
    `without`: names of fields to leave out.
    """
    if isinstance(value, (np.ndarray, list, tuple)):
        return np.asarray(value).tobytes()
    if hasattr(value, "__dict__"):
        return tuple((name, _value(v)) for name, v in vars(value).items() if name not in without)
    return value


def _has_state(model: Any) -> bool:
    """Whether outputs depend on anything but the operands: variables or stateful operators."""
    graph = model.subgraphs[0]
    names = {operator_name(model, operator) for operator in graph.operators}
    return any(tensor.isVariable for tensor in graph.tensors) or any(
        word in name for word in _STATEFUL for name in names
    )
