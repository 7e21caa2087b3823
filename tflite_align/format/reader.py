"""Reader: bytes to Model, with every offset and index checked and no constant copied.

Any bytes give a Model or a FormatError. Constants are memoryviews of the given buffer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import FormatError
from .enums import operator_name, type_name
from .flatbuffer import BufferReader, Bytes, Image
from .flatbuffer_bulk import Columns, strings, vectors
from .integrity import check_structure
from .model import (
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
from .schema import IDENTIFIER, OPTIONS, OPTIONS2, TableLayout, table_layout

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

# Offsets 0 and 1 mean "none": converters write 1 as a placeholder for data that was never written.
_FIRST_OFFSET = 2

_OPTION_LAYOUTS = {code: table_layout(name) for code, name in OPTIONS.items()}
_OPTION2_LAYOUTS = {code: table_layout(name) for code, name in OPTIONS2.items()}
_LARGE, _LARGE_SIZE = "large_custom_options_offset", "large_custom_options_size"
_NUMBERED = ("ReshapeOptions", "SqueezeOptions", "StablehloCaseOptions")
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
    layout.name: {name: field.id for name, field in layout.by_name.items()}
    for layout in (_MODEL, _CODE, _BUFFER, _SUBGRAPH, _TENSOR, _QUANT, _OPERATOR, _SIGNATURE)
}
_M, _C, _B, _S, _T, _Q, _O, _D = _ids.values()


def read(data: Bytes | Image) -> Model:
    """The model in `data`; raises FormatError for bytes that are no readable model."""
    view = BufferReader(data)
    _check_identifier(view)
    pos = view.root()
    plan, values = view.table(_MODEL, pos)

    def children(name: str) -> list[int]:
        """The positions in a vector field of the model's table."""
        return view.references(view.target(plan, pos, values, _M[name]))

    codes = tuple(_code(view, i, at) for i, at in enumerate(children("operator_codes")))
    buffers = tuple(_buffers(view, children("buffers")))
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


def _check_identifier(view: BufferReader) -> None:
    """Raise FormatError, with a hint at the actual format, unless the file begins like a .tflite
    file.
    """
    start = bytes(view.buf[:24])
    if not start:
        msg = "not a TFLite model: the file is empty"
        raise FormatError(msg, offset=0)
    if len(start) >= 8 and start[4:8] == IDENTIFIER:
        return
    for magic, file_format in _LOOKS_LIKE.items():
        if start.startswith(magic):
            msg = f"not a TFLite model: the file looks like {file_format}"
            raise FormatError(msg, offset=0)
    if start.startswith(_LFS):
        msg = "not a TFLite model: the file is a Git LFS pointer, its content was not fetched"
        raise FormatError(msg, offset=0)
    if len(start) < 8:
        msg = f"not a TFLite model: the file has only {len(start)} bytes"
        raise FormatError(msg, offset=0)
    msg = f"not a TFLite model: the file identifier is {start[4:8]!r}, not {IDENTIFIER!r}"
    raise FormatError(msg, offset=4)


def _code(view: BufferReader, index: int, pos: int) -> OperatorCode:
    """The operator code in the table at `pos`. `index`: its index."""
    plan, values = view.table(_CODE, pos)
    # Operator codes below 127 are in the old byte field, later ones in the new one; the larger
    # value counts.
    code = max(values[_C["deprecated_builtin_code"]], values[_C["builtin_code"]])
    custom = view.target(plan, pos, values, _C["custom_code"])
    return OperatorCode(
        index=index,
        name=operator_name(code),
        custom_code=view.string(custom) if custom else None,
        version=values[_C["version"]],
        pos=pos,
    )


def _buffers(view: BufferReader, positions: list[int]) -> list[Buffer]:
    """The buffers in the tables at these positions."""
    columns = Columns(view, _BUFFER, positions)
    spans = zip(columns.values(_B["offset"]), columns.values(_B["size"]), strict=True)
    graphs = []
    rows = zip(positions, columns.targets(_B["data"]), spans, strict=True)
    for index, (pos, target, (offset, size)) in enumerate(rows):
        data, start = view.blob(target), target + 4
        if offset >= _FIRST_OFFSET:
            _check_span(view, f"buffer[{index}]", offset, size, pos)
            if not data:
                data, start = view.content(offset, size), offset
        graphs.append(Buffer(index=index, data=data or None, pos=pos, start=start if data else 0))
    return graphs


