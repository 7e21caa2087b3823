"""The satisfied case of every row and type, and of every boundary, by its name."""

from __future__ import annotations

from tests.rules.operators.boundary import BoundaryCase, boundary_cases
from tests.rules.operators.cases import Case, case_types, satisfied
from tflite_align.rules.operator_rows import load_operators

ROWS = load_operators()
CASES: list[Case | BoundaryCase] = [
    *(satisfied(row, kind) for row in ROWS.values() for kind in case_types(row.name)),
    *boundary_cases(),
]
SATISFIED = {case.name: case for case in CASES}
