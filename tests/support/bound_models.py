"""Small models bound to the rows, with access to the constraints by kind."""

from __future__ import annotations

from tests.rules.operators.cases import satisfied
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import Bound
from tflite_align.checks.constraints import Same, WellFormed
from tflite_align.format.model import Model, Slot
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import Target, load_target, parse_target

ROWS = load_operators()
TARGET = load_target("tflite")
X, Y = Slot(0, 0, "inputs", 0), Slot(0, 0, "outputs", 0)

STRICT = """\
format = 1
name = "strict"
title = "Strict"
judges = []
sources = ["litert:add.cc"]
[quantize]
int8 = ["int8"]
[[level]]
rules = ["*"]
severity = "off"
behaviour = ""
[[level]]
rules = ["RULES"]
types = ["TYPE"]
severity = "error"
behaviour = "wrong"
"""


def bound(model: Model) -> Bound:
    return bind(model, ROWS, [TARGET])


def of_row(name: str, type_name: str = "int8") -> Model:
    return read(satisfied(ROWS[name], type_name).model())


def altered(model: Model, tensor: int, **changes: object) -> Model:
    """The model with some fields of one tensor of the first subgraph replaced."""
    graph, *others = model.subgraphs
    tensors = list(graph.tensors)
    tensors[tensor] = replace(tensors[tensor], **changes)
    return replace(model, subgraphs=(replace(graph, tensors=tuple(tensors)), *others))


def ties(found: Bound) -> list[Same]:
    return [entry for entry in found.constraints if isinstance(entry, Same)]


def missing(found: Bound, rule: str = "params/missing") -> list[WellFormed]:
    entries = [entry for entry in found.constraints if isinstance(entry, WellFormed)]
    return [entry for entry in entries if entry.rule == rule]


def strict(type_name: str, rules: str = "*") -> Target:
    """A target for one type only, in which all rules, or those that `rules` matches, are errors."""
    document = STRICT.replace("TYPE", type_name).replace("RULES", rules)
    return parse_target(document, "strict.toml")
