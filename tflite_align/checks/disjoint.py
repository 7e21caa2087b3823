"""Disjoint sets (union-find): which slots, tensors or nodes belong together, given pairs that do."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["DisjointSets"]

_T = TypeVar("_T", bound=Hashable)


class DisjointSets(Generic[_T]):
    """Disjoint sets (union-find). Each member is alone in a set until `union` joins it with
    another.

    The root, which represents a set, is its least member by the sort key `order`.
    """

    def __init__(self, order: Callable[[_T], Any]) -> None:
        self.order = order
        self.parent: dict[_T, _T] = {}

    def find(self, member: _T) -> _T:
        """The root of the member's set."""
        parent = self.parent
        root = member
        while (up := parent.get(root, root)) != root:
            root = up
        while member != root:
            parent[member], member = root, parent.get(member, member)
        return root

    def union(self, first: _T, second: _T) -> None:
        """Join the sets of both members."""
        a, b = self.find(first), self.find(second)
        if a != b:
            low, high = sorted((a, b), key=self.order)
            self.parent[high] = low
