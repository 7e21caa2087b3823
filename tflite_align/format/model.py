"""The model as frozen records.

Nothing here reads or writes bytes. `pos` fields are byte offsets of FlatBuffers tables in the
original file; they let the writer and the reports point at a place without parsing again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

from ..numerics import Label
from ..record import PartlyCompared, Record, field, remember, replace

__all__ = [
    "Buffer",
    "Metadata",
    "Model",
    "Operator",
    "OperatorCode",
    "OperatorId",
    "QuantParams",
    "Signature",
    "Slot",
    "SlotKind",
    "Subgraph",
    "Tensor",
    "TensorId",
    "carry_origins",
    "new_slot",
]

SlotKind = Literal["inputs", "outputs", "intermediates"]

# Makes a label of the tuple of its parts, as `new_slot` below makes a slot.
_new_label: Callable[[tuple[float, int]], Label] = partial(tuple.__new__, Label)

_KIND_ORDER = {"inputs": 0, "intermediates": 1, "outputs": 2}


class QuantParams(PartlyCompared, frozen=True, kw_only=True):
    """Affine parameters: real value = scale[c] * (integer - zero_point[c]).

    Every scale is a float32 value held exactly in a Python float. `scale` has one entry, or one for
    each index along `quantized_dimension`. `minimum` and `maximum` are the optional calibration
    ranges (real values; empty when absent). `details` is True if the file has a quantization scheme
    beyond affine (custom, blockwise, multi-axis), which is preserved but never interpreted.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    quantized_dimension: int = 0
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    details: bool = False
    pos: int = 0
    known_extent: tuple[float, float] | None = None  # see `extent`

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos", "known_extent"})
    caches: ClassVar[Mapping[str, Any]] = {"known_extent": lambda: None}

    @property
    def extent(self) -> tuple[float, float]:
        """(smallest, largest) scale; (nan, nan) if one is invalid, (1, 1) without scales.

        Cached, as many checks of many channels use it.
        """
        if len(self.scale) == 1:
            return self.scale[0], self.scale[0]
        if self.known_extent is None:
            finite = math.isfinite(sum(self.scale)) or not any(map(math.isnan, self.scale))
            least, greatest = min(self.scale, default=1.0), max(self.scale, default=1.0)
            extent = (least, greatest) if finite else (math.nan, math.nan)
            remember(self, "known_extent", extent)
            return extent
        return self.known_extent

    @property
    def sound(self) -> bool:
        """Whether every scale is positive and finite."""
        least, greatest = self.extent
        return least > 0 and greatest < math.inf

    @property
    def per_tensor(self) -> bool:
        """Whether there is exactly one scale."""
        return len(self.scale) == 1 and len(self.zero_point) <= 1

    @property
    def label(self) -> Label:
        """The label of per-tensor parameters; a missing zero_point reads as 0."""
        return _new_label((self.scale[0], self.zero_point[0] if self.zero_point else 0))


class Buffer(Record, frozen=True, kw_only=True):
    """The bytes of a constant: `data` if they are in this file, inline or at `Buffer.offset`; None
    for none, or if they are in an external file.

    `start`: offset of the first byte in this file, if they are in it.
    """

    index: int
    data: memoryview | None  # None: no data, or external data
    pos: int
    external: bool = False
    start: int = 0


class Tensor(PartlyCompared, frozen=True, kw_only=True):
    """A tensor. `buffer`: index of its constant's buffer; `shape_signature`: the shape with -1 for
    open sizes, empty without; `like`: for an added tensor, the tensor whose shape it has.
    """

    index: int
    name: str
    type: str  # "int8", "float32", ...; an unknown enum value is carried as "type#57"
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]  # empty when absent
    buffer: int
    quant: QuantParams | None
    is_variable: bool = False
    external_buffer: int = 0
    sparse: bool = False
    pos: int = 0
    like: int | None = None  # for an added tensor: the tensor of the file with the same shape

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos", "like"})

    @property
    def elements(self) -> int:
        """The number of elements; open sizes count as 1."""
        count = 1
        for size in self.shape:
            count *= max(size, 1)
        return count

    @property
    def label(self) -> Label | None:
        """The label of a tensor with per-tensor parameters; None for any other."""
        return self.quant.label if self.quant is not None and self.quant.per_tensor else None


