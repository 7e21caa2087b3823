"""Judges: LiteRT's builtin kernels, its reference kernels, and its default (XNNPACK) delegate."""

from __future__ import annotations

import importlib.util

from ..verdicts import Acceptance
from .process import acceptance, call_worker, workspace

__all__ = ["available", "judge"]


def available() -> str | None:
    """None when an interpreter is installed, else why the judge is skipped."""
    if any(importlib.util.find_spec(name) for name in ("ai_edge_litert", "tensorflow")):
        return None
    return "neither ai-edge-litert nor tensorflow is installed"


def judge(data: bytes | memoryview, kernels: str, seconds: float) -> Acceptance:
    """Load the file, allocate and invoke once on zeros. `kernels`: litert, litert-ref or xnnpack;
    `seconds`: time limit.
    """
    with workspace() as folder:
        model = folder / "model.tflite"
        model.write_bytes(data)
        request = {"task": "accept", "model": str(model), "kernels": kernels, "threads": 2}
        return acceptance(call_worker(request, folder, seconds=seconds))
