"""Checks and alignments of many models, in any store, on any executor: `run` is the entry point."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..report.shard_lines import Shard
    from .chunk_work import Result
    from .door import run
    from .local_pool import LocalPool
    from .model_listing import ModelFile
    from .named_errors import Failure

__all__ = ["Failure", "LocalPool", "ModelFile", "Result", "Shard", "run"]

# Name -> module, imported on first access, as in the package.
_ROOMS = {
    "Failure": "named_errors",
    "LocalPool": "local_pool",
    "ModelFile": "model_listing",
    "Result": "chunk_work",
    "Shard": "..report.shard_lines",
    "run": "door",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOMS[name]}", __name__), name)
