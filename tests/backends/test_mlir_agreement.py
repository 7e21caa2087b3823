"""The rules compared with the operator verifiers of LiteRT's MLIR dialect.

Each one-operator model of `tests/rules` is checked by both: the verifier refuses it where `check`
reports an error for the target tflite; exceptions are rows below, with their reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tests.rules.operators.all_cases import ROWS, SATISFIED
from tests.rules.operators.boundary import BoundaryCase, boundary_violated
from tests.rules.operators.cases import Case, case_types
from tests.rules.operators.mutations import violated
from tests.support.mlir_batch import judge_batch
from tflite_align import AlignOptions, check
from tflite_align.record import replace
from tflite_align.verdicts import Acceptance
from tflite_align.verify.judges import available, judge_file

pytestmark = pytest.mark.backends

_TAKES, _REFUSES, _ENDS = "accepted", "refused", "crashed"

_NO_TRAIT = "the dialect's operator has no trait of equal scales; the kernel copies integers"
_NO_KERNEL = "the dialect takes a type that LiteRT has no kernel for"

# Pattern of a violated rule or "sound/OPERATOR" -> (the verifier's verdict, the reason), where it
# differs from the verdict of `check`. The first pattern that matches counts.
OTHERWISE = {
    "sound/CUMSUM": (_TAKES, _NO_KERNEL),
    "sound/SQUARED_DIFFERENCE": (_TAKES, _NO_KERNEL),
    "*/IF": (_REFUSES, "its importer makes a TensorFlow If of it, which knows no quantized types"),
    "weight/BATCH_MATMUL/axis": (_ENDS, "it dies of scales along an axis that it does not expect"),
    "bias/*": (_TAKES, "no verifier compares a bias with its factors"),
    "fixed/*": (_TAKES, "a fixed output is a trait for quantizers; no verifier looks at it"),
    "weight/*": (_TAKES, "no verifier looks at zero points and axes of weights"),
    "window/*": (_TAKES, "what a multiplier can hold is a matter of kernels"),
    "zero/*": (_TAKES, "which zero points a type may have is a matter of kernels"),
    "boundary/WHILE": (_TAKES, "no verifier compares a subgraph's values with its operator's"),
    "boundary/READ_VARIABLE": (_TAKES, "no verifier follows a variable"),
    "same/DYNAMIC_UPDATE_SLICE": (_TAKES, _NO_TRAIT),
    "same/EMBEDDING_LOOKUP": (_TAKES, _NO_TRAIT),
    "same/FLOOR_DIV": (_TAKES, _NO_TRAIT),
    "same/FLOOR_MOD": (_TAKES, _NO_TRAIT),
    "same/GREATER": (_TAKES, _NO_TRAIT),
    "same/GREATER_EQUAL": (_TAKES, _NO_TRAIT),
    "same/LESS": (_TAKES, _NO_TRAIT),
    "same/LESS_EQUAL": (_TAKES, _NO_TRAIT),
    "same/MATRIX_DIAG": (_TAKES, _NO_TRAIT),
    "same/MATRIX_SET_DIAG": (_TAKES, _NO_TRAIT),
    "same/ONE_HOT": (_TAKES, _NO_TRAIT),
    "same/REVERSE_SEQUENCE": (_TAKES, _NO_TRAIT),
    "same/REVERSE_V2": (_TAKES, _NO_TRAIT),
    "same/SPARSE_TO_DENSE": (_TAKES, _NO_TRAIT),
    "same/UNIQUE": (_TAKES, _NO_TRAIT),
}
FEWEST_MODELS = 950
FEWEST_REFUSED = 380


def _cases() -> Iterator[tuple[str, Case | BoundaryCase]]:
    for case in SATISFIED.values():
        yield f"sound/{case.operator}", case
    for row in ROWS.values():
        for kind in case_types(row.name):
            for rule in row.rules:
                for broken in violated(row, rule, kind):
                    yield rule.id, broken
    for bounds in boundary_violated():
        yield f"boundary/{bounds.operator}", bounds


def _row(label: str) -> str:
    """The pattern of the exception for these models; "" if there is none."""
    return next((pattern for pattern in OTHERWISE if fnmatchcase(label, pattern)), "")


def _broken(model: bytes) -> bool:
    findings = check(model, AlignOptions(targets=("tflite",), verify=False)).findings
    return any(finding.severity == "error" for finding in findings)


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[str, bytes]]:
    """For each model, by name: (the rule that it violates, its bytes)."""
    missing = available("mlir")
    if missing is not None:
        pytest.skip(missing)
    return {case.name: (label, case.model()) for label, case in _cases()}


@pytest.fixture(scope="module")
def verdicts(
    models: dict[str, tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Acceptance]:
    folder = tmp_path_factory.mktemp("models")
    return judge_batch({name: model for name, (_, model) in models.items()}, folder)


def test_the_verifier_refuses_what_check_finds_or_a_row_says_otherwise(
    models: dict[str, tuple[str, bytes]], verdicts: dict[str, Acceptance]
) -> None:
    wrong, needed = {}, set()
    for name, (label, model) in models.items():
        agreed = _REFUSES if _broken(model) else _TAKES
        found = verdicts[name]
        if found.status == agreed:
            continue
        pattern = _row(label)
        if pattern and OTHERWISE[pattern][0] == found.status:
            needed.add(pattern)
        else:
            wrong[name] = (found.status, found.reason, agreed)
    assert wrong == {}
    assert needed == set(OTHERWISE), "a row that no model needs"
    refused = [found for found in verdicts.values() if found.status == _REFUSES]
    assert len(models) >= FEWEST_MODELS
    assert len(refused) >= FEWEST_REFUSED


def test_every_refusal_names_its_operator(verdicts: dict[str, Acceptance]) -> None:
    refused = {name: found for name, found in verdicts.items() if found.status == _REFUSES}
    assert {name: found for name, found in refused.items() if found.operator != 0} == {}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("RESHAPE-int8", id="taken"),
        pytest.param("RESHAPE-int8-same.RESHAPE-outputs0-scale", id="refused"),
        pytest.param("ELU-int8", id="not lowered"),
        pytest.param("BATCH_MATMUL-int8-weight.BATCH_MATMUL.axis-inputs1-axis", id="crashed"),
    ],
)
def test_a_shared_process_gives_the_verdicts_of_separate_ones(
    name: str, models: dict[str, tuple[str, bytes]], verdicts: dict[str, Acceptance]
) -> None:
    assert replace(judge_file(models[name][1], "mlir"), place="") == verdicts[name]
