"""Results of runs over many models: one record per model, its JSON line, and the summary table."""

from __future__ import annotations

import json
from collections import Counter
from typing import Literal, get_args

from ..record import Record, field
from ..verdicts import Word
from .report import FORMAT, Report
from .restore import restored
from .section import Row, Section
from .sections import check_result, closing
from .terminal_text import plural, printable, shorten
from .verification_section import short_word

__all__ = ["BatchLine", "Digests", "Tally", "done_line", "failed_line", "parse_line", "told_words"]

BatchOutcome = Literal[
    "aligned", "nothing to align", "not aligned", "passes", "fails", "could not be done"
]


_PLURAL = {"passes": "pass", "fails": "fail"}

# Words of a verification, best first, as the closing line counts them.
_SAID = ("certified", "verified", "accepted", "unchanged", "inconclusive", "skipped", "failed")


class BatchLine(Record, frozen=True, kw_only=True):
    """The result of one model of a run over many: `align`, or `check` (outcomes `passes` and
    `fails`).

    `path`: below the folder, with `/`. The digests are SHA-256 in hexadecimal of the input file (""
    if unreadable), of options, rules and versions, of the baseline entries for this model ("" for
    none), and of the written file ("" for none). `quantize`: QUANTIZE operators inserted minus
    removed. `verification`: null without one. `seconds`: processing time. `resumed`: the result was
    taken over from an earlier run, and `seconds` is that run's.
    """

    path: str
    outcome: BatchOutcome
    exit_status: Literal[0, 1, 2]
    message: str
    findings_before: int
    findings_after: int
    verification: Word | None
    quantize: int
    input_bytes: int
    output_bytes: int
    input_sha256: str
    settings_sha256: str
    baseline_sha256: str
    output_sha256: str
    seconds: float
    resumed: bool
    report: Report | None


class Digests(Record, frozen=True, kw_only=True):
    """SHA-256 digests in hexadecimal; "" for a missing file."""

    given: str
    settings: str
    baseline: str = ""
    written: str = ""


def done_line(
    path: str, report: Report, digests: Digests, sizes: tuple[int, int], seconds: float
) -> BatchLine:
    """The record of a model that was processed; `sizes`: bytes of the file (before, after);
    `seconds`: processing time.
    """
    kinds = Counter(change.kind for change in report.changes)
    return BatchLine(
        path=path,
        outcome=_outcome(report),
        exit_status=1 if report.reasons else 0,
        message=closing(report),
        findings_before=len(report.findings),
        findings_after=len(report.remaining),
        verification=report.verification.word if report.verification is not None else None,
        quantize=kinds["cut"] - kinds["removed"],
        input_bytes=sizes[0],
        output_bytes=sizes[1],
        input_sha256=digests.given,
        settings_sha256=digests.settings,
        baseline_sha256=digests.baseline,
        output_sha256=digests.written,
        seconds=round(seconds, 3),
        resumed=False,
        report=report,
    )


def _outcome(report: Report) -> BatchOutcome:
    """The outcome of a processed model, from its report."""
    if report.command == "check":
        return "fails" if report.reasons else "passes"
    if report.reasons:
        return "not aligned"
    return "aligned" if report.outcome == "aligned" else "nothing to align"


def failed_line(path: str, message: str) -> BatchLine:
    """The record of a model that could not be processed; `message` says why."""
    return BatchLine(
        path=path,
        outcome="could not be done",
        exit_status=2,
        message=message,
        findings_before=0,
        findings_after=0,
        verification=None,
        quantize=0,
        input_bytes=0,
        output_bytes=0,
        input_sha256="",
        settings_sha256="",
        baseline_sha256="",
        output_sha256="",
        seconds=0.0,
        resumed=False,
        report=None,
    )


def parse_line(text: bytes | str) -> BatchLine:
    """Parse one JSON line. Raises ValueError for text that is no line of this format version."""
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError(f"no line of format {FORMAT}")
    try:
        return restored(BatchLine, value)
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


class Tally(Record, kw_only=True):
    """Totals over the records of a run, and the rows of its table.

    `rows`: the most rows to show, None for all. Rows with an exit status other than 0 come first.
    Only rows that can be shown are kept in memory.
    """

    rows: int | None
    outcomes: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    before: int = 0
    after: int = 0
    resumed: int = 0
    exit_status: int = 0
    _well: list[Row] = field(default_factory=list)
    _ill: list[Row] = field(default_factory=list)

    def add(self, line: BatchLine) -> None:
        """Count one record, and keep its row if it may be shown."""
        self.outcomes[line.outcome] += 1
        self.words[line.verification or ""] += 1
        self.before += line.findings_before
        self.after += line.findings_after
        self.resumed += line.resumed
        self.exit_status = max(self.exit_status, line.exit_status)
        well = self.rows is None or not line.exit_status
        models = self._well if well else self._ill
        if self.rows is None or len(models) < self.rows:
            models.append(_row(line))

    def section(self) -> Section:
        """The table, one row per model."""
        total = self.outcomes.total()
        rows = [*self._ill, *self._well][: self.rows]
        head = ("model", "found", "left", "QUANTIZE", "")
        return Section(title="", head=head, rows=tuple(rows), hidden=total - len(rows))

    def closing(self, where: str) -> str:
        """The closing line: `3 models: 2 aligned, 1 nothing to align; 2 verified; 9 findings
        before, 0 left`. `where`: of the output, as text.
        """
        parts = ", ".join(
            _counted(self.outcomes[outcome], outcome)
            for outcome in get_args(BatchOutcome)
            if self.outcomes[outcome]
        )
        total = plural(self.outcomes.total(), "model")
        summary = f"{plural(self.before, 'finding')} before, {self.after:,} left"
        resumed = f"; {self.resumed:,} were done in an earlier run" if self.resumed else ""
        return printable(f"{total}: {parts}; {told_words(self.words)}{summary}{resumed}{where}")


def _counted(count: int, outcome: str) -> str:
    """The count and its outcome in agreement: `1 fails`, `8 fail`."""
    return f"{count:,} {outcome if count == 1 else _PLURAL.get(outcome, outcome)}"


def told_words(words: Counter[str]) -> str:
    """Counts of verification words, `3 verified, 1 inconclusive; `; "" where no model was verified."""
    parts = [f"{words[word]:,} {word}" for word in _SAID if words[word]]
    return f"{', '.join(parts)}; " if parts else ""


def _row(line: BatchLine) -> Row:
    """The table row of one model."""
    failed = line.exit_status == 2
    counted = ("", "") if failed else (f"{line.findings_before:,}", f"{line.findings_after:,}")
    inserted = f"{line.quantize:+d}" if line.quantize else ""
    return tuple(map(printable, (line.path, *counted, inserted, _outcome_cell(line))))


def _outcome_cell(line: BatchLine) -> str:
    """The last cell of a row: the outcome, and the reason where the exit status is not 0."""
    if line.exit_status == 2:
        return f"{line.outcome}: {line.message}"
    if line.outcome == "fails" and line.report is not None:
        return shorten(printable(check_result(line.report)), 100)
    if line.exit_status == 1:
        return line.message
    if line.outcome == "aligned" and line.verification is not None:
        return f"{line.outcome}, {short_word(line.verification)}"
    return line.outcome
