"""Outside judges: whether the aligned file runs, and computes what it declares.

Every native runtime and compiler runs in a process of its own and is imported only there.
"""

from .judges import JUDGES, available, judge_file
from .prove import DEFAULT_JUDGES, prove

__all__ = ["DEFAULT_JUDGES", "JUDGES", "available", "judge_file", "prove"]
