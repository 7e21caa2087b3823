"""Update of signatures when a subgraph's inputs or outputs change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..schema import table_layout
from ..signature_entries import renamed_entries
from .field_values import FieldValues

__all__ = ["follow"]

_SIGNATURE = table_layout("SignatureDef")
_TENSOR_MAP = table_layout("TensorMap")


def follow(
    draft: FieldValues, signatures: Sequence[int], lists: Mapping[tuple[int, int, str], list[int]]
) -> None:
    """Request the new tensor for every signature entry whose input or output was replaced.

    `signatures`: positions of the SignatureDef tables. `lists`: new operand lists by (subgraph,
    operator, kind); operator -1: of the subgraph itself.
    """
    for index, pos in enumerate(signatures):
        signature = draft.model.signatures[index]
        graph = draft.model.subgraphs[signature.subgraph]
        for border, entries, old in (
            ("inputs", signature.inputs, graph.inputs),
            ("outputs", signature.outputs, graph.outputs),
        ):
            new = lists.get((signature.subgraph, -1, border))
            if new is None:
                continue
            tables = draft.view.references(draft.current(_SIGNATURE, pos, border))
            named = [tensor for _, tensor in entries]
            for position, tensor in enumerate(renamed_entries(signature.key, named, old, new)):
                key = ("map", index, border, position)
                draft.want(key, _TENSOR_MAP, tables[position], tensor_index=tensor)
