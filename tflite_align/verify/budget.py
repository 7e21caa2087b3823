"""What a verification may take unless the caller says otherwise."""

from __future__ import annotations

__all__ = ["MEMORY"]

MEMORY = 2 << 30  # bytes that its inputs and the models that are run may take
