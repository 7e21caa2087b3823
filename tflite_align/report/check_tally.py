"""Totals and the table of `check` on many files."""

from __future__ import annotations

from collections import Counter

from ..record import Record, field
from .batch_lines import told_words
from .report import Report, Unread
from .section import Row
from .terminal_text import plural, printable

__all__ = ["CHECK_HEAD", "CheckTally"]

_REASONS = 20  # reasons for a failure that are kept for the message
CHECK_HEAD = ("file", "errors", "warnings", "accepted", "judges", "")


class CheckTally(Record, kw_only=True):
    """Totals over the checked files, and the rows of the table.

    `rows`: the most rows to show, None for all. Files that fail come first. Only rows that can be
    shown are kept in memory.
    """

    rows: int | None
    exit_status: int = 0
    _clean: int = 0
    _broken: int = 0
    _unread: int = 0
    _remaining: int = 0
    _reasons: list[str] = field(default_factory=list)
    _words: Counter[str] = field(default_factory=Counter)
    _severities: Counter[str] = field(default_factory=Counter)
    _passing: list[Row] = field(default_factory=list)
    _failing: list[Row] = field(default_factory=list)
    _unreadable: list[Row] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of files."""
        return self._clean + self._broken + self._unread

    @property
    def why(self) -> str:
        """Why a lock or header, which needs a run without failures, is not written; "" if it may
        be.
        """
        if self._unread:
            return f"{plural(self._unread, 'file')} could not be read"
        return "; ".join(self._reasons)

    @property
    def listed(self) -> str:
        """The number of findings for a baseline of this run, as text: `3 findings of 2 files`."""
        return (
            f"{plural(self._remaining, 'finding')} of {plural(self._clean + self._broken, 'file')}"
        )

    def add(self, outcome: Report | Unread) -> None:
        """Count one file, and keep its row if it may be shown."""
        if isinstance(outcome, Unread):
            self._unread += 1
            self.exit_status = 2
            row: Row = (outcome.name, "", "", "", "", "could not be read")
            lines = self._unreadable
        else:
            self._severities.update(finding.severity for finding in outcome.open)
            self._remaining += len(outcome.remaining)
            if len(self._reasons) < _REASONS:
                self._reasons += outcome.reasons
            if outcome.verification is not None:
                self._words[outcome.verification.word] += 1
            self._broken += bool(outcome.open)
            self._clean += not outcome.open
            self.exit_status = max(self.exit_status, outcome.exit_status)
            well = self.rows is None or not outcome.exit_status
            lines, row = self._passing if well else self._failing, _row(outcome)
        if self.rows is None or len(lines) < self.rows:
            lines.append(tuple(map(printable, row)))

    def table(self) -> tuple[list[Row], int]:
        """(rows to show, number of rows left out)."""
        rows = [*self._failing, *self._passing]
        if self.rows is not None:
            rows = rows[: max(self.rows - len(self._unreadable), 0)]
        rows += self._unreadable
        return rows, self.total - len(rows)

    def closing(self) -> str:
        """The closing line: `3 files checked: 1 clean, 2 with findings (4 errors, 1 warning)`."""
        parts = [f"{self._clean:,} clean"]
        if self._broken:
            named = [
                plural(self._severities[s], s) for s in ("error", "warning") if self._severities[s]
            ]
            parts.append(f"{self._broken:,} with findings ({', '.join(named)})")
        read = plural(self._clean + self._broken, "file")
        sentence = f"{read} checked: {', '.join(parts)}"
        sentence += f"; {told_words(self._words).removesuffix('; ')}" if self._words else ""
        sentence += f"; {self._unread:,} could not be read" if self._unread else ""
        return printable(sentence)


def _row(report: Report) -> Row:
    """The table row of one file."""
    severities = Counter(finding.severity for finding in report.open)
    judges = report.verification.judges if report.verification is not None else ()
    statuses = Counter(verdict.after.status for verdict in judges)
    status_text = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    counted = (severities["error"], severities["warning"], len(report.accepted))
    word = "fails" if report.exit_status else "passes"
    return (report.name, *(str(count) if count else "" for count in counted), status_text, word)
