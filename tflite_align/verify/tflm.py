"""Judge: LiteRT for Microcontrollers (the tflite-micro wheel)."""

from __future__ import annotations

import importlib.util
import re
import sys

from ..record import replace
from ..verdicts import Acceptance
from .process import acceptance, call_worker, workspace

__all__ = ["arena_facts", "available", "judge"]

_ARENA = re.compile(r"Arena allocation total (\d+) bytes")


def available() -> str | None:
    """None when tflite-micro is installed, else why the judge is skipped."""
    if importlib.util.find_spec("tflite_micro"):
        return None
    if sys.platform != "linux":
        return "tflite-micro: no wheel for this platform"
    return "tflite-micro is not installed (extra: tflm)"


def judge(data: bytes | memoryview, kernels: str, seconds: float) -> Acceptance:
    """Load the file, allocate and invoke once on zeros, in at most `seconds`; the arena's size in
    bytes is reported as a figure. `kernels`: name of the kernel set.
    """
    with workspace() as folder:
        model = folder / "model.tflite"
        model.write_bytes(data)
        request = {"task": "accept", "model": str(model), "kernels": kernels, "threads": 1}
        ended = call_worker(request, folder, seconds=seconds)
        answer = acceptance(ended)
    return replace(answer, facts=answer.facts + arena_facts(ended.errors))


def arena_facts(log: str) -> tuple[tuple[str, str], ...]:
    """(("arena bytes", "10240"),) from TFLM's log of its allocations; empty if it printed none."""
    matches = _ARENA.findall(log)
    return (("arena bytes", matches[-1]),) if matches else ()
