"""What belongs to no operator: operator codes that are not used, and sizes of -1. LiteRT registers
and allocates all of them, and refuses the file.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as fb

from tests.support.models import Graph
from tflite_align import check
from tflite_align.verify import litert

SECONDS = 60.0
Edit = Callable[[Any], None]


def absolute() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("ABS", ["x"], ["y"])
    return graph.bytes(["x"], ["y"])


def edited(data: bytes, edit: Edit) -> bytes:
    model = fb.ModelT.InitFromPackedBuf(data, 0)
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_code(code: int, version: int = 1, custom: bytes | None = None) -> Edit:
    """Adds an operator code that no operator uses."""

    def edit(model: Any) -> None:
        made = fb.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode = code, min(code, 127)
        made.version, made.customCode = version, custom
        model.operatorCodes = [*model.operatorCodes, made]

    return edit


def with_tensor(shape: tuple[int, ...], kind: int | None = None) -> Edit:
    """Adds a tensor that no operator uses."""

    def edit(model: Any) -> None:
        graph = model.subgraphs[0]
        made = copy.copy(graph.tensors[0])
        made.name, made.shape = b"unused", list(shape)
        made.type = made.type if kind is None else kind
        graph.tensors = [*graph.tensors, made]

    return edit


def with_input(shape: tuple[int, ...]) -> Edit:
    """Gives every tensor this shape."""

    def edit(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.shape = list(shape)

    return edit


CODES = fb.BuiltinOperator
# Edit -> the rule that LiteRT's refusal has, "" if it takes the file.
EDITS: dict[str, tuple[Edit, str]] = {
    "a known code": (with_code(CODES.ADD), ""),
    "a later version": (with_code(CODES.ADD, 99), "support/MODEL/codes"),
    "no version": (with_code(CODES.ADD, 0), "support/MODEL/codes"),
    "an unknown code": (with_code(250), "support/MODEL/codes"),
    "no kernel": (with_code(CODES.CALL), "support/MODEL/codes"),
    "a custom code": (with_code(CODES.CUSTOM, custom=b"Mine"), ""),
    "a custom code without a name": (with_code(CODES.CUSTOM), "support/MODEL/codes"),
    "an unused size": (with_tensor((-1, 4)), "support/MODEL/sizes"),
    "strings": (with_tensor((-1, 4), fb.TensorType.STRING), ""),
    "an input": (with_input((-1, 4, 4, 3)), "support/MODEL/sizes"),
}


def errors(data: bytes, target: str) -> set[str]:
    """The rules of the errors, without those of the Edge TPU's compiler."""
    found = check(data, targets=(target,)).findings
    return {f.rule for f in found if f.severity == "error" and f.rule != "support/ABS/static"}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflite", "edgetpu"])
def test_what_litert_refuses_is_an_error(name: str, target: str) -> None:
    edit, rule = EDITS[name]
    assert errors(edited(absolute(), edit), target) == ({rule} if rule else set())


@pytest.mark.parametrize("name", EDITS)
def test_tflm_looks_only_at_what_operators_use(name: str) -> None:
    rules = {"support/ABS/sizes"} if name == "an input" else set()
    assert errors(edited(absolute(), EDITS[name][0]), "tflm") == rules


def test_the_messages_name_the_entry() -> None:
    (code,) = check(edited(absolute(), EDITS["a later version"][0]), targets=("litert",)).findings
    assert "found operator_codes[1], unused: ADD version 99" in code.message
    (size,) = check(edited(absolute(), EDITS["an unused size"][0]), targets=("litert",)).findings
    assert "found subgraph[0]/tensor[2] 'unused' of shape [-1, 4]" in size.message


@pytest.mark.backends
@pytest.mark.parametrize("name", EDITS)
def test_litert_refuses_them(name: str) -> None:
    edit, rule = EDITS[name]
    status = litert.judge(edited(absolute(), edit), "litert", SECONDS).status
    assert status == ("refused" if rule else "accepted")
