"""Whether a rule of a target, not a kernel row, reports a bias of a wrong type.

Input: an operator and the nearest operand types that a kernel supports. Output: yes or no.
"""

from __future__ import annotations

from ...format.model import Operator, Subgraph
from ...format.type_groups import FLOATS, READABLE_BIAS_TYPES
from ...rules.operand_types import ABSENT, OperandTypes
from ...rules.operator_rows import load_operators
from ...rules.rows import BiasRule, PresentRule, SlotPattern
from ...rules.targets import Target
from .taken_types import types_of

__all__ = ["of_the_bias"]


def of_the_bias(
    target: Target, graph: Subgraph, operator: Operator, nearest: OperandTypes | None
) -> bool:
    """Whether the operand types fail only because of a bias of a wrong type, or a missing one, and
    a rule of this target reports that. `nearest`: the nearest operand types that a kernel supports;
    None if there are none.
    """
    row, given = load_operators().get(operator.name), types_of(graph, operator)
    if row is None or nearest is None or nearest.outputs != given.outputs:
        return False
    inputs = given.inputs
    odd = [i for i, name in enumerate(nearest.inputs) if i >= len(inputs) or inputs[i] != name]
    return any(
        _speaks(target, graph, operator, rule)
        for rule in row.rules
        if isinstance(rule, BiasRule | PresentRule) and odd == [rule.slot.start]
    )


def _speaks(
    target: Target, graph: Subgraph, operator: Operator, rule: BiasRule | PresentRule
) -> bool:
    """Whether the target requires the rule and it applies to these operands: its conditions hold,
    the input has a type of the rule, and either the bias is missing (PresentRule) or it has a
    readable type that the rule does not allow, and the weights are quantized (BiasRule).
    """

    def type_at(place: SlotPattern) -> str:
        """The type of the tensor at the pattern's first place; ABSENT for a left-out operand."""
        operands = operator.operands(place.kind)
        index = operands[place.start] if place.start < len(operands) else -1
        return graph.tensors[index].type if index >= 0 else ABSENT

    activation, *others = (type_at(factor) for factor in rule.factors)
    bias = type_at(rule.slot)
    if isinstance(rule, PresentRule):
        concerned = bias == ABSENT
    else:
        allowed = rule.bias_types.get(activation, ())
        readable = bias in READABLE_BIAS_TYPES and bias not in allowed
        concerned = readable and not {*FLOATS, ABSENT} & {*others}
    if rule.when is not None:
        concerned = concerned and type_at(rule.when) != ABSENT
    if rule.unless is not None:
        concerned = concerned and type_at(rule.unless) == ABSENT
    if not concerned or activation not in rule.bias_types:
        return False
    return target.requirement(rule.id, activation).severity != "off"
