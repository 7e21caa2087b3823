"""Reports: the record, and pure functions that render it."""

from .record import FORMAT, Outcome, Report, Size, Unread

__all__ = ["FORMAT", "Outcome", "Report", "Size", "Unread"]
