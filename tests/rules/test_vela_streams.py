"""Severities and support rows of the Ethos-U targets compared with the programs that Vela
generates.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from tests.rules.operators.all_cases import ROWS, SATISFIED
from tests.rules.operators.cases import Case, Key, keys_of
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tests.support.vela_batch import Compiled, compile_batch
from tflite_align.checks.support.supported import on_cpu, unsupported
from tflite_align.format.reader import read
from tflite_align.record import Record, replace
from tflite_align.rules.rows import FixedRule, Rule, SameRule
from tflite_align.rules.targets import load_target

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(
        importlib.util.find_spec("ethosu") is None, reason="ethos-u-vela is not installed"
    ),
]

TARGETS = ("ethos-u55", "ethos-u65", "ethos-u85")

# Vela gives the state as the output of an SVDF.
ANOTHER_OUTPUT = {"SVDF-int8"}


def _cases() -> dict[str, Case]:
    """Name -> case for every row and type; STRIDED_SLICE with a stride that the NPU supports."""
    return {name: case for name, case in SATISFIED.items() if isinstance(case, Case)}


class Asked(Record, frozen=True, kw_only=True):
    """One rule for one type: the case that satisfies it, and cases with another scale or zero point
    at one slot.
    """

    rule: Rule
    kind: str
    base: str
    changed: Mapping[str, tuple[str, ...]]  # "scale", "zero_point" -> names of models


def _moved(quant: Quant, part: str) -> Quant:
    if part == "scale":
        return replace(quant, scale=tuple(float(np.float32(s * 1.6)) for s in quant.scale))
    return replace(quant, zero_point=tuple(z + (5 if z < 100 else -5) for z in quant.zero_point))


def _sliced(kind: str, quants: Mapping[Key, Quant]) -> bytes:
    """A STRIDED_SLICE along the width, which the NPU supports."""
    vectors = {"b": [0, 0, 1, 0], "e": [1, 4, 4, 8], "s": [1, 1, 2, 1]}
    ends = {"x": (("inputs", 0), (1, 4, 4, 8)), "y": (("outputs", 0), (1, 4, 2, 8))}
    graph = GraphSpec(
        tensors=[
            *(
                TensorSpec(name=name, type=kind, shape=shape, quant=quants[key])
                for name, (key, shape) in ends.items()
            ),
            *(
                TensorSpec(name=name, type="int32", shape=(4,), data=np.array(value, np.int32))
                for name, value in vectors.items()
            ),
        ],
        operators=[
            OperatorSpec(
                name="STRIDED_SLICE",
                inputs=["x", "b", "e", "s"],
                outputs=["y"],
                options=("StridedSliceOptions", {}),
            )
        ],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


def _model(case: Case) -> bytes:
    if case.operator == "STRIDED_SLICE":
        return _sliced(case.type, case.quants)
    return case.model()


@cache
def _questions() -> tuple[dict[str, bytes], list[Asked]]:
    models: dict[str, bytes] = {}
    asked = []
    for name, case in _cases().items():
        models[name] = _model(case)
        for rule in ROWS[case.operator].rules:
            if not isinstance(rule, SameRule | FixedRule) or case.type not in rule.types:
                continue
            patterns = rule.slots if isinstance(rule, SameRule) else (rule.slot,)
            keys = [k for p in patterns for k in keys_of(p, case.form) if k in case.quants]
            changed: dict[str, tuple[str, ...]] = {}
            for part in ("scale", "zero_point") if case.type != "int16" else ("scale",):
                for kind, index in dict.fromkeys(keys):
                    label = f"{name}-{kind}{index}-{part}"
                    quants = {**case.quants, (kind, index): _moved(case.quants[kind, index], part)}
                    models[label] = _model(replace(case, quants=quants))
                    changed[part] = (*changed.get(part, ()), label)
            asked.append(Asked(rule=rule, kind=case.type, base=name, changed=changed))
    return models, asked


@pytest.fixture(scope="module", params=TARGETS)
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Compiled]]:
    """(accelerator, name -> result): all cases compiled for one accelerator."""
    models, _ = _questions()
    return request.param, compile_batch(models, request.param, tmp_path_factory.mktemp("vela"))


def test_severities_match_the_parameters_that_programs_honour(
    compiled: tuple[str, dict[str, Compiled]],
) -> None:
    name, found = compiled
    target, wrong, seen = load_target(name), [], set()
    for one in _questions()[1]:
        base = found[one.base]
        if base.error or base.cpu or not base.npu:
            continue  # no operator runs on the NPU
        level = target.requirement(one.rule.id, one.kind)
        both = level.severity == "off" or level.only == "cpu"
        for part, labels in one.changed.items():
            seen.add(one.rule.id)
            honoured = all(_differs(base, found[label]) for label in labels)
            if honoured != (both or level.honours == part):
                wrong.append(f"{one.rule.id} {one.kind}: {part} is honoured: {honoured}")
    assert wrong == []
    assert {"same/CONCATENATION", "same/STRIDED_SLICE", "same/TRANSPOSE", "fixed/TANH"} <= seen


def _differs(base: Compiled, changed: Compiled) -> bool:
    return bool(changed.program) and not changed.cpu and changed.program != base.program


def test_operators_that_vela_leaves_to_the_cpu_have_findings(
    compiled: tuple[str, dict[str, Compiled]],
) -> None:
    name, found = compiled
    target = load_target(name)
    wrong = []
    for label, data in _questions()[0].items():
        if label in _cases() and label not in ANOTHER_OUTPUT and not found[label].error:
            wrong += disagreements(label, data, name, found[label])
    refused = {label for label in _cases() if found[label].error}
    with_findings = {
        label
        for label in _cases()
        if any(u.severity == "error" for u in unsupported(read(_questions()[0][label]), target))
    }
    assert wrong == []
    assert with_findings == refused


def disagreements(label: str, data: bytes, target: str, found: Compiled) -> list[str]:
    """Operators whose predicted placement differs from Vela's, by output name."""
    model = read(data)
    left = on_cpu(model, load_target(target))
    said = {output for _, output, _ in found.cpu}
    wrong = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            output = graph.tensors[operator.outputs[0]].name if operator.outputs else ""
            if output and ((graph.index, operator.index) in left) != (output in said):
                place = "CPU" if output in said else "NPU"
                wrong.append(f"{label}: {operator.name} {output}: Vela has it on the {place}")
    return wrong
