"""Invalid scales and zero points: each gives one finding, and its tensor gives no other.

A scale that is negative, NaN, infinite, or so large that its values exceed float32 is invalid, as
is a zero point outside its type, or a scale of 0 with nonzero integers. Rules skip such tensors and
no repair computes with them.

A scale of 0, or below the smallest normal float32, counts as 0 in kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..format.model import Model, QuantParams, Slot, Tensor, TensorId
from ..format.type_groups import ACTIVATION_TYPES, BIAS_TYPES
from ..format.wiring import links
from ..numerics import SMALLEST_SCALE, Label, integers_of, type_limits, usable_label
from ..record import replace
from ..rules.operator_rows import load_operators
from .binder.bound import Collector
from .constraints import BiasOf, Constraint, OneSlot, Same, WellFormed, Window
from .zeros import known_zeros, zero_channels

__all__ = ["ScaleFault", "believed", "scale_faults"]

# (rule id, expected text, actual text, whether a repair is known).
ScaleFault = tuple[str, str, str, bool]

_IMPOSSIBLE = ("params/scale", "params/zero_point")
_LARGEST_BIAS = float(np.finfo(np.float32).max) / 4  # real value: largest magnitude of one bias


def scale_faults(model: Model, subgraph: int, tensor: Tensor) -> Iterator[ScaleFault]:
    """Faults of a tensor's scales and zero points. `subgraph`: its index."""
    quant, limits = tensor.quant, type_limits(tensor.type)
    if quant is None or limits is None:
        return
    outside = [z for z in quant.zero_point if not limits[0] <= z <= limits[1]]
    if outside:
        expected = f"a zero_point in {limits[0]}..{limits[1]} ({tensor.type})"
        yield "params/zero_point", expected, str(outside[0]), False
    wrong = [s for s in quant.scale if not 0 <= s < math.inf]
    large = None if wrong else _too_large(model, subgraph, tensor, quant)
    if wrong:
        yield "params/scale", "positive finite scales", f"{wrong[0]!r}", False
    elif large is not None:
        expected = "a scale for which every value is finite in float32"
        yield "params/scale", expected, f"{large!r}", False
    elif min(quant.scale, default=1.0) < SMALLEST_SCALE and not outside:
        yield from _of_nothing(model, subgraph, tensor, quant)


def _too_large(model: Model, subgraph: int, tensor: Tensor, quant: QuantParams) -> float | None:
    """The scale with which some value of the tensor exceeds float32; None if there is none.
    `subgraph`: its index.
    """
    largest = max(quant.scale, default=0.0)
    if tensor.type in ACTIVATION_TYPES:
        usable = largest == 0 or usable_label(Label(largest, 0), tensor.type)
        return None if usable else largest
    data = model.constant(subgraph, tensor.index)
    if tensor.type not in BIAS_TYPES or data is None or largest < 1.0:
        return None
    values = np.abs(integers_of(data, tensor.type, tensor.elements))
    if len(quant.scale) not in (1, values.size):
        return None
    real = values * np.asarray(quant.scale)
    channel = int(np.argmax(real)) if real.size else 0
    beyond = real.size and real[channel] >= _LARGEST_BIAS
    return quant.scale[channel if len(quant.scale) > 1 else 0] if beyond else None


def _of_nothing(
    model: Model, subgraph: int, tensor: Tensor, quant: QuantParams
) -> Iterator[ScaleFault]:
    """The fault of a scale of 0 or nearly 0; harmless if all its integers stand for zero.
    `subgraph`: its index.
    """
    low = np.asarray(quant.scale) < SMALLEST_SCALE
    shown = f"{quant.scale[int(np.argmax(low))]!r}"
    zeros = zero_channels(model, subgraph, tensor)
    if zeros is None and model.is_constant(subgraph, tensor.index):
        return  # wrong length (another finding) or external data
    if zeros is None:
        zeros = np.full(len(low), tensor.index in known_zeros(model, subgraph))
    # Real values below the smallest normal float32 count as 0, whatever the integer.
    meant = zeros | (np.asarray(quant.scale) > 0) if len(zeros) == len(low) else zeros
    if tensor.type in BIAS_TYPES and bool(meant[low].all()):
        return
    if not model.is_constant(subgraph, tensor.index) and not zeros.all() and min(quant.scale) > 0:
        yield "params/subnormal", "a normal float32", shown, False
    elif bool(meant[low].all()):
        rule = "params/zero_scales" if len(low) > 1 else "params/zero_scale"
        if quant.scale[0] == 0 and len(low) == 1 and _ends_process(model, subgraph, tensor):
            rule = "params/zero_scale/aborts"
        yield rule, "a positive scale (any, since all its values are 0)", shown, True
    else:
        yield "params/scale", "positive finite scales", shown, False


def _ends_process(model: Model, subgraph: int, tensor: Tensor) -> bool:
    """Whether a kernel that reads the tensor computes a multiplier from its scale, which aborts for
    a scale of 0. `subgraph`: its index.
    """
    rows = load_operators()
    for slot in links(model, subgraph).readers.get(tensor.index, ()):
        if slot.operator < 0:
            continue
        row = rows.get(model.subgraphs[subgraph].operators[slot.operator].name)
        named = () if row is None else row.positive
        if any((pattern.kind, pattern.start) == (slot.kind, slot.index) for pattern in named):
            return True
    return False


def believed(collector: Collector, faults: Iterable[WellFormed]) -> list[Constraint]:
    """The collected constraints without those that depend on invalid parameters. `faults`: all
    violated parameter constraints. An operator with an invalid bias keeps its input's parameters:
    that slot is made rigid.
    """
    model = collector.model
    bad = {fault.slot.tensor_id(model) for fault in faults if fault.rule in _IMPOSSIBLE}
    if not bad:
        return collector.constraints
    sound: list[Constraint] = []
    for constraint in collector.constraints:
        rest = _without(model, constraint, bad)
        if rest is not None:
            sound.append(rest)
        elif isinstance(constraint, BiasOf):
            collector.rigid.add(constraint.factors[0])
    return sound


def _without(model: Model, constraint: Constraint, bad: set[TensorId]) -> Constraint | None:
    """The constraint without the slots of tensors in `bad`; None if nothing remains."""
    match constraint:
        case Same():
            slots = tuple(slot for slot in constraint.slots if slot.tensor_id(model) not in bad)
            if slots == constraint.slots:
                return constraint
            outputs = [slot for slot in slots if slot.kind == "outputs"]
            reference = (
                constraint.reference
                if constraint.reference in slots
                else (*outputs, *slots, None)[0]
            )
            if reference is None or len(slots) < 2:
                return None
            return replace(constraint, slots=slots, reference=reference)
        case BiasOf():
            return None if _any(model, (constraint.slot, *constraint.factors), bad) else constraint
        case Window():
            return None if _any(model, constraint.slots, bad) else constraint
        case WellFormed():
            shared_fault = constraint.like is not None and constraint.like.tensor_id(model) in bad
            return replace(constraint, like=None, fixable=False) if shared_fault else constraint
        case OneSlot():
            return None if _any(model, constraint.slots, bad) else constraint
    return constraint


def _any(model: Model, slots: Sequence[Slot], bad: set[TensorId]) -> bool:
    """Whether the tensor of one of the slots is in the set `bad`."""
    return any(slot.tensor_id(model) in bad for slot in slots)
