"""Every violated rule gives a finding at its slot, with each target's severity; satisfied models
give none.
"""

from __future__ import annotations

import pytest

from tests.rules.operators.boundary import BoundaryCase, boundary_cases, boundary_violated
from tests.rules.operators.cases import Case, case_types, keys_of, satisfied
from tests.rules.operators.mutations import rule_type, violated
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.checker import Finding, check_bound
from tflite_align.format.reader import read
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import Rule, SameRule
from tflite_align.rules.targets import load_target, target_names

ROWS = load_operators()
TARGETS = [load_target(name) for name in target_names()]
FORMS = [(name, kind) for name in sorted(ROWS) for kind in case_types(name)]


def found(case: Case | BoundaryCase) -> list[Finding]:
    return check_bound(bind(read(case.model()), ROWS, TARGETS))


def graded(rule: str, kind: str) -> dict[str, str]:
    """Target -> severity of a rule for a type; only targets whose severity does not depend on
    whether the operator runs on the CPU.
    """
    levels = {target.name: target.requirement(rule, kind) for target in TARGETS}
    return {
        name: level.severity
        for name, level in levels.items()
        if level.severity != "off" and not (level.only or level.honours)
    }


def placed(rule: str, kind: str) -> set[str]:
    """Targets whose severity depends on placement, for which Vela is run."""
    levels = [(target.name, target.requirement(rule, kind)) for target in TARGETS]
    return {name for name, level in levels if level.only or level.honours}


@pytest.mark.parametrize(("name", "kind"), FORMS, ids=lambda part: part)
def test_a_violated_rule_gives_a_finding_at_its_place(name: str, kind: str) -> None:
    row = ROWS[name]
    own = {rule.id for rule in row.rules}
    assert [f.message for f in found(satisfied(row, kind)) if f.rule in own] == []
    for rule in row.rules:
        for case in violated(row, rule, kind):
            entries = [entry for entry in found(case) if entry.rule == rule.id]
            kind_asked = rule_type(case, rule)
            apart = placed(rule.id, kind_asked)
            grades = {g.target: g.severity for entry in entries for g in entry.grades}
            severities = {name: word for name, word in grades.items() if name not in apart}
            assert severities == graded(rule.id, kind_asked), case.name
            if entries:
                places = {f"{entry.slot.kind}{entry.slot.index}" for entry in entries}
                assert broken(case, rule) <= places, case.name


def broken(case: Case, rule: Rule) -> set[str]:
    """The addresses that a finding may name: the slot that was changed or, if that is the one
    others are compared with, all others.
    """
    operand = case.name.split("-")[-2]
    if not isinstance(rule, SameRule):
        return {operand}
    tied = [key for pattern in rule.slots for key in keys_of(pattern, case.form)]
    names = [f"{kind}{index}" for kind, index in tied if (kind, index) in case.quants]
    measure = next((name for name in names if name.startswith("outputs")), names[0])
    return {operand} if operand != measure else {*names} - {measure}


@pytest.mark.parametrize("case", boundary_cases(), ids=lambda case: case.name)
def test_a_boundary_with_equal_parameters_gives_no_finding(case: BoundaryCase) -> None:
    assert [f.message for f in found(case) if f.rule.startswith(("boundary/", "resource/"))] == []


@pytest.mark.parametrize("case", list(boundary_violated()), ids=lambda case: case.name)
def test_a_boundary_with_unequal_parameters_gives_a_finding(case: BoundaryCase) -> None:
    across = (f"boundary/{case.operator}", "resource/ASSIGN_VARIABLE")
    messages = [f.message for f in found(case) if f.rule in across]
    assert messages
    assert len(set(messages)) == len(messages)
