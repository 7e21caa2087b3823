"""The section on the operators that a target's compiler is predicted to map to the accelerator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..checks.partition import Left, TargetMapping
from .section import Section
from .terminal_text import plural

__all__ = ["mapping_section"]

_FOLLOWS = "follows one that stays on the CPU"


def mapping_section(mapping: TargetMapping) -> Section:
    """The counts of mapped operators, the first operator that is not mapped, and a row for each
    other one.
    """
    head = (
        f"predicted for {mapping.target}: {mapping.mapped} of"
        f" {plural(mapping.operators, 'operator')} mapped"
    )
    lines = [head]
    if mapping.before:
        lines.append(f"in front, on the CPU: {_names(mapping.before)}")
    if mapping.first is not None:
        lines.append(f"first unmapped: {mapping.first.address}: {mapping.first.why}")
    if mapping.behind:
        lines.append(f"the rest follows it: {_names(mapping.behind)}")
    rows = [
        (operator.address, operator.why or _FOLLOWS, operator.rule) for operator in mapping.left
    ]
    return Section(
        title=f"Mapping to {mapping.target} (predicted)",
        head=("stays on the CPU", "why", "rule"),
        rows=tuple(rows),
        lines=tuple(lines),
    )


def _names(left: Sequence[Left]) -> str:
    """Operator counts such as `2 CAST, 1 RESHAPE`, in order of first occurrence. `left`: the
    operators.
    """
    counts = Counter(operator.address.rpartition(" ")[2] for operator in left)
    return ", ".join(f"{count} {name}" for name, count in counts.items())
