"""Checking and solving only the changed or broken parts of a model gives the same result as
processing all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import Graph, concat_example, kept_join, ppq_example, wide_member
from tests.support.sized_models import filled
from tflite_align import AlignOptions, align
from tflite_align.checks.checker import Finding
from tflite_align.checks.shapes.inference import EarlierState, inferred
from tflite_align.checks.unchanged import unchanged
from tflite_align.format.model import Buffer, Model, Operator, Tensor
from tflite_align.format.reader import read
from tflite_align.pipeline.preparation import prepare
from tflite_align.pipeline.question import ask
from tflite_align.pipeline.session import Inspected, Session
from tflite_align.record import replace
from tflite_align.solver import solve as solving
from tflite_align.solver.region import Region, region_of

DATA = Path(__file__).resolve().parents[1] / "data"
MODELS: dict[str, Callable[[], bytes]] = {
    "sample": (DATA / "sample_dealigned.tflite").read_bytes,
    "unet": (DATA / "unet_onnx2tf.tflite").read_bytes,
    "conflict": (DATA / "fuzz" / "mended_but_in_conflict.tflite").read_bytes,
    "ppq": ppq_example,
    "concat": concat_example,
    "wide": wide_member,
    "join": kept_join,
}
OPTIONS = {
    "default": AlignOptions(verify=False),
    "forbid": AlignOptions(verify=False, overlap="forbid"),
    "force": AlignOptions(verify=False, overlap="force", fix=("all",)),
    "policies": AlignOptions(verify=False, policies={"concat": "large"}),
    "free": AlignOptions(verify=False, io="free", targets=("tflm", "xnnpack")),
}


def two_joins(second: float = 0.04) -> bytes:
    """Two CONCATENATIONs without a common tensor; only the second one has a mismatch, of scales 0.1
    and `second`.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    for name, scales in (("a", (0.1, 0.1)), ("b", (0.1, second))):
        for number, scale in enumerate(scales):
            graph.conv("x", f"{name}{number}", scale)
        graph.activation(name, 0.1, shape=(1, 4, 4, 6))
        options = ("ConcatenationOptions", {"axis": 3})
        graph.add("CONCATENATION", [f"{name}0", f"{name}1"], [name], options)
    return graph.bytes(["x"], ["a", "b"])


def anew(model: Model) -> Model:
    """The same model without cached results of earlier analyses."""
    return replace(model, subgraphs=tuple(replace(graph) for graph in model.subgraphs))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("data", MODELS.values(), ids=MODELS)
