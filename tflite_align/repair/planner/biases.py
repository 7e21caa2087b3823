"""Edits for biases: integers re-expressed in input scale x weight scale, in the right type."""

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
    """Parameters a bias has to have at one operator."""

    scales: tuple[float, ...]
    type: str


def plan_biases(
    draft: Draft,
    bound: Bound,
    seen: Mapping[Slot, tuple[float, ...]],
    broken: frozenset[Slot],
    fixes: frozenset[str],
    *,
    refused: Mapping[Slot, str] = _NONE,
) -> list[Conflict]:
    """Re-express each bias that is broken, or whose input changed its parameters.

    `seen`: scales that slots see after alignment, where they differ from the declared ones.
    `refused`: biases that are not to be re-expressed, with the reason. Returns the biases that cannot be re-expressed.
    """
    rules = [entry for entry in bound.constraints if isinstance(entry, BiasOf)]
    moving = {entry.slot for entry in rules if not seen.keys().isdisjoint(entry.factors)}
    by_slot: dict[Slot, list[BiasOf]] = {}
    for entry in rules:
        if entry.slot in moving or entry.slot in broken:
            by_slot.setdefault(entry.slot, []).append(entry)
    asked: dict[TensorId, dict[_Wanted, list[BiasOf]]] = {}
    for slot, constraints in by_slot.items():
        bias = slot_tensor(bound.model, slot)
        moved = slot in moving
        if bias is not None:
            scales = product_of(bound, constraints[0], seen)
            if not moved and "bias-scale" not in fixes and bias.quant and bias.quant.scale:
                scales = bias.quant.scale
            kind = bias_type(constraints, bias) if "bias-type" in fixes else bias.type
            wanted = _Wanted(scales, kind)
            key = TensorId(slot.subgraph, bias.index)
            asked.setdefault(key, {}).setdefault(wanted, []).append(constraints[0])
    conflicts = []
    for key in sorted(asked):
        conflicts += _Bias(draft, bound, key, fixes).serve(asked[key], refused)
    return conflicts


def bias_type(constraints: list[BiasOf], bias: Tensor) -> str:
    """The bias's own type where all its rules allow it, else the first that they all allow."""
    legal = [
        name
        for name in constraints[0].legal_types
        if all(name in other.legal_types for other in constraints[1:])
    ] or list(constraints[-1].legal_types)
    return bias.type if bias.type in legal else legal[0]


def _scales(bound: Bound, slot: Slot, seen: Mapping[Slot, tuple[float, ...]]) -> tuple[float, ...]:
    if slot in seen:
        return seen[slot]
    tensor = slot_tensor(bound.model, slot)
    return tensor.quant.scale if tensor is not None and tensor.quant is not None else (1.0,)


def product_of(
    bound: Bound, constraint: BiasOf, seen: Mapping[Slot, tuple[float, ...]]
) -> tuple[float, ...]:
    first = _scales(bound, constraint.factors[0], seen)[0]
    for middle in constraint.factors[1:-1]:
        first *= _scales(bound, middle, seen)[0]
    several = len(constraint.factors) > 1
    last = _scales(bound, constraint.factors[-1], seen) if several else (1.0,)
    return tuple(product_scale(first, last, constraint.source.multiplier))


