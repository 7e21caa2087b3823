"""Signature entries after a change of a subgraph's inputs or outputs."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UnsupportedError
from ..record import replace
from .model import Model, Signature, Subgraph

__all__ = ["followed_signatures", "renamed_entries"]


def followed_signatures(model: Model, subgraphs: Sequence[Subgraph]) -> tuple[Signature, ...]:
    """The model's signatures, with each entry naming the new tensor of its input or output.

    `subgraphs`: the model's subgraphs with changed inputs and outputs. Raises UnsupportedError if
    one entry stands for several positions that now differ.
    """
    return tuple(
        _followed(signature, model.subgraphs[signature.subgraph], subgraphs[signature.subgraph])
        for signature in model.signatures
    )


def _followed(signature: Signature, old: Subgraph, new: Subgraph) -> Signature:
    """One signature after its subgraph changed from `old` to `new`."""
    if (old.inputs, old.outputs) == (new.inputs, new.outputs):
        return signature
    sides = {}
    for side in ("inputs", "outputs"):
        entries: tuple[tuple[str, int], ...] = getattr(signature, side)
        tensors = [tensor for _, tensor in entries]
        named = renamed_entries(signature.key, tensors, getattr(old, side), getattr(new, side))
        sides[side] = tuple(
            (name, tensor) for (name, _), tensor in zip(entries, named, strict=True)
        )
    return replace(signature, **sides)


def renamed_entries(
    key: str, named: list[int], old: Sequence[int], new: Sequence[int]
) -> list[int]:
    """The tensors that a signature's entries have to name when a subgraph's list `old` of inputs or
    outputs becomes `new`. `key`: of the signature, for messages; `named`: the tensors that the
    entries name now.
    """
    result = []
    for position, tensor in enumerate(named):
        places = [new[at] for at, was in enumerate(old) if was == tensor]
        if len(set(places)) <= 1:
            result.append(places[0] if places else tensor)
        elif len(places) == named.count(tensor):
            # As many entries as positions: they are assumed to be in the same order.
            result.append(places[named[:position].count(tensor)])
        else:
            msg = f"signature {key!r}: tensor {tensor} is named by several entries, whose tensors now differ"
            raise UnsupportedError(msg)
    return result
