"""The report: everything that was found, decided and verified, as one value."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..certify.portable import Portability
from ..checks.checker import Finding
from ..checks.partition import TargetMapping
from ..errors import UsageError, kind_of
from ..record import PartlyCompared, Record, brief
from ..repair.planner.changes import Change
from ..solver.problem_records import Component, Conflict, Strategy
from ..verdicts import BiasReading, CertificateSummary, OutputLevel, Verification
from .model_view import ModelView
from .operator_uses import OperatorUse
from .tensor_parameters import TensorParameters
from .values import record_values, tool

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT", "Outcome", "Report", "Size", "Unread", "report_list"]

# Version of the report's form; raised when a reader of the old form would misread the new.
FORMAT = 3

Outcome = Literal["checked", "nothing to align", "aligned", "not aligned"]


class Size(Record, frozen=True, kw_only=True):
    """What the file holds, in numbers."""

    bytes: int
    subgraphs: int
    operators: int
    tensors: int


class Unread(Record, frozen=True, kw_only=True):
    """A file there is no report of, and why: one line, with the byte offset where there is one."""

    name: str
    message: str


class Report(PartlyCompared, frozen=True, kw_only=True):
    """The result of `align` or `check` on one model.

    `findings` are those of the file that came in, `remaining` those of the file that goes out
    (for `check` both are the same), `accepted` those of them that a baseline lets pass.
    `rules`: every rule that was looked at. `mappings`: for each target whose compiler splits the
    graph, what it is predicted to map of the file that goes out.
    `portability`: which operators can give different integers in which runtimes, where it was asked for.
    `without_calibration`: the verification's outputs, had the ranges not been tightened by what
    calibration inputs showed; empty where they were not. `reasons` say in sentences why
    `exit_status` is not 0.
    `parameters`: scales and zero points, before and after, of the tensors that changes and findings
    are about. `operators`: what the file that goes out holds.
    `notes`: what is no fault, and good to know of the file that goes out.
    `bias_readings`: for a file with biases in scales of their own, how far its two readings are
    apart. `fixes_off`: ids of the repairs that were switched off.
    `certificate`: what is shown for every input, where that was asked for.
    `view`: for forms that draw the model, where it was asked for; in no other form.
    """

    command: Literal["align", "check"]
    outcome: Outcome
    targets: tuple[str, ...]
    size: Size
    findings: tuple[Finding, ...]
    remaining: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()
    rules: tuple[str, ...] = ()
    mappings: tuple[TargetMapping, ...] = ()
    portability: Portability | None = None
    fixes_off: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    parameters: tuple[TensorParameters, ...] = ()
    operators: tuple[OperatorUse, ...] = ()
    components: tuple[Component, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    conflict_addresses: tuple[str, ...] = ()
    verification: Verification | None = None
    certificate: CertificateSummary | None = None
    without_calibration: tuple[OutputLevel, ...] = ()
    bias_readings: tuple[BiasReading, ...] = ()
    grown_bytes: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    name: str = ""
    view: ModelView | None = None

    uncompared: ClassVar[frozenset[str]] = frozenset({"view"})

    @property
    def exit_status(self) -> int:
        """What the command line ends with: 1 where there are reasons to stop, else 0."""
        return 1 if self.reasons else 0

    @property
    def certified(self) -> bool:
        """Whether every operator is certified for every input, the numbers lose nothing on samples
        and every judge takes the file.
        """
        shown = self.certificate is not None and self.certificate.word == "certified"
        return shown and self.verification is not None and self.verification.word == "verified"

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings that remain and that no baseline lets pass."""
        known = set(map(id, self.accepted))
        return tuple(finding for finding in self.remaining if id(finding) not in known)

    @property
    def cuts(self) -> int:
        """QUANTIZE operators inserted."""
        return sum(change.kind == "cut" for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, in the form of schema/report.schema.json.

        The same report gives the same values; there are no times and no dates in it.
        """
        return {
            "format": FORMAT,
            "tool": tool(),
            **record_values(self),
            "cuts": self.cuts,
            "exit_status": self.exit_status,
        }

    def to_json(self) -> str:
        """The report as JSON text, in the form of schema/report.schema.json."""
        return self._written(".json")

    def to_html(self) -> str:
        """The report as one page that needs no other file; it draws the graph of a report that was
        asked for with `view=True`.
        """
        return self._written(".html")

    def to_sarif(self) -> str:
        """The findings as SARIF 2.1.0, for code scanning."""
        return self._written(".sarif")

    def to_text(self) -> str:
        """What the command line prints with --verbose."""
        return self._written(".txt")

    def to_dataframe(self, table: str = "findings") -> pd.DataFrame:
        """`findings` (of the file that came in), `remaining` (of the one that goes out), `changes`
        or `outputs` (decibels) as a pandas data frame, a row each. UsageError for another table,
        and where pandas is not installed.
        """
        frame: pd.DataFrame = _reader("frames").frame(self, table)
        return frame

    def _written(self, ending: str) -> str:
        text: str = _reader("formats").FORMATS[ending]([self], ())
        return text

    def __repr__(self) -> str:
        found = f"{len(self.findings)} findings, {len(self.remaining)} left"
        word = f", {self.verification.word}" if self.verification is not None else ""
        status = f"exit status {self.exit_status}"
        return brief(
            f"<Report on {self.name or 'model'!r}: {self.outcome}{word}; {found}; {status}>"
        )

    def _repr_html_(self) -> str:
        text: str = _reader("notebook").report_html(self)
        return text


def _reader(name: str) -> Any:
    """The module of this folder that reads reports: found when a report is asked for its form, since
    it needs this one.
    """
    return import_module(f".{name}", __package__)


def report_list(reports: object) -> list[Report]:
    """What a renderer was given, one report or several, as a list. UsageError for anything else."""
    sequence = reports if isinstance(reports, Iterable) else (reports,)
    listed: list[Report] = []
    for report in sequence:
        if not isinstance(report, Report):
            raise UsageError(f"reports: expected reports, found {kind_of(report)}")
        listed.append(report)
    return listed
