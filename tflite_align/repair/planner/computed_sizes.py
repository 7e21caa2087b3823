"""Folding of sizes that operators compute from known shapes: they become constants."""

from __future__ import annotations

from collections.abc import Iterable

from ...checks.shapes.foldable import foldable, folds_away
from ...format.model import TensorId
from .draft import Draft

__all__ = ["fold_sizes"]

_MOST = 8  # largest number of integers in a message


def fold_sizes(draft: Draft, subgraph: int, *, resized: bool) -> None:
    """Remove the operators of a subgraph that only compute known sizes; a size that another
    operator reads becomes a constant. `resized`: an application may resize graph inputs, so that
    only sizes that do not depend on open dimensions are known.

    Exact: the constants are the integers of every run.
    """
    graph = draft.model.subgraphs[subgraph]
    values = foldable(draft.model, subgraph, resized=resized)
    gone = [operator for operator in graph.operators if folds_away(operator, values)]
    numbers = {operator.index for operator in gone}
    for operator in gone:
        draft.graph(subgraph).remove(operator.index)
        for tensor in operator.outputs:
            readers = draft.links(subgraph).readers.get(tensor, [])
            remaining = tuple(slot for slot in readers if slot.operator not in numbers)
            if not remaining:
                continue
            value = values[tensor]
            draft.graph(subgraph).set_data(tensor, value.tobytes())
            draft.graph(subgraph).set_tensor(tensor, shape=value.shape, shape_signature=())
            draft.touched.update(slot.operator_id for slot in remaining)
            before = f"computed by {operator.name}"
            why = "the same in every run: it is computed from fixed shapes"
            key = TensorId(subgraph, tensor)
            draft.note(
                "folded", key, before, _integers_text(value.flat), why=why, readers=remaining
            )


def _integers_text(values: Iterable[int]) -> str:
    """The first integers of an array, as text."""
    shown = [str(int(value)) for value in values]
    return f"[{', '.join(shown[:_MOST])}{', ...' if len(shown) > _MOST else ''}]"