class _Bias:
    """One bias tensor, and what the operators that read it want of it."""

    def __init__(self, draft: Draft, bound: Bound, key: TensorId, fixes: frozenset[str]) -> None:
        self.fixes = fixes
        self.draft = draft
        self.bound = bound
        self.key = key
        self.tensor = draft.tensor(*key)
        self.data = draft.model.constant(*key)
        self.zero = self.tensor.quant.zero_point if self.tensor.quant is not None else ()

    def serve(
        self, asked: dict[_Wanted, list[BiasOf]], refused: Mapping[Slot, str]
    ) -> list[Conflict]:
        """The first wish is met in place unless another reader needs the tensor as it is."""
        readers = self.draft.links(self.key[0]).readers.get(self.key[1], [])
        held = [w for w, those in asked.items() if self._holds(w, self._declared(those[0]))]
        served = sum(len(constraints) for constraints in asked.values())
        taken = bool(held) or served < len(readers)
        conflicts = []
        for wanted, constraints in asked.items():
            slots = tuple(constraint.slot for constraint in constraints)
            declared = self._declared(constraints[0])
            if "bias-type" in self.fixes:
                self._state(wanted, constraints)
            if wanted in held:
                continue
            reason = next((refused[slot] for slot in slots if slot in refused), None)
            if reason is not None:
                conflicts.append(_conflict(slots, constraints[0], reason))
                continue
            if self.data is None or _mismatched(declared, wanted.scales, self.tensor):
                message = "bias: its integers cannot be re-expressed"
                conflicts.append(_conflict(slots, constraints[0], message))
                continue
            new, overflow, error = requantize_bias(
                self.data,
                self.tensor.type,
                declared,
                wanted.scales,
                wanted.type,
                zero_points=self.zero,
            )
            if overflow:
                scale = min(wanted.scales)
                message = f"bias: its values do not fit {wanted.type} at scale {scale:.6g}"
                conflicts.append(_conflict(slots, constraints[0], message))
                continue
            self._write(wanted, new, slots, copy=taken)
            taken = True
            self._note(declared, wanted, error, slots)
        return conflicts

    def _state(self, wanted: _Wanted, constraints: list[BiasOf]) -> None:
        """Where the operator states its bias's type, let it state the right one."""
        for constraint in constraints:
            if constraint.source.type_option and constraint.stated not in {"", wanted.type}:
                option, code = constraint.source.type_option, type_code(wanted.type)
                self.draft.graph(constraint.slot.subgraph).set_option(
                    constraint.slot.operator, option, code
                )
                self.draft.touched.add(constraint.slot.operator_id)
                before, after = f"stated as {constraint.stated}", f"stated as {wanted.type}"
                why = "the operator states the type that its bias has"
                slots = (constraint.slot,)
                self.draft.note("parameters", self.key, before, after, why=why, readers=slots)

    def _declared(self, constraint: BiasOf) -> tuple[float, ...]:
        """Its scales; without parameters it is taken to be in the declared product's, and floats
        are real values.
        """
        if self.tensor.type == "float32":
            return (1.0,)
        own = self.tensor.quant.scale if self.tensor.quant is not None else ()
        return own or product_of(self.bound, constraint, {})

    def _holds(self, wanted: _Wanted, declared: tuple[float, ...]) -> bool:
        return (
            wanted.type == self.tensor.type
            and self.tensor.quant is not None
            and bool(self.tensor.quant.scale)
            and not any(self.zero)
            and len(declared) == len(wanted.scales)
            and all(close_scale(a, b) for a, b in zip(declared, wanted.scales, strict=True))
        )

    def _write(self, wanted: _Wanted, new: bytes, slots: tuple[Slot, ...], *, copy: bool) -> None:
        subgraph, index = self.key
        quant = _bias_quant(self.tensor, wanted)
        if copy:
            added = self.draft.add_tensor(
                subgraph, index, "_rescaled", quant, data=new, type_name=wanted.type
            )
            for slot in slots:
                self.draft.rewire(slot, added)
        else:
            self.draft.set_quant(subgraph, index, quant)
            self.draft.graph(subgraph).set_data(index, new, wanted.type)
        self.draft.touched.update(slot.operator_id for slot in slots)

    def _note(
        self,
        declared: tuple[float, ...],
        wanted: _Wanted,
        error: float,
        slots: tuple[Slot, ...],
    ) -> None:
        own = self.tensor.quant is not None and self.tensor.quant.scale
        before = f"{self.tensor.type}, scale {declared[0]:.7g}" if own else "no scale"
        after = f"{wanted.type}, scale {wanted.scales[0]:.7g}"
        why = f"bias is input scale x weight scale (rounding at most {error:.3g})"
        self.draft.note("bias", self.key, before, after, why=why, readers=slots)


def _mismatched(declared: tuple[float, ...], wanted: tuple[float, ...], tensor: Tensor) -> bool:
    count = tensor.elements
    return len(declared) not in (1, count) or len(wanted) not in (1, count)


def _conflict(slots: tuple[Slot, ...], constraint: BiasOf, message: str) -> Conflict:
    return Conflict(slots=slots, rules=(constraint.rule,), message=message)


def _bias_quant(tensor: Tensor, wanted: _Wanted) -> QuantParams:
    """Zero point 0 throughout and axis 0."""
    return replace(
        tensor.quant or QuantParams(scale=(), zero_point=()),
        scale=wanted.scales,
        zero_point=(0,) * len(wanted.scales),
        quantized_dimension=0,
        minimum=(),
        maximum=(),
    )
