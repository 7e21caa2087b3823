"""The checker's own reader: a .tflite file as plain values, by the accessors of the `tflite` package.

Every field of every table is read, so that a comparison of two files misses nothing. Fields and enum
values that the accessors lack raise UnreadableError.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

__all__ = [
    "DTYPES",
    "ReadFile",
    "ReadGraph",
    "ReadOperator",
    "ReadTensor",
    "UnreadableError",
    "read_file",
]

DTYPES = {"INT8": "i1", "UINT8": "u1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8"}


class UnreadableError(ValueError):
    """The file is damaged, or has content that the checker cannot compare."""


@dataclass(frozen=True, kw_only=True)
class ReadTensor:
    """A tensor. `scale` and `zero_point` are empty without affine parameters; an absent zero point
    is 0. `axis`: the dimension along which several scales lie. `data`: the constant's bytes.
    `other`: all further fields.
    """

    type: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    data: bytes
    variable: bool
    other: Any

    @property
    def sparse(self) -> bool:
        """Whether its data are stored in a sparse format."""
        return self.other[0].get("Sparsity") is not None

    def integers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The constant's integers in the tensor's shape."""
        if self.sparse:
            raise UnreadableError("its integers are not stored one by one")
        if self.type == "INT4":
            packed = np.frombuffer(self.data, dtype="u1").astype(np.int64)
            flat = np.stack([packed & 15, packed >> 4], 1).ravel()[: math.prod(self.shape)]
            return np.where(flat > 7, flat - 16, flat).reshape(self.shape)
        flat = np.frombuffer(self.data, dtype=DTYPES[self.type]).astype(np.int64)
        return flat.reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class ReadOperator:
    """An operator: schema name, version, tensor indices (-1: left out), options by field name;
    `other`: all further fields.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    other: Any


@dataclass(frozen=True, kw_only=True)
class ReadGraph:
    """A subgraph; `inputs` and `outputs` are tensor indices. `other`: all further fields."""

    tensors: tuple[ReadTensor, ...]
    operators: tuple[ReadOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    other: Any


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """A file; `metadata` as (name, bytes). `other`: all further fields of the model."""

    graphs: tuple[ReadGraph, ...]
    metadata: tuple[tuple[Any, bytes], ...]
    other: Any


class _Counted:
    """A substitute FlatBuffers builder that records the number of fields of a table."""

    fields = 0

    def StartObject(self, fields: int) -> None:  # noqa: N802 - the builder's name for it
        """Called by the generated code with the table's number of fields."""
        self.fields = fields


@cache
def _module(name: str) -> Any:
    """The generated module of one table or enum."""
    return importlib.import_module(f"tflite.{name}")


@cache
def _members(enum: str) -> dict[int, str]:
    """The names of an enum's values."""
    members = vars(getattr(_module(enum), enum)).items()
    return {value: name for name, value in members if isinstance(value, int)}


def _member(enum: str, value: int) -> str:
    """The name of one value of an enum; UnreadableError for an unknown one."""
    if value not in _members(enum):
        raise UnreadableError(f"{enum} {value} is not known")
    return _members(enum)[value]


@cache
def _fields(name: str) -> tuple[int, tuple[tuple[str, bool, bool], ...]]:
    """A table's number of fields, and (name, is a vector, is numeric) of each."""
    module, counted = _module(name), _Counted()
    getattr(module, f"{name}Start")(counted)
    accessor = getattr(module, name)
    names = [m for m in vars(accessor) if m[0].isupper() and "GetRootAs" not in m and m != "Init"]
    names = [m for m in names if not m.endswith(("AsNumpy", "IsNone", "BufferHasIdentifier"))]
    vectors = {m.removesuffix("Length") for m in names if m.endswith("Length")}
    plain = [m for m in names if not (m.endswith("Length") and m.removesuffix("Length") in names)]
    return counted.fields, tuple((m, m in vectors, hasattr(accessor, f"{m}AsNumpy")) for m in plain)


def _table(table: Any, name: str) -> dict[str, Any]:
    """All fields of a table. Text stays bytes; a vector of numbers becomes a tuple, one of bytes bytes."""
    tab = table._tab  # noqa: SLF001 - the only way to the vtable
    start = tab.Pos - int.from_bytes(tab.Bytes[tab.Pos : tab.Pos + 4], "little", signed=True)
    size = int.from_bytes(tab.Bytes[start : start + 2], "little")
    field_count, fields = _fields(name)
    if (size - 4) // 2 > field_count:
        raise UnreadableError(f"{name} has fields that are newer than the accessors")
    return {field: _value(table, field, vector, numeric) for field, vector, numeric in fields}


def _value(table: Any, field: str, vector: bool, numeric: bool) -> Any:  # noqa: FBT001
    """One field of a table as a plain value. `vector`: it is a vector; `numeric`: its elements are
    numbers.
    """
    if vector:
        length = getattr(table, f"{field}Length")()
        if numeric:
            values = getattr(table, f"{field}AsNumpy")() if length else np.zeros(0, np.uint8)
            return values.tobytes() if values.dtype.itemsize == 1 else tuple(values.tolist())
        return tuple(_inner(getattr(table, field)(j), field) for j in range(length))
    value = getattr(table, field)()
    if type(value).__name__ == "Table":
        return _union(value, field, getattr(table, f"{field}Type")())
    return _inner(value, field)


