"""Repairs that need no solver. They run first because other repairs depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...checks.bias_faults import expected_bias_scales
from ...checks.binder.bound import Bound
from ...checks.checker import Finding
from ...checks.constraints import BiasOf, WellFormed
from ...checks.shapes.inference import inferred
from ...format.model import Slot, Tensor, TensorId
from ...format.wiring import slot_tensor
from ...numerics import close_scale
from ...record import replace
from ...rules.targets import Target
from .added_bias import add_bias
from .changes import Plan
from .clipped_masks import clip_masks
from .computed_sizes import fold_sizes
from .draft import Draft, relabelled
from .operator_versions import lower_version, raise_version
from .stated_axes import plan_axes
from .zero_scales import plan_zero_scales

__all__ = ["as_run", "mend"]


def mend(bound: Bound, findings: Iterable[Finding], targets: Sequence[Target]) -> Plan:
    """Repair what leaves no choice: missing parameters, zero points and biases, scales of zeros,
    impossible axes, duplicate names, stale ranges and shapes, computed sizes, masks beyond the
    range of their sum, and operator versions that the kernels of `targets` do not have. Other
    findings are skipped.

    A tensor that gets its parameters from another one which still lacks them waits for the next
    round.
    """
    draft = Draft(bound.model)
    like = {c.slot: c.like for c in bound.of(WellFormed) if c.like}
    findings = list(findings)
    plan_zero_scales(draft, bound, findings)
    plan_axes(draft, bound, findings)
    clip_masks(draft, bound, findings)
    done: set[tuple[int, int, str]] = set()
    for finding in findings:
        key = finding.tensor_id
        if finding.fix == "versions":
            raise_version(draft, key, finding)
            continue
        if finding.fix == "registered-version":
            lower_version(draft, finding, targets)
            continue
        if finding.fix == "missing-bias":
            add_bias(draft, finding)
            continue
        if finding.fix == "computed-sizes":
            key = TensorId(key.subgraph, -1)  # all chains of the subgraph together
        if (*key, finding.fix) in done:
            continue
        done.add((*key, finding.fix))
        if finding.fix == "computed-sizes":
            fold_sizes(draft, key.subgraph, resized=bound.resized)
        if finding.fix == "missing-parameters" and finding.slot in like:
            _given(draft, key, finding, like[finding.slot])
        elif finding.fix == "zero-points":
            _pointed(draft, key, finding)
        elif finding.fix == "names":
            _named(draft, key, finding)
        elif finding.fix == "shapes":
            _shaped(draft, key, finding)
        elif finding.fix == "minmax":
            _ranged(draft, key, finding)
    return draft.plan()


def _given(draft: Draft, key: TensorId, finding: Finding, like: Slot | None) -> None:
    """Give a tensor without parameters those of the slot `like`; nothing if that has none yet."""
    tensor = slot_tensor(draft.model, like) if like is not None else None
    if tensor is None or tensor.quant is None:
        return
    label = tensor.quant.label
    draft.set_quant(*key, relabelled(draft.tensor(*key), label))
    why = f"without parameters; its operator copies the integers of {tensor.name!r}"
    draft.note("parameters", key, "none", str(label), why=why, readers=(finding.slot,))


def _pointed(draft: Draft, key: TensorId, finding: Finding) -> None:
    """Give a tensor with scales zero points of 0."""
    quant = draft.tensor(*key).quant
    if quant is None:
        return
    draft.set_quant(*key, replace(quant, zero_point=(0,) * len(quant.scale)))
    after = "zero point 0" if len(quant.scale) == 1 else "zero points 0"
    why = "runtimes need a zero point with each scale"
    draft.note("parameters", key, "no zero point", after, why=why, readers=(finding.slot,))


def _named(draft: Draft, key: TensorId, finding: Finding) -> None:
    """Give a tensor a unique name."""
    name = draft.free_name(key[0], draft.tensor(*key).name)
    draft.graph(key[0]).set_tensor(key[1], name=name)
    before, why = draft.tensor(*key).name, "another tensor has the same name"
    draft.note("parameters", key, before, name, why=why, readers=(finding.slot,))


def _ranged(draft: Draft, key: TensorId, finding: Finding) -> None:
    """Replace a tensor's recorded min and max by the range of its label."""
    tensor = draft.tensor(*key)
    if tensor.quant is None:
        return
    quant = relabelled(tensor, tensor.quant.label)
    draft.set_quant(*key, quant)
    why = "the range of scale and zero_point"
    shown = [f"{q.minimum[0]:.6g}..{q.maximum[0]:.6g}" for q in (tensor.quant, quant)]
    draft.note("parameters", key, *shown, why=why, readers=(finding.slot,))


