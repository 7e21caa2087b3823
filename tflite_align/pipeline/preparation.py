"""First stage: read and check the file, mend its metadata, convert its types."""

from __future__ import annotations

from ..checks.checker import Finding
from ..checks.overrides import shifted
from ..format.flatbuffer import Bytes
from ..record import Record
from ..repair.convert.stage import Asked, Converted, convert
from ..repair.planner.changes import Change
from ..repair.selection import Mended, mended
from .session import Inspected, Session

__all__ = ["Prepared", "prepare"]


class Prepared(Record, frozen=True, kw_only=True):
    """The model as the solver meets it, and how it became so.

    `original`: the bytes that came in; `findings` and `idle` (overrides and policies without
    effect) are of those, `inspected` is of the mended and converted `data`. `session`: its
    overrides are at the addresses of `data`.
    """

    session: Session
    original: Bytes
    findings: tuple[Finding, ...]
    idle: tuple[str, ...]
    repair: Mended
    conversion: Converted
    inspected: Inspected

    @property
    def data(self) -> Bytes:
        return self.conversion.data

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the file cannot become what the options ask for; empty where it can."""
        return self.conversion.refused

    @property
    def changes(self) -> tuple[Change, ...]:
        return (*self.repair.changes, *self.conversion.changes)

    @property
    def grown_bytes(self) -> int:
        return self.repair.grown_bytes + self.conversion.grown_bytes


def prepare(session: Session, data: Bytes) -> Prepared:
    """Carry out all that needs no decision. Raises AlignError where the job cannot be done."""
    options, fixes = session.options, session.fixes
    inspected = original = session.inspect(data)
    checked = (original.bound, original.findings)
    repair = mended(data, fixes, options.only, options.bias, session.bind, checked=checked)
    if repair.changes:
        inspected = session.inspect(repair.data)
    conversion = convert(
        repair.data,
        inspected.model,
        _requested_types(session),
        session.rows,
        session.targets,
        edited=repair.edited,
    )
    if conversion.changes:
        # Addresses are the original file's: operators may have moved since.
        session = session.with_overrides(shifted(options.overrides, conversion.place))
        inspected = session.inspect(conversion.data)
    if options.calibration is not None:
        from ..verify.calibration import check_calibration  # noqa: PLC0415 - a run without judges needs none of it

        check_calibration(inspected.model, options.calibration)
    return Prepared(
        session=session,
        original=data,
        findings=original.findings,
        idle=original.bound.idle,
        repair=repair,
        conversion=conversion,
        inspected=inspected,
    )


def _requested_types(session: Session) -> Asked:
    options = session.options
    return Asked(
        to=options.to,
        free_io=options.io == "free",
        fixes=session.fixes,
        inputs=options.input_type,
        outputs=options.output_type,
    )
