"""Changes of activations and of the constants tied to them: new parameters, inserted QUANTIZE,
operands that read another tensor.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...checks.binder.bound import Bound, Requantizing
from ...format.model import Slot, Tensor, TensorId
from ...numerics import Label, close_scale, requantize, to_float32
from ...solver.problem_records import Solution
from .draft import Draft, relabelled

__all__ = ["plan_activations"]

_COARSE = 16  # a QUANTIZE that coarsens the step by this factor (4 bits) is noted in the report

# The rules that require each QUANTIZE inserted at a tensor.
Because = Mapping[tuple[TensorId, Label], tuple[str, ...]]


def plan_activations(draft: Draft, solution: Solution, bound: Bound) -> None:
    """Set the label that the solver decided for every tensor, and insert a QUANTIZE in front of
    readers that get another one. Constants that are tied to activations are re-expressed.
    """
    because = {(cut.key, cut.label): cut.because for cut in reversed(solution.cuts)}
    for key in sorted(solution.source):
        _plan_value(draft, solution, key, bound, because)
    constants: dict[TensorId, list[Slot]] = {}
    for slot in solution.seen:
        key = slot.tensor_id(draft.model)
        if key not in solution.source:
            constants.setdefault(key, []).append(slot)
    for key in sorted(constants):
        _plan_constant(draft, solution, key, constants[key])


def _by_label(solution: Solution, readers: list[Slot]) -> dict[Label, list[Slot]]:
    """The slots of `readers` for which the solver decided a label, grouped by that label."""
    slots_by_label: dict[Label, list[Slot]] = {}
    for slot in readers:
        if slot in solution.seen:
            slots_by_label.setdefault(solution.seen[slot], []).append(slot)
    return slots_by_label


def _plan_value(
    draft: Draft, solution: Solution, key: TensorId, bound: Bound, because: Because
) -> None:
    """Give one activation the label with which it is written, and insert a QUANTIZE for each other
    label that its readers get. `because`: (tensor, label) -> rules that require the QUANTIZE.
    """
    subgraph, index = key
    tensor = draft.tensor(*key)
    own = tensor.quant.label if tensor.quant is not None else Label(0.0, 0)
    written = solution.source[key]
    wiring = draft.links(subgraph)
    producer = wiring.producer[index]
    readers = _by_label(solution, wiring.readers.get(index, []))
    if readers and _empty(tensor) and set(readers) != {written}:
        _plan_empty(draft, key, list(readers), producer)
        return
    staying = next(
        (
            label
            for label, slots in readers.items()
            if label != written and any(s.operator < 0 and s in bound.rigid for s in slots)
        ),
        None,
    )
    source = index
    if staying is not None:
        # A graph output keeps its tensor index: its operator gets a new output tensor.
        source = draft.add_tensor(subgraph, index, "_written", relabelled(tensor, written))
        draft.rewire(producer, source)
        for slot in readers.get(written, []):
            draft.rewire(slot, source)
        draft.note("moved", key, str(own), str(written), why=solution.why[key], readers=(producer,))
        if staying != own:
            draft.set_quant(subgraph, index, relabelled(tensor, staying))
    elif written != own:
        draft.set_quant(subgraph, index, relabelled(tensor, written))
        noise = written.zero_point == own.zero_point and close_scale(written.scale, own.scale)
        change = "snapped" if noise else "moved"
        draft.note(change, key, str(own), str(written), why=solution.why[key], readers=(producer,))  # type: ignore[arg-type]
    for label, slots in readers.items():
        if label == written:
            continue
        reuse = index if label == staying else None
        whole = subgraph in draft.model.named_subgraphs
        for served in [slots] if whole else _apart(slots):
            _plan_cut(
                draft,
                solution,
                key,
                bound.cuts.get(tensor.type, Requantizing()),
                source=source,
                reuse=reuse,
                label=label,
                slots=served,
                because=because,
            )


def _empty(tensor: Tensor) -> bool:
    """Whether the tensor has no elements in any run."""
    return 0 in tensor.shape and -1 not in tensor.shape_signature


def _plan_empty(draft: Draft, key: TensorId, labels: list[Label], producer: Slot) -> None:
    """Give a tensor without elements its readers' label.

    No integer changes. A QUANTIZE is not inserted, as not every runtime runs one on an empty
    tensor.
    """
    tensor = draft.tensor(*key)
    if len(labels) == 1 and tensor.quant is not None:
        label = tensor.quant.label
        draft.set_quant(*key, relabelled(tensor, labels[0]))
        why = "a tensor without elements gets its reader's parameters"
        draft.note("moved", key, str(label), str(labels[0]), why=why, readers=(producer,))


def _apart(slots: list[Slot]) -> list[list[Slot]]:
    """The slots in groups that can read one QUANTIZE: all together, except that every further graph
    output needs a separate QUANTIZE.

    LiteRT's IF returns only the last of two outputs that are the same computed tensor; it copies
    the same input twice.
    """
    outputs = [slot for slot in slots if slot.operator < 0]
    extra_outputs = set(outputs[1:])
    return [
        [slot for slot in slots if slot not in extra_outputs],
        *([slot] for slot in outputs[1:]),
    ]


def _plan_cut(
    draft: Draft,
    solution: Solution,
    key: TensorId,
    able: Requantizing,
    *,
    source: int,
    reuse: int | None,
    label: Label,
    slots: list[Slot],
    because: Because,
) -> None:
    """Insert a QUANTIZE before the first of its readers, or two in a row if one would overflow.

    `able`: limits of a QUANTIZE; `source`: index of the tensor that it reads; `reuse`: of the
    tensor that it writes, None to add one; `label`: of that tensor; `slots`: its readers;
    `because`: rules by (tensor, label).
    """
    subgraph, index = key
    tensor = draft.tensor(*key)
    target = reuse
    if target is None:
        target = draft.add_tensor(subgraph, index, "_requantized", relabelled(tensor, label))
        for slot in slots:
            draft.rewire(slot, target)
    places = [slot.operator for slot in slots if slot.operator >= 0]
    before = min(places) if places else draft.links(subgraph).producer[index].operator + 1
    written = solution.source[key]
    if not able.in_one(written.scale, label.scale):
        between = Label(to_float32(able.between(written.scale)), label.zero_point)
        step = draft.add_tensor(subgraph, index, "_between", relabelled(tensor, between))
        draft.add_quantize(subgraph, source, step, tensor.type, before)
        why = "so that the QUANTIZE behind it does not overflow"
        draft.note("cut", key, str(written), str(between), why=why, readers=tuple(slots))
        source, written = step, between
    draft.add_quantize(subgraph, source, target, tensor.type, before)
    rules = because.get((key, label), ())
    why = "readers disagree: " + ", ".join(rules) if rules else "readers disagree"
    if label.scale >= _COARSE * written.scale:
        why += f"; its steps are {label.scale / written.scale:.3g} times as coarse"
    draft.note("cut", key, str(written), str(label), why=why, readers=tuple(slots))


def _plan_constant(draft: Draft, solution: Solution, key: TensorId, slots: list[Slot]) -> None:
    """Requantize a constant to the labels of its reading slots; each additional label gets a copy
    of it.
    """
    subgraph, index = key
    tensor = draft.tensor(*key)
    data = draft.model.constant(*key)
    if tensor.quant is None or data is None:
        return
    own = tensor.quant.label
    readers = draft.links(subgraph).readers.get(index, [])
    slots_by_label = _by_label(solution, slots)
    stays = len(slots) < len(readers) or own in slots_by_label
    for label, group in slots_by_label.items():
        if label == own:
            continue
        new = requantize(data, tensor.type, own, label)
        quant = relabelled(tensor, label)
        if stays:
            copy = draft.add_tensor(subgraph, index, "_requantized", quant, data=new)
            for slot in group:
                draft.rewire(slot, copy)
        else:
            draft.set_quant(subgraph, index, quant)
            draft.graph(subgraph).set_data(index, new)
            stays = True
        why = "constant re-expressed in its group's parameters"
        draft.note("constant", key, str(own), str(label), why=why, readers=tuple(group))
