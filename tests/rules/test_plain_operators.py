"""Every operator that LiteRT registers has a maker or a reason; the plain forms compute what they
mean there.
"""

from __future__ import annotations

import pytest

from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.plain_cases import plain_case
from tests.support.kernel_batch import Outcome, run_batch

CASES = {
    case.name: case
    for made in MAKERS.values()
    for case in (plain_case(made.name, type_name) for type_name in made.plain)
}


@pytest.fixture(scope="module")
def litert(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return run_batch(CASES.values(), "litert", tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("name", CASES)
def test_plain_form_computes_the_reference(name: str, litert: dict[str, Outcome]) -> None:
    assert not litert[name].error
    assert CASES[name].faults(litert[name].outputs) == []
