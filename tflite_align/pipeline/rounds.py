"""Fourth stage: write and check the decided model; repeat while the repair itself causes new
findings.

A repair can violate a rule that was satisfied: a QUANTIZE before a convolution, inserted for its
bias, can make the ratio of its scales too large. Each round does what a second alignment of the
file would do, so that aligning the written file changes nothing.
"""

from __future__ import annotations

from ..checks.checker import Finding
from ..format.model import Model, carry_origins
from ..format.writer.write import write
from ..record import Record, replace
from ..repair.planner.changes import ModelState
from ..repair.selection import wanted
from ..solver.problem_records import Solution
from .decision import Decision, solve_question
from .preparation import Prepared, met_again
from .question import ask

__all__ = ["SettledFile", "settle"]

_ROUNDS = 8  # most rounds; models seen so far need two or three


class SettledFile(Record, frozen=True, kw_only=True):
    """A changed file in `chunks`, the model read back from it, and its findings.

    `data`: the joined file if judges will run, else empty. `grown_bytes`: its size minus the
    original's.
    """

    chunks: tuple[bytes | memoryview, ...]
    data: bytes
    model: Model
    remaining: tuple[Finding, ...]
    grown_bytes: int


def settle(prepared: Prepared, decision: Decision) -> tuple[Decision, SettledFile | None]:
    """Write the decided model and decide again, until no further repair changes it.

    Returns the decision of all rounds and the last file; None if nothing is written.
    """
    written = _write(prepared, decision)
    session = prepared.session
    for _ in range(_ROUNDS):
        if written is None or not wanted(written.remaining, session.fixes, session.options.only):
            break
        further = _decide_further(prepared, decision)
        if further is None:
            break
        decision = further
        written = _write(prepared, decision)
    return decision, written


def _write(prepared: Prepared, decision: Decision) -> SettledFile | None:
    """The changed model spliced into the original, read back and checked; None if nothing changes."""
    session, original, plan = prepared.session, prepared.given.model, decision.plan
    if prepared.refused or (plan is None and not prepared.changes):
        return None
    state = prepared.inspected.model if plan is None else plan.model
    written = write(prepared.original, original, state)
    # Judges need the joined file; the checker alone does not, which saves a copy of large
    # constants.
    data = written.join() if session.options.verify else b""
    model = session.read(data or written.image(original))
    model = carry_origins(model, state)
    return SettledFile(
        chunks=written.chunks,
        data=data,
        model=model,
        remaining=session.recheck(model, prepared.given),
        grown_bytes=written.prefix,
    )


def _decide_further(prepared: Prepared, decision: Decision) -> Decision | None:
    """The decision after one more round, which starts from the planned model; None if that round
    changes nothing.
    """
    base = prepared.inspected.model
    state = ModelState(model=base)
    if decision.plan is not None:
        state = state.after(decision.plan)
    before = state.model
    state, later = met_again(prepared, state)
    question = replace(ask(later), settings=decision.question.settings)
    answer = solve_question(later, question)
    if answer.plan is not None:
        state = state.after(answer.plan)
    if state.model is before:
        return None
    return replace(
        decision,
        solution=_joined(decision.solution, answer.solution),
        solved=None,  # the rounds' answers belong to different problems
        plan=state.plan_for(base),
        conflicts=answer.conflicts,
        conflicting=later.inspected.model,
    )


def _joined(earlier: Solution | None, later: Solution | None) -> Solution | None:
    """Two solutions merged; for a tensor in both, the later one holds."""
    if earlier is None or later is None:
        return earlier or later
    again = {key for component in later.components for key in component.tensors}
    kept = [one for one in earlier.components if again.isdisjoint(one.tensors)]
    components = [*kept, *later.components]
    return replace(
        earlier,
        source={**earlier.source, **later.source},
        cuts=(*earlier.cuts, *later.cuts),
        why={**earlier.why, **later.why},
        components=tuple(replace(one, index=n) for n, one in enumerate(components)),
        conflicts=later.conflicts,
    )
