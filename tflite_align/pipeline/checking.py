"""check(): all findings, and the verdicts of judges on the unmodified file."""

from __future__ import annotations

from ..certify.portability_records import Portability
from ..checks.consequences import gathered
from ..checks.float_parts import float_parts
from ..checks.hints import hints
from ..checks.partition import predictions
from ..format.flatbuffer import Bytes
from ..format.model import Model
from ..report.operator_uses import operator_uses
from ..report.report import Report
from ..report.tensor_parameters import parameters_of
from ..rules.fixes import fixes_off
from ..settings.baseline import accepted_in
from ..settings.options import AlignOptions
from ..verdicts import Verification
from .reasons import judge_reasons, remaining_reasons, stale_warnings, without
from .refusals import allowed_warnings, judged_as_declared, judged_by_name
from .session import Session, uncollected
from .view_of_model import view_of

__all__ = ["check"]


def check(data: Bytes, options: AlignOptions | None = None, *, name: str = "") -> Report:
    """Return a report of every finding of the model for the options' targets; change nothing.

    No judge runs unless options name one, or `run`. Raises FormatError for bytes that are no
    readable model, UsageError for an unknown target.
    """
    options = options or AlignOptions()
    session = Session.of(options)
    with uncollected():
        inspected = session.inspect(session.read(data))
    findings = gathered(inspected.findings, inspected.model)
    accepted, stale = accepted_in(findings, options.accepted)
    verification = _ask_judges(data, session)
    return Report(
        command="check",
        outcome="checked",
        targets=options.targets,
        size=inspected.size,
        findings=findings,
        remaining=findings,
        accepted=accepted,
        rules=inspected.rules,
        fixes_off=fixes_off(session.fixes),
        operators=operator_uses(inspected.model),
        parameters=parameters_of(findings, (), inspected.model, inspected.model),
        mappings=predictions(inspected.model, session.targets),
        verification=verification,
        portability=_portability(inspected.model) if options.portable else None,
        notes=(*float_parts(inspected.model), *hints(inspected.model, findings)),
        warnings=(
            *inspected.bound.idle,
            *stale_warnings(stale),
            *allowed_warnings(verification, options.allow_refused),
        ),
        reasons=(
            *remaining_reasons(without(findings, accepted), options),
            *judge_reasons(verification, options),
        ),
        name=name,
        view=view_of(inspected.bound, findings) if options.view else None,
    )


def _portability(model: Model) -> Portability:
    """Which operators can give different integers in which runtimes, from the tables of kernels
    (`--portable`); nothing is run.
    """
    from ..certify.portable import portability  # noqa: PLC0415 - most checks need none of it

    return portability(model)


def _ask_judges(data: Bytes, session: Session) -> Verification | None:
    """Run the judges named by --judge and --require on the unmodified file; None if none is named."""
    options = session.options
    named = [name for name in (*options.judges, *options.require) if name not in options.unasked]
    run = options.run or "numbers" in named
    names = [judge for target in session.targets for judge in target.judges] if run else []
    judges = tuple(dict.fromkeys([*names, *(name for name in named if name != "numbers")]))
    view = memoryview(data)
    if run:
        return judged_by_name(
            judged_as_declared(view, judges, session), named, options.allow_refused
        )
    if not judges:
        return None
    from ..verify.verification import verify  # noqa: PLC0415 - as above

    verification = verify(
        view,
        view,
        judges=judges,
        changed=False,
        judge_seconds=options.judge_seconds,
        memory=options.memory,
        board=options.board,
    )
    return judged_by_name(verification, named, options.allow_refused)