def _union(table: Any, field: str, code: int) -> Any:
    """A union field as (member type, fields). `code`: the union's type code in the file."""
    enum = {"Details": "QuantizationDetails"}.get(field, field)
    if enum in {"ArraySegments", "ArrayIndices"}:
        enum = "SparseIndexVector"
    member_type = _member(enum, code)
    member = getattr(_module(member_type), member_type)()
    member.Init(table.Bytes, table.Pos)
    return member_type, _table(member, member_type)


def _inner(value: Any, field: str) -> Any:
    """A field's value as number, bytes or None; a table as its fields."""
    if value is None or isinstance(value, (int, float, bytes)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if not hasattr(value, "_tab"):
        raise UnreadableError(f"{field} is no table")
    return _table(value, type(value).__name__)


def read_file(data: bytes) -> ReadFile:
    """The file as plain values; UnreadableError, or an exception of the accessors, if it is damaged."""
    if data[4:8] != b"TFL3":
        raise UnreadableError("is no .tflite file")
    model = _table(_module("Model").Model.GetRootAs(data, 0), "Model")
    constants = [_constant(buffer, data) for buffer in model.pop("Buffers")]
    codes = [_code(code) for code in model.pop("OperatorCodes")]
    graphs = tuple(_graph(graph, constants, codes, data) for graph in model.pop("Subgraphs"))
    metadata = tuple(
        (entry_table["Name"], constants[entry_table["Buffer"]])
        for entry_table in model.pop("Metadata")
    )
    older = tuple(constants[index] for index in model.pop("MetadataBuffer"))
    return ReadFile(graphs=graphs, metadata=metadata, other=(model, older))


def _constant(buffer: Mapping[str, Any], data: bytes) -> bytes:
    """The bytes of a buffer, inside or behind the FlatBuffer. `data`: the file."""
    if buffer["Offset"] > 1:
        end = buffer["Offset"] + buffer["Size"]
        if end > len(data) or buffer["Data"]:
            raise UnreadableError("a buffer lies outside the file, or in two places")
        return data[buffer["Offset"] : end]
    return bytes(buffer["Data"])


def _code(code: Mapping[str, Any]) -> tuple[str, Any, int]:
    """(builtin operator name, custom code, version) of an entry of the operator codes."""
    builtin = max(code["DeprecatedBuiltinCode"], code["BuiltinCode"])
    return _member("BuiltinOperator", builtin), code["CustomCode"], code["Version"]


def _graph(
    graph: dict[str, Any], constants: list[bytes], codes: list[Any], data: bytes
) -> ReadGraph:
    """A subgraph from its fields. `constants`: bytes by buffer index; `codes`: results of _code."""
    tensors = tuple(_tensor(tensor, constants) for tensor in graph.pop("Tensors"))
    operators = tuple(_operator(operator, codes, data) for operator in graph.pop("Operators"))
    read = ReadGraph(
        tensors=tensors,
        operators=operators,
        inputs=graph.pop("Inputs") or (),
        outputs=graph.pop("Outputs") or (),
        other=graph,
    )
    if any(not -1 <= index < len(tensors) for index in _named(read)):
        raise UnreadableError("an operand is no tensor of the subgraph")
    return read


def _named(graph: ReadGraph) -> Iterator[int]:
    """All tensor indices that the subgraph and its operators refer to."""
    yield from (*graph.inputs, *graph.outputs)
    for operator in graph.operators:
        yield from (*operator.inputs, *operator.outputs)


def _tensor(tensor: dict[str, Any], constants: list[bytes]) -> ReadTensor:
    """A tensor from its fields. `constants`: bytes by buffer index."""
    quant = tensor.pop("Quantization") or {}
    details = quant.get("Details")
    scale = quant.get("Scale") or ()
    zeros = quant.get("ZeroPoint") or (0,) * len(scale)
    if not scale or details is not None:
        # No affine parameters: the fields in their place must be equal in both files.
        scale, zeros, details = (), (), (quant.get("Scale"), quant.get("ZeroPoint"), details)
    if len(zeros) not in {1, len(scale)} and scale:
        raise UnreadableError("a tensor has more zero points than scales")
    zeros = zeros * len(scale) if len(zeros) == 1 else zeros
    return ReadTensor(
        type=_member("TensorType", tensor.pop("Type")),
        shape=tensor.pop("Shape") or (),
        scale=scale,
        zero_point=zeros,
        axis=quant.get("QuantizedDimension", 0) if len(scale) > 1 else 0,
        data=constants[tensor.pop("Buffer")],
        variable=bool(tensor.pop("IsVariable")),
        other=(tensor, details or None),
    )


def _operator(operator: dict[str, Any], codes: list[Any], data: bytes) -> ReadOperator:
    """An operator from its fields. `codes`: results of _code; `data`: the file."""
    name, custom, version = codes[operator.pop("OpcodeIndex")]
    start, size = operator.pop("LargeCustomOptionsOffset"), operator.pop("LargeCustomOptionsSize")
    if start > 1 and start + size > len(data):
        raise UnreadableError("an operator's options lie outside the file")
    options = operator.pop("BuiltinOptions")
    read: Callable[[str], tuple[int, ...]] = lambda field: operator.pop(field) or ()  # noqa: E731
    return ReadOperator(
        name=name,
        version=version,
        inputs=read("Inputs"),
        outputs=read("Outputs"),
        options={} if options is None else {_snake(k): v for k, v in options[1].items()},
        other=(
            custom,
            options and options[0],
            data[start : start + size] if start > 1 else b"",
            operator,
        ),
    )


def _snake(name: str) -> str:
    """An accessor's name as the schema spells it: `KeepNumDims` -> `keep_num_dims`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
