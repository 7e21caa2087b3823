from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import add_options, buffer, chain, code, operator, pack, quant, tensor
from tflite_align.errors import FormatError
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read


def test_reads_the_chain() -> None:
    model = read(pack(chain()))
    graph = model.subgraphs[0]
    assert (model.version, model.description, graph.name) == (3, "a chain", "main")
    assert [op.name for op in graph.operators] == ["RESHAPE", "ADD", "RESHAPE"]
    add = graph.operators[1]
    assert (add.version, add.inputs, add.outputs) == (2, (1, 2), (3,))
    assert add.options == {"fused_activation_function": 0, "pot_scale_int16": True}
    assert graph.operators[0].options == {}
    assert graph.tensors[2].quant == QuantParams(scale=(0.5,), zero_point=(3,))
    assert graph.tensors[2].shape == (1, 4)
    assert bytes(model.constant(0, 2) or b"") == b"\1\2\3\4"
    assert model.is_constant(0, 2)
    assert not model.is_constant(0, 1)
    assert model.signatures[0].outputs == (("z", 4),)
    assert (model.metadata[0].name, model.metadata[0].buffer) == ("min_runtime_version", 2)


def test_unknown_enum_values_are_carried() -> None:
    made = chain()
    made.operatorCodes[0] = code(250)
    made.subgraphs[0].tensors[0].type = 57
    model = read(pack(made))
    assert model.subgraphs[0].operators[0].name == "BUILTIN#250"
    assert model.subgraphs[0].tensors[0].type == "type#57"


def test_old_and_new_operator_codes() -> None:
    made = chain()
    made.operatorCodes[1].builtinCode = 0  # as in files older than operator codes above 127
    made.operatorCodes[0] = code(schema.BuiltinOperator.GELU)
    model = read(pack(made))
    assert [op.name for op in model.operator_codes] == ["GELU", "ADD"]


def test_a_custom_operator_is_read_with_its_code() -> None:
    made = chain()
    made.operatorCodes[0] = code(schema.BuiltinOperator.CUSTOM)
    made.operatorCodes[0].customCode = "edgetpu-custom-op"
    operator_ = read(pack(made)).subgraphs[0].operators[0]
    assert (operator_.name, operator_.custom_code) == ("CUSTOM", "edgetpu-custom-op")


def test_empty_parameters_are_none_and_details_are_carried() -> None:
    made = chain()
    made.subgraphs[0].tensors[0].quantization = schema.QuantizationParametersT()
    blockwise = schema.QuantizationParametersT()
    blockwise.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    blockwise.details = schema.BlockwiseQuantizationT()
    made.subgraphs[0].tensors[1].quantization = blockwise
    tensors = read(pack(made)).subgraphs[0].tensors
    assert tensors[0].quant is None
    assert tensors[1].quant == QuantParams(scale=(), zero_point=(), details=True)


def test_data_at_an_offset_is_read_and_one_past_the_end_refused() -> None:
    made = chain()
    made.buffers[1] = schema.BufferT()
    made.buffers[1].offset = 1 << 40
    made.buffers[1].size = 4
    made.buffers[2].data = None
    made.buffers[2].offset = made.buffers[2].size = 1  # 1 is no position but a placeholder
    data = pack(made)
    with pytest.raises(FormatError, match=r"buffer\[1\] names bytes 1099511627776 to"):
        read(data)
    made.buffers[1].offset = len(data)
    model = read(pack(made) + b"wxyz")
    assert bytes(model.constant(0, 2) or b"") == b"wxyz"
    assert model.buffers[2].data is None


