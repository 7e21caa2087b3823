"""Fifth stage: verify the written file against the original."""

from __future__ import annotations

from ..checks.checker import Finding
from ..format.model import Model, OperatorId
from ..record import Record
from ..repair.planner.changes import Change, Plan, edited_operators
from ..report.report import Outcome
from ..verdicts import Verification
from .certificate import Found, certificate_of, shown_runtimes
from .decision import Decision
from .preparation import Prepared
from .refusals import judged, judged_as_declared
from .rounds import SettledFile
from .session import Progress, Session

__all__ = ["Executed", "carry_out"]


class Executed(Record, frozen=True, kw_only=True):
    """The output file in `chunks`, its findings and its verification.

    `model`: the model of that file, or the prepared model if a conversion was refused.
    `grown_bytes`: its size minus the original's. `certificate`: of the written file, with its
    summary, if requested.
    """

    outcome: Outcome
    chunks: tuple[bytes | memoryview, ...]
    model: Model
    remaining: tuple[Finding, ...]
    verification: Verification | None = None
    changes: tuple[Change, ...] = ()
    grown_bytes: int = 0
    certificate: Found = (None, None)


def carry_out(
    prepared: Prepared,
    decision: Decision,
    written: SettledFile | None,
    progress: Progress | None = None,
) -> Executed:
    """Verify the written file, or the unchanged one, and return it with the results."""
    if prepared.refused:
        view = memoryview(prepared.original)
        return Executed(
            outcome="not aligned",
            chunks=(view,),
            model=prepared.inspected.model,
            remaining=prepared.findings,
            certificate=certificate_of(prepared, decision, (view,)),
        )
    if written is None:
        return _untouched(prepared, decision, progress)
    return _judged(prepared, decision, written, progress)


def _untouched(prepared: Prepared, decision: Decision, progress: Progress | None) -> Executed:
    """The result for a file that the alignment does not change; it is judged if the options ask for
    it.
    """
    view = memoryview(prepared.original)
    return Executed(
        outcome="not aligned" if decision.conflicts else "nothing to align",
        chunks=(view,),
        model=prepared.given.model,
        remaining=prepared.given.findings,
        verification=_verify(prepared, view, None, progress),
        certificate=certificate_of(prepared, decision, (view,)),
    )


def _judged(
    prepared: Prepared, decision: Decision, written: SettledFile, progress: Progress | None
) -> Executed:
    """The result for a changed file: certificate and verification."""
    plan = decision.plan
    certificate = certificate_of(prepared, decision, written.chunks)
    shown = shown_runtimes(certificate[1])
    return Executed(
        outcome="aligned",
        chunks=written.chunks,
        model=written.model,
        remaining=written.remaining,
        verification=_verify(prepared, written.data, plan, progress, shown),
        certificate=certificate,
        changes=(*prepared.changes, *(plan.changes if plan is not None else ())),
        grown_bytes=written.grown_bytes,
    )


def _verify(
    prepared: Prepared,
    data: bytes | memoryview,
    plan: Plan | None,
    progress: Progress | None,
    shown: frozenset[str] = frozenset(),
) -> Verification | None:
    """Compare the file `data` with the original and run the judges; None if verification is off.

    `shown`: runtimes that a certificate covers, whose kernels need no comparison.
    """
    options = prepared.session.options
    if not options.verify:
        return None
    changed = plan is not None or bool(prepared.changes)
    if not changed and "numbers" in options.require and "numbers" not in options.unasked:
        # An unchanged file whose numbers are required.
        return judged_as_declared(
            memoryview(prepared.original), _judges(prepared.session), prepared.session
        )
    from ..verify.verification import verify  # noqa: PLC0415 - a run without judges needs none of it

    verification = verify(
        memoryview(prepared.original),
        data,
        calibration=options.calibration,
        samples=options.samples,
        seed=options.seed,
        judges=_judges(prepared.session),
        edited=_edited_operators(prepared, plan),
        changed=changed,
        judge_seconds=options.judge_seconds,
        memory=options.memory,
        board=options.board,
        allowed=frozenset(options.allow_refused),
        reading=memoryview(prepared.written(prepared.repair.model)),
        figures=options.view,
        kernel_runtimes=shown,
        progress=progress,
    )
    return judged(verification, prepared.session.targets, options.allow_refused)


def _edited_operators(prepared: Prepared, plan: Plan | None) -> frozenset[OperatorId]:
    """Indices, in the written file, of changed and added operators."""
    origins, state = prepared.conversion.state.edited, prepared.inspected.model
    if plan is not None:
        origins, state = origins | plan.edited_origins(state), plan.model
    return edited_operators(state, origins)


def _judges(session: Session) -> tuple[str, ...]:
    """The names of the targets' judges and of those that the options require."""
    options = session.options
    names = [judge for target in session.targets for judge in target.judges]
    names += [
        name for name in options.require if name not in {"numbers", "certified", *options.unasked}
    ]
    return tuple(dict.fromkeys(names))
