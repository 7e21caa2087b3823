"""Hints to options that would repair many findings at once, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from ..format.model import Model
from ..format.wiring import quantized
from .checker import Finding

__all__ = ["hints"]


def hints(model: Model, findings: Iterable[Finding]) -> tuple[str, ...]:
    """Sentences on options that would convert the model to types for which the targets have
    kernels, and so repair many findings at once.
    """
    old = [
        finding
        for finding in findings
        if finding.rule.startswith("types/")
        and not finding.fix
        and "uint8" in finding.actual
        and finding.expected == finding.actual.replace("uint8", "int8")
        and _stands_for_reals(model, finding)
    ]
    if not old:
        return ()
    targets = " and ".join(dict.fromkeys(name for finding in old for name in finding.targets))
    count = len({finding.slot.operator_id for finding in old})
    noun = "operator computes" if count == 1 else "operators compute"
    sentence = f"{count} {noun} in uint8, of which there is no kernel in {targets}"
    return (f"{sentence}: align with --to int8 for a model in int8",)


def _stands_for_reals(model: Model, finding: Finding) -> bool:
    """Whether a uint8 operand of the finding's operator has parameters; without any, integers stay
    uint8.
    """
    graph, index = finding.slot.operator_id
    subgraph = model.subgraphs[graph]
    operator = subgraph.operators[index]
    operands = [subgraph.tensors[t] for t in (*operator.inputs, *operator.outputs) if t >= 0]
    return any(tensor.type == "uint8" and quantized(tensor) for tensor in operands)