def test_checking_what_changed_finds_what_checking_all_finds(
    data: Callable[[], bytes], options: AlignOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    recheck = Session.recheck
    rechecked = []

    def both(self: Session, model: Model, earlier: Inspected) -> tuple[Finding, ...]:
        found = recheck(self, model, earlier)
        assert found == self.inspect(anew(model)).findings
        rechecked.append(model)
        return found

    monkeypatch.setattr(Session, "recheck", both)
    changed = bool(align(data(), options).report.changes)
    assert len(rechecked) == changed


def with_tensor(model: Model, index: int, **fields: object) -> Model:
    (graph,) = model.subgraphs
    tensors: list[Tensor] = list(graph.tensors)
    tensors[index] = replace(tensors[index], **fields)
    return replace(model, subgraphs=(replace(graph, tensors=tuple(tensors)),))


def with_operator(model: Model, index: int, **fields: object) -> Model:
    (graph,) = model.subgraphs
    operators: list[Operator] = list(graph.operators)
    operators[index] = replace(operators[index], **fields)
    return replace(model, subgraphs=(replace(graph, operators=tuple(operators)),))


def with_data(model: Model, buffer: int) -> Model:
    buffers: list[Buffer] = list(model.buffers)
    data = bytearray(buffers[buffer].data or b"")
    data[-1] ^= 1
    buffers[buffer] = replace(buffers[buffer], data=memoryview(bytes(data)))
    return replace(model, buffers=tuple(buffers))


def test_an_operator_is_unchanged_only_if_its_operands_are() -> None:
    model = read(two_joins())
    (graph,) = model.subgraphs
    places = set(range(len(graph.operators)))
    assert unchanged(read(two_joins()), model) == [{place: place for place in places}]
    conv, join = 0, 2
    weights, out = graph.operators[conv].inputs[1], graph.operators[conv].outputs[0]
    quant = graph.tensors[out].quant
    assert quant is not None
    other = replace(quant, scale=(quant.scale[0] * 2,))
    cases = (
        (with_tensor(model, out, quant=other), {conv, join}),
        (with_tensor(model, out, quant=None), {conv, join}),
        (with_tensor(model, weights, shape=(3, 3)), {conv}),
        (with_data(model, graph.tensors[weights].buffer), {conv}),
        (with_operator(model, conv, options={}), {conv}),
        (with_operator(model, conv, version=9), {conv}),
        (with_operator(model, conv, numbers=(1,)), {conv}),
        (with_operator(model, join, inputs=graph.operators[join].inputs[::-1]), {join}),
        (with_operator(model, join, origin=None), {join}),
    )
    for state, changed in cases:
        assert places - set(unchanged(state, model)[0]) == changed


def states(model: Model) -> Iterator[Model]:
    """Variants of the model: one tensor with another shape; one operator with another name, options
    or order of inputs; one operator removed.
    """
    (graph,) = model.subgraphs
    for tensor in graph.tensors:
        if tensor.shape:
            yield with_tensor(model, tensor.index, shape=(tensor.shape[0] + 1, *tensor.shape[1:]))
    for operator in graph.operators:
        yield with_operator(model, operator.index, name="CUSTOM")
        yield with_operator(model, operator.index, options={})
        yield with_operator(model, operator.index, inputs=operator.inputs[::-1])
        others = tuple(one for one in graph.operators if one is not operator)
        numbered = tuple(replace(one, index=number) for number, one in enumerate(others))
        yield replace(model, subgraphs=(replace(graph, operators=numbered),))


def clipped(steps: float = 0.05) -> bytes:
    """RESHAPE and CONCATENATION behind a QUANTIZE from scale 0.05 to 1.0, so that few of their
    steps are used. `steps`: the scale of the graph input.
    """
    graph = Graph()
    graph.activation("x", steps)
    graph.activation("wide", 1.0)
    graph.activation("same", 1.0)
    graph.activation("out", 1.0, shape=(1, 4, 4, 6))
    graph.conv("x", "six", 0.05)
    graph.add("QUANTIZE", ["six"], ["wide"])
    graph.conv("x", "other", 1.0)
    graph.add("RESHAPE", ["wide"], ["same"], ("ReshapeOptions", {"newShape": [1, 4, 4, 3]}))
    graph.add("CONCATENATION", ["same", "other"], ["out"], ("ConcatenationOptions", {"axis": 3}))
    return graph.bytes(["x"], ["out"])


SHAPED = {**MODELS, "filled": filled, "gathered": lambda: filled(gathered=True), "steps": clipped}


@pytest.mark.parametrize("data", SHAPED.values(), ids=SHAPED)
def test_reused_shapes_equal_newly_inferred_ones(
    data: Callable[[], bytes],
) -> None:
    model = read(data())
    inferred(model, 0)
    for state in states(model):
        earlier = EarlierState(model, unchanged(state, model))
        known, found = inferred(state, 0, earlier), inferred(anew(state), 0)
        assert (known.shapes, known.clashes) == (found.shapes, found.clashes)
        assert set(known.values) >= set(found.values)
        assert all(np.array_equal(known.values[i], found.values[i]) for i in found.values)


def test_the_warning_about_few_steps_reaches_past_unchanged_operators() -> None:
    session = Session.of(AlignOptions(verify=False))
    given = session.inspect(session.read(clipped()))
    (join,) = [o for o in given.model.subgraphs[0].operators if o.name == "CONCATENATION"]
    assert [finding.rule for finding in given.findings] == ["params/steps"]
    source = given.model.subgraphs[0].operators[0].outputs[0]
    quant = given.model.subgraphs[0].tensors[source].quant
    assert quant is not None
    finer, wider = (replace(quant, scale=(scale,)) for scale in (0.001, 1.0))
    sound = session.inspect(with_tensor(given.model, source, quant=wider))
    assert not [finding for finding in sound.findings if finding.rule == "params/steps"]
    state = with_tensor(sound.model, source, quant=finer)
    assert join.index in unchanged(state, sound.model)[0]
    found = session.recheck(state, sound)
    assert found == session.inspect(anew(state)).findings
    assert "params/steps" in {finding.rule for finding in found}


def test_damage_next_to_the_edits_is_found() -> None:
    session = Session.of(AlignOptions(verify=False))
    given = session.inspect(session.read(two_joins(second=0.1)))
    assert not given.findings
    quant = given.model.subgraphs[0].tensors[given.model.subgraphs[0].operators[0].outputs[0]].quant
    assert quant is not None
    out = given.model.subgraphs[0].operators[0].outputs[0]
    damaged = with_tensor(given.model, out, quant=replace(quant, scale=(0.07,)))
    found = session.recheck(damaged, given)
    assert found
    assert found == session.inspect(damaged).findings


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("data", [*MODELS.values(), two_joins], ids=[*MODELS, "joins"])
def test_solving_the_affected_region_gives_the_same_labels_as_solving_all(
    data: Callable[[], bytes], options: AlignOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = ask(prepare(Session.of(options), data()))
    asked = (question.bound, question.broken, question.settings)
    near = solving.solve(*asked)
    monkeypatch.setattr(solving, "region_of", lambda bound, *_: Region(bound, None))
    assert solving.solve(*asked) == near


def test_the_affected_region_contains_all_slots_tied_to_broken_ones() -> None:
    question = ask(prepare(Session.of(OPTIONS["default"]), two_joins()))
    region = region_of(question.bound, question.broken, question.settings)
    names = [
        question.bound.model.subgraphs[0].tensors[key.tensor].name for key in region.tensors or ()
    ]
    assert {"b0", "b1", "b"} <= set(names)
    assert {"a0", "a1", "a"}.isdisjoint(names)
    assert len(region.bound.constraints) < len(question.bound.constraints)
    forced = replace(question.settings, overlap="force")
    assert region_of(question.bound, question.broken, forced) == Region(question.bound, None)
