"""Changes of biases: integers are requantized to input scale x weight scale, in a type that kernels
support.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...checks.binder.bound import Bound
from ...checks.constraints import BiasOf
from ...format.enums import type_code
from ...format.model import QuantParams, Slot, Tensor, TensorId
from ...format.wiring import slot_tensor
from ...numerics import close_scale, product_scale, requantize_bias
from ...record import Record, replace
from ...solver.problem_records import Conflict
from .draft import Draft

__all__ = ["bias_type", "plan_biases", "product_of"]

_NONE: Mapping[Slot, str] = MappingProxyType({})


class _Wanted(Record, frozen=True):
    """The scales (by channel, or one) and the type that an operator requires of its bias."""

    scales: tuple[float, ...]
    type: str


def plan_biases(
    draft: Draft,
    bound: Bound,
    scales_seen: Mapping[Slot, tuple[float, ...]],
    broken: frozenset[Slot],
    fixes: frozenset[str],
    *,
    refused: Mapping[Slot, str] = _NONE,
) -> list[Conflict]:
    """Requantize each bias that has a finding or whose input changed its parameters.

    `scales_seen`: scales of slots after alignment, where they differ from the declared ones.
    `broken`: slots with a bias finding that is to be repaired; `fixes`: ids of enabled repairs.
    `refused`: biases that must not be requantized, with the reason. Returns a conflict for each
    bias that cannot be requantized.
    """
    rules = bound.of(BiasOf)
    moving = {
        constraint.slot
        for constraint in rules
        if not scales_seen.keys().isdisjoint(constraint.factors)
    }
    by_slot: dict[Slot, list[BiasOf]] = {}
    for constraint in rules:
        if constraint.slot in moving or constraint.slot in broken:
            by_slot.setdefault(constraint.slot, []).append(constraint)
    requests: dict[TensorId, dict[_Wanted, list[BiasOf]]] = {}
    for slot, constraints in by_slot.items():
        bias = slot_tensor(bound.model, slot)
        moved = slot in moving
        if bias is not None:
            scales = product_of(bound, constraints[0], scales_seen)
            if not moved and "bias-scale" not in fixes and bias.quant and bias.quant.scale:
                scales = bias.quant.scale
            type_name = bias_type(constraints, bias) if "bias-type" in fixes else bias.type
            request = _Wanted(scales, type_name)
            key = TensorId(slot.subgraph, bias.index)
            requests.setdefault(key, {}).setdefault(request, []).append(constraints[0])
    conflicts = []
    for key in sorted(requests):
        conflicts += _Bias(draft, bound, key, fixes).serve(requests[key], refused)
    return conflicts


def bias_type(constraints: list[BiasOf], bias: Tensor) -> str:
    """The bias's own type if all its rules allow it, else the first type that they all allow.
    `constraints`: the rules of the bias's operators.
    """
    legal = [
        name
        for name in constraints[0].legal_types
        if all(name in constraint.legal_types for constraint in constraints[1:])
    ] or list(constraints[-1].legal_types)
    return bias.type if bias.type in legal else legal[0]


def _scales(
    bound: Bound, slot: Slot, scales_seen: Mapping[Slot, tuple[float, ...]]
) -> tuple[float, ...]:
    """The scales of a slot's tensor after alignment; real value of one step."""
    if slot in scales_seen:
        return scales_seen[slot]
    tensor = slot_tensor(bound.model, slot)
    return tensor.quant.scale if tensor is not None and tensor.quant is not None else (1.0,)


def product_of(
    bound: Bound, constraint: BiasOf, scales_seen: Mapping[Slot, tuple[float, ...]]
) -> tuple[float, ...]:
    """The bias scales that a constraint requires after alignment, by channel or one."""
    first = _scales(bound, constraint.factors[0], scales_seen)[0]
    for middle in constraint.factors[1:-1]:
        first *= _scales(bound, middle, scales_seen)[0]
    several = len(constraint.factors) > 1
    last = _scales(bound, constraint.factors[-1], scales_seen) if several else (1.0,)
    return tuple(product_scale(first, last, constraint.source.multiplier))


