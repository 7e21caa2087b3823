"""check(): every finding, and what judges say of the file as it is."""

from __future__ import annotations

from ..checks.partition import predictions
from ..format.flatbuffer import Bytes
from ..report.report import Report
from ..rules.fixes import enabled_fixes, fixes_off
from ..settings.baseline import accepted_in
from ..settings.options import AlignOptions
from ..verdicts import Proof
from .inspection import inspect_model, requested, size, templates, uncollected
from .reasons import judge_reasons, remaining_reasons, stale_warnings, without
from .view_of_model import view_of

__all__ = ["check"]


def check(data: Bytes, options: AlignOptions | None = None, *, name: str = "") -> Report:
    """Every finding of the model for the options' targets. Changes and runs nothing.

    Raises FormatError for bytes that are no readable model, UsageError for an unknown target.
    """
    options = options or AlignOptions()
    targets = requested(options)
    with uncollected():
        judged = inspect_model(data, options, targets, templates(options, targets))
    passed, stale = accepted_in(judged.findings, options.accepted)
    proof = _asked(data, options)
    return Report(
        command="check",
        outcome="checked",
        targets=options.targets,
        size=size(judged.model),
        findings=judged.findings,
        remaining=judged.findings,
        accepted=passed,
        rules=judged.rules,
        fixes_off=fixes_off(enabled_fixes(options.fix, options.no_fix)),
        mappings=predictions(judged.model, targets),
        proof=proof,
        warnings=(*judged.bound.idle, *stale_warnings(stale)),
        reasons=(
            *remaining_reasons(without(judged.findings, passed), options),
            *judge_reasons(proof, options),
        ),
        name=name,
        view=view_of(judged.bound, judged.findings) if options.view else None,
    )


def _asked(data: Bytes, options: AlignOptions) -> Proof | None:
    """What the judges that were asked for say of the file as it is; nobody is asked unasked."""
    asked = dict.fromkeys((*options.judges, *options.require))
    named = tuple(judge for judge in asked if judge != "numbers")
    if not asked:
        return None
    from ..verify.prove import prove  # noqa: PLC0415 - a run without judges needs none of it

    view = memoryview(data)
    seconds = options.judge_seconds
    return prove(view, view, judges=named, changed=False, judge_seconds=seconds)
