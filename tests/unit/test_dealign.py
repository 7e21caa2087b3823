"""scripts/dealign.py violates the contract, keeps real values and changes nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import dealign as script
from tests.support.object_api import quantized_tensors

dealign = script.dealign


def _integers(data: bytes, tensor: Any) -> np.ndarray:
    """A constant's integers as float64; empty for a computed tensor."""
    stored = schema.ModelT.InitFromPackedBuf(data, 0).buffers[tensor.buffer].data
    if stored is None or tensor.type not in script.INTEGERS:
        return np.zeros(0)
    return np.frombuffer(bytes(stored), script.INTEGERS[tensor.type]).astype(np.float64)


def test_deterministic_and_of_the_same_length(sample_origin: bytes) -> None:
    once, again = dealign(sample_origin, 3), dealign(sample_origin, 3)
    assert once == again
    assert len(once) == len(sample_origin)
    assert dealign(sample_origin, 4) != once


def test_every_range_covers_the_old_one(sample_origin: bytes) -> None:
    moved = 0
    broken = dealign(sample_origin, 5, io=True, fixed=True)
    for (tensor, old), (_, new) in zip(
        quantized_tensors(sample_origin), quantized_tensors(broken), strict=True
    ):
        if tensor.type != schema.TensorType.INT8 or len(old.scale) > 1:
            continue
        old_edges = old.scale[0] * (np.array([-128.0, 127.0]) - old.zeroPoint[0])
        new_edges = new.scale[0] * (np.array([-128.0, 127.0]) - new.zeroPoint[0])
        assert new_edges[0] <= old_edges[0] * (1 - 1e-6)
        assert new_edges[1] >= old_edges[1] * (1 - 1e-6)
        assert (old_edges[0] == 0) == (new_edges[0] == 0)
        moved += bool(new.scale[0] != old.scale[0])
    assert moved > 8


def test_biases_keep_their_real_values(sample_origin: bytes) -> None:
    seen = 0
    broken = dealign(sample_origin, 6)
    for (tensor, old), (_, new) in zip(
        quantized_tensors(sample_origin), quantized_tensors(broken), strict=True
    ):
        if tensor.type != schema.TensorType.INT32:
            continue
        before = _integers(sample_origin, tensor) * np.asarray(old.scale, np.float64)
        after = _integers(broken, tensor) * np.asarray(new.scale, np.float64)
        assert np.all(np.abs(before - after) <= 0.51 * np.asarray(new.scale, np.float64))
        seen += 1
    assert seen >= 4


def test_graph_inputs_and_outputs_stay_unless_freed(sample_origin: bytes) -> None:
    def ends(data: bytes) -> list[float]:
        graph = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0]
        indices = [*graph.inputs, *graph.outputs]
        return [float(graph.tensors[i].quantization.scale[0]) for i in indices]

    assert ends(dealign(sample_origin, 7)) == ends(sample_origin)
    assert ends(dealign(sample_origin, 7, io=True)) != ends(sample_origin)


def test_a_factor_that_does_not_widen_ranges_is_refused(sample_origin: bytes) -> None:
    with pytest.raises(ValueError, match=r"^widest must be above 1, not 1\.0$"):
        dealign(sample_origin, widest=1.0)