def _check_span(view: BufferReader, what: str, offset: int, size: int, pos: int) -> None:
    """Raise FormatError at table `pos` if a byte range, given by its offset in the file, exceeds
    the file. `what`: its name. `offset`, `size`: in bytes.
    """
    if offset + size > view.size:
        msg = f"{what} names bytes {offset} to {offset + size}, beyond the file's end"
        raise FormatError(msg, offset=pos)


def _subgraph(
    view: BufferReader, index: int, pos: int, codes: tuple[OperatorCode, ...]
) -> Subgraph:
    """The subgraph in the table at `pos`. `index`: its index. `codes`: operator codes of the file."""
    plan, values = view.table(_SUBGRAPH, pos)

    def target(name: str) -> int:
        """The position to which a field of the table leads; 0 when absent."""
        return view.target(plan, pos, values, _S[name])

    tensors = view.references(target("tensors"))
    operators = view.references(target("operators"))
    return Subgraph(
        index=index,
        name=view.string(target("name")),
        tensors=tuple(_tensors(view, tensors)),
        inputs=view.scalars(target("inputs"), "i"),
        outputs=view.scalars(target("outputs"), "i"),
        operators=tuple(_operators(view, index, operators, codes)),
        pos=pos,
    )


def _tensors(view: BufferReader, positions: list[int]) -> list[Tensor]:
    """The tensors in the tables at these positions."""
    columns = Columns(view, _TENSOR, positions)
    rows = zip(
        strings(view, columns.targets(_T["name"])),
        columns.values(_T["type"]),
        vectors(view, columns.targets(_T["shape"]), "i"),
        vectors(view, columns.targets(_T["shape_signature"]), "i"),
        columns.values(_T["buffer"]),
        _quants(view, columns.targets(_T["quantization"])),
        columns.values(_T["is_variable"]),
        columns.values(_T["external_buffer"]),
        columns.targets(_T["sparsity"]),
        positions,
        strict=True,
    )
    return [
        Tensor(
            index=index,
            name=name,
            type=type_name(type_code),
            shape=shape,
            shape_signature=signature,
            buffer=buffer,
            quant=quant,
            is_variable=variable,
            external_buffer=external,
            sparse=sparsity != 0,
            pos=pos,
        )
        for index, (
            name, type_code, shape, signature, buffer, quant, variable, external, sparsity, pos,
        ) in enumerate(rows)
    ]  # fmt: skip


def _quants(view: BufferReader, targets: list[int]) -> list[QuantParams | None]:
    """The parameters in each table; None for a missing table, or one without scales, which many
    converters write. `targets`: byte positions of the tables; 0: missing.
    """
    positions = [pos for pos in targets if pos]
    columns = Columns(view, _QUANT, positions)
    rows = zip(
        vectors(view, columns.targets(_Q["scale"]), "f"),
        vectors(view, columns.targets(_Q["zero_point"]), "q"),
        columns.values(_Q["quantized_dimension"]),
        vectors(view, columns.targets(_Q["min"]), "f"),
        vectors(view, columns.targets(_Q["max"]), "f"),
        columns.values(_Q["details_type"]),
        positions,
        strict=True,
    )
    params = iter(
        [
            QuantParams(
                scale=scale,
                zero_point=zero_point,
                quantized_dimension=axis,
                minimum=minimum,
                maximum=maximum,
                details=details != 0,
                pos=pos,
            )
            if scale or details
            else None
            for scale, zero_point, axis, minimum, maximum, details, pos in rows
        ]
    )
    return [next(params) if pos else None for pos in targets]


