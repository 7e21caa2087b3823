"""Operator codes when operators change their version."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import chain, code, load, operator, pack, tensor
from tflite_align.errors import UnsupportedError
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import AddOperator, Edit, RemoveOperator, SetVersion
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice


def written(edits: Sequence[Edit]) -> Written:
    """The model of RESHAPE (operator 0), ADD (1) and RESHAPE (2), written with `edits`."""
    data = pack(chain())
    return splice(data, read(data), edits)


def versions(found: Written) -> tuple[list[int], list[int]]:
    """(versions of the operator codes, version of each operator) in the written file."""
    made = load(found.join())
    codes = [one.version for one in made.operatorCodes]
    return codes, [codes[one.opcodeIndex] for one in made.subgraphs[0].operators]


def raised(*operators: int, version: int = 5) -> list[Edit]:
    return [SetVersion(subgraph=0, operator=one, version=version) for one in operators]


def test_a_code_is_changed_if_all_its_operators_change_version() -> None:
    """All operators of a code get version 5. The code itself is changed, since runtimes check every
    code of the file and the old version must not remain.
    """
    codes, operators = versions(written(raised(0, 2)))
    before, _ = versions(written([]))
    assert codes == [5, *before[1:]]
    assert operators == [5, before[1], 5]


def test_a_code_stays_if_another_operator_keeps_its_version() -> None:
    codes, operators = versions(written(raised(2)))
    before, _ = versions(written([]))
    assert codes == [*before, 5]
    assert operators == [before[0], before[1], 5]


def test_a_removed_operator_does_not_keep_the_version_of_a_code() -> None:
    codes, _ = versions(written([RemoveOperator(subgraph=0, operator=0), *raised(2)]))
    assert codes[0] == 5


def test_a_code_stays_if_a_new_operator_has_it() -> None:
    before, _ = versions(written([]))
    new = AddOperator(
        subgraph=0, before=3, name="RESHAPE", version=before[0], inputs=(4,), outputs=(4,)
    )
    codes, operators = versions(written([new, *raised(0, 2)]))
    assert codes == [*before, 5]
    assert operators == [5, before[1], 5, before[0]]


def test_different_versions_are_different_codes() -> None:
    codes, operators = versions(written([*raised(0), *raised(2, version=7)]))
    before, _ = versions(written([]))
    assert codes == [*before, 5, 7]
    assert (operators[0], operators[2]) == (5, 7)


def test_a_code_that_takes_another_version_is_not_taken_for_its_old_one() -> None:
    made = chain()
    made.operatorCodes.append(code(schema.BuiltinOperator.RESHAPE, version=3))
    made.subgraphs[0].tensors.append(tensor("last"))
    made.subgraphs[0].operators[2].opcodeIndex = 2
    made.subgraphs[0].operators.append(operator(2, [4], [5]))
    data = pack(made)
    edits = [*raised(0), *raised(2, version=1)]
    codes, operators = versions(splice(data, read(data), edits))
    assert codes == [5, 2, 3, 1]
    assert operators == [5, 2, 1, 3]


def test_a_custom_operator_does_not_take_the_code_of_another() -> None:
    made = chain()
    for name, version in (("Mine", 1), ("Yours", 5)):
        made.operatorCodes.append(code(schema.BuiltinOperator.CUSTOM, version))
        made.operatorCodes[-1].customCode = name
    for index in (0, 2):
        made.subgraphs[0].operators[index].opcodeIndex = 2
    data = pack(made)
    with pytest.raises(UnsupportedError, match=r"^a custom operator cannot be added$"):
        splice(data, read(data), raised(0))
    assert versions(splice(data, read(data), raised(0, 2)))[1] == [5, 2, 5]