@pytest.mark.parametrize("offset", [1 << 20, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("size", [0, 8, (1 << 64) - 1])
def test_an_error_about_a_position_beyond_the_file_has_its_byte_offset(
    offset: int, size: int
) -> None:
    """Also if the buffer has inline data, and for custom options: a writer would have to adjust
    these positions.
    """
    inline, custom = chain(), chain()
    inline.buffers[1].offset, inline.buffers[1].size = offset, size
    last = custom.subgraphs[0].operators[-1]
    last.largeCustomOptionsOffset, last.largeCustomOptionsSize = offset, size
    at = len(custom.subgraphs[0].operators) - 1
    for made, what in (
        (inline, "buffer[1]"),
        (custom, f"subgraph[0]/operator[{at}] large_custom_options_offset"),
    ):
        with pytest.raises(FormatError) as refusal:
            read(pack(made))
        message = f"{what} names bytes {offset} to {offset + size}, beyond the file's end"
        assert refusal.value.message == message
        assert refusal.value.offset


def test_external_buffers_are_constants() -> None:
    made = chain()
    made.subgraphs[0].tensors[2].externalBuffer = 7
    made.subgraphs[0].tensors[2].buffer = 0
    external = schema.ExternalBufferT()
    external.id = 7
    made.externalBuffers = [external]
    model = read(pack(made))
    assert model.is_constant(0, 2)
    assert model.constant(0, 2) is None


def test_variables_may_be_written_twice() -> None:
    made = chain()
    made.subgraphs[0].tensors[3].isVariable = True
    made.subgraphs[0].operators[0].outputs = [1, 3]
    assert read(pack(made)).subgraphs[0].operators[0].outputs == (1, 3)


def test_strings_and_flow_control_options_are_read() -> None:
    made = chain()
    handle = operator(2, [], [0])
    handle.builtinOptionsType = schema.BuiltinOptions.VarHandleOptions
    handle.builtinOptions = schema.VarHandleOptionsT()
    handle.builtinOptions.sharedName = "state"
    made.operatorCodes.append(code(schema.BuiltinOperator.VAR_HANDLE))
    made.subgraphs[0].inputs = []
    made.subgraphs[0].operators.insert(0, handle)
    options = read(pack(made)).subgraphs[0].operators[0].options
    assert options == {"container": "", "shared_name": "state"}


def _set(path: str, value: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            model = model[int(step)] if step.isdigit() else getattr(model, step)
        if last.isdigit():
            model[int(last)] = value
        else:
            setattr(model, last, value)

    return change


def _call(index: int) -> Any:
    made = operator(2, [0], [1])
    made.builtinOptionsType = schema.BuiltinOptions.CallOptions
    made.builtinOptions = schema.CallOptionsT()
    made.builtinOptions.subgraph = index
    return made


def _calls(index: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.operatorCodes.append(code(schema.BuiltinOperator.CALL))
        model.subgraphs[0].operators[0] = _call(index)

    return change


def _branches(model: Any) -> None:
    options = schema.StablehloCaseOptionsT()
    options.branchSubgraphIndices = [0, 5]
    made = model.subgraphs[0].operators[0]
    made.opcodeIndex = len(model.operatorCodes)
    made.builtinOptions2Type = schema.BuiltinOptions2.StablehloCaseOptions
    made.builtinOptions2 = options
    model.operatorCodes.append(code(schema.BuiltinOperator.STABLEHLO_CASE))


def _two_scales(model: Any) -> None:
    model.subgraphs[0].tensors[0].quantization.scale = [0.5, 0.5]
    model.subgraphs[0].tensors[0].quantization.zeroPoint = [0, 0]


G = "subgraphs.0"
X = r"subgraph\[0\]/tensor\[0\] 'x': "


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("subgraphs", []), "the model has no subgraph"),
        (_set(f"{G}.inputs.0", 9), r"subgraph\[0\]/inputs\[0\]: tensor 9 of 5 does not exist"),
        (_set(f"{G}.outputs.0", -1), r"subgraph\[0\]/outputs\[0\]: tensor -1 of 5 does not exist"),
        (
            _set(f"{G}.operators.1.inputs.1", 5),
            r"subgraph\[0\]/operator\[1\] ADD/inputs\[1\]: tensor 5 of 5 does not exist",
        ),
        (
            _set(f"{G}.operators.1.outputs.0", -2),
            r"subgraph\[0\]/operator\[1\] ADD/outputs\[0\]: tensor -2 of 5 does not exist",
        ),
        (_set(f"{G}.operators.2.opcodeIndex", 2), "operator code 2 of 2 does not exist"),
        (_set(f"{G}.tensors.0.buffer", 3), X + "buffer 3 of 3 does not exist"),
        (_set(f"{G}.tensors.0.shape", [1, -2]), X + "dimension -2"),
        (_set(f"{G}.tensors.0.shape", [1] * 300), X + "300 dimensions"),
        (_set(f"{G}.tensors.0.quantization.zeroPoint", [1, 2]), X + "1 scales and 2 zero points"),
        (_two_scales, X + r"2 scales for a shape of \[1, 4\]"),
        (
            _set("buffers.1", buffer(b"12345")),
            r"tensor\[2\] 'constant': 5 bytes of constant data where shape and type need 4",
        ),
        (_set("signatureDefs.0.subgraphIndex", 1), "signature.*subgraph 1 of 1 does not exist"),
        (
            _set("signatureDefs.0.outputs.0.tensorIndex", 5),
            r"signature\[0\] 'serve': 'z' names tensor 5 of 5",
        ),
        (_set("metadata.0.buffer", 3), "metadata 'min_runtime_version' names buffer 3 of 3"),
        (_branches, r"STABLEHLO_CASE: branch_subgraph_indices names subgraph 5 of 1"),
        (_calls(1), r"operator\[0\] CALL: subgraph names subgraph 1 of 1"),
        (_calls(0), r"subgraph\[0\] is part of subgraphs that call each other without end"),
        (
            _set(f"{G}.operators.2.outputs.0", 3),
            r"operator\[2\] RESHAPE writes tensor 3, as subgraph\[0\]/operator\[1\] ADD does",
        ),
        (
            _set(f"{G}.operators.0.inputs.0", 3),
            r"operator\[0\] RESHAPE reads tensor 3 before subgraph\[0\]/operator\[1\] ADD writes",
        ),
        (
            _set("buffers.0.data", np.zeros(7, np.uint8)),
            r"operator\[0\] RESHAPE/outputs\[0\]: tensor 1 names buffer 0, which holds 7 bytes",
        ),
    ],
)
def test_inconsistent_models_are_refused(change: Callable[[Any], None], message: str) -> None:
    made = chain()
    change(made)
    with pytest.raises(FormatError, match=message) as caught:
        read(pack(made))
    assert caught.value.offset is not None
    assert "\n" not in str(caught.value)


def test_int4_constants_are_packed() -> None:
    made = chain()
    made.subgraphs[0].tensors[2].type = schema.TensorType.INT4
    made.buffers[1] = buffer(b"\x12\x34")
    assert read(pack(made)).subgraphs[0].tensors[2].type == "int4"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: not a TFLite model: the file is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "the file looks like a PNG image"),
        (b"PK\x03\x04" + bytes(40), "the file looks like a zip archive"),
        (b"abc", "the file has only 3 bytes"),
        (bytes(4) + b"ARM1" + bytes(40), r"byte 4: .* the file identifier is b'ARM1', not b'TFL3'"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\x08\0\0\0TFL3", "root table at 8 lies outside the file of 8 bytes"),
    ],
)
def test_bytes_that_are_no_model_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(data)