def _shaped(draft: Draft, key: TensorId, finding: Finding) -> None:
    """Write the computed shape; dimensions that are open in the signature stay open."""
    tensor, shape = draft.tensor(*key), inferred(draft.model, key.subgraph).shapes[key.tensor]
    signature = tensor.shape_signature
    if len(signature) == len(shape):
        pairs = zip(signature, shape, strict=True)
        signature = tuple(-1 if stated == -1 else size for stated, size in pairs)
    elif signature:
        signature = shape
    draft.graph(key.subgraph).set_tensor(key.tensor, shape=shape, shape_signature=signature)
    why = "the shape that its operator computes"
    draft.note("shape", key, finding.actual, finding.expected, why=why, readers=(finding.slot,))


def as_run(bound: Bound, findings: Iterable[Finding]) -> Plan:
    """Give biases the scales that kernels assume; their integers are unchanged, so that the file
    then declares what kernels compute.

    A bias whose readers assume different scales gets a copy for each. If the scales of the weights
    lie along the wrong axis, the kernel's scale is unknown and the bias is unchanged. `findings`:
    those to repair.
    """
    draft = Draft(bound.model)
    broken = {finding.slot for finding in findings if finding.fix == "bias-scale"}
    requests: dict[TensorId, dict[tuple[float, ...], list[Slot]]] = {}
    for constraint in bound.of(BiasOf):
        bias = slot_tensor(bound.model, constraint.slot)
        if bias is not None and bias.quant is not None and bias.quant.scale:
            scales = tuple(expected_bias_scales(bound.model, constraint))
            if len(scales) not in (1, bias.elements):
                continue
            groups = requests.setdefault(TensorId(constraint.slot.subgraph, bias.index), {})
            groups.setdefault(scales, []).append(constraint.slot)
    for key, groups in sorted(requests.items()):
        if broken.intersection(slot for slots in groups.values() for slot in slots):
            _corrected(draft, key, groups)
    return draft.plan()


def _corrected(draft: Draft, key: TensorId, groups: dict[tuple[float, ...], list[Slot]]) -> None:
    """Give one bias its scales. `groups`: reading slots by the scales that they need; each further
    group gets a copy.
    """
    tensor = draft.tensor(*key)
    readers = draft.links(key[0]).readers.get(key[1], [])
    in_use = sum(len(set(slots)) for slots in groups.values()) < len(readers)
    in_use = in_use or any(_holds(tensor, scales) for scales in groups)
    for scales, slots in groups.items():
        if tensor.quant is None or _holds(tensor, scales):
            continue
        quant = replace(
            tensor.quant,
            scale=scales,
            zero_point=(0,) * len(scales),
            quantized_dimension=0,
            minimum=(),
            maximum=(),
        )
        if in_use:
            data = bytes(draft.model.constant(*key) or b"")
            copy = draft.add_tensor(*key, "_as_run", quant, data=data)
            for slot in dict.fromkeys(slots):
                draft.rewire(slot, copy)
        else:
            draft.set_quant(*key, quant)
            in_use = True
        before, after = f"scale {tensor.quant.scale[0]:.7g}", f"scale {scales[0]:.7g}"
        why = "the scale that kernels compute with; the integers are unchanged"
        draft.note("parameters", key, before, after, why=why, readers=tuple(slots))


def _holds(tensor: Tensor, scales: tuple[float, ...]) -> bool:
    """Whether the tensor has these scales and zero points of 0."""
    quant = tensor.quant
    return (
        quant is not None
        and not any(quant.zero_point)
        and len(quant.scale) == len(scales)
        and all(close_scale(a, b) for a, b in zip(quant.scale, scales, strict=True))
    )