def _operators(
    view: BufferReader, subgraph: int, positions: list[int], codes: tuple[OperatorCode, ...]
) -> list[Operator]:
    """The operators in the tables at these positions. `subgraph`: its index. `codes`: operator
    codes of the file.
    """
    columns = Columns(view, _OPERATOR, positions)
    numbers = columns.values(_O["opcode_index"])
    wrong = next((i for i, code_index in enumerate(numbers) if code_index >= len(codes)), None)
    if wrong is not None:
        address = f"subgraph[{subgraph}]/operator[{wrong}]"
        msg = f"{address}: operator code {numbers[wrong]} of {len(codes)} does not exist"
        raise FormatError(msg, offset=positions[wrong])
    spans = zip(columns.values(_O[_LARGE]), columns.values(_O[_LARGE_SIZE]), strict=True)
    for index, (offset, size) in enumerate(spans):
        if offset >= _FIRST_OFFSET:
            what = f"subgraph[{subgraph}]/operator[{index}] {_LARGE}"
            _check_span(view, what, offset, size, positions[index])
    options: list[dict[str, Any]] = [{} for _ in positions]
    lists: dict[int, tuple[int, ...]] = {}
    for kinds, targets, layouts in (
        ("builtin_options_type", "builtin_options", _OPTION_LAYOUTS),
        ("builtin_options2_type", "builtin_options2", _OPTION2_LAYOUTS),
    ):
        lists |= _add_options(
            view, options, columns.values(_O[kinds]), columns.targets(_O[targets]), layouts
        )
    rows = zip(
        [codes[code_index] for code_index in numbers],
        vectors(view, columns.targets(_O["inputs"]), "i"),
        vectors(view, columns.targets(_O["outputs"]), "i"),
        vectors(view, columns.targets(_O["intermediates"]), "i"),
        options,
        positions,
        strict=True,
    )
    return [
        Operator(
            index=index,
            name=code.name,
            version=code.version,
            custom_code=code.custom_code,
            inputs=inputs,
            outputs=outputs,
            intermediates=intermediates,
            options=flags,
            numbers=lists.get(index, ()),
            pos=pos,
            origin=index,
        )
        for index, (code, inputs, outputs, intermediates, flags, pos) in enumerate(rows)
    ]


def _add_options(
    view: BufferReader,
    options: list[dict[str, Any]],
    kinds: list[int],
    targets: list[int],
    layouts: Mapping[int, TableLayout],
) -> dict[int, tuple[int, ...]]:
    """Read the known fields of operators' option tables into `options`, by operator; of fields
    with fractions those that rows test. `kinds`: the type of each option table; `targets`: its
    position; `layouts`: by type.

    Of vector fields only the int32 ones of RESHAPE, SQUEEZE and STABLEHLO_CASE are read; they are
    returned by operator index.
    """
    lists: dict[int, tuple[int, ...]] = {}
    for type_code in sorted(set(kinds)):
        layout = layouts.get(type_code)
        if layout is None or not layout.fields:
            continue
        places = [
            i
            for i, (code, pos) in enumerate(zip(kinds, targets, strict=True))
            if code == type_code and pos
        ]
        columns = Columns(view, layout, [targets[row] for row in places])
        for field in layout.fields:
            if field.kind == "scalar" and field.is_option:
                column: list[Any] = columns.values(field.id)
            elif field.kind == "string":
                column = strings(view, columns.targets(field.id))
            elif layout.name in _NUMBERED:
                lists.update(
                    zip(places, vectors(view, columns.targets(field.id), "i"), strict=True)
                )
                continue
            else:
                continue
            if field.code == "f":  # one object for NaN: records with it compare as equal
                column = [math.nan if math.isnan(number) else number for number in column]
            for row, value in zip(places, column, strict=True):
                options[row][field.name] = value
    return lists


def _signature(view: BufferReader, pos: int) -> Signature:
    """The signature in the table at `pos`."""
    plan, values = view.table(_SIGNATURE, pos)

    def entries(name: str) -> tuple[tuple[str, int], ...]:
        """(name, tensor index) of its inputs or outputs."""
        pairs = []
        for at in view.references(view.target(plan, pos, values, _D[name])):
            inner, row = view.table(_TENSOR_MAP, at)
            pairs.append((view.string(view.target(inner, at, row, 0)), int(row[1])))
        return tuple(pairs)

    return Signature(
        key=view.string(view.target(plan, pos, values, _D["signature_key"])),
        subgraph=values[_D["subgraph_index"]],
        inputs=entries("inputs"),
        outputs=entries("outputs"),
    )


def _metadata(view: BufferReader, pos: int) -> Metadata:
    """The metadata entry in the table at `pos`."""
    plan, values = view.table(_METADATA, pos)
    return Metadata(name=view.string(view.target(plan, pos, values, 0)), buffer=values[1])
