"""Changes of a model that `write` can bring into a file, one by one, and those that it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import chain, load, pack
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.model import Buffer, Model, QuantParams
from tflite_align.format.reader import read
from tflite_align.format.writer.write import write
from tflite_align.record import replace

NEW = QuantParams(scale=(0.5,), zero_point=(3,))


def with_graph(model: Model, **fields: Any) -> Model:
    """The model with `fields` replaced in its first subgraph."""
    return replace(model, subgraphs=(replace(model.subgraphs[0], **fields),))


def with_tensor(model: Model, index: int, **fields: Any) -> Model:
    tensors = list(model.subgraphs[0].tensors)
    tensors[index] = replace(tensors[index], **fields)
    return with_graph(model, tensors=tuple(tensors))


def with_buffer(model: Model, data: bytes | None) -> Model:
    view = None if data is None else memoryview(data)
    return replace(
        model, buffers=(*model.buffers, Buffer(index=len(model.buffers), data=view, pos=0))
    )


def added(model: Model, **fields: Any) -> Model:
    """The model with a further tensor: its second one with `fields` replaced."""
    tensors = model.subgraphs[0].tensors
    made = {"index": len(tensors), "name": f"new_{len(tensors)}", "like": 1, **fields}
    return with_graph(model, tensors=(*tensors, replace(tensors[1], **made)))


def written(data: bytes, state: Model) -> Any:
    """The tensors of the first subgraph, read from the file that `write` makes for `state`."""
    return read(write(data, read(data), state).join()).subgraphs[0].tensors


def opened() -> bytes:
    """`chain` in which the second tensor's shape_signature has an open batch."""
    made = chain()
    made.subgraphs[0].tensors[1].shapeSignature = [-1, 4]
    return pack(made)


def test_a_tensor_takes_another_type() -> None:
    data = pack(chain())
    assert written(data, with_tensor(read(data), 1, type="uint8"))[1].type == "uint8"


def test_a_constant_takes_another_type_with_its_data() -> None:
    data = pack(chain())
    model = read(data)
    held = model.constant(0, 2)
    assert held is not None
    state = with_buffer(model, bytes(len(held)))
    state = with_tensor(state, 2, type="uint8", buffer=len(model.buffers))
    out = read(write(data, model, state).join())
    assert out.subgraphs[0].tensors[2].type == "uint8"
    after = out.constant(0, 2)
    assert after is not None
    assert bytes(after) == bytes(len(held))


def test_a_shape_and_its_signature_change_together() -> None:
    data = opened()
    state = with_tensor(read(data), 1, shape=(2, 3), shape_signature=(-1, 3))
    tensor = written(data, state)[1]
    assert (tensor.shape, tensor.shape_signature) == ((2, 3), (-1, 3))


def test_a_new_tensor_has_its_own_shape_and_signature() -> None:
    data = opened()
    for shape, signature in (((5, 6), (-1, 6)), ((5, 6), ()), ((1, 4), (1, 4))):
        tensor = written(data, added(read(data), shape=shape, shape_signature=signature))[5]
        assert (tensor.shape, tensor.shape_signature) == (shape, signature)


def test_a_new_tensor_like_one_without_a_shape_has_none() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].shape = None
    data = pack(made)
    out = load(write(data, read(data), added(read(data))).join())
    assert out.subgraphs[0].tensors[5].shape is None


def test_a_new_tensor_may_be_like_the_first_new_one() -> None:
    data = opened()
    model = read(data)
    first = added(model, shape=(5, 6), shape_signature=(-1, 6))
    second = with_graph(
        first,
        tensors=(
            *first.subgraphs[0].tensors,
            replace(first.subgraphs[0].tensors[5], index=6, name="new_6", like=5),
        ),
    )
    tensors = written(data, second)
    assert tensors[6].shape == tensors[5].shape == (5, 6)
    assert tensors[6].shape_signature == tensors[5].shape_signature == (-1, 6)


def test_zero_points_stay_absent_where_none_are_stated() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].quantization.zeroPoint = None
    data = pack(made)
    quant = QuantParams(scale=(0.25,), zero_point=())
    written = write(data, read(data), with_tensor(read(data), 1, quant=quant))
    assert (written.prefix, [size for _, size in written.patches]) == (0, [4])


def test_a_tensor_with_parameters_beyond_affine_takes_another_name() -> None:
    made = chain()
    parameters = schema.QuantizationParametersT()
    parameters.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    parameters.details = schema.BlockwiseQuantizationT()
    made.subgraphs[0].tensors[1].quantization = parameters
    data = pack(made)
    assert written(data, with_tensor(read(data), 1, name="other"))[1].name == "other"


def test_ranges_change_only_where_the_file_has_them() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].quantization.min = [-1.0]
    data = pack(made)
    quant = replace(NEW, minimum=(-2.0,), maximum=(2.0,))
    out = write(data, read(data), with_tensor(read(data), 1, quant=quant)).join()
    after = load(out).subgraphs[0].tensors[1].quantization
    assert (list(after.min), after.max) == ([-2.0], None)


@pytest.mark.parametrize("ranges", [("min", "max"), ("min",), ("max",)])
def test_old_ranges_are_removed_when_a_scale_is_added(ranges: tuple[str, ...]) -> None:
    """A tensor has min and max but no scale, and gets a scale. The old min and max do not match it
    and are removed.
    """
    made = chain()
    quantization = made.subgraphs[0].tensors[1].quantization
    quantization.scale = quantization.zeroPoint = None
    for name in ranges:
        setattr(quantization, name, [7.0])
    data = pack(made)
    out = write(data, read(data), with_tensor(read(data), 1, quant=NEW)).join()
    after = load(out).subgraphs[0].tensors[1].quantization
    assert list(after.scale) == [0.5]
    assert after.min is None
    assert after.max is None


def test_a_field_that_a_new_tensor_cannot_have_is_named() -> None:
    data = pack(chain())
    model = read(data)
    place = r"^subgraph\[0\]/tensor\[5\]: "
    with pytest.raises(UsageError, match=f"{place}an added tensor must have the type and shape"):
        write(data, model, added(model, like=None))
    short = added(with_buffer(model, b"\0\1"), buffer=len(model.buffers))
    with pytest.raises(UsageError, match=f"{place}2 bytes of data where"):
        write(data, model, short)
    blockwise = added(model, quant=replace(NEW, details=True))
    with pytest.raises(UnsupportedError, match=f"{place}parameters of a scheme beyond affine"):
        write(data, model, blockwise)


def test_a_field_of_a_tensor_that_cannot_change_is_named() -> None:
    data = pack(chain())
    model = read(data)
    why = r"^subgraph\[0\]/tensor\[1\]: sparse cannot be changed$"
    with pytest.raises(UnsupportedError, match=why):
        write(data, model, with_tensor(model, 1, sparse=True))


def test_an_operator_that_the_file_has_not_is_refused() -> None:
    data = pack(chain())
    model = read(data)
    operators = model.subgraphs[0].operators
    for origin, place in ((-1, 0), (len(operators), len(operators))):
        stray = replace(operators[0], origin=origin)
        state = with_graph(model, operators=(*operators[:place], stray, *operators[place:]))
        with pytest.raises(UsageError, match=f"operator {origin} is out of place$"):
            write(data, model, state)
