"""Records of what alignment decided for each component, and the JSON of explanations."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..format.model import TensorId
from ..numerics import Label
from ..record import Record
from ..solver.explanation import Explanation
from ..solver.problem_records import Component, Conflict, Solution
from .json import render_document

__all__ = ["Overview", "Relabelled", "Separated", "Story", "overview", "render_explanation"]

UNSUPPORTED = ("support/", "types/")  # prefixes of rules on what a target supports


class Relabelled(Record, frozen=True, kw_only=True):
    """A tensor that gets another scale and zero point, and the reason as text."""

    key: TensorId
    name: str
    before: Label
    after: Label
    why: str


class Separated(Record, frozen=True, kw_only=True):
    """An inserted QUANTIZE that reads the tensor; `label`: of its output; `readers`: addresses that
    read the output; `because`: rules that require it.
    """

    key: TensorId
    name: str
    label: Label
    readers: str
    because: tuple[str, ...]


class Story(Record, frozen=True, kw_only=True):
    """One component: the messages of its findings, the parameters that moved, the inserted
    QUANTIZE.
    """

    component: Component
    findings: tuple[str, ...]
    moved: tuple[Relabelled, ...]
    cuts: tuple[Separated, ...]


class Overview(Record, frozen=True, kw_only=True):
    """All components. `elsewhere`: messages of findings outside them, such as those on biases,
    weights and conflicts.
    """

    components: tuple[Story, ...]
    conflicts: tuple[Conflict, ...]
    elsewhere: tuple[str, ...]
    skipped: str = ""  # why the components were not solved


def overview(bound: Bound, solution: Solution, findings: Sequence[Finding]) -> Overview:
    """Combine a solution with the findings that led to it, by component."""
    by_key: dict[TensorId, list[str]] = {}
    # An unsupported operator is no disagreement between tensors.
    unsupported = [finding.message for finding in findings if finding.rule.startswith(UNSUPPORTED)]
    for finding in findings:
        if finding.rule.startswith(UNSUPPORTED):
            continue
        by_key.setdefault(finding.tensor_id, []).append(finding.message)
    stories = []
    for component in solution.components:
        messages = [text for key in component.tensors for text in by_key.pop(key, [])]
        stories.append(_story(bound, solution, component, tuple(messages)))
    left = [text for texts in by_key.values() for text in texts]
    return Overview(
        components=tuple(stories), conflicts=solution.conflicts, elsewhere=(*left, *unsupported)
    )


def render_explanation(answer: Explanation | Overview) -> str:
    """The JSON document of `explain`: of one tensor or of all components."""
    name = "explanation" if isinstance(answer, Explanation) else "overview"
    return render_document(name, answer)


def _story(
    bound: Bound, solution: Solution, component: Component, findings: tuple[str, ...]
) -> Story:
    """The summary of one component for `explain`. `findings`: messages of its findings."""
    model = bound.model
    members = set(component.tensors)
    moved = []
    for key in component.tensors:
        tensor = model.subgraphs[key[0]].tensors[key[1]]
        after = solution.source.get(key)
        if tensor.quant is None or after is None or tensor.quant.label == after:
            continue
        before = tensor.quant.label
        why = solution.why[key]
        moved.append(Relabelled(key=key, name=tensor.name, before=before, after=after, why=why))
    cuts = [
        Separated(
            key=cut.key,
            name=model.subgraphs[cut.key[0]].tensors[cut.key[1]].name,
            label=cut.label,
            readers=", ".join(slot.address(model) for slot in cut.slots),
            because=cut.because,
        )
        for cut in solution.cuts
        if cut.key in members
    ]
    return Story(component=component, findings=findings, moved=tuple(moved), cuts=tuple(cuts))
