"""The lock: the graph inputs and outputs that firmware was compiled against, and differences of a
model from it.

In: a Model, or the text of a lock file. Out: the record, its text, and differences as Findings. A
lock holds the inputs and outputs of subgraph 0 and of every signature, in order, and nothing else:
a re-trained model with the same inputs and outputs has the same lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..checks.checker import Finding
from ..errors import RuleError, UnsupportedError, UsageError
from ..format.model import Model, Slot, SlotKind, Tensor
from ..record import Record, compared, plain
from ..rules import fields as f

__all__ = ["LOCK_FORMAT", "Lock", "Port", "Signed", "lock_findings", "lock_of", "lock_schema", "parse_lock", "render_lock"]  # fmt: skip

# Version of the file's form; raised when a reader of the old form would misread the new.
LOCK_FORMAT = 1

_BEHAVIOUR = "firmware compiled with the locked values would misread the model's integers"


def _single(value: float) -> float:
    """The float32 nearest to the decimal in the file, so that written scales are restored bit by
    bit. ValueError beyond float32.
    """
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    if not np.isfinite(single):
        raise ValueError(f"expected a float32 number, found {value!r}")
    return single


if TYPE_CHECKING:
    Float32 = float
else:

    class Float32(metaclass=f.Reading):
        """The field type of a float32 number."""

        form = float
        called = "a number"
        read = staticmethod(_single)


class Port(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input or output. `name`: of the tensor, or in the signature; `scale`: float32 values,
    empty if not quantized.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    scale: tuple[Float32, ...]
    zero_point: tuple[int, ...]
    quantized_dimension: int


class Signed(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature: its key, its subgraph, and its inputs and outputs by name."""

    key: str
    subgraph: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Lock(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What other programs rely on: graph inputs and outputs, and signatures."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    signatures: tuple[Signed, ...]


def lock_of(model: Model) -> Lock:
    """The lock of a model. UnsupportedError for a scale that is NaN or infinite."""
    graph = model.subgraphs[0]
    return Lock(
        inputs=tuple(_port(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(_port(graph.tensors[index]) for index in graph.outputs),
        signatures=tuple(
            Signed(
                key=signature.key,
                subgraph=signature.subgraph,
                inputs=_named(model, signature.subgraph, signature.inputs),
                outputs=_named(model, signature.subgraph, signature.outputs),
            )
            for signature in model.signatures
        ),
    )


def _named(model: Model, graph: int, ports: Sequence[tuple[str, int]]) -> tuple[Port, ...]:
    """The ports of a signature, given as (name, tensor index)."""
    tensors = model.subgraphs[graph].tensors
    return tuple(_port(tensors[index], name) for name, index in ports)


def _port(tensor: Tensor, name: str | None = None) -> Port:
    """The port of one tensor; `name`: in the signature, if it has one."""
    quant = tensor.quant
    scales = quant.scale if quant is not None else ()
    if not all(np.isfinite(scales)):
        raise UnsupportedError(
            f"cannot be locked: expected finite scales, but tensor {tensor.name!r} has {scales}"
        )
    return Port(
        name=tensor.name if name is None else name,
        type=tensor.type,
        shape=tensor.shape,
        shape_signature=tensor.shape_signature,
        scale=scales,
        zero_point=quant.zero_point if quant is not None else (),
        quantized_dimension=quant.quantized_dimension if quant is not None else 0,
    )


# --- the file ----------------------------------------------------------------------------------


class _LockDocument(Lock, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a lock file."""

    format: Literal[LOCK_FORMAT]  # type: ignore[valid-type]


def parse_lock(source: bytes | str) -> Lock:
    """Parse a lock file's text. Raises UsageError with the fault and its key. `source`: the text."""
    try:
        raw = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not a lock file: not JSON: {error}") from None
    version = raw.get("format") if isinstance(raw, dict) else None
    if version != LOCK_FORMAT or isinstance(version, bool):
        description = (
            f"format {version!r}" if version is not None else "a document without `format`"
        )
        raise UsageError(
            f"not a lock file: expected a table of format {LOCK_FORMAT}, found {description}"
        )
    try:
        read = f.convert(raw, _LockDocument, "lock")
    except RuleError as error:
        raise UsageError(str(error)) from None
    return Lock(inputs=read.inputs, outputs=read.outputs, signatures=read.signatures)


def render_lock(lock: Lock) -> str:
    """The text of a lock; equal locks give equal text. Scales are the shortest decimals for their
    float32.
    """
    document = {"format": LOCK_FORMAT, **plain(lock)}
    return json.dumps(_short(document), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _short(value: Any) -> Any:
    """JSON values with scales as the shortest decimals for their float32."""
    if isinstance(value, float):
        return float(str(np.float32(value)))
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_short(item) for item in value]
    return value


def lock_schema() -> dict[str, Any]:
    """The JSON Schema of a lock file, made from the records that its reader uses."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align lock",
        **f.schema_of(_LockDocument),
    }


# --- differences -------------------------------------------------------------------------------

# Rule (after `lock/`), slot, address, value in the lock, value in the model.
_Difference = tuple[str, Slot, str, str, str]


def lock_findings(model: Model, lock: Lock | None) -> list[Finding]:
    """A finding for each difference of the model's inputs, outputs and signatures from the lock, in
    order; none without a lock.
    """
    if lock is None:
        return []
    have = lock_of(model)
    differences = [
        *_ports("inputs", 0, "subgraph[0]", lock.inputs, have.inputs),
        *_ports("outputs", 0, "subgraph[0]", lock.outputs, have.outputs),
    ]
    texts = {(rule, expected, actual) for rule, _, _, expected, actual in differences}
    # Tensors that a signature shares with the graph are reported once.
    differences += [
        signature_difference
        for signature_difference in _signatures(lock.signatures, have.signatures)
        if (signature_difference[0], signature_difference[3], signature_difference[4]) not in texts
    ]
    return [_finding(model, difference) for difference in differences]


def _signatures(locked: Sequence[Signed], have: Sequence[Signed]) -> Iterator[_Difference]:
    """Differences of the signatures. `locked`: those of the lock; `have`: of the model."""
    by_key = {signature.key: signature for signature in have}
    keys = {signature.key for signature in locked}
    for signature in locked:
        address, slot = f"signature[{signature.key}]", Slot(signature.subgraph, -1, "inputs", 0)
        current = by_key.get(signature.key)
        if current is None:
            yield "signature", slot, address, f"signature {signature.key!r}", "none"
            continue
        if signature.subgraph != current.subgraph:
            yield (
                "signature",
                slot,
                address,
                f"subgraph {signature.subgraph}",
                str(current.subgraph),
            )
        yield from _ports("inputs", current.subgraph, address, signature.inputs, current.inputs)
        yield from _ports("outputs", current.subgraph, address, signature.outputs, current.outputs)
    for signature in have:
        if signature.key not in keys:
            slot = Slot(signature.subgraph, -1, "inputs", 0)
            yield (
                "signature",
                slot,
                f"signature[{signature.key}]",
                "none",
                f"signature {signature.key!r}",
            )


def _ports(
    slot_kind: SlotKind, graph: int, place: str, locked: Sequence[Port], have: Sequence[Port]
) -> Iterator[_Difference]:
    """Differences of inputs or outputs. `place`: their address. `locked`: those of the lock;
    `have`: of the model.
    """
    if len(locked) != len(have):
        slot, count = Slot(graph, -1, slot_kind, 0), f"{place}/{slot_kind}"
        yield "count", slot, count, f"{len(locked)} {slot_kind}", str(len(have))
    for index, (old, new) in enumerate(zip(locked, have, strict=False)):
        slot, address = Slot(graph, -1, slot_kind, index), f"{place}/{slot_kind}[{index}]"
        for field in compared(Port):
            expected, actual = getattr(old, field), getattr(new, field)
            if expected != actual:
                yield field, slot, address, _words(expected), _words(actual)


def _words(value: Any) -> str:
    """A locked value (type, shape, scale, ...) as text."""
    if isinstance(value, tuple):
        numbers = [str(np.float32(v)) if isinstance(v, float) else str(v) for v in value]
        return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
    return str(value)


def _finding(model: Model, difference: _Difference) -> Finding:
    """The finding for one difference between model and lock."""
    rule, slot, address, expected, actual = difference
    inside = slot.subgraph < len(model.subgraphs)
    index = slot.tensor(model) if inside else -1
    tensor = model.subgraphs[slot.subgraph].tensors[index] if index >= 0 else None
    what = rule.replace("quantized_dimension", "quantized dimension").replace("_", " ")
    return Finding(
        rule=f"lock/{rule}",
        slot=slot if inside else Slot(0, -1, "inputs", 0),
        address=address,
        tensor=index,
        tensor_name="" if tensor is None else tensor.name,
        severity="error",
        expected=expected,
        actual=actual,
        behaviour=_BEHAVIOUR,
        fix="",
        message=f"{address}: {what} is {actual}, the lock has {expected} (rule lock/{rule})",
        targets=(),
        offset=-1 if tensor is None else tensor.pos,
    )
