"""The splice: applies edits to the bytes of a file and leaves all other bytes unchanged.

Values are overwritten in place; new tables are put in front of the original bytes and refer to
them. Without effective edits the output is identical.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from ...errors import UnsupportedError, UsageError
from ..flatbuffer import BufferReader, Bytes
from ..model import Model, Subgraph
from ..schema import table_layout
from .edits import Edit
from .field_values import FieldValues
from .grow import grow
from .metadata import MEMORY_PLAN, memory_plan, unknown_metadata
from .nodes import NewTable, Node, Old, Refs
from .patch import Patches, Written
from .pending import PendingEdits
from .signatures import follow
from .tail import absolute_offsets, flatbuffer_end, move

__all__ = ["splice"]

_MODEL = table_layout("Model")
_SUBGRAPH = table_layout("SubGraph")
_TENSOR = table_layout("Tensor")
_OPERATOR = table_layout("Operator")
_SIGNATURE = table_layout("SignatureDef")
_METADATA = table_layout("Metadata")


def splice(data: Bytes, model: Model, edits: Sequence[Edit]) -> Written:
    """Apply the edits to the file `data` with the model `model`.

    Raises UsageError for an edit that names a missing tensor, operator or field, UnsupportedError
    for a change that cannot be made safely; nothing is written then.
    """
    view = BufferReader(data)
    if view.size != model.size:
        msg = f"the model was read from {model.size} bytes, not from these {view.size}"
        raise UsageError(msg)
    patches = Patches(view)
    draft = FieldValues(view, model, patches)
    intake = PendingEdits(draft)
    intake.take(edits)
    assembly = _Assembly(draft, intake)
    root = assembly.root()
    if root is None:
        return patches.written(b"")
    offsets = absolute_offsets(view, model)
    prefix = grow(root, flatbuffer_end(view, offsets))
    move(view, offsets, patches, len(prefix), assembly.remade)
    return patches.written(prefix)


class _Assembly:
    """Overwrites or rebuilds all changed tables, children before parents, and links new ones into
    their parents.
    """

    def __init__(self, draft: FieldValues, intake: PendingEdits) -> None:
        self.draft = draft
        self.intake = intake
        self.model = draft.model
        self.remade: set[tuple[int, int]] = set()  # rebuilt operators

    def root(self) -> NewTable | None:
        """The new root table; None if everything was changed in place."""
        self._metadata()
        signatures = self._children("signature_defs")
        follow(self.draft, signatures, self.intake.lists)
        self._options_and_quantization()
        graphs = {
            graph.index: table
            for graph in self.model.subgraphs
            if (table := self._subgraph(graph.index)) is not None
        }
        codes = [code.pos for code in self.model.operator_codes]
        buffers = [buffer.pos for buffer in self.model.buffers]
        self._vector("operator_codes", codes, self._settled("code"), self.intake.codes.made)
        self._vector("subgraphs", [graph.pos for graph in self.model.subgraphs], graphs, [])
        self._vector("buffers", buffers, {}, self.intake.buffers)
        self._vector("metadata", self._children("metadata"), self._settled("metadata"), [])
        self._vector("signature_defs", signatures, self._signatures(signatures), [])
        return self.draft.settle(("model",))

    def _children(self, name: Literal["metadata", "signature_defs"]) -> list[int]:
        """Positions of the metadata or signature tables."""
        view = self.draft.view
        return view.references(self.draft.current(_MODEL, self.model.pos, name))

    def _vector(
        self, name: str, old: list[int], remade: dict[int, NewTable], added: Sequence[NewTable]
    ) -> None:
        """Request a new vector for the field `name` of the Model table if an element was rebuilt
        (`remade`, by index) or added. `old`: positions.
        """
        if remade or added:
            items: list[Old | Node] = [remade.get(i) or Old(pos) for i, pos in enumerate(old)]
            refs = Refs([*items, *added])
            self.draft.want(("model",), _MODEL, self.model.pos, **{name: refs})

    def _settled(
        self, table_kind: str, *within: int, but: Collection[int] = ()
    ) -> dict[int, NewTable]:
        """Settle all tables with a key (kind, [subgraph,] index), in ascending order, except the
        indices in `but`.

        Returns the rebuilt ones by index.
        """
        above = (table_kind, *within)
        keys = sorted(key for key in self.draft.wanted if key[:-1] == above and key[-1] not in but)
        return {
            int(key[-1]): table for key in keys if (table := self.draft.settle(key)) is not None
        }

    def _metadata(self) -> None:
        """Update metadata that counts tensors, or raise UnsupportedError."""
        intake, model = self.intake, self.model
        grown = {graph: len(tables) for graph, tables in intake.tensors.items()}
        unknown = unknown_metadata(model)
        if unknown and (grown or intake.operators or intake.removed):
            msg = (
                f"the model carries metadata {unknown[0]!r}, which may count tensors or operators: "
                f"none can be added or removed. If it does not, add --allow-metadata {unknown[0]}"
            )
            raise UnsupportedError(msg)
        if not grown and not intake.altered:
            return
        for index, metadata in enumerate(model.metadata):
            if metadata.name != MEMORY_PLAN:
                continue
            old = model.buffers[metadata.buffer].data
            plan = memory_plan(model, bytes(old or b""), grown, intake.altered)
            buffer = intake.replace_buffer(metadata.buffer, plan)
            pos = self._children("metadata")[index]
            self.draft.want(("metadata", index), _METADATA, pos, buffer=buffer)

    def _options_and_quantization(self) -> None:
        """Settle the tables below operators and tensors; request new ones from their parents."""
        for key in [key for key in self.draft.wanted if key[0] in {"options", "quant"}]:
            table = self.draft.settle(key)
            if table is None:
                continue
            graph = self.model.subgraphs[int(key[1])]
            index = int(key[2])
            if key[0] == "quant":
                pos = graph.tensors[index].pos
                self.draft.want(("tensor", graph.index, index), _TENSOR, pos, quantization=table)
            else:
                pos = graph.operators[index].pos
                parent = ("operator", graph.index, index)
                self.draft.want(parent, _OPERATOR, pos, **{str(key[3]): table})

    def _subgraph(self, index: int) -> NewTable | None:
        """The rebuilt table of a subgraph; None if it was changed in place or not at all. `index`:
        its index.
        """
        graph = self.model.subgraphs[index]
        remade = self._settled("tensor", index)
        added = self.intake.tensors.get(index, [])
        if added or remade:
            tensors = [remade.get(tensor.index) or Old(tensor.pos) for tensor in graph.tensors]
            self.draft.want(
                ("graph", index), _SUBGRAPH, graph.pos, tensors=Refs([*tensors, *added])
            )
        operators = self._operators(graph)
        if operators is not None:
            self.draft.want(("graph", index), _SUBGRAPH, graph.pos, operators=operators)
        return self.draft.settle(("graph", index))

    def _operators(self, graph: Subgraph) -> Refs | None:
        """The subgraph's operators; None if they are unchanged."""
        index = graph.index
        removed = {operator for subgraph, operator in self.intake.removed if subgraph == index}
        remade = self._settled("operator", index, but=removed)
        self.remade.update((index, operator) for operator in remade)
        inserted = self.intake.operators.get(index, {})
        if not (inserted or removed or remade):
            return None
        operators: list[Old | Node] = []
        for operator in graph.operators:
            operators += inserted.get(operator.index, [])
            if operator.index not in removed:
                operators.append(remade.get(operator.index) or Old(operator.pos))
        return Refs([*operators, *inserted.get(len(graph.operators), [])])

    def _signatures(self, positions: list[int]) -> dict[int, NewTable]:
        """The rebuilt signature tables by index, after their entries are settled. `positions`: of
        the signature tables.
        """
        entries: dict[tuple[int, str], dict[int, NewTable]] = {}
        for key in [key for key in self.draft.wanted if key[0] == "map"]:
            table = self.draft.settle(key)
            if table is not None:
                entries.setdefault((int(key[1]), str(key[2])), {})[int(key[3])] = table
        for (index, table_kind), remade in entries.items():
            pos = positions[index]
            old = self.draft.view.references(self.draft.current(_SIGNATURE, pos, table_kind))
            refs = Refs([remade.get(position) or Old(at) for position, at in enumerate(old)])
            self.draft.want(("signature", index), _SIGNATURE, pos, **{table_kind: refs})
        return self._settled("signature")
