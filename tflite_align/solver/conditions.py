"""Additional constraints on a prepared component, as cost tables: an explanation uses them to price
alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..numerics import Label
from .cost_tables import FORBIDDEN, Table
from .problem_records import Node

__all__ = ["only", "together"]


def together(nodes: Sequence[Node], source: int, reader: int) -> Table:
    """The condition that the nodes `source` and `reader` (indices) have the same label."""
    first, second = nodes[source].domain, nodes[reader].domain
    costs = [[0.0 if a == b else FORBIDDEN for b in second] for a in first]
    return Table((source, reader), np.array(costs))


def only(variable: int, domain: Sequence[Label], label: Label) -> Table:
    """The condition that the node `variable` (index) with these candidate labels has this label.
    `domain`: the candidates.
    """
    costs = [0.0 if candidate == label else FORBIDDEN for candidate in domain]
    return Table((variable,), np.array(costs))
