"""explain(): why a tensor gets its parameters, or the decision for every component with a finding.

A component with many candidate labels is solved in a process of its own, with limits on memory and
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..format.flatbuffer import Bytes
from ..format.model import Model, Slot, TensorId
from ..record import Record, packed, replace, unpacked
from ..report.component_summary import Overview, overview
from ..report.explanation_text import explanation_lines, overview_lines
from ..settings.options import AlignOptions
from ..solver.explain import explain_in_steps
from ..solver.explanation import Explanation
from ..solver.problem_records import Solution
from ..solver.problem_size import pairs_of_labels
from ..solver.solve import solve
from .aligning import question
from .places import resolved
from .question import Question

__all__ = ["SECONDS", "SMALL", "ExplainResult", "answered", "explain"]

SMALL = 2_000  # pairs of labels of a component that is solved in the caller's process
SECONDS = 60.0  # time limit of the process

Answer = Explanation | Overview


class ExplainResult(Record, frozen=True, kw_only=True):
    """The explanation of a tensor (an Explanation) or of all components (an Overview), with its
    model.
    """

    model: Model
    answer: Answer

    def lines(self, rows: int | None = None) -> list[str]:
        """The explanation as lines of text; `rows`: the most entries of each list, None for all."""
        if isinstance(self.answer, Explanation):
            return explanation_lines(self.answer)
        return overview_lines(self.model, self.answer, rows=rows)


class _Subject(Record, frozen=True, kw_only=True):
    """What is to be explained: a tensor, or every component for None. `slot`: the slot that the
    user named.
    """

    key: TensorId | None = None
    slot: Slot | None = None


class _ChildRequest(Record, frozen=True, kw_only=True):
    """The request to the process."""

    place: _Subject
    options: AlignOptions


def explain(
    data: Bytes, address: str | None, options: AlignOptions, *, small: int = SMALL
) -> ExplainResult:
    """Explain the parameters of the tensor or slot at `address`; with None, list the decision for
    every component with a finding.

    A component with more than `small` pairs of labels is solved in a process of its own. Raises
    what check() raises, and UsageError for a place that the model does not have.
    """
    solver_question = question(data, options)
    model = solver_question.bound.model
    key, slot = (None, None) if address is None else resolved(model, address)
    place = _Subject(key=key, slot=slot)
    pairs = pairs_of_labels(
        solver_question.bound, solver_question.broken, solver_question.settings, key
    )
    if pairs <= small:
        *_, answer = _steps(solver_question, place)
    else:
        answer = _apart(data, solver_question, place, options, pairs)
    return ExplainResult(model=model, answer=answer)


def _steps(question: Question, place: _Subject) -> Iterator[Answer]:
    """The answer, first without what only further solutions tell."""
    if place.key is None:
        solution = solve(question.bound, question.broken, question.settings)
        yield overview(question.bound, solution, question.findings)
        return
    yield from explain_in_steps(
        question.bound, question.broken, question.settings, place.key, place.slot
    )


# --- in a process of its own --------------------------------------------------------------------


def answered(request: bytes, data: bytes, save: Callable[[bytes], None]) -> None:
    """The work of the process: saves each step of the answer. `data`: the model's bytes."""
    asked = unpacked(_ChildRequest, request)
    for answer in _steps(question(data, asked.options), asked.place):
        save(packed(answer))


def _apart(
    data: Bytes, question: Question, place: _Subject, options: AlignOptions, pairs: int
) -> Answer:
    """The answer from a process of its own; what it could not do is said in the answer. `pairs`:
    the component's pairs of labels.
    """
    from ..verify.apart import run_apart  # noqa: PLC0415 - most explanations start no process

    request = packed(_ChildRequest(place=place, options=replace(options, calibration=None)))
    outcome = run_apart(__name__, request, memoryview(data), memory=options.memory, seconds=SECONDS)
    kind: Any = Overview if place.key is None else Explanation
    answer: Answer = unpacked(kind, outcome.saved) if outcome.saved else _unsolved(question, place)
    if not outcome.failure:
        return answer
    told = {
        "memory": f"size: {pairs:,} pairs of labels take more than the {options.memory:,} bytes of --memory",
        "time": f"out of time: {pairs:,} pairs of labels take more than {SECONDS:g} s",
    }
    return replace(answer, skipped=told.get(outcome.failure, outcome.failure))


def _unsolved(question: Question, place: _Subject) -> Answer:
    """The answer without any solution."""
    if place.key is None:
        nothing = Solution(source={}, seen={}, cuts=(), components=(), conflicts=(), why={})
        return overview(question.bound, nothing, question.findings)
    subgraph, index = place.key
    tensor = question.bound.model.subgraphs[subgraph].tensors[index]
    return Explanation(key=place.key, name=tensor.name, type=tensor.type, status="skipped")
