"""No difference between two states is ignored: each is written, or the state is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import chain, code, operator, pack, tensor
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.model import Buffer, Model, Operator, QuantParams, Subgraph, Tensor
from tflite_align.format.reader import read
from tflite_align.format.signature_entries import followed_signatures
from tflite_align.format.writer.write import write
from tflite_align.record import Record, compared, replace

# What another state may have instead, for each field that is compared; None: has no such value.
MODEL = {
    "version": 4,
    "description": "another",
    "operator_codes": (),
    "subgraphs": (),
    "buffers": (),
    "signatures": (),
    "metadata": (),
    "size": None,
    "pos": None,
    "allowed_metadata": None,
}
SUBGRAPH = {
    "index": None,
    "name": "another",
    "tensors": (),
    "inputs": (1,),
    "outputs": (3,),
    "operators": (),
}
TENSOR = {
    "index": None,
    "name": "another",
    "type": "uint8",
    "shape": (2, 2),
    "shape_signature": (-1, 4),
    "buffer": 1,
    "quant": None,
    "is_variable": True,
    "external_buffer": 1,
    "sparse": True,
}
QUANT = {
    "scale": (0.25,),
    "zero_point": (7,),
    "quantized_dimension": 1,
    # Ranges change only where the file has them: see `differences`.
    "minimum": None,
    "maximum": None,
    "details": True,
}
OPERATOR = {
    "index": None,
    "name": "ABS",
    "version": 7,
    "custom_code": "Mine",
    "inputs": (0, 2),
    "outputs": (5,),
    "intermediates": (3,),
    "options": {"fused_activation_function": 3, "pot_scale_int16": True},
    "numbers": (1,),
}
OTHER: dict[type[Record], dict[str, Any]] = {
    Model: MODEL,
    Subgraph: SUBGRAPH,
    Tensor: TENSOR,
    QuantParams: QUANT,
    Operator: OPERATOR,
}
# What repairs change; another value of any other field is refused.
WRITTEN: dict[type[Record], set[str]] = {
    Model: set(),
    Subgraph: {"inputs", "outputs", "operators"},
    Tensor: {"name", "type", "shape"},
    QuantParams: {"scale", "zero_point", "quantized_dimension"},
    Operator: {"version", "inputs", "outputs", "intermediates", "options"},
}


def recurrent() -> bytes:
    """The chain; its first and last operator have a code that repeats the first one, the second has an
    intermediate. The last tensor is in no operator.
    """
    made = chain()
    made.subgraphs[0].tensors.append(tensor("spare"))
    made.subgraphs[0].operators[2].inputs = [1]
    made.operatorCodes.append(code(schema.BuiltinOperator.RESHAPE))
    made.subgraphs[0].operators[1].intermediates = [0]
    for index in (0, 2):
        made.subgraphs[0].operators[index].opcodeIndex = 2
    return pack(made)


def with_part(model: Model, kind: type[Record], **fields: Any) -> Model:
    """The model with other fields in its second operator, second tensor, ..."""
    if kind is Model:
        return replace(model, **fields)
    (graph,) = model.subgraphs
    tensors, operators = list(graph.tensors), list(graph.operators)
    if kind is Subgraph:
        return replace(model, subgraphs=(replace(graph, **fields),))
    if kind is Operator:
        operators[1] = replace(operators[1], **fields)
    elif kind is Tensor:
        tensors[1] = replace(tensors[1], **fields)
    else:
        quant = tensors[1].quant
        assert quant is not None
        tensors[1] = replace(tensors[1], quant=replace(quant, **fields))
    changed = replace(graph, tensors=tuple(tensors), operators=tuple(operators))
    return replace(model, subgraphs=(changed,))


def test_every_field_of_a_state_is_looked_at() -> None:
    for kind, others in OTHER.items():
        assert tuple(others) == compared(kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, others in OTHER.items()
        for name, value in others.items()
        if value is not None or name == "quant"
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_changed_field_is_written_or_refused(kind: type[Record], name: str) -> None:
    data = recurrent()
    model = read(data)
    state = with_part(model, kind, **{name: OTHER[kind][name]})
    assert state != model
    if name in WRITTEN[kind]:
        assert read(write(data, model, state).join()).subgraphs == state.subgraphs
    else:
        with pytest.raises((UnsupportedError, UsageError), match=r"^(the|sub)"):
            write(data, model, state)


def test_signatures_follow_the_outputs() -> None:
    data = recurrent()
    model = read(data)
    state = with_part(model, Subgraph, outputs=(3,))
    state = replace(state, signatures=followed_signatures(model, state.subgraphs))
    assert state.signatures[0].outputs == (("z", 3),)
    assert read(write(data, model, state).join()).signatures == state.signatures


def copied(model: Model) -> Model:
    """Equal records, none of them the same object."""
    graphs = [
        replace(
            graph,
            tensors=tuple(copy.copy(one) for one in graph.tensors),
            operators=tuple(copy.copy(one) for one in graph.operators),
        )
        for graph in model.subgraphs
    ]
    return replace(model, subgraphs=tuple(graphs))


def test_an_equal_state_gives_the_same_bytes() -> None:
    """Also where two codes are equal: an operator keeps its own."""
    data = recurrent()
    model = read(data)
    assert write(data, model, copied(model)).chunks == (data,)


def test_a_changed_operator_keeps_its_code() -> None:
    data = recurrent()
    model = read(data)
    operators = list(model.subgraphs[0].operators)
    operators[2] = replace(operators[2], inputs=(0,))
    state = with_part(model, Subgraph, operators=tuple(operators))
    written = write(data, model, state)
    assert (written.prefix, [length for _, length in written.patches]) == (0, [4])


def test_data_of_a_buffer_of_the_file_is_changed_by_another_buffer_only() -> None:
    data = recurrent()
    model = read(data)
    first, second, *others = model.buffers
    changed = Buffer(index=1, data=memoryview(b"wxyz"), pos=second.pos)
    with pytest.raises(UsageError, match=r"new data needs a new buffer$"):
        write(data, model, replace(model, buffers=(first, changed, *others)))


def test_options_are_not_taken_away_and_names_not_changed() -> None:
    made = chain()
    made.operatorCodes.append(code(schema.BuiltinOperator.VAR_HANDLE))
    made.subgraphs[0].operators.append(operator(2, [], []))
    made.subgraphs[0].operators[3].builtinOptionsType = schema.BuiltinOptions.VarHandleOptions
    made.subgraphs[0].operators[3].builtinOptions = schema.VarHandleOptionsT()
    made.subgraphs[0].operators[3].builtinOptions.sharedName = "v"
    data = pack(made)
    model = read(data)
    operators = model.subgraphs[0].operators
    place = r"^subgraph\[0\]/operator\[3\] VAR_HANDLE: "
    for options, why in (
        ({}, "options cannot be taken away$"),
        ({**operators[3].options, "shared_name": "w"}, "option 'shared_name' cannot be changed$"),
    ):
        changed = (*operators[:3], replace(operators[3], options=options))
        with pytest.raises(UnsupportedError, match=place + why):
            write(data, model, with_part(model, Subgraph, operators=changed))
