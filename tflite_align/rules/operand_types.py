"""Patterns of operand types such as `T T int32|int64|- > T : int8 uint8`, used in rows of kernels.

A pattern has a type for each input, then `>`, then one for each output. `a|b`: either; `-`: an
optional operand given as -1; `~`: an operand left out at the end; `any`: every type; `*` after the
last name of a side: one or more of them. `T` is one of the types after the colon, the same at all
positions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..format.enums import TENSOR_TYPES
from ..record import Record
from . import fields as f
from .known_names import suggestion

__all__ = [
    "ABSENT",
    "ANY",
    "KNOWN_TYPES",
    "LEFT_OUT",
    "OperandTypes",
    "Pattern",
    "PatternText",
    "parse_pattern",
]

ABSENT = "-"
LEFT_OUT = "~"
ANY = "any"
# Types with which every operator was measured; other types are known only where a row names them.
KNOWN_TYPES = frozenset(
    {
        ABSENT,
        "bool",
        "float16",
        "float32",
        "int16",
        "int32",
        "int4",
        "int64",
        "int8",
        "uint8",
    }
)
_VARIABLE = "T"
_NAME = re.compile(r"[^\s|>:*]+")
_WORDS = frozenset({*TENSOR_TYPES, ABSENT, LEFT_OUT, ANY, _VARIABLE})


class OperandTypes(Record, frozen=True):
    """The operand types of one operator; ABSENT for an optional input that is given as -1."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([*self.inputs, ">", *self.outputs])


class _Token(Record, frozen=True):
    """The types that a pattern allows at one position. `first`: the one named first; `many`: the
    position may be repeated.
    """

    names: frozenset[str]
    first: str  # the name that a repair writes
    many: bool = False

    def takes(self, name: str, chosen: str) -> bool:
        """Whether a type is allowed; `chosen`: the type that `T` stands for."""
        if name in self.names or (name == chosen and _VARIABLE in self.names):
            return True
        return ANY in self.names and name not in (ABSENT, LEFT_OUT)

    def wanted(self, name: str, chosen: str) -> str:
        """The type itself if it is allowed, else the type to use instead; `chosen`: the type that
        `T` stands for.
        """
        if self.takes(name, chosen):
            return name
        return chosen if self.first == _VARIABLE else self.first


class Pattern(Record, frozen=True):
    """Combinations of operand types that belong together; `types`: the types that `T` may be."""

    text: str
    inputs: tuple[_Token, ...]
    outputs: tuple[_Token, ...]
    types: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """Every type that the pattern names."""
        return frozenset(self.types).union(*(t.names for t in (*self.inputs, *self.outputs)))

    def matches(self, operand_types: OperandTypes) -> bool:
        """Whether the operand types match the pattern."""
        return any(signature == operand_types for signature in self.nearest(operand_types))

    def nearest(self, operand_types: OperandTypes) -> Iterator[OperandTypes]:
        """For each type that the pattern's `T` may be (once if it has no `T`): the operand types
        that match the pattern and differ least from `operand_types`.

        Empty if the pattern cannot have that many operands.
        """
        inputs = _spread(self.inputs, len(operand_types.inputs))
        outputs = _spread(self.outputs, len(operand_types.outputs))
        if inputs is None or outputs is None or len(outputs) != len(operand_types.outputs):
            return
        lacking = (LEFT_OUT,) * (len(inputs) - len(operand_types.inputs))
        for chosen in self.types or ("",):
            names = list(_wanted(inputs, (*operand_types.inputs, *lacking), chosen))
            while names and names[-1] == LEFT_OUT:
                names.pop()
            yield OperandTypes(tuple(names), _wanted(outputs, operand_types.outputs, chosen))


def _wanted(tokens: Sequence[_Token], names: Sequence[str], chosen: str) -> tuple[str, ...]:
    """The types to use for operands of the types `names`. `tokens`: types of a pattern; `chosen`:
    the type for its variable T.
    """
    return tuple(token.wanted(name, chosen) for token, name in zip(tokens, names, strict=True))


def _spread(tokens: tuple[_Token, ...], count: int) -> tuple[_Token, ...] | None:
    """A token for each of `count` operands: the last one as often as it is needed. None if there
    are more operands than the pattern allows; fewer are allowed.
    """
    if tokens and tokens[-1].many and count > len(tokens):
        return (*tokens, *(tokens[-1] for _ in range(count - len(tokens))))
    return tokens if count <= len(tokens) else None


def parse_pattern(text: str) -> Pattern:
    """The pattern that a text describes; ValueError for a text that is no pattern."""
    body, _, types = text.partition(":")
    sides = body.split(">")
    if len(sides) != 2:
        raise ValueError(f"{text!r} has no '>' between inputs and outputs")
    for name in _NAME.findall(text):
        if name not in _WORDS:
            hint = suggestion(name, TENSOR_TYPES)
            raise ValueError(f"{text!r}: {name!r} is not a tensor type{hint}")
    inputs, outputs = (tuple(_token(name) for name in side.split()) for side in sides)
    tokens = (*inputs, *outputs)
    if any(_VARIABLE in token.names for token in tokens) is not bool(types.split()):
        raise ValueError(f"{text!r}: T must stand for the types listed behind ':'")
    return Pattern(text, inputs, outputs, tuple(types.split()))


def _token(text: str) -> _Token:
    """The allowed types at one position, from its text."""
    names = text.removesuffix("*").split("|")
    return _Token(frozenset(names), names[0], many=text.endswith("*"))


if TYPE_CHECKING:
    PatternText = Pattern
else:

    class PatternText(metaclass=f.Reading):
        """The field type of a pattern's text."""

        form = str
        called = "a string"
        read = staticmethod(parse_pattern)
