"""What a conformance case needs about an operator: its operands and its reference function on real
values.

A maker takes the activation type and returns a `Form`. Parameters, integers, the file and what
violates a rule follow from the operator's row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tests.support.models import GraphSpec, OperatorSpec, TensorSpec
from tflite_align.record import Record

Array = NDArray[Any]
Reference = Callable[..., Sequence[Array] | Array]

ALL = ("int8", "uint8", "int16")
BYTES = ("int8", "uint8")

# Types without parameters that kernels have in common (measured: LiteRT 2.3.0, x86-64).
PLAIN_NUMBERS = ("float32", "int32", "int64")
PLAIN_MOVED = ("float32", "float16", "bool", "int32", "int64")
PLAIN_ANY = (*PLAIN_MOVED, "float64", "uint16", "uint32", "uint64")


def no_answer(*_: Array) -> list[Array]:
    """The reference of a form that is only run, without comparing values."""
    return []


class Operand(Record, frozen=True, kw_only=True):
    """One operand.

    data: an activation the caller feeds; constant: the same, stored in the file; weight: a
    symmetric constant with one scale a channel along `axis` (or one, if None); bias: an integer
    constant whose scale the row's rule gives; plain: integers without parameters; state: a
    variable that starts at zero; absent: an optional operand left out.
    `span` is the range of real values it is to hold.
    """

    role: Literal["data", "constant", "weight", "bias", "plain", "state", "absent"]
    shape: tuple[int, ...] = ()
    span: tuple[float, float] = (-4.0, 4.0)
    axis: int | None = None
    type: str = ""  # the tensor's type; empty: the activation type
    values: Array | None = None  # values of a plain operand
    whole: bool = False  # whole numbers, some of them equal in two operands


class Output(Record, frozen=True, kw_only=True):
    """An output tensor. `type` empty: the activation type, with parameters; else a plain one."""

    shape: tuple[int, ...]
    type: str = ""


class Form(Record, frozen=True, kw_only=True):
    """An operator's operands and function.

    `reference` maps the real (or plain) values of all present operands, in order, to those of the
    outputs; NaN where both results of a comparison are accepted. `tolerance`: steps of the output,
    beyond the last rounding. `operators`: all operators of the main subgraph if the operator cannot
    stand alone; operands are named i0, i1, ..., outputs o0, o1, ..., and `inner` tensors;
    `subgraphs` are the further ones. `runs_only`: only acceptance is tested, not values. `raw`: the
    operator copies integers, whatever the parameters.
    """

    inputs: tuple[Operand, ...]
    outputs: tuple[Output, ...]
    reference: Reference = no_answer
    options: tuple[str, Mapping[str, Any]] | None = None
    tolerance: float = 0.0
    version: int = 1  # smallest version with a registered kernel
    operators: tuple[OperatorSpec, ...] = ()
    inner: tuple[TensorSpec, ...] = ()
    subgraphs: tuple[GraphSpec, ...] = ()
    runs_only: bool = False
    raw: bool = False


class Maker(Record, frozen=True, kw_only=True):
    """`types`: the quantized activation types; `plain`: those without parameters for which the
    operator is well formed.
    """

    name: str
    types: tuple[str, ...]
    plain: tuple[str, ...]
    make: Callable[[str], Form]


MAKERS: dict[str, Maker] = {}


def maker(
    *names: str, types: tuple[str, ...] = ALL, plain: tuple[str, ...] = ("float32",)
) -> Callable[..., Callable[..., Form]]:
    """Register a function of the activation type (and, for several names, of the name)."""

    def register(make: Callable[..., Form]) -> Callable[..., Form]:
        for name in names:
            assert name not in MAKERS, f"{name} has a maker already"
            made = make if len(names) == 1 else _named(make, name)
            MAKERS[name] = Maker(name=name, types=types, plain=plain, make=made)
        return make

    return register


def _named(make: Callable[..., Form], name: str) -> Callable[[str], Form]:
    return lambda type_name: make(type_name, name)


def data(
    *shape: int,
    span: tuple[float, float] = (-4.0, 4.0),
    type_name: str = "",
    whole: bool = False,
) -> Operand:
    return Operand(role="data", shape=shape, span=span, type=type_name, whole=whole)


def constant(*shape: int, span: tuple[float, float] = (-4.0, 4.0), type_name: str = "") -> Operand:
    return Operand(role="constant", shape=shape, span=span, type=type_name)


def text(*words: str) -> Operand:
    """A constant tensor of strings."""
    values = np.array([word.encode() for word in words], dtype=object)
    return Operand(role="plain", shape=values.shape, type="string", values=values)


def plain(values: Any, type_name: str = "int32") -> Operand:
    array = np.asarray(values, dtype=type_name)
    return Operand(role="plain", shape=array.shape, type=type_name, values=array)


def weight(*shape: int, axis: int | None = None, type_name: str = "int8") -> Operand:
    return Operand(role="weight", shape=shape, span=(-1.0, 1.0), axis=axis, type=type_name)


def bias(count: int, type_name: str) -> Operand:
    return Operand(role="bias", shape=(count,), span=(-1.0, 1.0), type=type_name)


def output(*shape: int, type_name: str = "") -> Output:
    return Output(shape=shape, type=type_name)
