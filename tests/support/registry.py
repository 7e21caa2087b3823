"""Whether the package registry can be reached, which tests with clean environments need."""

from __future__ import annotations

import subprocess
import sys
from functools import cache


@cache
def registry_missing() -> str:
    """Why nothing can be installed; "" if packages can be installed."""
    command = [sys.executable, "-m", "pip", "index", "versions", "click"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return "the package registry does not answer"
    return "" if ran.returncode == 0 else "the package registry cannot be reached"
