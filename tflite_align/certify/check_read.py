"""The checker's own reader: a .tflite file as plain values, by the accessors of the `tflite` package.

Every field of every table is read, so that a comparison of two files misses nothing. Fields and enum
values that the accessors lack raise UnreadableError.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .functions.stored import ACTIVATION_LIMITS, stored_integers

__all__ = ["ReadFile", "ReadGraph", "ReadOperator", "ReadTensor", "UnreadableError", "read_file"]

_UNIONS = {"Details": "QuantizationDetails"}  # field -> enum of its type, where the names differ
_UNIONS |= dict.fromkeys(("ArraySegments", "ArrayIndices"), "SparseIndexVector")
_DERIVED = ("AsNumpy", "IsNone", "BufferHasIdentifier")  # ends of accessors that are no fields


class UnreadableError(ValueError):
    """The file is damaged, or has parts that cannot be compared."""


class ReadTensor(NamedTuple):
    """A tensor. `scale` and `zero_point` are empty if it has no affine parameters; an absent zero
    point is 0. `axis`: the dimension along which several scales lie. `data`: bytes of a constant,
    else empty. `other`: (all further fields, quantization details).
    """

    type: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    data: bytes
    variable: bool
    other: tuple[dict[str, Any], Any]

    @property
    def reading(self) -> tuple[Any, ...]:
        """The fields that determine the real value of each integer: type, scales, zero points,
        axis.
        """
        return self.type, self.scale, self.zero_point, self.axis

    @property
    def constant(self) -> tuple[Any, ...]:
        """The fields that determine the real values of a constant: the reading and the bytes."""
        return *self.reading, self.data

    @property
    def quantized(self) -> bool:
        """Whether it is of a type of quantized activations, with scales and stored integers."""
        return bool(self.scale) and not self.other[0]["Sparsity"] and self.type in ACTIVATION_LIMITS

    @property
    def limits(self) -> tuple[int, int]:
        """(least, greatest) integer of the type; KeyError for a type that quantized activations
        cannot have.
        """
        return ACTIVATION_LIMITS[self.type]

    @property
    def declared(self) -> tuple[float, float]:
        """The least and greatest real value that it can hold; ValueError without a single scale."""
        (scale,), (zero,) = self.scale, self.zero_point
        return (self.limits[0] - zero) * scale, (self.limits[1] - zero) * scale

    def integers(self) -> np.ndarray[Any, Any]:
        """The constant's integers in the tensor's shape."""
        if self.other[0]["Sparsity"]:
            raise UnreadableError("the constant is stored sparse or packed")
        return stored_integers(self.data, self.type, self.shape)


class ReadOperator(NamedTuple):
    """An operator. `inputs`, `outputs`: tensor indices, -1 for an absent operand; `options`: by
    option name in lower case; `other`: all further fields.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    other: Any


