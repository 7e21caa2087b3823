"""Alignment policies (large, output, input, first, none) by operator, and the operands that each
policy aligns.

Input: the bound model and the options. Output: policies by operator, aligned operands by operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..checks.binder.bound import Bound
from ..checks.constraints import BiasOf, Weight
from ..format.model import OperatorId, Slot
from ..format.wiring import quantized, slot_tensor
from ..numerics import Label, close_scale
from ..rules.families import Policy
from .problem_records import SolverOptions
from .ranges import Values

__all__ = ["as_ppq", "idle_policies", "near", "policies_of", "policy_inputs"]


def as_ppq(options: SolverOptions) -> bool:
    """Whether policies decide the labels of the whole graph, as in PPQ's pass: a policy and an
    overlap are named.

    With overlap `auto` the solver chooses freely around the operators that have a policy.
    """
    named = any(policy != "auto" for policy in options.policies.values())
    return named and options.overlap != "auto"


def policies_of(bound: Bound, options: SolverOptions) -> dict[OperatorId, tuple[str, Policy]]:
    """(family, policy) of each operator whose policy is not `auto`.

    An override for a single operator wins over its family's policy.
    """
    named: dict[OperatorId, tuple[str, Policy]] = {}
    if not bound.policies and all(policy == "auto" for policy in options.policies.values()):
        return named
    for operator_id, family in bound.families.items():
        policy = bound.policies.get(operator_id, options.policies.get(family, "auto"))
        if policy != "auto":
            graph, index = operator_id
            operator = bound.model.subgraphs[graph].operators[index].name
            named[operator_id] = (operator if family == "other" else family, policy)
    return named


def idle_policies(bound: Bound, policies: Mapping[str, Policy]) -> tuple[str, ...]:
    """A sentence for each recurrent operator that policy `first` cannot align.

    In PPQ the states take the first output's label. TFLite's states keep their parameters; where a
    rule ties the output to them (schema/operators.toml) the output takes theirs. `policies`: policy
    by family.
    """
    named = policies_of(bound, SolverOptions(policies=policies))
    return tuple(
        f"policy {family} first changes nothing at {_address(bound, operator_id)}: a recurrent operator's"
        " states keep their parameters (rigid), and its output follows where a rule ties it"
        for operator_id, (family, policy) in named.items()
        if policy == "first" and _quantized_output(bound, operator_id)
    )


def _address(bound: Bound, operator_id: OperatorId) -> str:
    """The operator's address, such as `subgraph[0]/operator[3] LSTM`."""
    return Slot(*operator_id, "outputs", 0).address(bound.model).rpartition("/")[0]


def _quantized_output(bound: Bound, operator_id: OperatorId) -> bool:
    """Whether the operator's first output is quantized."""
    tensor = slot_tensor(bound.model, Slot(*operator_id, "outputs", 0))
    return tensor is not None and quantized(tensor)


def policy_inputs(bound: Bound, values: Values, places: Sequence[OperatorId]) -> list[list[Slot]]:
    """For each operator in `places`, the inputs that a policy aligns: activations and constants
    with one scale.

    Not weights and biases, whose parameters follow from rules, and not rigid slots.
    """
    parameters = {c.slot for kind in (Weight, BiasOf) for c in bound.of(kind)}
    slots_of = []
    for graph, index in places:
        operator = bound.model.subgraphs[graph].operators[index]
        slots = [Slot(graph, index, "inputs", position) for position in range(len(operator.inputs))]
        slots_of.append(
            [
                slot
                for slot in slots
                if (graph, slot.tensor(bound.model)) in values.labels
                and slot not in bound.rigid
                and slot not in parameters
            ]
        )
    return slots_of


def near(first: Label, second: Label) -> bool:
    """Whether two labels are equal but for float rounding of the scale."""
    return first.zero_point == second.zero_point and close_scale(first.scale, second.scale)
