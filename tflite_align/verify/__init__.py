"""Outside judges: whether the aligned file runs, and computes what it declares.

Every native runtime and compiler runs in a process of its own and is imported only there.
"""

from .calibration import check_calibration
from .judges import JUDGES, available, judge_file
from .levels import bias_readings, declared_levels
from .observe import Observed, observe
from .prove import DEFAULT_JUDGES, prove

__all__ = [
    "DEFAULT_JUDGES",
    "JUDGES",
    "Observed",
    "available",
    "bias_readings",
    "check_calibration",
    "declared_levels",
    "judge_file",
    "observe",
    "prove",
]
