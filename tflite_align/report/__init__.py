"""Reports: the record, and pure functions that render it."""

from .record import FORMAT, Outcome, Report, Size

__all__ = ["FORMAT", "Outcome", "Report", "Size"]
