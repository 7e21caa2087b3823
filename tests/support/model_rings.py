"""Models whose tensors all depend on each other, which are hard to solve."""

from __future__ import annotations

import random

from tests.support.models import Graph


def ring(count: int, labels: int) -> bytes:
    """A ring of tensors with random scales of a few kinds; each is read with four others."""
    chance = random.Random(0)  # noqa: S311 - not for secrets
    graph = Graph()

    def activation(name: str) -> str:
        return graph.activation(name, 2.0 ** -chance.randint(1, labels), shape=(1, 4))

    activation("x")
    names = [activation(f"p{number}") for number in range(count)]
    ends = []
    for name in names:
        graph.add("ABS", ["x"], [name])
    for number, name in enumerate(names):
        for step in (1, 2):
            ends.append(activation(f"{name}_{step}"))
            operands = [name, names[(number + step) % count]]
            graph.add("MAXIMUM", operands, ends[-1:], ("MaximumMinimumOptions", {}))
    return graph.bytes(["x"], ends)
