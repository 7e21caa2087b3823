"""check(): every finding, and what judges say of the file as it is."""

from __future__ import annotations

from ..checks.partition import predictions
from ..format.flatbuffer import Bytes
from ..report.report import Report
from ..rules.fixes import fixes_off
from ..settings.baseline import accepted_in
from ..settings.options import AlignOptions
from ..verdicts import Verification
from .reasons import judge_reasons, remaining_reasons, stale_warnings, without
from .session import Session, uncollected
from .view_of_model import view_of

__all__ = ["check"]


def check(data: Bytes, options: AlignOptions | None = None, *, name: str = "") -> Report:
    """Every finding of the model for the options' targets. Changes and runs nothing.

    Raises FormatError for bytes that are no readable model, UsageError for an unknown target.
    """
    options = options or AlignOptions()
    session = Session.of(options)
    with uncollected():
        inspected = session.inspect(session.read(data))
    findings = inspected.findings
    accepted, stale = accepted_in(findings, options.accepted)
    verification = _ask_judges(data, options)
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
        mappings=predictions(inspected.model, session.targets),
        verification=verification,
        warnings=(*inspected.bound.idle, *stale_warnings(stale)),
        reasons=(
            *remaining_reasons(without(findings, accepted), options),
            *judge_reasons(verification, options),
        ),
        name=name,
        view=view_of(inspected.bound, findings) if options.view else None,
    )


def _ask_judges(data: Bytes, options: AlignOptions) -> Verification | None:
    """Let the judges that `judges` and `require` name take the unmodified file; None without any."""
    names = dict.fromkeys((*options.judges, *options.require))
    if not names:
        return None
    from ..verify.verification import verify  # noqa: PLC0415 - a run without judges needs none of it

    view = memoryview(data)
    judges = tuple(name for name in names if name != "numbers")
    return verify(view, view, judges=judges, changed=False, judge_seconds=options.judge_seconds)
