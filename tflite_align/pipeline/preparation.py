"""First stage: read and check the file, repair its metadata, convert types."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..format.flatbuffer import Bytes
from ..format.model import Model
from ..format.writer.write import write
from ..record import Record, replace
from ..repair.convert.stage import ConversionRequest, Converted, convert
from ..repair.planner.changes import Change, ModelState
from ..repair.retype.fitting import retype
from ..repair.selection import changeable, mended, wanted
from .session import Inspected, Session

__all__ = ["Prepared", "met_again", "prepare"]


class Prepared(Record, frozen=True, kw_only=True):
    """The model as the solver gets it, with its earlier states.

    `original`: the input bytes; `given`: the model read from them. `repair`: the model after
    repairs that leave all integers unchanged. `inspected`: the repaired and converted model.
    Nothing is written yet.
    """

    session: Session
    original: Bytes
    given: Inspected
    repair: ModelState
    conversion: Converted
    inspected: Inspected

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the input file."""
        return self.given.findings

    @property
    def idle(self) -> tuple[str, ...]:
        """Sentences about overrides and policies without effect."""
        return self.given.bound.idle

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the file cannot be converted as the options request; empty if it can."""
        return self.conversion.refused

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes by repairs and conversions before the solver, in order."""
        return self.conversion.state.changes

    def written(self, state: Model) -> Bytes:
        """The bytes of a file with this state of the model; the original bytes if it is unchanged."""
        if state is self.given.model:
            return self.original
        return write(self.original, self.given.model, state).join()


def prepare(session: Session, data: Bytes) -> Prepared:
    """Run all repairs and conversions that need no solver. Raises AlignError if the model cannot be
    processed.
    """
    options, fixes = session.options, session.fixes
    original = session.inspect(session.read(data))
    checked = (original.bound, original.findings)
    repair = mended(
        ModelState(model=original.model),
        fixes,
        options.only,
        options.bias,
        bind=session.bind,
        targets=session.targets,
        checked=checked,
    )
    inspected = original if repair.model is original.model else session.inspect(repair.model)
    fitted = _mended_again(session, repair, _fitted(session, repair, inspected))
    conversion = convert(fitted, _requested_types(session), session.rows, session.targets)
    if conversion.state.model is not repair.model:
        inspected = session.inspect(conversion.state.model)
    if options.calibration is not None:
        from ..verify.calibration import check_calibration  # noqa: PLC0415 - a run without judges needs none of it

        check_calibration(inspected.model, options.calibration)
    return Prepared(
        session=session,
        original=data,
        given=original,
        repair=repair,
        conversion=conversion,
        inspected=inspected,
    )


def met_again(prepared: Prepared, state: ModelState) -> tuple[ModelState, Prepared]:
    """What a second alignment of a file with this state of the model would do before its solver:
    repair missing metadata and fit operand types. Returns (the state after that, `prepared` with
    that model and its findings).
    """
    session, options = prepared.session, prepared.session.options
    state = mended(
        state, session.fixes, options.only, options.bias, bind=session.bind, targets=session.targets
    )
    inspected = session.inspect(state.model)
    fitted = _mended_again(session, state, _fitted(session, state, inspected))
    if fitted.model is not state.model:
        inspected = session.inspect(fitted.model)
    return fitted, replace(prepared, inspected=inspected)


def _fitted(session: Session, repair: ModelState, inspected: Inspected) -> ModelState:
    """The state after repairs of operand types that no kernel supports. `inspected`: the model of
    `repair` with its constraints and findings.
    """
    options = session.options

    def repairable(bound: Bound, findings: Sequence[Finding]) -> Sequence[Finding]:
        """The findings among `findings` that the options ask to repair."""
        return changeable(bound, wanted(findings, session.fixes, options.only))

    checked = (inspected.bound, inspected.findings)
    return retype(repair, session.targets, session.bind, repairable, checked=checked)


def _mended_again(session: Session, repair: ModelState, fitted: ModelState) -> ModelState:
    """The state after metadata repairs that became possible because operands now have supported
    types; `fitted` itself if fitting changed nothing.
    """
    if fitted.model is repair.model:
        return fitted
    options = session.options
    return mended(
        fitted,
        session.fixes,
        options.only,
        options.bias,
        bind=session.bind,
        targets=session.targets,
    )


def _requested_types(session: Session) -> ConversionRequest:
    """The conversions that the options request."""
    options = session.options
    return ConversionRequest(
        to=options.to,
        free_io=options.io == "free",
        fixes=session.fixes,
        inputs=options.input_type,
        outputs=options.output_type,
    )
