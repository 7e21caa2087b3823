"""Quantization parameters before and after, of the tensors in findings and changes."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.checker import Finding
from ..format.model import Model, TensorId
from ..record import Record
from ..repair.planner.changes import Change

__all__ = ["Parameters", "TensorParameters", "parameters_of"]


class Parameters(Record, frozen=True, kw_only=True):
    """Quantization parameters of a tensor: real value = scale[c] * (integer - zero_point[c]).

    `scale`: float32 values, written as their shortest decimals; one, or one per index along
    `quantized_dimension`; empty for a tensor without parameters.
    """

    type: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    quantized_dimension: int = 0


class TensorParameters(Record, frozen=True, kw_only=True):
    """The parameters of one tensor in the input file and in the written file (equal for `check`).

    `before` is None for an added tensor.
    """

    subgraph: int
    tensor: int
    name: str
    before: Parameters | None
    after: Parameters | None


def parameters_of(
    findings: Sequence[Finding], changes: Sequence[Change], before: Model, after: Model
) -> tuple[TensorParameters, ...]:
    """The parameters of tensors in changes, and of all operands of operators with a finding; sorted
    by subgraph and tensor index.
    """
    keys = {TensorId(change.subgraph, change.tensor) for change in changes}
    for finding in findings:
        if finding.tensor >= 0:
            keys.add(finding.tensor_id)
        operators = before.subgraphs[finding.slot.subgraph].operators
        if 0 <= finding.slot.operator < len(operators):
            operands = operators[finding.slot.operator].named
            keys |= {TensorId(finding.slot.subgraph, index) for index in operands}
    return tuple(_both_states(key, before, after) for key in sorted(keys))


def _both_states(key: TensorId, before: Model, after: Model) -> TensorParameters:
    """The record of one tensor's parameters in both models."""
    graph, index = key
    states = [_parameters(model, graph, index) for model in (before, after)]
    names = [
        model.subgraphs[graph].tensors[index].name
        for model in (after, before)
        if index < len(model.subgraphs[graph].tensors)
    ]
    return TensorParameters(
        subgraph=graph, tensor=index, name=names[0], before=states[0], after=states[1]
    )


def _parameters(model: Model, graph: int, index: int) -> Parameters | None:
    """The parameters of a tensor; None if the model does not have it. `graph`, `index`: of subgraph
    and tensor.
    """
    tensors = model.subgraphs[graph].tensors
    if index >= len(tensors):
        return None
    quant = tensors[index].quant
    if quant is None:
        return Parameters(type=tensors[index].type)
    return Parameters(
        type=tensors[index].type,
        scale=quant.scale,
        zero_point=quant.zero_point,
        quantized_dimension=quant.quantized_dimension,
    )
