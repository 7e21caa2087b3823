"""Default memory limit of a verification."""

from __future__ import annotations

__all__ = ["MEMORY"]

MEMORY = 2 << 30  # bytes that inputs and running models may take
