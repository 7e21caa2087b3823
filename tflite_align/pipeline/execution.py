"""Fourth stage: write the edits, check what was written, prove it equal to the original."""

from __future__ import annotations

from ..checks.checker import Finding
from ..checks.overrides import shifted
from ..format.model import Model
from ..format.writer.write import write
from ..record import Record
from ..repair.planner.after import applied
from ..repair.planner.changes import Change, Plan
from ..report.report import Outcome
from ..verdicts import Proof
from .decision import Decision
from .preparation import Prepared
from .session import Progress, Session

__all__ = ["Executed", "carry_out"]


class Executed(Record, frozen=True, kw_only=True):
    """The file that goes out, in `chunks`, and what the checker and the judges find in it.

    `model` is the model in it, but the prepared one where a conversion was refused.
    """

    outcome: Outcome
    chunks: tuple[bytes | memoryview, ...]
    model: Model
    remaining: tuple[Finding, ...]
    proof: Proof | None = None
    changes: tuple[Change, ...] = ()
    grown_bytes: int = 0


def carry_out(prepared: Prepared, decision: Decision, progress: Progress | None = None) -> Executed:
    """Write what was decided; without edits the bytes stay those that were prepared."""
    if prepared.refused:
        return Executed(
            outcome="not aligned",
            chunks=(memoryview(prepared.original),),
            model=prepared.inspected.model,
            remaining=prepared.findings,
        )
    if decision.plan is None:
        return _unedited(prepared, decision, progress)
    return _edited(prepared, decision.plan, progress)


def _unedited(prepared: Prepared, decision: Decision, progress: Progress | None) -> Executed:
    outcome: Outcome = "aligned" if prepared.changes else "nothing to align"
    if decision.conflicts and not prepared.changes:
        outcome = "not aligned"
    view = memoryview(prepared.data)
    return Executed(
        outcome=outcome,
        chunks=(view,),
        model=prepared.inspected.model,
        remaining=prepared.inspected.findings,
        proof=_prove(prepared, view, None, progress),
        changes=prepared.changes,
        grown_bytes=prepared.grown_bytes,
    )


def _edited(prepared: Prepared, plan: Plan, progress: Progress | None) -> Executed:
    session, model = prepared.session, prepared.inspected.model
    written = write(prepared.data, model, applied(model, plan.edits).model)
    # Judges take the whole file; the checker alone needs no copy of long constants.
    data = written.join() if session.options.verify else b""
    moved = session.with_overrides(shifted(session.options.overrides, plan.place))
    after = moved.inspect(data or written.image(prepared.data, model))
    return Executed(
        outcome="aligned",
        chunks=written.chunks,
        model=after.model,
        remaining=after.findings,
        proof=_prove(prepared, data, plan, progress),
        changes=(*prepared.changes, *plan.changes),
        grown_bytes=prepared.grown_bytes + written.prefix,
    )


def _prove(
    prepared: Prepared, data: bytes | memoryview, plan: Plan | None, progress: Progress | None
) -> Proof | None:
    """Compare the file with the original and let the judges run it, unless that is off."""
    options = prepared.session.options
    if not options.verify:
        return None
    from ..verify.prove import prove  # noqa: PLC0415 - a run without judges needs none of it

    return prove(
        memoryview(prepared.original),
        data,
        calibration=options.calibration,
        samples=options.samples,
        seed=options.seed,
        judges=_judges(prepared.session),
        edited=prepared.conversion.edited_after(plan),
        changed=plan is not None or bool(prepared.changes),
        judge_seconds=options.judge_seconds,
        reading=memoryview(prepared.repair.data),
        progress=progress,
    )


def _judges(session: Session) -> tuple[str, ...]:
    """The targets' own, and those that the options require."""
    names = [judge for target in session.targets for judge in target.judges]
    names += [judge for judge in session.options.require if judge != "numbers"]
    return tuple(dict.fromkeys(names))
