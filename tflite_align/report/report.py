"""The Report record: all findings, decisions and verifications of one model."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..certify.portability_records import Portability
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

# Version of the JSON format; raised when a reader of the old format would misinterpret the new one.
FORMAT = 3

Outcome = Literal["checked", "nothing to align", "aligned", "not aligned"]


class Size(Record, frozen=True, kw_only=True):
    """The file's size in bytes, and its numbers of subgraphs, operators and tensors."""

    bytes: int
    subgraphs: int
    operators: int
    tensors: int


class Unread(Record, frozen=True, kw_only=True):
    """A file that could not be read, and the error in one line, with the byte offset if known."""

    name: str
    message: str


class Report(PartlyCompared, frozen=True, kw_only=True):
    """The result of `align` or `check` on one model.

    `findings` are those of the input file, `remaining` those of the written file (the same for
    `check`), `accepted` the remaining ones that a baseline accepts. `rules`: every rule that was
    checked. `mappings`: for each target whose compiler partitions the graph, the predicted mapping
    of the written file. `portability`: operators whose integers can differ between runtimes, if
    requested. `without_calibration`: the outputs' SQNR if calibration had not narrowed the ranges;
    empty if it did not. `reasons`: sentences that say why `exit_status` is not 0. `parameters`:
    scales and zero points, before and after, of tensors in changes and findings. `operators`:
    operators of the written file, with counts. `grown_bytes`: size of the written file minus that
    of the input file. `notes`: remarks on the written file that are no faults. `bias_readings`: for
    a file with biases in other scales than kernels compute with, the SQNR between the two readings.
    `fixes_off`: ids of repairs that were switched off. `certificate`: error bounds for every input,
    if requested. `view`: data for drawing the model, if requested; used by formats that draw it and
    left out of all others.
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
        """1 if there are `reasons`, else 0: the exit status of the command line."""
        return 1 if self.reasons else 0

    @property
    def certified(self) -> bool:
        """Whether every operator is certified, no sample shows a loss and every judge accepts the
        file.
        """
        shown = self.certificate is not None and self.certificate.word == "certified"
        return shown and self.verification is not None and self.verification.word == "verified"

    @property
    def open(self) -> tuple[Finding, ...]:
        """Remaining findings that no baseline accepts."""
        known = set(map(id, self.accepted))
        return tuple(finding for finding in self.remaining if id(finding) not in known)

    @property
    def cuts(self) -> int:
        """The number of inserted QUANTIZE operators."""
        return sum(change.kind == "cut" for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values, in the format of schema/report.schema.json.

        Equal reports give equal values: there are no times or dates in them.
        """
        return {
            "format": FORMAT,
            "tool": tool(),
            **record_values(self),
            "cuts": self.cuts,
            "exit_status": self.exit_status,
        }

    def to_json(self) -> str:
        """The report as JSON text, in the format of schema/report.schema.json."""
        return self._written(".json")

    def to_html(self) -> str:
        """The report as a self-contained HTML page; with a graph if it was made with `view=True`."""
        return self._written(".html")

    def to_sarif(self) -> str:
        """The report as SARIF 2.1.0 text, for code scanning."""
        return self._written(".sarif")

    def to_text(self) -> str:
        """The text that the command line prints with --verbose."""
        return self._written(".txt")

    def to_dataframe(self, table: str = "findings") -> pd.DataFrame:
        """A part of the report as a pandas data frame.

        `table`: `findings` (of the input file), `remaining` (of the written file), `changes` or
        `outputs` (SQNR in dB), with one row each. Raises UsageError for another name, or without
        pandas.
        """
        frame: pd.DataFrame = _reader("frames").frame(self, table)
        return frame

    def _written(self, ending: str) -> str:
        """The report in the format of this file ending."""
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
        """Short HTML for notebooks."""
        text: str = _reader("notebook").report_html(self)
        return text


def _reader(name: str) -> Any:
    """A module of this folder, imported on first use because it imports this one."""
    return import_module(f".{name}", __package__)


def report_list(reports: object) -> list[Report]:
    """The reports given to a renderer, one or several, as a list. Raises UsageError for any other
    value.
    """
    sequence = reports if isinstance(reports, Iterable) else (reports,)
    listed: list[Report] = []
    for report in sequence:
        if not isinstance(report, Report):
            raise UsageError(f"reports: expected reports, found {kind_of(report)}")
        listed.append(report)
    return listed
