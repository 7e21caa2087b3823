"""explain(): why a tensor gets its parameters, or what became of every component that was broken."""

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

__all__ = ["Told", "explain"]


class Told(Record, frozen=True, kw_only=True):
    """The answer about a model, as a record."""

    model: Model
    answer: Explanation | Overview

    def lines(self, rows: int | None = None) -> list[str]:
        """The answer in words; `rows` limits each list of an overview."""
        if isinstance(self.answer, Explanation):
            return explanation_lines(self.answer)
        return overview_lines(self.model, self.answer, rows=rows)


def explain(data: Bytes, place: str | None, options: AlignOptions) -> Told:
    """Why the tensor or slot that `place` names gets its label; without one, every component.

    Raises what check() raises, and UsageError for a place that the model does not have.
    """
    asked = question(data, options)
    model = asked.bound.model
    if place is None:
        solution = solve(asked.bound, asked.broken, asked.settings)
        return Told(model=model, answer=overview(asked.bound, solution, asked.findings))
    key, slot = resolved(model, place)
    found = explain_tensor(asked.bound, asked.broken, asked.settings, key, slot)
    return Told(model=model, answer=found)
