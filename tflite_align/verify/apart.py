"""Runs a function of this package in a process of its own, with limits on memory and time.

The function gets bytes and saves bytes; the caller reads what was saved, and decides what it is. The
process is that of a judge (process.py), with a smaller address space.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..record import Record
from .process import Ended, run_tool, useful_line, workspace

__all__ = ["Outcome", "run_apart", "serve"]

_PACKAGE = Path(__file__).resolve().parents[1]
# This package, wherever it is installed, and nothing else from its folder.
_BOOT = """
import sys
from importlib import import_module, util
workplace, package, module = sys.argv[1:]
spec = util.spec_from_file_location(
    "tflite_align", package + "/__init__.py", submodule_search_locations=[package]
)
sys.modules["tflite_align"] = made = util.module_from_spec(spec)
spec.loader.exec_module(made)
from tflite_align.verify.apart import serve
sys.exit(serve(workplace, import_module(module).answered))
"""
_INTERPRETER = 1 << 30  # bytes of address space that Python and its libraries may take
_NO_MEMORY = 3  # exit status
_REQUEST, _MODEL, _ANSWER = "request", "model.tflite", "answer"

Save = Callable[[bytes], None]


class Outcome(Record, frozen=True, kw_only=True):
    """What a process saved last, empty if nothing, and why it ended too early: `memory`, `time`, or
    the end in words; "" if it finished.
    """

    saved: bytes
    failure: str


def run_apart(
    module: str, request: bytes, data: bytes | memoryview, *, memory: int, seconds: float
) -> Outcome:
    """Call `answered(request, data, save)` of a module of this package in a process that may take
    `memory` bytes and `seconds`. `module`: its full name; `data`: the model's bytes.
    """
    with workspace() as folder:
        (folder / _REQUEST).write_bytes(request)
        (folder / _MODEL).write_bytes(data)
        command = [sys.executable, "-P", "-c", _BOOT, str(folder), str(_PACKAGE), module]
        ended = run_tool(command, folder, seconds=seconds, space=memory + _INTERPRETER)
        answer = folder / _ANSWER
        saved = answer.read_bytes() if answer.exists() else b""
    return Outcome(saved=saved, failure=_failure(ended))


def _failure(ended: Ended) -> str:
    """Why the process ended too early; "" if it finished."""
    if ended.code == 0:
        return ""
    if ended.code is None:
        return "time"
    words = useful_line(ended.errors)
    if ended.code == _NO_MEMORY or "bad_alloc" in ended.errors or "MemoryError" in ended.errors:
        return "memory"
    return f"exit status {ended.code}: {words}" if words else f"exit status {ended.code}"


def serve(workplace: str, function: Callable[[bytes, bytes, Save], None]) -> int:
    """The process's side of run_apart(): its exit status. `workplace`: the folder with the request."""
    folder = Path(workplace)

    def save(answer: bytes) -> None:
        """Replace the answer as a whole, so that the caller never reads a part of one."""
        (folder / "saving").write_bytes(answer)
        os.replace(folder / "saving", folder / _ANSWER)  # noqa: PTH105 - one call

    try:
        function((folder / _REQUEST).read_bytes(), (folder / _MODEL).read_bytes(), save)
    except MemoryError:
        return _NO_MEMORY
    return 0
