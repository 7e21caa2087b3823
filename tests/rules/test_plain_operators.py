"""Every operator registered in LiteRT has a maker; its form without quantization computes the
reference values.
"""

from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.operands import Form, data, output
from tests.rules.operators.plain_cases import PlainCase, plain_case
from tests.rules.operators.without import NO_KERNEL, WITHOUT_MAKER
from tests.support.kernel_batch import Outcome, run_batch

BUILTIN = {name for name in vars(schema.BuiltinOperator) if not name.startswith("_")}

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


@pytest.mark.parametrize("name", ["ADD-float32", "ADD-int32", "EQUAL-int32", "SKIP_GRAM-string"])
def test_wrong_values_fail_the_comparison(name: str, litert: dict[str, Outcome]) -> None:
    (made,) = litert[name].outputs
    assert CASES[name].faults([made[::-1]]) != []
    assert CASES[name].faults([made[:-1]]) != []


def test_every_builtin_operator_has_a_maker_or_a_reason() -> None:
    assert set(MAKERS) | set(WITHOUT_MAKER) == BUILTIN
    assert not set(MAKERS) & set(WITHOUT_MAKER)


def test_every_operator_has_a_type() -> None:
    assert [made.name for made in MAKERS.values() if not made.types and not made.plain] == []


@pytest.mark.parametrize("name", [n for n, why in WITHOUT_MAKER.items() if why == NO_KERNEL])
def test_operators_without_a_maker_have_no_litert_kernel(name: str) -> None:
    form = Form(inputs=(data(2),), outputs=(output(2),), runs_only=True)
    case = PlainCase(name=name, operator=name, type="float32", form=form, stored={})
    with pytest.raises(ValueError, match=f"Didn't find op for builtin opcode '{name}'"):
        Interpreter(model_content=case.model())
