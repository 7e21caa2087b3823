"""explain(): why a tensor gets its parameters, or the decision for every component with a finding."""

from __future__ import annotations

from ..format.flatbuffer import Bytes
from ..format.model import Model
from ..record import Record
from ..report.component_summary import Overview, overview
from ..report.explanation_text import explanation_lines, overview_lines
from ..settings.options import AlignOptions
from ..solver.explain import explain as explain_tensor
from ..solver.explanation import Explanation
from ..solver.solve import solve
from .aligning import question
from .places import resolved

__all__ = ["ExplainResult", "explain"]


class ExplainResult(Record, frozen=True, kw_only=True):
    """The explanation of a tensor (an Explanation) or of all components (an Overview), with its
    model.
    """

    model: Model
    answer: Explanation | Overview

    def lines(self, rows: int | None = None) -> list[str]:
        """The explanation as lines of text; `rows`: the most entries of each list, None for all."""
        if isinstance(self.answer, Explanation):
            return explanation_lines(self.answer)
        return overview_lines(self.model, self.answer, rows=rows)


def explain(data: Bytes, address: str | None, options: AlignOptions) -> ExplainResult:
    """Explain the parameters of the tensor or slot at `address`; with None, list the decision for
    every component with a finding.

    Raises what check() raises, and UsageError for a place that the model does not have.
    """
    solver_question = question(data, options)
    model = solver_question.bound.model
    if address is None:
        solution = solve(solver_question.bound, solver_question.broken, solver_question.settings)
        return ExplainResult(
            model=model, answer=overview(solver_question.bound, solution, solver_question.findings)
        )
    key, slot = resolved(model, address)
    explanation = explain_tensor(
        solver_question.bound, solver_question.broken, solver_question.settings, key, slot
    )
    return ExplainResult(model=model, answer=explanation)
