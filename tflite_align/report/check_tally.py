"""Many files checked: a row for each, and the sum."""

from __future__ import annotations

from collections import Counter

from ..record import Record, field
from .batch_lines import told_words
from .report import Report, Unread
from .section import Row
from .terminal_text import plural, printable

__all__ = ["CHECK_HEAD", "CheckTally"]

_REASONS = 20  # that are kept to be told
CHECK_HEAD = ("file", "errors", "warnings", "accepted", "judges", "")


class CheckTally(Record, kw_only=True):
    """`rows`: how many a table may show, None for all; files that fail come first then. Holds no
    more of them than it shows.
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
        return self._clean + self._broken + self._unread

    @property
    def why(self) -> str:
        """Why what is written only after a clean run is not."""
        if self._unread:
            return f"{plural(self._unread, 'file')} could not be read"
        return "; ".join(self._reasons)

    @property
    def listed(self) -> str:
        """What a baseline of it lists."""
        return (
            f"{plural(self._remaining, 'finding')} of {plural(self._clean + self._broken, 'file')}"
        )

    def add(self, found: Report | Unread) -> None:
        if isinstance(found, Unread):
            self._unread += 1
            self.exit_status = 2
            row: Row = (found.name, "", "", "", "", "could not be read")
            kept = self._unreadable
        else:
            self._severities.update(finding.severity for finding in found.open)
            self._remaining += len(found.remaining)
            if len(self._reasons) < _REASONS:
                self._reasons += found.reasons
            if found.verification is not None:
                self._words[found.verification.word] += 1
            self._broken += bool(found.open)
            self._clean += not found.open
            self.exit_status = max(self.exit_status, found.exit_status)
            well = self.rows is None or not found.exit_status
            kept, row = self._passing if well else self._failing, _row(found)
        if self.rows is None or len(kept) < self.rows:
            kept.append(tuple(map(printable, row)))

    def table(self) -> tuple[list[Row], int]:
        """The rows to be shown, and how many are not."""
        rows = [*self._failing, *self._passing]
        if self.rows is not None:
            rows = rows[: max(self.rows - len(self._unreadable), 0)]
        rows += self._unreadable
        return rows, self.total - len(rows)

    def closing(self) -> str:
        """`3 files checked: 1 clean, 2 with findings (4 errors, 1 warning)`."""
        parts = [f"{self._clean:,} clean"]
        if self._broken:
            named = [
                plural(self._severities[s], s) for s in ("error", "warning") if self._severities[s]
            ]
            parts.append(f"{self._broken:,} with findings ({', '.join(named)})")
        read = plural(self._clean + self._broken, "file")
        told = f"{read} checked: {', '.join(parts)}"
        told += f"; {told_words(self._words).removesuffix('; ')}" if self._words else ""
        told += f"; {self._unread:,} could not be read" if self._unread else ""
        return printable(told)


def _row(report: Report) -> Row:
    found = Counter(finding.severity for finding in report.open)
    judges = report.verification.judges if report.verification is not None else ()
    said = Counter(verdict.after.status for verdict in judges)
    told = ", ".join(f"{count} {status}" for status, count in sorted(said.items()))
    counted = (found["error"], found["warning"], len(report.accepted))
    word = "fails" if report.exit_status else "passes"
    return (report.name, *(str(count) if count else "" for count in counted), told, word)
