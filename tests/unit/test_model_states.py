"""States of a model between stages: counts, preserved values, a single write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.format.model import OperatorId, QuantParams
from tflite_align.format.reader import read
from tflite_align.format.writer import write as write_module
from tflite_align.format.writer.write import write
from tflite_align.pipeline import preparation, rounds, session
from tflite_align.record import replace
from tflite_align.repair.planner.changes import edited_operators
from tflite_align.repair.planner.draft import Draft

FUZZ = Path(__file__).resolve().parents[1] / "data" / "fuzz"


def chain() -> bytes:
    graph = Graph()
    graph.activation("x", 0.1)
    for source, name in (("x", "a"), ("a", "b"), ("b", "c")):
        graph.conv(source, name, 0.1)
    return graph.bytes(["x"], ["c"])


def test_edited_operators_are_counted_by_their_final_index() -> None:
    model = read(chain())
    draft = Draft(model)
    count = len(model.subgraphs[0].operators)
    draft.graph(0).remove(1)
    for before in (1, count):
        draft.add_quantize(0, 0, 0, "int8", before)
    state = draft.plan().model
    names = [operator.name for operator in state.subgraphs[0].operators]
    assert [names[1], names[-1]] == ["QUANTIZE", "QUANTIZE"]
    # 0, added, [1 removed], 2 ..., added
    assert edited_operators(state, frozenset()) == {(0, 1), (0, count)}
    edited = replace(draft.plan(), edited=frozenset({OperatorId(0, 1), OperatorId(0, 2)}))
    origins = edited.edited_origins(model)
    assert edited_operators(state, origins) == {(0, 1), (0, 2), (0, count)}


def test_a_range_that_the_file_has_stays_in_the_state_as_it_stays_in_the_file() -> None:
    """The writer cannot remove calibration ranges, so that the state keeps them too."""
    data = (FUZZ / "mended_but_in_conflict.tflite").read_bytes()
    model = read(data)
    ranged = next(
        tensor
        for tensor in model.subgraphs[0].tensors
        if tensor.quant is not None and tensor.quant.minimum
    )
    draft = Draft(model)
    draft.set_quant(0, ranged.index, QuantParams(scale=(0.5,), zero_point=(0,)))
    state = draft.plan().model
    written = read(write(data, model, state).join())
    assert written.subgraphs[0].tensors[ranged.index] == state.subgraphs[0].tensors[ranged.index]
    once = align(data, AlignOptions(verify=False, fix=("all",)))
    assert align(once.data, AlignOptions(verify=False, fix=("all",))).data == once.data


def test_a_run_with_conversions_writes_once_and_reads_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = {"reads": 0, "writes": 0}

    def counted(name: str, function: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            counts[name] += 1
            return function(*args, **kwargs)  # type: ignore[operator]

        return call

    monkeypatch.setattr(session, "read", counted("reads", read))
    for module in (rounds, preparation):
        monkeypatch.setattr(module, "write", counted("writes", write_module.write))
    options = AlignOptions(verify=False, input_type="float32", output_type="float32")
    assert align(chain(), options).report.changes
    assert counts == {"reads": 2, "writes": 1}
