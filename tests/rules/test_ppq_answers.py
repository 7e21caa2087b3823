"""The policies give the same parameters as PPQ's real alignment pass, operand by operand.

tests/data/ppq_answers.json has the results of esp-ppq's QuantAlignmentPass on the graphs of
tests/support/ppq_graphs.py (made by scripts/ppq_answers.py, checked by
tests/pipelines/test_ppq.py).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.ppq_graphs import TOPOLOGIES
from tests.support.ppq_rows import policies_of_row, rows
from tflite_align import AlignOptions, align
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.numerics import Label
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import SameRule, ZeroPointRule

DATA = Path(__file__).resolve().parents[1] / "data" / "ppq_answers.json"
ANSWERS = json.loads(DATA.read_text(encoding="utf-8"))["graphs"]
REFUSED = "refused by an assertion"
CIRCLE = "operands that follow each other in a circle"

Labels = dict[str, Label]

Reason = Literal[
    # PPQ's result violates a rule: operands of a tied operator differ (`none`, and
    # `large`, which merges inputs only), or a zero point is not supported by the kernel. Ours
    # gives all operands one label, including outputs.
    "broken",
    # With force, PPQ changes a tensor after an operator that reads it was aligned, which then
    # needs a QUANTIZE. Ours gives all of them one label, that of the last operator.
    "united",
    # The pass fails an assertion for this policy of the family, or does not end.
    "refused",
]

# Rows for which PPQ's result would be valid in TFLite, too, and ours differs.
UNITED = {
    ("two concats share", "concat=output,force"),
    ("two sums share", "elementwise=large,force"),
    ("two sums share", "elementwise=output,force"),
    ("sum whose output comes back", "elementwise=large,force"),
}


@functools.cache
def model_of(name: str) -> bytes:
    return TOPOLOGIES[name][0]()


def ours(name: str, row: str) -> Labels:
    policies, overlap = policies_of_row(row)
    result = align(model_of(name), AlignOptions(verify=False, policies=policies, overlap=overlap))
    assert result.report.remaining == ()
    return dict(_labels(read(result.data)))


def _labels(model: Model) -> Iterator[tuple[str, Label]]:
    """(operand's address, its label) for every operand of the operators in the original file."""
    graph = model.subgraphs[0]
    given = [operator for operator in graph.operators if operator.name != "QUANTIZE"]
    for number, operator in enumerate(given):
        inputs = [index for index in operator.inputs if model.constant(0, index) is None]
        for side, operands in (("in", inputs), ("out", operator.outputs)):
            for place, index in enumerate(operands):
                quant = graph.tensors[index].quant
                if quant is not None and quant.scale:
                    yield f"{operator.name}_{number}.{side}{place}", quant.label


def theirs(name: str, row: str) -> Labels | str:
    answer = ANSWERS[name][row]
    if isinstance(answer, str):
        return answer
    return {
        f"{entry['op']}.{side}{place}": Label(scale, zero_point)
        for entry in answer
        for side in ("in", "out")
        for place, (scale, zero_point, _) in enumerate(entry[side])
    }


def alike(first: Label, second: Label) -> bool:
    """Whether our label equals PPQ's, or covers its range and exceeds it by less than two steps."""
    return (
        abs(first.scale / second.scale - 1) < 1e-4 and first.zero_point == second.zero_point
    ) or (
        1 <= first.scale / second.scale < 1 + 2 / 255
        and abs(first.zero_point - second.zero_point) <= 1
    )


def breaks_a_rule(labels: Labels) -> bool:
    """Whether a tied operator's operands differ, or have a zero point where it must be 0."""
    by_operator: dict[str, set[Label]] = {}
    for place, label in labels.items():
        by_operator.setdefault(place.rpartition(".")[0], set()).add(label)
    for operator, held in by_operator.items():
        name = operator.rpartition("_")[0]
        if len(held) > 1 and _ties(name):
            return True
        if _symmetric(name) and any(label.zero_point for label in held):
            return True
    return False


@functools.cache
def _symmetric(operator: str) -> bool:
    return any(
        isinstance(rule, ZeroPointRule) and "int8" in rule.types
        for rule in load_operators()[operator].rules
    )


@functools.cache
def _ties(operator: str) -> bool:
    """Whether the row ties an int8 input to an output; `same/*/inputs` is a rule of target ppq
    only.
    """
    return any(
        isinstance(rule, SameRule)
        and "int8" in rule.types
        and any(slot.kind == "outputs" for slot in rule.slots)
        for rule in load_operators()[operator].rules
    )


def reason(name: str, row: str) -> Reason | None:
    """Why our alignment differs from PPQ's; None if they are equal."""
    answer = theirs(name, row)
    if isinstance(answer, str):
        assert answer in (REFUSED, CIRCLE)
        return "refused"
    mine = ours(name, row)
    assert mine.keys() == answer.keys()
    if all(alike(mine[place], answer[place]) for place in mine):
        return None
    return "broken" if breaks_a_rule(answer) else "united"


CASES = [(name, row) for name, (_, families) in TOPOLOGIES.items() for row in rows(families)]


def test_the_answers_are_of_these_graphs_and_rows() -> None:
    assert {(name, row) for name, answers in ANSWERS.items() for row in answers} == set(CASES)


@pytest.mark.parametrize("name", list(TOPOLOGIES))
def test_policies_give_ppqs_legal_answers(name: str) -> None:
    """Results are equal, except where PPQ's violates a rule or the table UNITED lists the case."""
    found = {(name, row) for of, row in CASES if of == name and reason(name, row) == "united"}
    assert found == {entry for entry in UNITED if entry[0] == name}


@pytest.mark.parametrize("name", list(TOPOLOGIES))
def test_the_default_never_costs_more_than_a_policy(name: str) -> None:
    report = align(model_of(name), AlignOptions(verify=False, compare=True)).report
    if not report.strategies:
        return
    auto, *others = report.strategies
    assert auto.holds
    assert all(auto.cost <= other.cost + 1e-9 for other in others if other.holds)


def test_a_strategy_costs_what_the_real_answer_costs() -> None:
    """Everything gets one label and no QUANTIZE is inserted, so that the cost is the convolution's
    loss of precision.
    """
    report = align(
        model_of("concat shares an input"), AlignOptions(verify=False, compare=True)
    ).report
    costs = {entry.name: (entry.cuts, round(entry.cost, 2)) for entry in report.strategies}
    assert costs["ppq output, force"] == (0, 4.70)
    assert costs["ppq output, forbid"] == (1, 1.05)
