"""Folding of redundant QUANTIZE operators, on random graphs with many of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.random_models import models
from tflite_align import AlignOptions, align, check
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.checker import check_bound
from tflite_align.format.model import Model, Subgraph
from tflite_align.format.reader import read
from tflite_align.format.writer.write import write
from tflite_align.record import replace
from tflite_align.repair.planner.fold_apply import fold_quantizes
from tflite_align.repair.planner.plan import plan
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.solve import solve

PLAIN = AlignOptions(verify=False)
OPTIMIZE = AlignOptions(verify=False, optimize=True)
KINDS = st.sampled_from(["quantize"] * 4 + ["conv", "relu_conv", "pool", "maximum", "logistic"])
OPTIONS = st.sampled_from(
    [
        OPTIMIZE,
        replace(OPTIMIZE, overlap="forbid"),
        replace(OPTIMIZE, overlap="force"),
        replace(OPTIMIZE, policies={"pooling": "none", "elementwise": "input"}),
        replace(OPTIMIZE, io="free"),
    ]
)


def quantizes(data: bytes) -> int:
    graphs = read(data).subgraphs
    return sum(op.name == "QUANTIZE" for graph in graphs for op in graph.operators)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(kinds=KINDS), OPTIONS)
def test_folding_twice_changes_nothing_and_leaves_no_findings(
    data: bytes, options: AlignOptions
) -> None:
    once = align(data, options)
    assert once.report.remaining == ()
    assert align(once.data, options).data == once.data
    plain = align(data, replace(options, optimize=False))
    assert quantizes(once.data) <= quantizes(plain.data)
    assert plain.report.remaining == ()
    assert align(plain.data, replace(options, optimize=False)).data == plain.data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(kinds=KINDS))
def test_boundaries_and_old_tensors_keep_their_places(data: bytes) -> None:
    before, after = read(data).subgraphs[0], read(align(data, OPTIMIZE).data).subgraphs[0]
    assert (before.inputs, before.outputs) == (after.inputs, after.outputs)
    assert [t.name for t in after.tensors[: len(before.tensors)]] == [
        t.name for t in before.tensors
    ]
    for index in (*before.inputs, *before.outputs):
        assert after.tensors[index] == before.tensors[index]
    written = {t for op in after.operators for t in op.outputs}
    assert {*before.outputs} <= written


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(kinds=KINDS))
def test_the_planned_model_equals_the_written_one(data: bytes) -> None:
    """The model that the planner returns equals the one read from the file written for it."""
    model = read(data)

    def rebind(changed: Model) -> object:
        return bind(changed, load_operators(), [load_target("tflite")])

    bound = bind(model, load_operators(), [load_target("tflite")])
    findings = check_bound(bound)
    solution = solve(bound, [finding.slot for finding in findings], SolverOptions())
    drawn, _ = plan(bound, solution, findings)
    drawn = fold_quantizes(drawn, bound, rebind, solution.source, everywhere=True)  # type: ignore[arg-type]
    foreseen = drawn.model
    found = read(write(data, model, foreseen).join())
    assert list(_shown(foreseen)) == list(_shown(found))


def _shown(model: Model) -> Iterator[tuple[Subgraph, list[bytes | None]]]:
    """Each subgraph with buffer indices set to 0, and the bytes of its constants."""
    for graph in model.subgraphs:
        constants = [model.constant(graph.index, tensor.index) for tensor in graph.tensors]
        tensors = tuple(replace(tensor, buffer=0) for tensor in graph.tensors)
        yield (
            replace(graph, tensors=tensors),
            [None if data is None else bytes(data) for data in constants],
        )


@pytest.mark.parametrize("options", [PLAIN, OPTIMIZE], ids=["default", "optimize"])
def test_at_most_one_quantize_per_mismatched_operand(
    fixture_model: Path, options: AlignOptions
) -> None:
    """An alignment needs at most as many QUANTIZE as the simplest repair, one at each mismatched
    operand.
    """
    data = fixture_model.read_bytes()
    ports = {
        finding.slot
        for finding in check(data).findings
        if finding.rule.startswith(("same/", "fixed/"))
    }
    result = align(data, options)
    assert result.report.remaining == ()
    assert quantizes(result.data) <= quantizes(data) + len(ports)
    assert align(result.data, options).data == result.data
