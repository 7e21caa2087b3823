"""The makers of all operators: importing the modules registers them."""

from __future__ import annotations

from tests.rules.operators import (
    arithmetic,
    movement,
    plain,
    recurrent,
    resources,
    spatial,
    stablehlo,
    subgraphs,
    weighted,
    windows,
)
from tests.rules.operators.operands import MAKERS

__all__ = ["MAKERS"]

_LIBRARY = (
    arithmetic,
    movement,
    plain,
    recurrent,
    resources,
    spatial,
    stablehlo,
    subgraphs,
    weighted,
    windows,
)
