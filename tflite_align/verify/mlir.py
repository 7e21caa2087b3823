"""The judge `mlir`: LiteRT's MLIR dialect, whose operator verifiers run when a file is loaded.

Arm's tosa-converter-for-tflite loads the file into that dialect and lowers it to TOSA. Errors of
importer and verifiers are the verdict; failures of the lowering are not. Messages are those of
version 2026.2.0.
"""

from __future__ import annotations

import importlib.util
import re
import sys

from ..errors import AlignError
from ..format.model import Operator, Subgraph
from ..format.reader import read
from ..numerics import Label, close_scale
from ..verdicts import Acceptance
from .process import Ended, acceptance, run_tool, useful_line, workspace

__all__ = ["available", "judge", "parse_words", "verdict"]

PACKAGE = "tosa-converter-for-tflite"
# The code of the tool's script, which need not be on the PATH.
_RUN = "from tosa_converter_for_tflite.cli import main; main()"
# The last line of the tool's output tells where it failed: before the dialect, or in the lowering.
_NOT_LOADED = "Could not convert the TFLite model to its MLIR representation"
_NOT_LOWERED = "Could not legalize the TFLite model to TOSA"
_ERROR = re.compile(r"^(?:(.*?): )?error: (.*?)\s*$", re.MULTILINE)
_NAMES = re.compile(r'"((?:[^"\\]|\\.)*)"\("')  # loc("name"("model.tflite":0:0))
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)")
_KIND = re.compile(r"^'tfl\.(\w+)' op ")
# !quant.uniform<i8:f32, 0.05:-128>: per tensor, also with a narrow range.
_PARAMETERS = re.compile(r"!quant\.uniform<[iu]\d+(?:<[^>]*>)?:f32, ([-+.\dEe]+)(?::(-?\d+))?>")
# Dialect's operator name -> schema name, where it is not the schema name in lower case.
_OTHER_NAMES = {"BASIC_LSTM": "LSTM"}


def available() -> str | None:
    """None when tosa-converter-for-tflite is installed, else why the judge is skipped."""
    if importlib.util.find_spec("tosa_converter_for_tflite"):
        return None
    if sys.platform not in ("linux", "win32"):
        return f"{PACKAGE}: no wheel for this platform"
    return f"{PACKAGE} is not installed (extra: mlir)"


def judge(data: bytes | memoryview, _: str, seconds: float) -> Acceptance:
    """Load the file into LiteRT's MLIR dialect; accepted means that the importer and every operator
    verifier accept it. `seconds`: time limit.

    An operator without a lowering to TOSA makes the tool fail as well: that is reported as a figure
    and is no refusal.
    """
    with workspace() as folder:
        (folder / "model.tflite").write_bytes(data)
        command = [sys.executable, "-P", "-c", _RUN, "model.tflite", "-o", "model.tosa"]
        ended = run_tool(command, folder, seconds=seconds)
    return verdict(ended, data)


def verdict(ended: Ended, data: bytes | memoryview) -> Acceptance:
    """The acceptance that follows from the tool's output and exit status. `data`: the file, to find
    the operator that an error names.
    """
    if ended.code not in (0, 1):
        return acceptance(ended)
    where, words = parse_words(ended.errors)
    if ended.code == 1 and _NOT_LOADED in ended.errors:
        reason = words or useful_line(ended.errors)
        return Acceptance(status="refused", reason=reason, operator=_operator(where, words, data))
    if ended.code == 1 and _NOT_LOWERED not in ended.errors:
        return acceptance(ended)  # the tool did not start: no verdict
    facts = (("not lowered to TOSA", words),) if words else ()
    return Acceptance(status="accepted", facts=facts)


def parse_words(text: str) -> tuple[tuple[str, ...], str]:
    """(names in the location of the first printed error: tensors that the operator writes; its
    message); empty if there is none. This line is more reliable than the exit status.
    """
    match = _ERROR.search(text)
    if match is None:
        return (), ""
    names = tuple(_plain(name) for name in _NAMES.findall(match[1] or ""))
    return names, match[2]


def _plain(name: str) -> str:
    """A name as the file has it: MLIR prints special characters as two hex digits."""

    def character(escape: re.Match[bytes]) -> bytes:
        """The byte for one escape sequence of the message."""
        code = escape[1]
        return bytes.fromhex(code.decode()) if len(code) == 2 else code

    return _ESCAPED.sub(character, name.encode()).decode(errors="replace")


def _operator(names: tuple[str, ...], words: str, data: bytes | memoryview) -> int | None:
    """The index of the operator of subgraph 0 to which the error refers, if exactly one fits: its
    type, a tensor that it writes, and the printed parameters. None otherwise. `names`: locations in
    the message; `words`: its text.
    """
    operator_match = _KIND.match(words)
    if operator_match is None and not names:
        return None
    try:
        model = read(data)
    except AlignError:
        return None
    upper = operator_match[1].upper() if operator_match else ""
    kinds = {upper, _OTHER_NAMES.get(upper, upper)} if operator_match else set()
    labels = [Label(float(scale), int(point or 0)) for scale, point in _PARAMETERS.findall(words)]
    candidates = [
        (graph.index, operator.index)
        for graph in model.subgraphs
        for operator in graph.operators
        if (not kinds or operator.name in kinds)
        and (not names or any(graph.tensors[t].name in names for t in operator.outputs if t >= 0))
        and _has(graph, operator, labels)
    ]
    return candidates[0][1] if len(candidates) == 1 and candidates[0][0] == 0 else None


def _has(graph: Subgraph, operator: Operator, labels: list[Label]) -> bool:
    """Whether each of these labels is that of an operand of the operator."""
    tensors = [graph.tensors[t] for t in (*operator.inputs, *operator.outputs) if t >= 0]
    labels_here = [tensor.label for tensor in tensors if tensor.label is not None]
    return all(
        any(
            label.zero_point == o.zero_point and close_scale(label.scale, o.scale)
            for o in labels_here
        )
        for label in labels
    )
