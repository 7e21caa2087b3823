"""Limits that operators violate only because a size is computed that is known: a repair folds it to
a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...format.model import Model
from ...record import replace
from ..constraints import Supported
from ..shapes.foldable import foldable, folds_away
from .tensor_limits import COMPUTED

__all__ = ["CHAIN", "foldable_limits"]

CHAIN = "chain"


def foldable_limits(
    model: Model, limits: Iterable[Supported], resizing: Sequence[str]
) -> Iterator[Supported]:
    """The given limits; one that folding computed sizes would satisfy names that repair: the
    operator itself is folded, or its operand becomes the required constant.

    `resizing`: names of targets on which applications may resize inputs.
    """
    for limit in limits:
        if _folds(model, limit, resized=bool(resizing)):
            yield replace(limit, repair=CHAIN)
        elif resizing and _folds(model, limit, resized=False):
            alone = " and ".join(name for name, _ in limit.requirements)
            removable = (
                f"; the signature leaves its size open, and applications may change it in"
                f" {' and '.join(resizing)}: aligned for {alone} only, this operator becomes a constant"
            )
            yield replace(limit, sentence=f"{limit.sentence}{removable}")
        else:
            yield limit


def _folds(model: Model, limit: Supported, *, resized: bool) -> bool:
    """Whether folding would satisfy the limit. `resized`: an application may resize inputs."""
    slot = limit.slot
    if limit.repair or slot.operator < 0:
        return False
    operator = model.subgraphs[slot.subgraph].operators[slot.operator]
    folded = foldable(model, slot.subgraph, resized=resized)
    if folds_away(operator, folded):
        return True
    return limit.actual in COMPUTED and not folded.keys().isdisjoint(operator.inputs)
