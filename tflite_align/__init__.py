"""Make the quantization contract of a finished .tflite file hold.

`align(data)` makes it hold, `check(data)` says what is broken; bytes in, bytes and a report out.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers take it for typing's. That module is not imported here: it takes longest of what
# comes before cli/entry.py, and Ctrl-C until then prints a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .checks.checker import Finding
    from .checks.overrides import Override
    from .errors import (
        AlignError,
        FormatError,
        NotAlignedError,
        RuleError,
        UnsupportedError,
        UsageError,
    )
    from .pipeline.aligning import AlignResult, Progress, align
    from .pipeline.checking import check
    from .repair.planner.changes import Change
    from .report.report import Report
    from .rules.targets import Target, load_target, target_names
    from .settings.options import AlignOptions
    from .verdicts import Verification

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
    "Report",
    "RuleError",
    "Target",
    "UnsupportedError",
    "UsageError",
    "Verification",
    "__version__",
    "align",
    "check",
    "load_target",
    "target_names",
]

# Where each name is: imported when it is asked for, so that `--help` needs no numpy.
_ROOMS = {
    "Finding": "checks.checker",
    "AlignError": "errors",
    "FormatError": "errors",
    "NotAlignedError": "errors",
    "RuleError": "errors",
    "UnsupportedError": "errors",
    "UsageError": "errors",
    "AlignOptions": "settings.options",
    "Override": "checks.overrides",
    "AlignResult": "pipeline.aligning",
    "Progress": "pipeline.aligning",
    "align": "pipeline.aligning",
    "check": "pipeline.checking",
    "Change": "repair.planner.changes",
    "Report": "report.report",
    "Target": "rules.targets",
    "load_target": "rules.targets",
    "target_names": "rules.targets",
    "Verification": "verdicts",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