class OperatorCode(PartlyCompared, frozen=True, kw_only=True):
    """A kind of operator that the file uses, with its version."""

    index: int
    name: str  # "CONV_2D"; custom operators are "CUSTOM"; an unknown code is "BUILTIN#250"
    custom_code: str | None
    version: int
    pos: int = 0


_BRANCHES = "branch_subgraph_indices"


class Operator(PartlyCompared, frozen=True, kw_only=True):
    """An operator. `inputs`, `outputs`, `intermediates`: tensor indices; -1 for an absent optional
    operand.

    `options` holds the known option fields (integers, booleans, strings; enum values as integers),
    with defaults for known option tables only. `numbers`: a list of integers among the options: the
    sizes of a RESHAPE, the axes of a SQUEEZE, the subgraphs of a STABLEHLO_CASE. `origin`: the
    operator's index in the original file; None for an added operator.
    """

    index: int
    name: str
    version: int
    custom_code: str | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    options: Mapping[str, int | str] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    pos: int = 0
    origin: int | None = None

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos", "origin"})

    def called(self, option: str) -> tuple[int, ...]:
        """Indices of the subgraphs that the option named `option` calls."""
        if option == _BRANCHES:
            return self.numbers if self.name == "STABLEHLO_CASE" else ()
        index = self.options.get(option)
        return (index,) if isinstance(index, int) else ()

    @property
    def named(self) -> tuple[int, ...]:
        """Tensor indices of all operands; absent ones (-1) are included."""
        return self.inputs + self.outputs + self.intermediates

    def operands(self, slot_kind: SlotKind) -> tuple[int, ...]:
        """The tensor indices of the inputs, outputs or intermediates."""
        if slot_kind == "inputs":
            return self.inputs
        return self.outputs if slot_kind == "outputs" else self.intermediates


class Subgraph(PartlyCompared, frozen=True, kw_only=True):
    """A subgraph; `inputs`, `outputs`: tensor indices. `memo`: cached results that depend on it
    alone.
    """

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]
    pos: int = 0
    # Caching function -> its result for this subgraph; a replaced
    # subgraph is another object and starts with an empty cache.
    memo: dict[str, Any] = field(default_factory=dict)

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos", "memo"})
    caches: ClassVar[Mapping[str, Any]] = {"memo": dict}


