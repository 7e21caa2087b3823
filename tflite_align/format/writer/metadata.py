"""Metadata that refers to tensors or operators, and its update when some are added."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import NoReturn

from ...errors import UnsupportedError
from ..model import Model

__all__ = ["HARMLESS", "memory_plan", "unknown_metadata"]

MEMORY_PLAN = "OfflineMemoryAllocation"

# Names that neither count nor index tensors or operators. Source: metadata written by TensorFlow,
# LiteRT, their metadata writers and converters.
HARMLESS = frozenset(
    {
        "CONVERSION_METADATA",
        "TFLITE_METADATA",
        "buffer_location",
        "keep_stablehlo_constant",
        "min_runtime_version",
        "odml.infra.proto.LlmParameters",
        "reduced_precision_support",
        "spm_vocab_model",
    }
)

_HEADER = struct.Struct("<3i")  # version, subgraph, number of offsets
_ANYWHERE = -1  # offset of a tensor that is placed at run time


def unknown_metadata(model: Model) -> tuple[str, ...]:
    """Names of metadata that may refer to tensors or operators by position in an unknown way.

    Adding a tensor or an operator to such a model is refused. The model's `allowed_metadata` are
    left out.
    """
    names = {metadata.name for metadata in model.metadata}
    return tuple(sorted(names - HARMLESS - {MEMORY_PLAN} - model.allowed_metadata))


def memory_plan(
    model: Model, data: bytes, added: Mapping[int, int], altered: Collection[tuple[int, int]]
) -> bytes:
    """The offline memory plan `data` after the edits.

    `added`: number of new tensors by subgraph; `altered`: (subgraph, tensor) whose size or lifetime
    changes, -1 for a left-out operand. TFLM expects one offset for every tensor of all subgraphs,
    in order, and refuses another number (micro_allocation_info.cc, GetOfflinePlannedOffsets); plans
    of older tools cover the one subgraph that the header names. New and altered tensors get -1:
    TFLM's planner places them around the fixed ones.
    """
    if len(data) < _HEADER.size or len(data) % 4:
        _refuse(f"{len(data)} bytes are not a memory plan")
    version, graph, count = _HEADER.unpack_from(data)
    offsets = struct.unpack_from(f"<{len(data) // 4 - 3}i", data, _HEADER.size)
    sizes = [len(subgraph.tensors) for subgraph in model.subgraphs]
    if count != len(offsets):
        _refuse(f"it announces {count} offsets and holds {len(offsets)}")
    if count == sum(sizes):
        covered = list(range(len(sizes)))
    elif 0 <= graph < len(sizes) and count == sizes[graph]:
        covered = [graph]
    else:
        _refuse(f"it holds {count} offsets for {sum(sizes)} tensors")
    result: list[int] = []
    start = 0
    for index in covered:
        part = list(offsets[start : start + sizes[index]])
        start += sizes[index]
        for subgraph, tensor in altered:
            if subgraph == index and 0 <= tensor < len(part):
                part[tensor] = _ANYWHERE
        result += part + [_ANYWHERE] * added.get(index, 0)
    return struct.pack(f"<3i{len(result)}i", version, graph, len(result), *result)


def _refuse(why: str) -> NoReturn:
    """Raise UnsupportedError: the offline memory plan in the metadata cannot be updated. `why`: the
    reason.
    """
    msg = f"metadata {MEMORY_PLAN!r} cannot be kept in step with the edits: {why}"
    raise UnsupportedError(msg)
