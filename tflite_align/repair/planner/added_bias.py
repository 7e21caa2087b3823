"""Addition of a zero bias to a convolution that has none."""

from __future__ import annotations

import numpy as np

from ...checks.checker import Finding
from ...format.model import QuantParams, Tensor, TensorId
from ...format.wiring import quantized
from ...numerics import product_scale
from ...rules.operator_rows import load_operators
from ...rules.rows import PresentRule
from .draft import Draft

__all__ = ["add_bias"]


def add_bias(draft: Draft, finding: Finding) -> None:
    """Add the missing bias operand, with zeros; does nothing if the weights do not determine its
    length.
    """
    slot = finding.slot
    operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
    rules = load_operators()[operator.name].rules
    rule = next(r for r in rules if r.id == finding.rule and isinstance(r, PresentRule))
    assert isinstance(rule, PresentRule)
    places = [operator.operands(pattern.kind)[pattern.start] for pattern in rule.factors]
    source, weights = (draft.tensor(slot.subgraph, index) for index in (places[0], places[-1]))
    type_name = rule.bias_types.get(source.type)
    if type_name is None or not 0 <= rule.axis < len(weights.shape) or weights.shape[rule.axis] < 1:
        return
    count = weights.shape[rule.axis]
    data = np.zeros(count, type_name).tobytes()
    quant = None if type_name == "float32" else _product(source, weights)
    added = draft.add_tensor(
        slot.subgraph, weights.index, "_bias", quant, data=data, type_name=type_name, shape=(count,)
    )
    draft.rewire(slot, added)
    why = "its kernels need a bias; zeros do not change the result"
    key = TensorId(slot.subgraph, weights.index)
    draft.note("bias", key, "none", f"{count} zeros, {type_name}", why=why, readers=(slot,))


def _product(source: Tensor, weights: Tensor) -> QuantParams | None:
    """The parameters with scale input scale x weight scale; None if one of them has no scale."""
    if (
        source.quant is None
        or weights.quant is None
        or not (quantized(source) and quantized(weights))
    ):
        return None
    scales = tuple(product_scale(source.quant.scale[0], weights.quant.scale, 1.0))
    return QuantParams(scale=scales, zero_point=(0,) * len(scales))
