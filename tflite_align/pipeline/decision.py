"""Third stage: the solver chooses parameters, the planner applies them to the model."""

from __future__ import annotations

from collections.abc import Sequence

from ..format.model import Model
from ..numerics import Range
from ..record import Record, replace
from ..repair.planner.changes import Change, Plan
from ..repair.planner.fold_apply import fold_quantizes
from ..repair.planner.plan import plan
from ..settings.options import AlignOptions
from ..solver.problem_records import Component, Conflict, Solution
from ..solver.solve import Solved, solve_and_keep
from .preparation import Prepared
from .question import Question
from .session import Progress

__all__ = ["Decision", "decide", "solve_question"]


class Decision(Record, frozen=True, kw_only=True):
    """The solver's answer, and the plan made from it. `question`: the solver's input, with the
    ranges observed on calibration data.

    `solution`: None if there was nothing to solve; `plan`: None if nothing is to be changed.
    `solved`: the solver's intermediate results, kept if options request a view or a certificate.
    `conflicting`: the model to which the slots of conflicts refer, None for the prepared one.
    """

    question: Question
    solution: Solution | None = None
    solved: Solved | None = None
    plan: Plan | None = None
    conflicts: tuple[Conflict, ...] = ()
    conflicting: Model | None = None
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that the solver's solution makes; empty if nothing is to be changed."""
        return self.plan.changes if self.plan is not None else ()

    @property
    def components(self) -> tuple[Component, ...]:
        """The decided components; empty if there was nothing to solve."""
        return self.solution.components if self.solution is not None else ()


def decide(prepared: Prepared, question: Question, progress: Progress | None = None) -> Decision:
    """Choose the changes; there are none for a file whose conversion was refused."""
    if prepared.refused:
        return Decision(question=question)
    if not _needs_solving(question, prepared.session.options):
        return Decision(question=question, conflicts=question.kept)
    question, warnings = _observe(prepared, question, progress)
    decision = solve_question(prepared, question)
    return decision if decision.plan is None else replace(decision, warnings=warnings)


def solve_question(prepared: Prepared, question: Question) -> Decision:
    """Solve the question and plan the changes. Unlike `decide`, the calibration data are not run:
    the question's settings are used as they are.
    """
    options = prepared.session.options
    solution, solved = solve_and_keep(question.bound, question.broken, question.settings)
    draft, failures = plan(question.bound, solution, question.wanted, prepared.session.fixes)
    folded = _fold(prepared, draft, solution)
    changed = folded.model is not prepared.inspected.model
    return Decision(
        question=question,
        solution=solution,
        solved=solved if options.view or options.certificate else None,
        plan=folded if changed else None,
        conflicts=(*solution.conflicts, *failures, *question.kept),
    )


def _needs_solving(question: Question, options: AlignOptions) -> bool:
    """Whether there is a finding to repair, or an option that asks for other parameters."""
    requested = any(override.anchor or override.policy for override in options.overrides)
    return bool(question.wanted or options.policies or options.optimize or requested)


def _observe(
    prepared: Prepared, question: Question, progress: Progress | None
) -> tuple[Question, Sequence[str]]:
    """(the question with ranges observed on calibration data, warnings if there are none)."""
    calibration = prepared.session.options.calibration
    if calibration is None or not question.wanted:
        return question, ()
    from ..verify.observe import observe  # noqa: PLC0415 - a run without judges needs none of it

    observed = observe(
        memoryview(prepared.written(prepared.inspected.model)), calibration, progress=progress
    )
    if not observed.ranges:
        return question, (f"calibration tightens no ranges: {observed.why}",)
    ranges = {key: Range(*bounds) for key, bounds in observed.ranges.items()}
    return replace(question, settings=replace(question.settings, observed=ranges)), ()


def _fold(prepared: Prepared, draft: Plan, solution: Solution) -> Plan:
    """The plan without QUANTIZE operators that its changes make unnecessary."""
    session = prepared.session
    options = session.options
    # A QUANTIZE that only a policy requires would be folded, which would undo the policy.
    policy = bool(options.policies) or any(override.policy for override in options.overrides)
    return fold_quantizes(
        draft,
        prepared.inspected.bound,
        session.bind,
        solution.source,
        everywhere=options.optimize,
        fold=not policy and options.overlap != "forbid",
    )
