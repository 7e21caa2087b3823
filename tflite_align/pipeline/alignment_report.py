"""Last stage: build the report of an alignment from the records of the earlier stages."""

from __future__ import annotations

from ..checks.consequences import gathered
from ..checks.float_parts import float_parts
from ..checks.hints import hints
from ..checks.partition import predictions
from ..errors import AlignError
from ..record import replace
from ..repair.planner.changes import ModelState
from ..repair.selection import mended
from ..report.model_view import ModelView
from ..report.operator_uses import operator_uses
from ..report.report import Report
from ..report.tensor_parameters import parameters_of
from ..rules.fixes import fixes_off
from ..settings.baseline import accepted_in
from ..solver.compare import compare
from ..solver.problem_records import Strategy
from ..verdicts import BiasReading, CertificateSummary, OutputLevel
from .decision import Decision, solve_question
from .execution import Executed
from .preparation import Prepared
from .reasons import (
    certificate_reasons,
    conflict_reasons,
    remaining_reasons,
    verification_reasons,
    without,
)
from .refusals import allowed_warnings
from .rounds import settle
from .view_of_model import view_of

__all__ = ["build_report"]


def build_report(
    prepared: Prepared,
    decision: Decision,
    executed: Executed,
    certificate: CertificateSummary | None,
    name: str = "",
) -> Report:
    """Build the report; `name` is the model's name in it."""
    session, before = prepared.session, prepared.inspected
    conflicting = decision.conflicting or before.model
    options, conflicts = session.options, decision.conflicts
    written = prepared.given.model if prepared.refused else executed.model
    remaining = gathered(executed.remaining, written)
    findings = gathered(prepared.findings, prepared.given.model)
    accepted, _ = accepted_in(remaining, options.accepted)
    return Report(
        command="align",
        outcome=executed.outcome,
        targets=options.targets,
        size=prepared.given.size,
        findings=findings,
        operators=operator_uses(written),
        parameters=parameters_of(findings, executed.changes, prepared.given.model, written),
        remaining=remaining,
        accepted=accepted,
        rules=before.rules,
        mappings=predictions(executed.model, session.targets),
        fixes_off=fixes_off(session.fixes),
        changes=executed.changes,
        components=decision.components,
        strategies=_strategies(prepared, decision),
        conflicts=conflicts,
        conflict_addresses=tuple(conflict.slots[0].address(conflicting) for conflict in conflicts),
        verification=executed.verification,
        certificate=certificate,
        without_calibration=_levels_without_calibration(prepared, decision, executed),
        bias_readings=_bias_readings(prepared, executed),
        grown_bytes=executed.grown_bytes,
        notes=(*float_parts(written), *hints(written, remaining)),
        warnings=(
            *prepared.idle,
            *prepared.conversion.warnings,
            *decision.warnings,
            *allowed_warnings(executed.verification, options.allow_refused),
        ),
        reasons=(
            *prepared.refused,
            *remaining_reasons(without(remaining, accepted), options),
            *conflict_reasons(conflicts),
            *verification_reasons(executed.verification, options),
            *certificate_reasons(certificate, executed.verification, options),
        ),
        name=name,
        view=_view(prepared, decision, executed),
    )


def _strategies(prepared: Prepared, decision: Decision) -> tuple[Strategy, ...]:
    """The costs of PPQ's alignment strategies on the same model; empty unless the options ask for
    them.
    """
    if decision.plan is None or not prepared.session.options.compare:
        return ()
    question = decision.question
    return tuple(compare(question.bound, question.broken, question.settings))


def _view(prepared: Prepared, decision: Decision, executed: Executed) -> ModelView | None:
    """Data for drawing the model; None unless the options ask for it."""
    if not prepared.session.options.view:
        return None
    if decision.plan is None:
        return view_of(prepared.inspected.bound, prepared.inspected.findings)
    question = decision.question
    return view_of(
        question.bound,
        question.findings,
        after=executed.model,
        solution=decision.solution,
        solved=decision.solved,
        settings=question.settings,
    )


def _levels_without_calibration(
    prepared: Prepared, decision: Decision, executed: Executed
) -> tuple[OutputLevel, ...]:
    """SQNR in dB of the outputs if ranges from calibration are not used; empty if calibration
    narrowed no range.
    """
    question, verification = decision.question, executed.verification
    if decision.plan is None or not question.settings.observed or verification is None:
        return ()
    unobserved = replace(question, settings=replace(question.settings, observed={}))
    try:
        _, written = settle(prepared, solve_question(prepared, unobserved))
    except AlignError:
        return ()  # Without narrowed ranges, more QUANTIZE may be needed than the metadata allows.
    data = bytes(prepared.original) if written is None else b"".join(written.chunks)
    if data == b"".join(executed.chunks):
        return tuple(
            OutputLevel(
                name=score.name,
                index=score.index,
                declared_aligned_db=score.declared_aligned_db,
            )
            for score in verification.outputs
        )
    from ..verify.declared_sqnr import declared_levels  # noqa: PLC0415 - a run without judges needs none of it

    options = prepared.session.options
    assert options.calibration is not None, "ranges were observed"
    return declared_levels(
        memoryview(prepared.written(prepared.repair.model)),
        data,
        calibration=options.calibration,
        samples=options.samples,
        seed=options.seed,
        memory=options.memory,
    )


def _bias_readings(prepared: Prepared, executed: Executed) -> tuple[BiasReading, ...]:
    """SQNR between the declared and the as-run reading of biases whose scale is not input scale x
    weight scale; empty without such biases.
    """
    scaled = any(finding.fix == "bias-scale" for finding in prepared.findings)
    if executed.verification is None or not scaled:
        return ()
    session = prepared.session
    fixes = session.fixes | {"bias-scale"}
    given = ModelState(model=prepared.given.model)
    states = (
        mended(given, fixes, "all", reading, bind=session.bind, targets=session.targets).model
        for reading in ("declared", "as-run")
    )
    files = [memoryview(prepared.written(state)) for state in states]
    from ..verify.declared_sqnr import bias_readings  # noqa: PLC0415 - a run without judges needs none of it

    return bias_readings(
        *files,
        calibration=session.options.calibration,
        samples=session.options.samples,
        seed=session.options.seed,
        memory=session.options.memory,
    )
