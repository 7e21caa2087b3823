"""The difference between two states of a model, as edits of the original file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...errors import UnsupportedError, UsageError
from ..model import Model, Operator, SlotKind, Subgraph, Tensor
from ..signature_entries import followed_signatures
from .edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetData,
    SetGraphIO,
    SetName,
    SetOperand,
    SetOption,
    SetQuant,
    SetShape,
    SetType,
    SetVersion,
)

__all__ = ["differences"]

_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs", "intermediates")
_SIDES: tuple[Literal["inputs", "outputs"], ...] = ("inputs", "outputs")
# Fields that the writer cannot change.
_FIXED_MODEL = ("version", "description", "operator_codes", "metadata")
_FIXED_SUBGRAPH = ("name",)
_FIXED_TENSOR = ("is_variable", "external_buffer", "sparse")
_FIXED_OPERATOR = ("name", "custom_code", "numbers")


def differences(before: Model, after: Model) -> tuple[Edit, ...]:
    """Edits that turn the file with model `before` into one with model `after`.

    Operators are matched by `origin`; tensors and buffers keep their indices, and new ones follow.
    Raises UsageError for a state that no edits can reach, UnsupportedError for changes that are not
    supported. Ranges (`minimum`, `maximum`) change only where the file has them.
    """
    if len(before.subgraphs) != len(after.subgraphs):
        raise UsageError("subgraphs cannot be added or removed")
    _refuse("the model", _FIXED_MODEL, before, after)
    if after.buffers[: len(before.buffers)] != before.buffers:
        raise UsageError("the buffers of the file cannot be changed: new data needs a new buffer")
    if after.signatures != before.signatures:
        # They follow the inputs and outputs of their subgraphs, and change in no other way.
        followed = followed_signatures(before, after.subgraphs)
        if after.signatures != followed:
            raise UnsupportedError("the model: signatures cannot be changed")
    edits: list[Edit] = []
    for old, new in zip(before.subgraphs, after.subgraphs, strict=True):
        if old is not new:
            edits += _GraphDifferences(before, after, old, new).edits()
    return tuple(edits)


class _GraphDifferences:
    """The edits that turn one subgraph of the file into its changed record."""

    def __init__(self, before: Model, after: Model, old: Subgraph, new: Subgraph) -> None:
        self.before = before
        self.after = after
        self.old = old
        self.new = new
        self.index = old.index

    def edits(self) -> Iterator[Edit]:
        """The edits of the subgraph."""
        _refuse(f"subgraph[{self.index}]", _FIXED_SUBGRAPH, self.old, self.new)
        if len(self.new.tensors) < len(self.old.tensors):
            raise UsageError(f"subgraph[{self.index}]: tensors cannot be removed")
        for tensor in self.new.tensors[len(self.old.tensors) :]:
            yield self._added_tensor(tensor)
        for was, tensor in zip(self.old.tensors, self.new.tensors, strict=False):
            if was is not tensor:
                yield from self._tensor(was, tensor)
        yield from self._operators()
        for side in _SIDES:
            yield from self._boundary(side, getattr(self.old, side), getattr(self.new, side))

    # --- tensors -----------------------------------------------------------------------------

    def _data(self, tensor: Tensor) -> bytes | None:
        """The bytes of a tensor's new buffer; None if its buffer is in the file."""
        if tensor.buffer < len(self.before.buffers):
            return None
        data = self.after.buffers[tensor.buffer].data
        return None if data is None else bytes(data)

    def _added_tensor(self, tensor: Tensor) -> AddTensor:
        """The edit that adds a tensor."""
        if tensor.like is None:
            raise UsageError(
                f"subgraph[{self.index}]/tensor[{tensor.index}]: an added tensor must have the type and shape of an existing one"
            )
        # `like` is another new tensor, or a tensor as it is in the file.
        news = tensor.like >= len(self.old.tensors)
        like = (self.new if news else self.old).tensors[tensor.like]
        reshaped = (tensor.shape, tensor.shape_signature) != (like.shape, like.shape_signature)
        return AddTensor(
            subgraph=self.index,
            index=tensor.index,
            like=tensor.like,
            name=tensor.name,
            type=tensor.type,
            quant=tensor.quant,
            data=self._data(tensor),
            shape=tensor.shape if reshaped else None,
            signature=tensor.shape_signature,
        )

    def _tensor(self, was: Tensor, tensor: Tensor) -> Iterator[Edit]:
        """The edits that turn tensor `was` into `tensor`."""
        address = {"subgraph": self.index, "tensor": was.index}
        _refuse(f"subgraph[{self.index}]/tensor[{was.index}]", _FIXED_TENSOR, was, tensor)
        if tensor.quant is not None and tensor.quant != was.quant:
            yield SetQuant(**address, quant=tensor.quant)
        elif tensor.quant is None and was.quant is not None:
            raise UnsupportedError(
                f"subgraph[{self.index}]/tensor[{was.index}]: parameters cannot be taken away"
            )
        data = self._data(tensor)
        retyped = tensor.type if tensor.type != was.type else None
        if data is not None:
            yield SetData(**address, data=data, type=retyped)
        elif tensor.buffer != was.buffer:
            raise UsageError(f"subgraph[{self.index}]/tensor[{was.index}]: another tensor's buffer")
        elif retyped is not None:
            yield SetType(**address, type=retyped)
        if (tensor.shape, tensor.shape_signature) != (was.shape, was.shape_signature):
            yield SetShape(**address, shape=tensor.shape, signature=tensor.shape_signature)
        if tensor.name != was.name:
            yield SetName(**address, name=tensor.name)

    # --- operators ---------------------------------------------------------------------------

    def _operators(self) -> Iterator[Edit]:
        """The edits of operators: additions, removals and changes."""
        origins: set[int] = set()
        last = -1
        added: list[Operator] = []
        for operator in self.new.operators:
            origin = operator.origin
            if origin is None:
                added.append(operator)
                continue
            if not last < origin < len(self.old.operators):
                raise UsageError(
                    f"subgraph[{self.index}]: operators of the file keep their order;"
                    f" operator {origin} is out of place"
                )
            yield from self._insertions(added, origin)
            added = []
            origins.add(origin)
            last = origin
            was = self.old.operators[origin]
            if was is not operator:
                yield from self._operator(was, operator)
        yield from self._insertions(added, len(self.old.operators))
        for was in self.old.operators:
            if was.index not in origins:
                yield RemoveOperator(subgraph=self.index, operator=was.index)

    def _insertions(self, added: list[Operator], before: int) -> Iterator[Edit]:
        """The edits that add these operators before the original operator `before`. `added`: the
        new operators.
        """
        for operator in added:
            if operator.options or operator.intermediates or operator.custom_code:
                raise UnsupportedError(
                    f"subgraph[{self.index}]: a new {operator.name} cannot have options"
                )
            yield AddOperator(
                subgraph=self.index,
                before=before,
                name=operator.name,
                version=operator.version,
                inputs=operator.inputs,
                outputs=operator.outputs,
            )

    def _operator(self, was: Operator, operator: Operator) -> Iterator[Edit]:
        """The edits that turn operator `was` into `operator`."""
        address = {"subgraph": self.index, "operator": was.index}
        where = f"subgraph[{self.index}]/operator[{was.index}] {was.name}"
        _refuse(where, _FIXED_OPERATOR, was, operator)
        for slot_kind in _KINDS:
            operands = (was.operands(slot_kind), operator.operands(slot_kind))
            more = len(operands[1]) - len(operands[0])
            if more < 0 or (more and slot_kind != "inputs"):
                raise UnsupportedError(f"{where}: the number of {slot_kind} cannot be changed")
            for index, new in enumerate(operands[1]):
                if index >= len(operands[0]) or operands[0][index] != new:
                    yield SetOperand(**address, kind=slot_kind, index=index, tensor=new)
        if not was.options.keys() <= operator.options.keys():
            raise UnsupportedError(f"{where}: options cannot be taken away")
        for name, value in operator.options.items():
            if was.options.get(name) is not value and was.options.get(name) != value:
                if isinstance(value, str):
                    raise UnsupportedError(f"{where}: option {name!r} cannot be changed")
                yield SetOption(**address, field=name, value=value)
        if operator.version != was.version:
            yield SetVersion(**address, version=operator.version)

    def _boundary(
        self, side: Literal["inputs", "outputs"], old: tuple[int, ...], new: tuple[int, ...]
    ) -> Iterator[Edit]:
        """The edits of the subgraph's inputs or outputs. `old`, `new`: tensor indices."""
        if len(old) != len(new):
            raise UnsupportedError(f"subgraph[{self.index}]: the number of {side} is fixed")
        for index, (was, tensor) in enumerate(zip(old, new, strict=True)):
            if was != tensor:
                yield SetGraphIO(subgraph=self.index, kind=side, index=index, tensor=tensor)


def _refuse(address: str, names: tuple[str, ...], was: object, now: object) -> None:
    """Raise UnsupportedError if one of the named fields differs, as these cannot be changed.
    `names`: of fields; `was`, `now`: the records to compare.
    """
    changed = [name for name in names if getattr(was, name) != getattr(now, name)]
    if changed:
        raise UnsupportedError(f"{address}: {changed[0]} cannot be changed")
