"""Comparison of two reports of many models: models and findings that are new, gone, worse or
better.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..errors import UsageError
from ..record import Record
from .section import Row, Section
from .terminal_text import plural, printable

__all__ = ["BatchDiff", "diff_of"]

_Finding = tuple[str, str, str]  # severity, rule, place
_WORDS = {None: 0, "verified": 0, "certified": 0, "accepted": 1, "skipped": 1, "unchanged": 1}


class _Entry(Record, frozen=True, kw_only=True):
    """One model in a report: exit status, outcome, word of its verification, and remaining findings
    with their counts.
    """

    status: int
    outcome: str
    word: str
    findings: Counter[_Finding]


class BatchDiff(Record, frozen=True, kw_only=True):
    """The difference of two reports. Models are paths, findings are (path, severity, rule, place).

    `worse`: models whose exit status is higher or whose verification shows less, with both
    outcomes.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    worse: tuple[tuple[str, str], ...]
    better: tuple[tuple[str, str], ...]
    findings_new: tuple[tuple[str, str, str, str], ...]
    findings_gone: tuple[tuple[str, str, str, str], ...]

    @property
    def exit_status(self) -> int:
        """1 if a model is worse or has a new finding, else 0."""
        return 1 if self.worse or self.findings_new else 0

    def sections(self, rows: int | None) -> list[Section]:
        """Tables for the summary; `rows`: the most rows of each, None for all."""
        tables = (
            ("models that are worse", ("model", "was, is"), self.worse),
            ("models that are better", ("model", "was, is"), self.better),
            ("models that are new", ("model",), tuple((path,) for path in self.new)),
            ("models that are gone", ("model",), tuple((path,) for path in self.gone)),
            ("findings that are new", _HEAD, self.findings_new),
            ("findings that are gone", _HEAD, self.findings_gone),
        )
        return [_section(title, head, changed, rows) for title, head, changed in tables if changed]

    def closing(self) -> str:
        """The closing line: counts of new, gone, worse and better models, and of findings."""
        models = f"{plural(len(self.new), 'model')} new, {len(self.gone):,} gone"
        turned = f"{len(self.worse):,} worse, {len(self.better):,} better"
        summary = (
            f"{plural(len(self.findings_new), 'finding')} new, {len(self.findings_gone):,} gone"
        )
        return f"{models}, {turned}; {summary}"


_HEAD = ("model", "severity", "rule", "where")


def _section(title: str, head: Row, changed: tuple[Row, ...], rows: int | None) -> Section:
    """The table of one kind of difference, with at most `rows` rows. `title`: the heading.
    `changed`: the rows.
    """
    shown = changed[:rows]
    printable_rows = tuple(tuple(map(printable, row)) for row in shown)
    return Section(title=title, head=head, rows=printable_rows, hidden=len(changed) - len(shown))


def diff_of(old: tuple[str, Iterable[bytes]], new: tuple[str, Iterable[bytes]]) -> BatchDiff:
    """Compare two reports, each given as (name, JSON lines), possibly of an earlier version of the
    tool.

    Findings are the remaining ones, identified by severity, rule and place; only models that are in
    both reports are compared. Raises UsageError for lines that are no such report. `old`: the
    earlier report. `new`: the later one.
    """
    before, after = _entries(*old), _entries(*new)
    both = sorted(before.keys() & after.keys())
    worse: list[tuple[str, str]] = []
    better: list[tuple[str, str]] = []
    appeared: list[tuple[str, str, str, str]] = []
    went: list[tuple[str, str, str, str]] = []
    for path in both:
        earlier, two = before[path], after[path]
        if _rank(earlier) != _rank(two):
            (worse if _rank(two) > _rank(earlier) else better).append((path, _turn(earlier, two)))
        appeared += [(path, *key) for key in sorted((two.findings - earlier.findings).elements())]
        went += [(path, *key) for key in sorted((earlier.findings - two.findings).elements())]
    return BatchDiff(
        new=tuple(sorted(after.keys() - before.keys())),
        gone=tuple(sorted(before.keys() - after.keys())),
        worse=tuple(worse),
        better=tuple(better),
        findings_new=tuple(appeared),
        findings_gone=tuple(went),
    )


def _rank(outcome: _Entry) -> tuple[int, int]:
    """Sort key: higher is worse, by exit status, then by the word of the verification."""
    return outcome.status, _WORDS.get(outcome.word, 2)


def _turn(earlier: _Entry, two: _Entry) -> str:
    """`aligned, verified -> not aligned`: a model's outcome in both reports."""
    return f"{_outcome_text(earlier)} -> {_outcome_text(two)}"


def _outcome_text(outcome: _Entry) -> str:
    """The outcome and the verification's word of one model, as text."""
    return f"{outcome.outcome}, {outcome.word}" if outcome.word else outcome.outcome


def _entries(name: str, lines: Iterable[bytes]) -> dict[str, _Entry]:
    """The models of a report by path. `name`: of the report, for messages. Raises UsageError for a
    line that does not belong to a report of many models.
    """
    entries = {}
    for line_number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
            if "shards" in value:
                continue
            entries[str(value["path"])] = _entry(value)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"{name}: line {line_number}: no line of a report of many models (.jsonl)"
            ) from error
    return entries


def _entry(value: dict[str, Any]) -> _Entry:
    """The record of one model from the JSON values of its report line."""
    report = value["report"] or {"remaining": ()}
    return _Entry(
        status=int(value["exit_status"]),
        outcome=str(value["outcome"]),
        word=str(value["verification"] or ""),
        findings=Counter(
            (str(finding["severity"]), str(finding["rule"]), str(finding["address"]))
            for finding in report["remaining"]
        ),
    )
