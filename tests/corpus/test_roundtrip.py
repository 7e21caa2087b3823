"""Reader and writer on a corpus of real models, compared with the generated object API."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import enum_names, expected, load, meaning, misaligned
from tflite_align.errors import FormatError
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    SetData,
    SetGraphIO,
    SetOperand,
    SetOption,
    SetQuant,
)
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice
from tflite_align.record import replace

ALLOCATE = """
import sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
Interpreter(sys.argv[1], experimental_op_resolver_type=resolver).allocate_tensors()
"""

_TYPES = {number: name.lower() for number, name in enum_names(schema.TensorType).items()}


def _check_bytes(data: bytes, written: Written) -> bytes:
    """The written bytes. Fails if, outside the declared patches, they differ from `data`, which
    begins at byte `written.prefix`.
    """
    out = written.join()
    body = bytearray(out[written.prefix :])
    assert len(body) == len(data)
    assert written.prefix % 64 == 0
    for start, length in written.patches:
        body[start : start + length] = data[start : start + length]
    assert body == data
    return out


def _list(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def test_the_reader_agrees_with_the_object_api(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    model, made = read(data), load(data)
    assert model.version == made.version
    assert len(model.subgraphs) == len(made.subgraphs)
    for graph, other in zip(model.subgraphs, made.subgraphs, strict=True):
        assert list(graph.inputs) == _list(other.inputs)
        assert list(graph.outputs) == _list(other.outputs)
        assert graph.name.encode() == (other.name or b"")
        for tensor, theirs in zip(graph.tensors, other.tensors, strict=True):
            assert tensor.name.encode() == (theirs.name or b"")
            assert tensor.type == _TYPES[theirs.type]
            assert list(tensor.shape) == _list(theirs.shape)
            assert list(tensor.shape_signature) == _list(theirs.shapeSignature)
            assert tensor.is_variable == theirs.isVariable
            assert tensor.sparse == (theirs.sparsity is not None)
            _same_quant(tensor.quant, theirs.quantization)
            content = _list(made.buffers[theirs.buffer].data)
            mine = model.buffers[tensor.buffer].data
            assert bytes(mine or b"") == bytes(content)
        for operator, theirs in zip(graph.operators, other.operators, strict=True):
            code = made.operatorCodes[theirs.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            assert operator.name == enum_names(schema.BuiltinOperator)[number]
            assert operator.version == code.version
            assert list(operator.inputs) == _list(theirs.inputs)
            assert list(operator.outputs) == _list(theirs.outputs)
            assert list(operator.intermediates) == _list(theirs.intermediates)
            _same_options(operator.options, theirs)
    assert [e.name.encode() for e in model.metadata] == [e.name for e in _list(made.metadata)]
    for signature, theirs in zip(model.signatures, _list(made.signatureDefs), strict=True):
        assert signature.key.encode() == theirs.signatureKey
        pairs = [(entry.name.decode(), entry.tensorIndex) for entry in _list(theirs.inputs)]
        assert list(signature.inputs) == pairs


def _same_quant(mine: Any, theirs: Any) -> None:
    if mine is None:
        assert theirs is None or not len(_list(theirs.scale))
        return
    assert list(mine.scale) == _list(theirs.scale)
    assert list(mine.zero_point) == _list(theirs.zeroPoint)
    assert list(mine.minimum) == _list(theirs.min)
    assert list(mine.maximum) == _list(theirs.max)
    assert mine.quantized_dimension == theirs.quantizedDimension
    assert mine.details == (theirs.detailsType != 0)


# The options with fractions that the reader reads, by their names in the object API.
_FLOAT_OPTIONS = {"alpha", "beta", "bias", "cellClip", "projClip"}


def _same_options(mine: Any, theirs: Any) -> None:
    given = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for options in (theirs.builtinOptions, theirs.builtinOptions2)
        for name, value in (vars(options) if options is not None else {}).items()
        if (isinstance(value, int | bytes) and value != b"") or name in _FLOAT_OPTIONS
    }
    seen = {name.replace("_", ""): value for name, value in mine.items() if value != ""}
    assert seen == given


def _no_change(model: Model) -> Iterator[Edit]:
    """Edits that set each field to the value that it has."""
    for graph in model.subgraphs:
        at = graph.index
        for tensor in graph.tensors:
            if tensor.quant is not None and not tensor.quant.details:
                yield SetQuant(subgraph=at, tensor=tensor.index, quant=tensor.quant)
            data = model.constant(at, tensor.index)
            if data is not None and not tensor.sparse:
                yield SetData(subgraph=at, tensor=tensor.index, data=bytes(data), type=tensor.type)
        for op in graph.operators:
            for position, operand in enumerate(op.outputs):
                yield SetOperand(
                    subgraph=at, operator=op.index, kind="outputs", index=position, tensor=operand
                )
            for field, value in op.options.items():
                if isinstance(value, int):
                    yield SetOption(subgraph=at, operator=op.index, field=field, value=value)
        for position, operand in enumerate(graph.inputs):
            yield SetGraphIO(subgraph=at, kind="inputs", index=position, tensor=operand)


def test_no_edits_give_identical_bytes(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    model = read(data)
    for edits in ([], list(_no_change(model))):
        written = splice(data, model, edits)
        assert (written.prefix, written.patches) == (0, ())
        assert written.join() == data


def _quantized_edge(model: Model) -> tuple[int, int, int] | None:
    """(subgraph, operator, input) of the first per-tensor quantized activation."""
    for graph in model.subgraphs:
        for op in graph.operators:
            for position, operand in enumerate(op.inputs):
                if operand < 0 or model.is_constant(graph.index, operand):
                    continue
                tensor = graph.tensors[operand]
                quantized = tensor.quant is not None and not tensor.quant.details
                if tensor.type in {"int8", "uint8", "int16"} and quantized:
                    return graph.index, op.index, position
    return None


def _insertion(model: Model) -> list[Edit]:
    edge = _quantized_edge(model)
    if edge is None:
        return []
    at, before, position = edge
    graph = model.subgraphs[at]
    source = graph.operators[before].inputs[position]
    tensor = graph.tensors[source]
    assert tensor.quant is not None
    new = len(graph.tensors)
    return [
        AddTensor(
            subgraph=at, index=new, like=source, name="aligned", type=tensor.type,
            quant=replace(tensor.quant, minimum=(), maximum=()),
        ),
        AddOperator(
            subgraph=at, before=before, name="QUANTIZE", version=2,
            inputs=(source,), outputs=(new,),
        ),
        SetOperand(subgraph=at, operator=before, kind="inputs", index=position, tensor=new),
    ]  # fmt: skip


def _rescaling(model: Model) -> list[Edit]:
    edge = _quantized_edge(model)
    if edge is None:
        return []
    at, op, position = edge
    index = model.subgraphs[at].operators[op].inputs[position]
    old = model.subgraphs[at].tensors[index].quant
    assert old is not None
    quant = replace(old, scale=tuple(value * 2 for value in old.scale))
    return [SetQuant(subgraph=at, tensor=index, quant=quant)]


def _splitting(model: Model) -> list[Edit]:
    """Edits that turn the first int32 constant into int64, which makes its bytes longer."""
    for tensor in model.subgraphs[0].tensors:
        data = model.constant(0, tensor.index)
        if data is not None and tensor.type == "int32":
            wide = b"".join(bytes(data[i : i + 4]) + bytes(4) for i in range(0, len(data), 4))
            return [SetData(subgraph=0, tensor=tensor.index, data=wide, type="int64")]
    return []


def _activations(model: Model) -> list[Edit]:
    return [
        SetOption(subgraph=g.index, operator=op.index, field="fused_activation_function", value=3)
        for g in model.subgraphs
        for op in g.operators
        if "fused_activation_function" in op.options
    ]


@pytest.mark.parametrize("make", [_insertion, _rescaling, _splitting, _activations])
def test_edits_change_only_what_they_name(corpus_model: Path, make: Any) -> None:
    data = corpus_model.read_bytes()
    model = read(data)
    edits = make(model)
    if not edits:
        pytest.skip("nothing of this kind in the model")
    out = _check_bytes(data, splice(data, model, edits))
    assert meaning(out) == expected(data, edits)
    _check_alignment(data, out)


def _check_alignment(data: bytes, out: bytes) -> None:
    assert misaligned(out) == [] or misaligned(data) != []
    before, after = read(data), read(out)
    old, new = memoryview(data), memoryview(out)
    for buffer in after.buffers:
        if buffer.data is None:
            continue
        was = before.buffers[buffer.index].data if buffer.index < len(before.buffers) else None
        if was is None or _offset(old, was) % 16 == 0:
            assert _offset(new, buffer.data) % 16 == 0


def _offset(whole: memoryview, part: memoryview) -> int:
    ends = [np.frombuffer(m, np.uint8).__array_interface__["data"][0] for m in (whole, part)]
    return int(ends[1] - ends[0])


def test_the_runtime_still_accepts_the_written_file(corpus_model: Path, tmp_path: Path) -> None:
    data = corpus_model.read_bytes()
    model = read(data)
    edits = _insertion(model)
    if not edits:
        pytest.skip("no quantized activation in the model")
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(splice(data, model, edits).join())
    if not _allocates(corpus_model):
        pytest.skip("the runtime does not take the original: custom operators")
    assert _allocates(changed)


def _allocates(path: Path) -> bool:
    # Run in a separate process, which some broken models abort.
    command = [sys.executable, "-c", ALLOCATE, str(path)]
    run = subprocess.run(command, capture_output=True, check=False, timeout=120)
    return run.returncode == 0


ZIPPED = (
    "coral/mobilenet_v1_0.25_128_quant.tflite",
    "tflite_support/dilated_conv.tflite",
    "tflite_support/mobilenet_v1_0.25_224_quant.tflite",
)


@pytest.mark.parametrize("name", ZIPPED)
def test_the_appended_zip_stays_readable(corpus_dir: Path, name: str) -> None:
    data = (corpus_dir / name).read_bytes()
    model = read(data)
    written = splice(data, model, _insertion(model) or _growth(model))
    assert written.prefix > 0
    with (
        zipfile.ZipFile(io.BytesIO(data)) as before,
        zipfile.ZipFile(io.BytesIO(written.join())) as after,
    ):
        assert after.namelist() == before.namelist()
        assert after.testzip() is None
        for member in before.namelist():
            assert after.read(member) == before.read(member)
        for old, new in zip(before.infolist(), after.infolist(), strict=True):
            assert new.header_offset == old.header_offset + written.prefix


def _growth(model: Model) -> list[Edit]:
    new = len(model.subgraphs[0].tensors)
    return [AddTensor(subgraph=0, index=new, like=0, name="new", type="float32", quant=None)]


def test_a_truncated_model_is_read_or_refused(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    for part in range(50):
        with contextlib.suppress(FormatError):
            read(data[: len(data) * part // 50])


def test_the_corpus_has_a_manifest(corpus_dir: Path) -> None:
    assert json.loads((corpus_dir / "MANIFEST.json").read_text(encoding="utf-8"))