class _Bias:
    """Changes one bias tensor to what the operators that read it require, with copies where they
    differ.
    """

    def __init__(self, draft: Draft, bound: Bound, key: TensorId, fixes: frozenset[str]) -> None:
        self.fixes = fixes
        self.draft = draft
        self.bound = bound
        self.key = key
        self.tensor = draft.tensor(*key)
        self.data = draft.model.constant(*key)
        self.zero = self.tensor.quant.zero_point if self.tensor.quant is not None else ()

    def serve(
        self, requests: dict[_Wanted, list[BiasOf]], refused: Mapping[Slot, str]
    ) -> list[Conflict]:
        """Give each operator the bias that it needs. The first request changes the tensor in place,
        unless another operator needs it unchanged; each further one gets a copy. Returns a conflict
        for each impossible request. `refused`: slot -> reason, for biases that cannot be changed.
        """
        readers = self.draft.links(self.key[0]).readers.get(self.key[1], [])
        satisfied = [w for w, those in requests.items() if self._holds(w, self._declared(those[0]))]
        served = sum(len(constraints) for constraints in requests.values())
        in_use = bool(satisfied) or served < len(readers)
        conflicts = []
        for request, constraints in requests.items():
            slots = tuple(constraint.slot for constraint in constraints)
            declared = self._declared(constraints[0])
            if "bias-type" in self.fixes:
                self._state(request, constraints)
            if request in satisfied:
                continue
            reason = next((refused[slot] for slot in slots if slot in refused), None)
            if reason is not None:
                conflicts.append(_conflict(slots, constraints[0], reason))
                continue
            if self.data is None or _mismatched(declared, request.scales, self.tensor):
                message = "bias: its integers cannot be re-expressed"
                conflicts.append(_conflict(slots, constraints[0], message))
                continue
            new, overflow, error = requantize_bias(
                self.data,
                self.tensor.type,
                declared,
                request.scales,
                request.type,
                zero_points=self.zero,
            )
            if overflow:
                scale = min(request.scales)
                message = f"bias: its values do not fit {request.type} at scale {scale:.6g}"
                conflicts.append(_conflict(slots, constraints[0], message))
                continue
            self._write(request, new, slots, copy=in_use)
            in_use = True
            self._note(declared, request, error, slots)
        return conflicts

    def _state(self, request: _Wanted, constraints: list[BiasOf]) -> None:
        """Set the operator's option that names the bias type, if it has one. `constraints`: the
        rules of the bias's operators.
        """
        for constraint in constraints:
            if constraint.source.type_option and constraint.stated not in {"", request.type}:
                option, code = constraint.source.type_option, type_code(request.type)
                self.draft.graph(constraint.slot.subgraph).set_option(
                    constraint.slot.operator, option, code
                )
                self.draft.touched.add(constraint.slot.operator_id)
                before, after = f"option: {constraint.stated}", f"option: {request.type}"
                why = "the option for the bias type must match the bias"
                slots = (constraint.slot,)
                self.draft.note("parameters", self.key, before, after, why=why, readers=slots)

    def _declared(self, constraint: BiasOf) -> tuple[float, ...]:
        """The scales of the bias in the file; for a bias without parameters the required ones, for
        a float bias 1.
        """
        if self.tensor.type == "float32":
            return (1.0,)
        scales = self.tensor.quant.scale if self.tensor.quant is not None else ()
        return scales or product_of(self.bound, constraint, {})

    def _holds(self, request: _Wanted, declared: tuple[float, ...]) -> bool:
        """Whether the bias already has the requested type, scales and zero point. `declared`: its
        scales in the file.
        """
        return (
            request.type == self.tensor.type
            and self.tensor.quant is not None
            and bool(self.tensor.quant.scale)
            and not any(self.zero)
            and len(declared) == len(request.scales)
            and all(close_scale(a, b) for a, b in zip(declared, request.scales, strict=True))
        )

    def _write(self, request: _Wanted, new: bytes, slots: tuple[Slot, ...], *, copy: bool) -> None:
        """Write the new integers: into a copy that these slots read, or in place."""
        subgraph, index = self.key
        quant = _bias_quant(self.tensor, request)
        if copy:
            added = self.draft.add_tensor(
                subgraph, index, "_rescaled", quant, data=new, type_name=request.type
            )
            for slot in slots:
                self.draft.rewire(slot, added)
        else:
            self.draft.set_quant(subgraph, index, quant)
            self.draft.graph(subgraph).set_data(index, new, request.type)
        self.draft.touched.update(slot.operator_id for slot in slots)

    def _note(
        self,
        declared: tuple[float, ...],
        request: _Wanted,
        error: float,
        slots: tuple[Slot, ...],
    ) -> None:
        """Record the change. `error`: largest rounding error, real value. `declared`: its scales in
        the file. `slots`: readers to report.
        """
        has_scale = self.tensor.quant is not None and self.tensor.quant.scale
        before = f"{self.tensor.type}, scale {declared[0]:.7g}" if has_scale else "no scale"
        after = f"{request.type}, scale {request.scales[0]:.7g}"
        why = f"bias is input scale x weight scale (rounding at most {error:.3g})"
        self.draft.note("bias", self.key, before, after, why=why, readers=slots)


def _mismatched(declared: tuple[float, ...], expected: tuple[float, ...], tensor: Tensor) -> bool:
    """Whether one of the numbers of scales is neither 1 nor the number of bias values. `declared`:
    scales in the file; `expected`: scales that the kernel needs.
    """
    count = tensor.elements
    return len(declared) not in (1, count) or len(expected) not in (1, count)


def _conflict(slots: tuple[Slot, ...], constraint: BiasOf, message: str) -> Conflict:
    """The conflict of biases at these slots. `message`: its text."""
    return Conflict(slots=slots, rules=(constraint.rule,), message=message)


def _bias_quant(tensor: Tensor, request: _Wanted) -> QuantParams:
    """Parameters of a bias: the scales of the request, zero point 0 and axis 0."""
    return replace(
        tensor.quant or QuantParams(scale=(), zero_point=()),
        scale=request.scales,
        zero_point=(0,) * len(request.scales),
        quantized_dimension=0,
        minimum=(),
        maximum=(),
    )
