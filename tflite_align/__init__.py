"""Make the quantization contract of a finished .tflite file hold.

`align(data)` makes it hold, `check(data)` says what is broken; bytes in, bytes and a report out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checker import Finding
    from .errors import (
        AlignError,
        FormatError,
        NotAlignedError,
        RuleError,
        UnsupportedError,
        UsageError,
    )
    from .options import AlignOptions
    from .overrides import Override
    from .pipeline import AlignResult, Progress, align, check
    from .planner import Change
    from .report import Report
    from .rules import Target, load_target, target_names
    from .verdicts import Proof

__version__ = "0.1.0"

__all__ = [
    "AlignError",
    "AlignOptions",
    "AlignResult",
    "Change",
    "Finding",
    "FormatError",
    "NotAlignedError",
    "Override",
    "Progress",
    "Proof",
    "Report",
    "RuleError",
    "Target",
    "UnsupportedError",
    "UsageError",
    "__version__",
    "align",
    "check",
    "load_target",
    "target_names",
]

# Where each name is: imported when it is asked for, so that `--help` needs no numpy.
_ROOMS = {
    "Finding": "checker",
    "AlignError": "errors",
    "FormatError": "errors",
    "NotAlignedError": "errors",
    "RuleError": "errors",
    "UnsupportedError": "errors",
    "UsageError": "errors",
    "AlignOptions": "options",
    "Override": "overrides",
    "AlignResult": "pipeline",
    "Progress": "pipeline",
    "align": "pipeline",
    "check": "pipeline",
    "Change": "planner",
    "Report": "report",
    "Target": "rules",
    "load_target": "rules",
    "target_names": "rules",
    "Proof": "verdicts",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