class ReadGraph(NamedTuple):
    """A subgraph. `inputs`, `outputs`: tensor indices; `other`: all further fields."""

    tensors: tuple[ReadTensor, ...]
    operators: tuple[ReadOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    other: Any


class ReadFile(NamedTuple):
    """A whole file. `metadata`: (name, bytes); `signatures`: fields by name; `other`: all further
    fields.
    """

    graphs: tuple[ReadGraph, ...]
    metadata: tuple[tuple[Any, bytes], ...]
    signatures: tuple[Mapping[str, Any], ...]
    other: Any


class _Counted:
    """A substitute FlatBuffers builder that records the number of fields of a table."""

    def StartObject(self, fields: int) -> None:  # noqa: N802 - name of the flatbuffers builder
        """Called by generated code with the table's number of fields."""
        self.fields = fields


@cache
def _module(name: str) -> Any:
    """The generated module `tflite.NAME`."""
    return importlib.import_module(f"tflite.{name}")


@cache
def _members(enum: str) -> dict[int, str]:
    """Value -> name of an enum of the schema."""
    members = vars(getattr(_module(enum), enum)).items()
    return {value: name for name, value in members if isinstance(value, int)}


def _member(enum: str, value: int) -> str:
    """The name of an enum's value; UnreadableError for a value that the installed schema does not
    know.
    """
    if value not in _members(enum):
        raise UnreadableError(f"{enum} {value} is not known")
    return _members(enum)[value]


@cache
def _fields(name: str) -> tuple[int, tuple[tuple[str, bool, bool], ...]]:
    """(number of fields, (name, whether it is a vector, whether it is numeric) of each) of a table
    type.
    """
    module, counted = _module(name), _Counted()
    getattr(module, f"{name}Start")(counted)
    accessor = getattr(module, name)
    names = [m for m in vars(accessor) if m[0].isupper() and not m.endswith(_DERIVED)]
    names = [m for m in names if "GetRootAs" not in m and m != "Init"]
    plain = [m for m in names if not (m.endswith("Length") and m.removesuffix("Length") in names)]
    kinds = ((m, f"{m}Length" in names, hasattr(accessor, f"{m}AsNumpy")) for m in plain)
    return counted.fields, tuple(kinds)


def _table(table: Any, name: str) -> dict[str, Any]:
    """Field name -> value of a table of type `name`. Text stays bytes; a vector of numbers becomes
    a tuple, a vector of bytes becomes bytes.
    """
    tab = table._tab  # noqa: SLF001 - the only way to the vtable
    start = tab.Pos - int.from_bytes(tab.Bytes[tab.Pos : tab.Pos + 4], "little", signed=True)
    size = int.from_bytes(tab.Bytes[start : start + 2], "little")
    field_count, fields = _fields(name)
    if (size - 4) // 2 > field_count:
        raise UnreadableError(f"{name} has fields that the installed schema accessors do not know")
    read: dict[str, Any] = {}
    for field, vector, numeric in fields:
        at = getattr(table, field)
        if not vector:
            read[field] = _plain(at(), field, table)
        elif length := getattr(table, f"{field}Length")():
            array = getattr(table, f"{field}AsNumpy")() if numeric else np.zeros(0)
            whole = array.tobytes() if array.itemsize == 1 else tuple(array.tolist())
            read[field] = whole if numeric else tuple(_plain(at(j), field) for j in range(length))
        else:
            read[field] = ()
    return read


def _plain(value: Any, field: str, holder: Any = None) -> Any:
    """A field's value without accessor objects: a number, bytes, the fields of a table, or (member
    type, fields) of a union. `field`: its name; `holder`: the table's accessor.
    """
    name = type(value).__name__
    if value is None or isinstance(value, (int, float, bytes)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if name == "Table" and holder is not None:  # a union
        name = _member(_UNIONS.get(field, field), getattr(holder, f"{field}Type")())
        member = getattr(_module(name), name)()
        member.Init(value.Bytes, value.Pos)
        return name, _table(member, name)
    if not hasattr(value, "_tab"):
        raise UnreadableError(f"{field} is not a table")
    return _table(value, name)


def read_file(data: bytes) -> ReadFile:
    """The file as plain values; UnreadableError, or an exception of the accessors, if it is damaged."""
    if data[4:8] != b"TFL3":
        raise UnreadableError("not a .tflite file")
    model = _table(_module("Model").Model.GetRootAs(data, 0), "Model")
    parts = [_outside(b["Offset"], b["Size"], data, b["Data"]) for b in model.pop("Buffers")]
    codes = [_code(code) for code in model.pop("OperatorCodes")]
    return ReadFile(
        graphs=tuple(_graph(graph, parts, codes, data) for graph in model.pop("Subgraphs")),
        metadata=tuple((entry["Name"], parts[entry["Buffer"]]) for entry in model.pop("Metadata")),
        signatures=model.pop("SignatureDefs"),
        other=(model, [parts[index] for index in model.pop("MetadataBuffer")]),
    )


def _outside(offset: int, size: int, data: bytes, inside: Any) -> bytes:
    """The bytes of a constant: `inside` the table, or `size` bytes at byte `offset` of the file
    where that is above 1. UnreadableError if they lie outside the file or both are given.
    """
    if offset > 1 and (offset + size > len(data) or inside):
        raise UnreadableError("a buffer or options lie outside the file, or are given twice")
    return data[offset : offset + size] if offset > 1 else bytes(inside)


def _code(code: Mapping[str, Any]) -> tuple[str, Any, int]:
    """(operator name, custom name, version) of an operator code's fields."""
    builtin = max(code["DeprecatedBuiltinCode"], code["BuiltinCode"])
    return _member("BuiltinOperator", builtin), code["CustomCode"], code["Version"]


def _graph(graph: dict[str, Any], parts: list[bytes], codes: list[Any], data: bytes) -> ReadGraph:
    """One subgraph from its fields. `parts`: bytes of each buffer; `codes`: what _code returns of
    each operator code; `data`: the file.
    """
    read = ReadGraph(
        tensors=tuple(_tensor(tensor, parts) for tensor in graph.pop("Tensors")),
        operators=tuple(_operator(operator, codes, data) for operator in graph.pop("Operators")),
        inputs=graph.pop("Inputs"),
        outputs=graph.pop("Outputs"),
        other=graph,
    )
    ends = [*read.inputs, *read.outputs]
    ends += [index for op in read.operators for index in (*op.inputs, *op.outputs)]
    if any(not -1 <= index < len(read.tensors) for index in ends):
        raise UnreadableError("an operand's index is not a tensor of the subgraph")
    return read


def _tensor(tensor: dict[str, Any], parts: list[bytes]) -> ReadTensor:
    """One tensor from its fields. `parts`: bytes of each buffer."""
    quant = tensor.pop("Quantization") or {}
    scale, zeros, details = (quant.get(name) for name in ("Scale", "ZeroPoint", "Details"))
    if not scale or details is not None:
        # No affine parameters: the fields in their place must be equal in both files.
        scale, zeros, details = (), (), (scale, zeros, details)
    zeros = zeros or (0,) * len(scale)
    if len(zeros) not in {1, len(scale)} and scale:
        raise UnreadableError("a tensor has more zero points than scales")
    return ReadTensor(
        type=_member("TensorType", tensor.pop("Type")),
        shape=tensor.pop("Shape"),
        scale=scale,
        zero_point=zeros * len(scale) if len(zeros) == 1 else zeros,
        axis=quant.get("QuantizedDimension", 0) if len(scale) > 1 else 0,
        data=parts[tensor.pop("Buffer")],
        variable=bool(tensor.pop("IsVariable")),
        other=(tensor, details),
    )


def _operator(operator: dict[str, Any], codes: list[Any], data: bytes) -> ReadOperator:
    """One operator from its fields. `codes`: what _code returns of each operator code; `data`: the
    file.
    """
    name, custom, version = codes[operator.pop("OpcodeIndex")]
    offset, size = operator.pop("LargeCustomOptionsOffset"), operator.pop("LargeCustomOptionsSize")
    table, options = operator.pop("BuiltinOptions") or ("", {})
    return ReadOperator(
        name=name,
        version=version,
        inputs=operator.pop("Inputs"),
        outputs=operator.pop("Outputs"),
        options={re.sub("(?<!^)(?=[A-Z])", "_", k).lower(): v for k, v in options.items()},
        other=(custom, table, _outside(offset, size, data, b""), operator),
    )