def _reads_or_refuses(data: bytes) -> None:
    problem = None
    try:
        read(data)
    except FormatError as error:
        problem = error
    assert problem is None or problem.offset is not None
    assert "\n" not in str(problem)


def test_a_truncated_model_is_read_or_refused() -> None:
    data = pack(chain())
    for end in range(len(data)):
        _reads_or_refuses(data[:end])


@pytest.mark.parametrize("seed", range(4))
def test_a_randomly_damaged_model_is_read_or_refused(seed: int, sample: bytes) -> None:
    rng = random.Random(seed)  # noqa: S311 - reproducible damage, no secret
    small = pack(chain())
    for _ in range(500):
        data = bytearray(small if rng.random() < 0.7 else sample)
        for _ in range(rng.choice((1, 2, 8))):
            pos = rng.randrange(len(data) - 4)
            kind = rng.randrange(3)
            if kind == 0:
                data[pos] = rng.randrange(256)
            elif kind == 1:
                data[pos : pos + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
            else:
                data[pos : pos + 4] = data[(other := rng.randrange(len(data) - 4)) : other + 4]
        _reads_or_refuses(bytes(data))


def test_a_subgraph_referenced_many_times_is_read_in_bounded_time() -> None:
    made = chain()
    graph = made.subgraphs[0]
    graph.tensors += [tensor(f"t{i}") for i in range(2000)]
    made.subgraphs = [graph] + [schema.SubGraphT() for _ in range(2000)]
    data = bytearray(pack(made))
    model = read(bytes(data))
    start = next(
        at
        for at in range(0, len(data) - 4, 4)
        if at + int(np.frombuffer(data, "<u4", 1, at)[0]) == model.subgraphs[0].pos
        and int(np.frombuffer(data, "<u4", 1, at - 4)[0]) == 2001
    )
    places = np.arange(start, start + 4 * 2001, 4)
    data[start : start + 4 * 2001] = (model.subgraphs[0].pos - places).astype("<u4").tobytes()
    with pytest.raises(FormatError, match="many times more content than it has bytes"):
        read(bytes(data))


def test_a_shared_quantization_table_reads_for_both(tmp_path: Path) -> None:
    made = chain()
    made.subgraphs[0].tensors[0].quantization = quant(0.25)
    made.subgraphs[0].operators[1].builtinOptions = add_options(1)
    model = read(pack(made))
    assert model.subgraphs[0].tensors[0].quant == QuantParams(scale=(0.25,), zero_point=(0,))
    assert model.subgraphs[0].operators[1].options["fused_activation_function"] == 1