class Signature(Record, frozen=True, kw_only=True):
    """A name (`key`) under which a subgraph is run; its inputs and outputs as (name, tensor index)."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]  # (name, tensor index)
    outputs: tuple[tuple[str, int], ...]


class Metadata(Record, frozen=True, kw_only=True):
    """A metadata entry: its name, and the index of the buffer with its content."""

    name: str
    buffer: int


class Model(Record, frozen=True, kw_only=True):
    """A whole model. `size`: of the file in bytes; `allowed_metadata`: names of metadata that the
    user declared to be independent of tensors and operators.
    """

    version: int
    description: str
    operator_codes: tuple[OperatorCode, ...]
    subgraphs: tuple[Subgraph, ...]
    buffers: tuple[Buffer, ...]
    signatures: tuple[Signature, ...]
    metadata: tuple[Metadata, ...]
    size: int  # bytes of the whole file
    pos: int = 0
    # Metadata names that, by --allow-metadata, do not depend on tensor or operator indices.
    allowed_metadata: frozenset[str] = frozenset()

    @property
    def named_subgraphs(self) -> frozenset[int]:
        """Subgraphs that users run by name: the first, and every one with a signature."""
        return frozenset({0, *(signature.subgraph for signature in self.signatures)})

    def constant(self, subgraph: int, tensor: int) -> memoryview | None:
        """The tensor's constant bytes; None if it is no constant or its data is external.
        `subgraph`, `tensor`: indices.
        """
        record = self.subgraphs[subgraph].tensors[tensor]
        if record.is_variable or record.external_buffer or record.buffer >= len(self.buffers):
            return None
        data = self.buffers[record.buffer].data
        return data if data is not None and len(data) > 0 else None

    def is_constant(self, subgraph: int, tensor: int) -> bool:
        """Whether the tensor is a constant, also one whose data is external. `subgraph`, `tensor`:
        indices.
        """
        record = self.subgraphs[subgraph].tensors[tensor]
        if record.external_buffer:
            return True
        if record.buffer < len(self.buffers) and self.buffers[record.buffer].external:
            return True
        return self.constant(subgraph, tensor) is not None


class TensorId(NamedTuple):
    """A tensor of a model, by the index of its subgraph and its own."""

    subgraph: int
    tensor: int


class OperatorId(NamedTuple):
    """An operator of a model, by the index of its subgraph and its own."""

    subgraph: int
    operator: int


def carry_origins(model: Model, state: Model) -> Model:
    """The model, which was read from a written file, with the operators' origins taken from
    `state`.

    `state` is the model that was written; both have the same operators in the same order.
    """
    graphs = []
    for graph, written in zip(model.subgraphs, state.subgraphs, strict=True):
        pairs = zip(graph.operators, written.operators, strict=True)
        operators = tuple(
            [
                read if read.origin == was.origin else replace(read, origin=was.origin)
                for read, was in pairs
            ]
        )
        graphs.append(replace(graph, operators=operators))
    return replace(model, subgraphs=tuple(graphs))


class Slot(NamedTuple):
    """An operand position: subgraph, operator, kind and index. `operator` -1 stands for the
    subgraph's own inputs and outputs.

    A tuple for speed: slots are created and hashed more often than any other value.
    """

    subgraph: int
    operator: int
    kind: SlotKind
    index: int  # type: ignore[assignment] # tuple.index is never called on a slot: the field has its name

    @property
    def sort_key(self) -> tuple[int, int, int, int]:
        """The order of slots: subgraph, operator, kind, index."""
        return (self.subgraph, self.operator, _KIND_ORDER[self.kind], self.index)

    def tensor(self, model: Model) -> int:
        """Index of the tensor in this slot; -1 for an absent optional operand."""
        subgraph, operator_index, slot_kind, index = self
        graph = model.subgraphs[subgraph]
        indices: Sequence[int]
        if operator_index >= 0:
            operator = graph.operators[operator_index]
            if slot_kind == "inputs":
                indices = operator.inputs
            else:
                indices = operator.outputs if slot_kind == "outputs" else operator.intermediates
        else:
            indices = graph.inputs if slot_kind == "inputs" else graph.outputs
        return indices[index] if index < len(indices) else -1

    def tensor_id(self, model: Model) -> TensorId:
        """The tensor in this slot, which must not be absent."""
        return TensorId(self.subgraph, self.tensor(model))

    @property
    def operator_id(self) -> OperatorId:
        """(subgraph, operator) of the slot."""
        return OperatorId(self.subgraph, self.operator)

    def address(self, model: Model) -> str:
        """The address in reports: `subgraph[0]/operator[12] CONCATENATION/inputs[1]`."""
        if self.operator < 0:
            return f"subgraph[{self.subgraph}]/{self.kind}[{self.index}]"
        name = model.subgraphs[self.subgraph].operators[self.operator].name
        return (
            f"subgraph[{self.subgraph}]/operator[{self.operator}] {name}/{self.kind}[{self.index}]"
        )


# Makes a slot of a tuple of its four fields without the constructor, which is slow Python: for
# code that makes one for each operand of a model.
new_slot: Callable[[tuple[int, int, SlotKind, int]], Slot] = partial(tuple.__new__, Slot)
