"""scripts/dealign.py: the real values stay, the contract breaks, nothing else changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import dealign as script

dealign = script.dealign

RUN = """
import json, sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import numpy as np
plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
try:
    runner = Interpreter(sys.argv[1], experimental_op_resolver_type=plain)
    runner.allocate_tensors()
    image = runner.get_input_details()[0]
    runner.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
    runner.invoke()
    print(json.dumps("ran"))
except (RuntimeError, ValueError) as error:
    print(json.dumps(str(error)))
"""


def _litert_says(data: bytes, folder: Path) -> str:
    """The word "ran", or the runtime's own words; in a process of its own, since it may abort."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    command = [sys.executable, "-c", RUN, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def _tensors(data: bytes) -> Iterator[tuple[Any, Any]]:
    """(tensor, its quantization) of every quantized tensor, as plain objects."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None and tensor.quantization.scale is not None:
                yield tensor, tensor.quantization


def _integers(data: bytes, tensor: Any) -> np.ndarray:
    """A constant's integers, widened; empty for what is computed."""
    stored = schema.ModelT.InitFromPackedBuf(data, 0).buffers[tensor.buffer].data
    if stored is None or tensor.type not in script.INTEGERS:
        return np.zeros(0)
    return np.frombuffer(bytes(stored), script.INTEGERS[tensor.type]).astype(np.float64)


def test_the_sample_is_what_it_is_said_to_be(
    sample: bytes, sample_origin: bytes, tmp_path: Path
) -> None:
    assert _litert_says(sample_origin, tmp_path) == "ran"
    refusal = _litert_says(sample, tmp_path)
    assert "CONCATENATION" in refusal
    assert "params.scale != output->params.scale" in refusal


def test_deterministic_and_of_the_same_length(sample_origin: bytes) -> None:
    once, again = dealign(sample_origin, 3), dealign(sample_origin, 3)
    assert once == again
    assert len(once) == len(sample_origin)
    assert dealign(sample_origin, 4) != once


def test_every_range_covers_the_old_one(sample_origin: bytes) -> None:
    moved = 0
    broken = dealign(sample_origin, 5, io=True, fixed=True)
    for (tensor, old), (_, new) in zip(_tensors(sample_origin), _tensors(broken), strict=True):
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
    for (tensor, old), (_, new) in zip(_tensors(sample_origin), _tensors(broken), strict=True):
        if tensor.type != schema.TensorType.INT32:
            continue
        before = _integers(sample_origin, tensor) * np.asarray(old.scale, np.float64)
        after = _integers(broken, tensor) * np.asarray(new.scale, np.float64)
        assert np.all(np.abs(before - after) <= 0.51 * np.asarray(new.scale, np.float64))
        seen += 1
    assert seen >= 4


def test_graph_ends_stay_unless_freed(sample_origin: bytes) -> None:
    def ends(data: bytes) -> list[float]:
        graph = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0]
        indices = [*graph.inputs, *graph.outputs]
        return [float(graph.tensors[i].quantization.scale[0]) for i in indices]

    assert ends(dealign(sample_origin, 7)) == ends(sample_origin)
    assert ends(dealign(sample_origin, 7, io=True)) != ends(sample_origin)


def test_a_range_no_wider_is_refused(sample_origin: bytes) -> None:
    with pytest.raises(ValueError, match=r"^widest must be above 1, not 1\.0$"):
        dealign(sample_origin, widest=1.0)


@pytest.mark.corpus("coral", "mlperf_tiny", "microwakeword", "tflm", "violators", "litert")
def test_any_file_can_be_taken(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    broken = dealign(data, 1, io=True, fixed=True)
    assert len(broken) == len(data)
    for (tensor, old), (_, new) in zip(_tensors(data), _tensors(broken), strict=True):
        if tensor.type == schema.TensorType.INT16:
            assert list(new.zeroPoint) == list(old.zeroPoint)


def test_fixtures_are_dealigned_copies(fixtures_dir: Path) -> None:
    index = json.loads((fixtures_dir / "INDEX.json").read_text(encoding="utf-8"))
    assert len(index["files"]) > 60
    for name, facts in index["files"].items():
        assert (fixtures_dir / name).stat().st_size == facts["bytes"] < 60_000


def test_a_fixture_reads_back(fixture_model: Path) -> None:
    data = fixture_model.read_bytes()
    origin = fixture_model.with_name(fixture_model.name.split("_dealigned")[0].split(".")[0])
    assert data[4:8] == b"TFL3"
    assert (data == origin.with_suffix(".tflite").read_bytes()) == (
        "dealigned" not in fixture_model.name
    )
