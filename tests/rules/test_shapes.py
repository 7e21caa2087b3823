"""Inferred shapes equal LiteRT's, for every operator's conformance cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.operators.all_cases import SATISFIED
from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.plain_cases import plain_case
from tests.support.litert_shapes import asked, unlike
from tflite_align.checks.shapes.inference import inferred
from tflite_align.format.reader import read
from tflite_align.rules.shape_rows import load_shapes

# Operators whose outputs have no shape that is known before the run.
UNKNOWN = {name for name, row in load_shapes().items() if row.function == "by data"}


def _cases(folder: Path) -> dict[str, Path]:
    models = {name: case.model() for name, case in SATISFIED.items()}
    for made in MAKERS.values():
        for kind in made.plain:
            case = plain_case(made.name, kind)
            models[case.name] = case.model()
    paths = {name: folder / f"{name}.tflite" for name in models}
    for name, path in paths.items():
        path.write_bytes(models[name])
    return paths


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return _cases(tmp_path_factory.mktemp("cases"))


def test_the_cases_have_the_shapes_that_litert_finds(
    cases: dict[str, Path], tmp_path: Path
) -> None:
    answers = asked(cases.values(), tmp_path)
    ran = {name: answers[str(path)] for name, path in cases.items()}
    wrong = {
        name: found
        for name, path in cases.items()
        if "shapes" in ran[name] and (found := unlike(path.read_bytes(), ran[name]))
    }
    assert wrong == {}
    assert sum("shapes" in answer for answer in ran.values()) > 150


def test_the_cases_have_the_shapes_that_their_files_state(cases: dict[str, Path]) -> None:
    wrong = {}
    for name, path in cases.items():
        model = read(path.read_bytes())
        found = inferred(model, 0)
        tensors = model.subgraphs[0].tensors
        unlike_file = {i: s for i, s in found.shapes.items() if tensors[i].shape != s}
        if unlike_file or found.clashes:
            wrong[name] = (unlike_file, found.clashes)
    assert wrong == {}


def test_every_shape_row_is_used_by_a_case(cases: dict[str, Path]) -> None:
    known = set()
    for path in cases.values():
        model = read(path.read_bytes())
        known |= {
            operator.name
            for operator in model.subgraphs[0].operators
            if any(index in inferred(model, 0).shapes for index in operator.outputs)
        }
    assert load_shapes().keys() - known == UNKNOWN
