"""The only access to the generated object API of the TFLite schema.

Twins and instrumented copies are built with it; they exist only inside a verification. It never
writes an aligned model. The generated module is loaded by its path, so that neither LiteRT nor
TensorFlow is imported into this process.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..record import Record

__all__ = ["builtin_name", "pack", "parse", "schema", "type_name", "unpacked_once"]

_PLACES = (
    ("ai_edge_litert", "schema_py_generated.py"),
    ("tensorflow", "lite/python/schema_py_generated.py"),
)
_IDENTIFIER = b"TFL3"
_LARGEST_FLATBUFFER = 2**31 - 1


def _module_file() -> Path | None:
    """The path of the generated module in an installed package; None without one."""
    for package, relative in _PLACES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder, relative)
            if path.is_file():
                return path
    return None


@cache
def schema() -> ModuleType:
    """The generated schema module. Raises UnsupportedError when no installed package ships it."""
    path = _module_file()
    if path is None:
        raise UnsupportedError("no schema: neither ai-edge-litert nor tensorflow is installed")
    spec = importlib.util.spec_from_file_location("tflite_align_schema_py_generated", path)
    if spec is None or spec.loader is None:
        raise UnsupportedError(f"the schema module {path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def _names(enumeration: str) -> dict[int, str]:
    """The names of an enum's values. `enumeration`: the enum's name."""
    values = vars(getattr(schema(), enumeration))
    return {value: key for key, value in values.items() if isinstance(value, int)}


def builtin_name(code: int) -> str:
    """`CONV_2D`, or `BUILTIN#250` for a code the installed schema does not know."""
    return _names("BuiltinOperator").get(code, f"BUILTIN#{code}")


def type_name(code: int) -> str:
    """`int8`, `float32`, ...; `type#57` for a value the installed schema does not know. `code`:
    number of the type.
    """
    return _names("TensorType").get(code, f"type#{code}").lower()


class _Unpacked(Record, frozen=True, kw_only=True):
    """An unpacked model before any change, pickled. `data`: the file, kept alive so that its id
    stays unique.
    """

    data: bytes | memoryview
    pickled: bytes
    arrays: tuple[pickle.PickleBuffer, ...]  # constants, which all copies share

    @classmethod
    def of(cls, data: bytes | memoryview, model: Any) -> _Unpacked:
        """The pickled form of an unpacked model."""
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(model, protocol=5, buffer_callback=arrays.append)
        return cls(data=data, pickled=pickled, arrays=tuple(arrays))

    def copy(self) -> Any:
        """A new, mutable copy of the unpacked model."""
        return pickle.loads(self.pickled, buffers=self.arrays)  # noqa: S301 - pickled by this process


_held: ContextVar[dict[int, _Unpacked] | None] = ContextVar("_held", default=None)


@contextmanager
def unpacked_once() -> Iterator[None]:
    """Within the block each file is unpacked once, which is slow, and copied for every further
    parse.
    """
    if _held.get() is not None:
        yield
        return
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


def parse(data: bytes | memoryview) -> Any:
    """A new, mutable ModelT whose lists are Python lists and whose constants are all inline.

    Raises UnsupportedError if the bytes cannot be unpacked, or a constant is in another file.
    """
    held = _held.get()
    if held is None:
        return _parsed(data)
    found = held.get(id(data))
    if found is not None:
        return found.copy()
    model = _parsed(data)
    held[id(data)] = _Unpacked.of(data, model)
    return model


def _parsed(data: bytes | memoryview) -> Any:
    """A newly unpacked model, see parse."""
    try:
        model = schema().ModelT.InitFromPackedBuf(data, 0)
        _normalize(model, data)
    except UnsupportedError:
        raise
    except Exception as error:  # the generated accessors raise any exception for bad bytes
        raise UnsupportedError(f"the object API cannot unpack the model: {error}") from error
    return model


def _normalize(model: Any, data: bytes | memoryview) -> None:
    """Replace missing vectors by empty lists and read constants from outside the FlatBuffer, in
    place.
    """
    model.operatorCodes = list(model.operatorCodes or [])
    model.buffers = list(model.buffers or [])
    for buffer in model.buffers:
        if buffer.offset > 1:
            end = buffer.offset + buffer.size
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            if end > len(data):
                raise UnsupportedError("a constant lies beyond the end of the file")
        buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        graph.tensors = list(graph.tensors or [])
        graph.operators = list(graph.operators or [])
        graph.inputs, graph.outputs = _integers(graph.inputs), _integers(graph.outputs)
        for operator in graph.operators:
            operator.inputs = _integers(operator.inputs)
            operator.outputs = _integers(operator.outputs)
            operator.intermediates = _integers(operator.intermediates)
        for tensor in graph.tensors:
            if getattr(tensor, "externalBuffer", 0):
                raise UnsupportedError("a constant lies in another file")


def _integers(values: Any) -> list[int]:
    """A vector as a list of Python integers; empty if absent."""
    return [] if values is None else [int(value) for value in values]


def pack(model: Any) -> bytes:
    """The bytes of an unpacked model. Raises UnsupportedError if they would not fit a FlatBuffer."""
    import flatbuffers

    constants = sum(0 if b.data is None else len(b.data) for b in model.buffers)
    if constants > _LARGEST_FLATBUFFER - (1 << 24):
        raise UnsupportedError("the copy would be larger than a flatbuffer can be")
    builder = flatbuffers.Builder(constants + (1 << 20))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
