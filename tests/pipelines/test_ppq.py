"""esp-ppq's alignment pass gives the answers stored in tests/data/ppq_answers.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters import NotInstalledError, environment
from ppq_answers import ANSWERS, answers

pytestmark = pytest.mark.pipelines


@pytest.fixture(scope="session")
def python(environments: Path) -> str:
    """The path of a Python with esp-ppq. Skips, with pip's reason, if it cannot be installed."""
    try:
        return str(environment("esp-ppq", environments))
    except NotInstalledError as error:
        pytest.skip(str(error))


def test_the_stored_answers_are_the_real_pass_s(python: str) -> None:
    stored = json.loads(ANSWERS.read_text(encoding="utf-8"))
    assert stored["version"] == "1.3.12"
    assert answers(python) == stored["graphs"]
