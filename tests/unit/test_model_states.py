"""States of a model between stages: counts, preserved values, a single write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.models import Graph
from tests.support.object_api import load, pack
from tflite_align import AlignOptions, align
from tflite_align.errors import UnsupportedError
from tflite_align.format.model import Model, Operator, OperatorId, QuantParams, Tensor
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
    # operators: 0, an added one, (1 was removed), 2 and so on, an added one
    assert edited_operators(state, frozenset()) == {(0, 1), (0, count)}
    edited = replace(draft.plan(), edited=frozenset({OperatorId(0, 1), OperatorId(0, 2)}))
    origins = edited.edited_origins(model)
    assert edited_operators(state, origins) == {(0, 1), (0, 2), (0, count)}


def with_parts(
    model: Model, *, tensor: Tensor | None = None, added: Operator | None = None
) -> Model:
    """The model with `tensor` in place of the one of its index, and with `added` after the last
    operator.
    """
    (graph,) = model.subgraphs
    tensors = list(graph.tensors)
    if tensor is not None:
        tensors[tensor.index] = tensor
    operators = (*graph.operators, added) if added is not None else graph.operators
    changed = replace(graph, tensors=tuple(tensors), operators=operators)
    return replace(model, subgraphs=(changed,))


@pytest.mark.parametrize(
    ("shape", "signature"), [((2, 4, 4, 3), (-1, 4, 4, 3)), ((1, 4, 4, 3), (1, -1, 4, 3))]
)
def test_a_shape_is_written_with_its_signature(
    shape: tuple[int, ...], signature: tuple[int, ...]
) -> None:
    made = load(chain())
    made.subgraphs[0].tensors[0].shapeSignature = [1, 4, 4, 3]
    data = pack(made)
    model = read(data)
    open_ = replace(model.subgraphs[0].tensors[0], shape=shape, shape_signature=signature)
    written = read(write(data, model, with_parts(model, tensor=open_)).join())
    assert written.subgraphs[0].tensors[0] == open_


@pytest.mark.parametrize(
    "beyond", [{"options": {"axis": 1}}, {"intermediates": (0,)}, {"custom_code": "Mine"}], ids=str
)
def test_a_new_operator_has_operands_and_no_options(beyond: dict[str, Any]) -> None:
    model = read(chain())
    last = model.subgraphs[0].operators[-1]
    plain = replace(last, index=last.index + 1, origin=None, options={}, name="RELU")
    assert write(chain(), model, with_parts(model, added=plain)).prefix > 0
    state = with_parts(model, added=replace(plain, **beyond))
    with pytest.raises(UnsupportedError, match="a new RELU cannot have options"):
        write(chain(), model, state)


def test_recorded_ranges_stay_in_the_state_and_in_the_file() -> None:
    """A tensor has recorded min and max and gets a new scale. The writer does not remove min and
    max, so the in-memory state keeps them too and equals the model read from the written file.
    """
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
