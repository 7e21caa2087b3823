"""Operators of variables and hash tables. They pass a handle on, so that each model needs all of
them.
"""

from __future__ import annotations

import numpy as np

from tests.rules.operators.graphs import resource, tensor
from tests.rules.operators.operands import Array, Form, data, maker, output
from tests.support.models import OperatorSpec

HANDLE = OperatorSpec(
    name="VAR_HANDLE",
    inputs=[],
    outputs=["handle"],
    options=("VarHandleOptions", {"container": "", "sharedName": "variable"}),
)
READ = OperatorSpec(
    name="READ_VARIABLE", inputs=["handle"], outputs=["o0"], options=("ReadVariableOptions", {})
)


def assign(source: str) -> OperatorSpec:
    return OperatorSpec(
        name="ASSIGN_VARIABLE",
        inputs=["handle", source],
        outputs=[],
        options=("AssignVariableOptions", {}),
    )


HELD = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")


@maker("VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", types=(), plain=HELD)
def _variable(_: str, _name: str) -> Form:
    """A variable is assigned and read."""
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6),),
        reference=lambda x: x,
        operators=(HANDLE, assign("i0"), READ),
        inner=(resource("handle"),),
    )


_INT64, _STRING = 4, 5  # TensorType codes of the schema
_WORDS = np.array([b"one", b"two", b"three"], dtype=object)


@maker(
    "HASHTABLE",
    "HASHTABLE_FIND",
    "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE",
    types=(),
    plain=("int64",),
)
def _hashtable(_: str, _name: str) -> Form:
    """A hash table of three words: its size, and the word for a number."""

    def find(wanted: Array) -> list[Array]:
        found = [_WORDS[key] if 0 <= key < 3 else b"none" for key in wanted]
        return [np.array(found, dtype=object), np.array([3])]

    table = {"tableId": 1, "keyDtype": _INT64, "valueDtype": _STRING}
    steps: tuple[tuple[str, list[str], list[str], tuple[str, dict[str, int]]], ...] = (
        ("HASHTABLE", [], ["handle"], ("HashtableOptions", table)),
        ("HASHTABLE_IMPORT", ["handle", "keys", "words"], [], ("HashtableImportOptions", {})),
        ("HASHTABLE_FIND", ["handle", "i0", "none"], ["o0"], ("HashtableFindOptions", {})),
        ("HASHTABLE_SIZE", ["handle"], ["o1"], ("HashtableSizeOptions", {})),
    )
    return Form(
        inputs=(data(5),),
        outputs=(output(5, type_name="string"), output(1, type_name="int64")),
        reference=find,
        operators=tuple(
            OperatorSpec(name=name, inputs=given, outputs=made, options=options)
            for name, given, made, options in steps
        ),
        inner=(
            resource("handle"),
            tensor("keys", "int64", 3, data=np.arange(3)),
            tensor("words", "string", 3, data=_WORDS),
            tensor("none", "string", 1, data=np.array([b"none"], dtype=object)),
        ),
    )
