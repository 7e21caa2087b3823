"""Repairs of operator versions: raised to the first that has a kernel, lowered to the last."""

from __future__ import annotations

from collections.abc import Sequence

from ...checks.checker import Finding
from ...format.model import TensorId
from ...rules.kernels import load_kernels
from ...rules.targets import Target
from ...rules.versions import load_versions
from .draft import Draft

__all__ = ["lower_version", "raise_version"]


def raise_version(draft: Draft, key: TensorId, finding: Finding) -> None:
    """Set the operator's version to the first one with kernels for the type of the tensor `key`."""
    operator = draft.model.subgraphs[finding.slot.subgraph].operators[finding.slot.operator]
    version = load_versions()[operator.name].versions[draft.tensor(*key).type]
    _set_version(draft, key, finding, version, "the first version with kernels for this type")


def lower_version(draft: Draft, finding: Finding, targets: Sequence[Target]) -> None:
    """Set the operator's version to the highest one that every kernel set of `targets` registers."""
    slot = finding.slot
    operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
    present = [tensor for tensor in (finding.tensor, *operator.named) if tensor >= 0]
    if not present:
        return  # an operator without operands, which no kernel runs
    rows = [load_kernels(name)[operator.name] for t in targets for name in t.kernels]
    version = min(row.versions[1] for row in rows if row.versions)
    key = TensorId(slot.subgraph, present[0])
    _set_version(draft, key, finding, version, "the highest version that the runtimes register")


def _set_version(draft: Draft, key: TensorId, finding: Finding, version: int, why: str) -> None:
    """Set the operator's version and record the change. `key`: the finding's tensor; `why`: the
    reason.
    """
    slot = finding.slot
    draft.graph(slot.subgraph).set_operator(slot.operator, version=version)
    draft.touched.add(slot.operator_id)
    draft.note("version", key, finding.actual, f"version {version}", why=why, readers=(slot,))
