"""The makers of all operators: importing the modules registers them."""

from __future__ import annotations

from importlib import import_module

from tests.rules.operators.operands import MAKERS

__all__ = ["MAKERS"]

for _name in (
    "arithmetic",
    "movement",
    "plain",
    "recurrent",
    "resources",
    "spatial",
    "stablehlo",
    "subgraphs",
    "weighted",
    "windows",
):
    import_module(f"tests.rules.operators.{_name}")
