"""Bytes to Model: every offset checked, every index checked, nothing copied that is a constant.

Any bytes give a Model or a FormatError. Constants stay memoryviews of the given buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tflite_align.enums import operator_name, type_name
from tflite_align.errors import FormatError
from tflite_align.layout import IDENTIFIER, OPTIONS, OPTIONS2, table_layout
from tflite_align.model import (
    Buffer,
    Metadata,
    Model,
    Operator,
    OperatorCode,
    QuantParams,
    Signature,
    Subgraph,
    Tensor,
)
from tflite_align.structure import check_structure
from tflite_align.tables import Bytes, Image, View

__all__ = ["read"]

_LOOKS_LIKE = {
    b"\x89PNG": "a PNG image",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"\x7fELF": "an ELF binary",
    b"%PDF": "a PDF document",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
}
_LFS = b"version https://git-lfs"

# Offsets 0 and 1 mean "none yet": converters write 1 as a placeholder for data that never came.
_FIRST_OFFSET = 2

_OPTION_LAYOUTS = {code: table_layout(name) for code, name in OPTIONS.items()}
_OPTION2_LAYOUTS = {code: table_layout(name) for code, name in OPTIONS2.items()}
_MODEL = table_layout("Model")
_CODE = table_layout("OperatorCode")
_BUFFER = table_layout("Buffer")
_SUBGRAPH = table_layout("SubGraph")
_TENSOR = table_layout("Tensor")
_QUANT = table_layout("QuantizationParameters")
_OPERATOR = table_layout("Operator")
_SIGNATURE = table_layout("SignatureDef")
_TENSOR_MAP = table_layout("TensorMap")
_METADATA = table_layout("Metadata")

_ids = {
    layout.name: {name: entry.id for name, entry in layout.by_name.items()}
    for layout in (_MODEL, _CODE, _BUFFER, _SUBGRAPH, _TENSOR, _QUANT, _OPERATOR, _SIGNATURE)
}
_M, _C, _B, _S, _T, _Q, _O, _D = _ids.values()

_O_INPUTS, _O_OUTPUTS, _O_MIDDLE = _O["inputs"], _O["outputs"], _O["intermediates"]
_O_CODE, _O_TYPE, _O_OPTIONS = _O["opcode_index"], _O["builtin_options_type"], _O["builtin_options"]
_O_TYPE2, _O_OPTIONS2 = _O["builtin_options2_type"], _O["builtin_options2"]
_T_SHAPE, _T_SIGNATURE, _T_NAME = _T["shape"], _T["shape_signature"], _T["name"]
_T_QUANT, _T_SPARSITY = _T["quantization"], _T["sparsity"]
_T_TYPE, _T_BUFFER, _T_VARIABLE = _T["type"], _T["buffer"], _T["is_variable"]
_T_EXTERNAL = _T["external_buffer"]


def read(data: Bytes | Image) -> Model:
    """The model in `data`; raises FormatError for anything that is not one."""
    view = View(data)
    _check_identifier(view)
    pos = view.root()
    plan, values = view.table(_MODEL, pos)

    def children(name: str) -> list[int]:
        return view.references(view.target(plan, pos, values, _M[name]))

    codes = tuple(_code(view, i, at) for i, at in enumerate(children("operator_codes")))
    buffers = tuple(_buffer(view, i, at) for i, at in enumerate(children("buffers")))
    model = Model(
        version=values[_M["version"]],
        description=view.string(view.target(plan, pos, values, _M["description"])),
        operator_codes=codes,
        subgraphs=tuple(
            _subgraph(view, i, at, codes) for i, at in enumerate(children("subgraphs"))
        ),
        buffers=buffers,
        signatures=tuple(_signature(view, at) for at in children("signature_defs")),
        metadata=tuple(_metadata(view, at) for at in children("metadata")),
        size=view.size,
        pos=pos,
    )
    check_structure(model)
    return model


def _check_identifier(view: View) -> None:
    start = bytes(view.buf[:24])
    if not start:
        msg = "not a TFLite model: the file is empty"
        raise FormatError(msg, offset=0)
    if len(start) >= 8 and start[4:8] == IDENTIFIER:
        return
    for magic, thing in _LOOKS_LIKE.items():
        if start.startswith(magic):
            msg = f"not a TFLite model: the file looks like {thing}"
            raise FormatError(msg, offset=0)
    if start.startswith(_LFS):
        msg = "not a TFLite model: the file is a Git LFS pointer, its content was not fetched"
        raise FormatError(msg, offset=0)
    if len(start) < 8:
        msg = f"not a TFLite model: the file has only {len(start)} bytes"
        raise FormatError(msg, offset=0)
    msg = f"not a TFLite model: the file identifier is {start[4:8]!r}, not {IDENTIFIER!r}"
    raise FormatError(msg, offset=4)


def _code(view: View, index: int, pos: int) -> OperatorCode:
    plan, values = view.table(_CODE, pos)
    # Codes below 127 live in the old byte field, later ones in the new one; the larger holds.
    code = max(values[_C["deprecated_builtin_code"]], values[_C["builtin_code"]])
    custom = view.target(plan, pos, values, _C["custom_code"])
    return OperatorCode(
        index=index,
        name=operator_name(code),
        custom_code=view.string(custom) if custom else None,
        version=values[_C["version"]],
        pos=pos,
    )


def _buffer(view: View, index: int, pos: int) -> Buffer:
    plan, values = view.table(_BUFFER, pos)
    data = view.blob(view.target(plan, pos, values, _B["data"]))
    offset, size = values[_B["offset"]], values[_B["size"]]
    if not data and offset >= _FIRST_OFFSET:
        if offset + size > view.size:
            msg = f"buffer[{index}] names bytes {offset} to {offset + size}, beyond the file's end"
            raise FormatError(msg, offset=pos)
        data = view.content(offset, size)
    return Buffer(index=index, data=data or None, pos=pos)


def _subgraph(view: View, index: int, pos: int, codes: tuple[OperatorCode, ...]) -> Subgraph:
    plan, values = view.table(_SUBGRAPH, pos)

    def target(name: str) -> int:
        return view.target(plan, pos, values, _S[name])

    tensors = view.references(target("tensors"))
    operators = view.references(target("operators"))
    return Subgraph(
        index=index,
        name=view.string(target("name")),
        tensors=tuple(_tensor(view, i, at) for i, at in enumerate(tensors)),
        inputs=view.scalars(target("inputs"), "i"),
        outputs=view.scalars(target("outputs"), "i"),
        operators=tuple(_operator(view, index, i, at, codes) for i, at in enumerate(operators)),
        pos=pos,
    )


def _tensor(view: View, index: int, pos: int) -> Tensor:
    plan, values = view.table(_TENSOR, pos)
    target = view.target
    quant = target(plan, pos, values, _T_QUANT)
    return Tensor(
        index=index,
        name=view.string(target(plan, pos, values, _T_NAME)),
        type=type_name(values[_T_TYPE]),
        shape=view.scalars(target(plan, pos, values, _T_SHAPE), "i"),
        shape_signature=view.scalars(target(plan, pos, values, _T_SIGNATURE), "i"),
        buffer=values[_T_BUFFER],
        quant=_quant(view, quant) if quant else None,
        is_variable=values[_T_VARIABLE],
        external_buffer=values[_T_EXTERNAL],
        sparse=target(plan, pos, values, _T_SPARSITY) != 0,
        pos=pos,
    )


def _quant(view: View, pos: int) -> QuantParams | None:
    """None where the table states no parameters: many converters write an empty one."""
    plan, values = view.table(_QUANT, pos)
    scale = view.scalars(view.target(plan, pos, values, _Q["scale"]), "f")
    details = values[_Q["details_type"]] != 0
    if not scale and not details:
        return None
    return QuantParams(
        scale=scale,
        zero_point=view.scalars(view.target(plan, pos, values, _Q["zero_point"]), "q"),
        quantized_dimension=values[_Q["quantized_dimension"]],
        minimum=view.scalars(view.target(plan, pos, values, _Q["min"]), "f"),
        maximum=view.scalars(view.target(plan, pos, values, _Q["max"]), "f"),
        details=details,
        pos=pos,
    )


def _operator(
    view: View, subgraph: int, index: int, pos: int, codes: tuple[OperatorCode, ...]
) -> Operator:
    plan, values = view.table(_OPERATOR, pos)
    number = values[_O_CODE]
    if number >= len(codes):
        place = f"subgraph[{subgraph}]/operator[{index}]"
        msg = f"{place}: operator code {number} of {len(codes)} does not exist"
        raise FormatError(msg, offset=pos)
    code = codes[number]
    target = view.target
    return Operator(
        index=index,
        name=code.name,
        version=code.version,
        custom_code=code.custom_code,
        inputs=view.scalars(target(plan, pos, values, _O_INPUTS), "i"),
        outputs=view.scalars(target(plan, pos, values, _O_OUTPUTS), "i"),
        intermediates=view.scalars(target(plan, pos, values, _O_MIDDLE), "i"),
        options=_options(
            view,
            values[_O_TYPE],
            target(plan, pos, values, _O_OPTIONS),
            values[_O_TYPE2],
            target(plan, pos, values, _O_OPTIONS2),
        ),
        pos=pos,
    )


def _options(view: View, kind: int, pos: int, kind2: int, pos2: int) -> Mapping[str, int | str]:
    """The named fields of an operator's option tables; floats and vectors are left out."""
    options: dict[str, Any] = {}
    for layout, at in ((_OPTION_LAYOUTS.get(kind), pos), (_OPTION2_LAYOUTS.get(kind2), pos2)):
        if layout is None or at == 0 or not layout.fields:
            continue
        plan, values = view.table(layout, at)
        for name, number in plan.options:
            options[name] = values[number]
        for name, number in plan.strings:
            options[name] = view.string(view.target(plan, at, values, number))
    return options


def _signature(view: View, pos: int) -> Signature:
    plan, values = view.table(_SIGNATURE, pos)

    def entries(name: str) -> tuple[tuple[str, int], ...]:
        found = []
        for at in view.references(view.target(plan, pos, values, _D[name])):
            inner, row = view.table(_TENSOR_MAP, at)
            found.append((view.string(view.target(inner, at, row, 0)), int(row[1])))
        return tuple(found)

    return Signature(
        key=view.string(view.target(plan, pos, values, _D["signature_key"])),
        subgraph=values[_D["subgraph_index"]],
        inputs=entries("inputs"),
        outputs=entries("outputs"),
    )


def _metadata(view: View, pos: int) -> Metadata:
    plan, values = view.table(_METADATA, pos)
    return Metadata(name=view.string(view.target(plan, pos, values, 0)), buffer=values[1])
