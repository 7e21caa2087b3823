"""align() and check(): bytes in, bytes and a report out; no files."""

from ..options import AlignOptions
from .aligning import AlignResult, Progress, Question, align, question
from .checking import check
from .judged import lock

__all__ = [
    "AlignOptions",
    "AlignResult",
    "Progress",
    "Question",
    "align",
    "check",
    "lock",
    "question",
]
