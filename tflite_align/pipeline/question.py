"""Second stage: the input of the solver for a prepared model."""

from __future__ import annotations

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..format.model import Slot
from ..record import Record
from ..repair.selection import changeable, enforced, wanted
from ..solver.problem_records import PREFERENCES, Conflict, SolverOptions
from .preparation import Prepared
from .reasons import kept_conflicts, without

__all__ = ["Question", "ask"]


class Question(Record, frozen=True, kw_only=True):
    """Input of the solver: constraints to satisfy, findings to repair (`wanted`), and settings.

    `kept`: conflicts of findings that are not repaired, because overrides keep the tensors they
    concern.
    """

    bound: Bound
    findings: tuple[Finding, ...]
    wanted: tuple[Finding, ...]
    settings: SolverOptions
    kept: tuple[Conflict, ...] = ()

    @property
    def broken(self) -> list[Slot]:
        """The slots of the findings to repair."""
        return [finding.slot for finding in self.wanted]


def ask(prepared: Prepared) -> Question:
    """Select the findings to repair according to the options, and the constraints to satisfy."""
    session, inspected = prepared.session, prepared.inspected
    options = session.options
    enabled = wanted(inspected.findings, session.fixes, options.only)
    repairable = changeable(inspected.bound, enabled)
    return Question(
        bound=enforced(inspected.bound, inspected.findings, session.fixes, options.only),
        findings=inspected.findings,
        wanted=repairable,
        settings=SolverOptions(
            policies=options.policies,
            overlap=options.overlap,
            weights=PREFERENCES[options.prefer],
        ),
        kept=kept_conflicts(inspected.bound, without(enabled, repairable)),
    )
