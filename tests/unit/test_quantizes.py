"""Redundant QUANTIZE operators: removed, bypassed, folded, or kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.models import POOL, Graph
from tests.support.results import names, reads
from tflite_align import AlignOptions, AlignResult, align
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import Bound
from tflite_align.checks.checker import check_bound
from tflite_align.cli import main as cli
from tflite_align.format.model import Model, TensorId
from tflite_align.format.reader import read
from tflite_align.numerics import Label
from tflite_align.record import replace
from tflite_align.repair.planner.changes import Plan
from tflite_align.repair.planner.fold_apply import fold_quantizes
from tflite_align.repair.planner.plan import plan
from tflite_align.report.text import render_text
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.solve import solve

PLAIN = AlignOptions(verify=False)
OPTIMIZE = AlignOptions(verify=False, optimize=True)
WIDE = (1, 4, 4, 6)


def kinds(result: AlignResult) -> list[str]:
    return [change.kind for change in result.report.changes]


def quantize(graph: Graph, source: str, name: str, scale: float, zero_point: int = 0) -> str:
    graph.activation(name, scale, zero_point, graph.tensors[source].shape)
    return graph.add("QUANTIZE", [source], [name])


def started(scale: float = 0.05) -> Graph:
    graph = Graph()
    graph.activation("x", scale)
    return graph


# --- identities --------------------------------------------------------------------------------


def converters_pattern() -> Graph:
    """TANH and a convolution, each with a QUANTIZE behind it, into one CONCATENATION."""
    graph = started()
    graph.activation("t", 1 / 128)
    graph.add("TANH", ["x"], ["t"])
    graph.conv("x", "c", 0.1)
    quantize(graph, "t", "qt", 0.011)
    quantize(graph, "c", "qc", 0.005)
    graph.activation("cat", 0.013, 0, WIDE)
    graph.add("CONCATENATION", ["qt", "qc"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, 0, WIDE)
    graph.add("HARD_SWISH", ["cat"], ["y"])
    return graph


def test_a_quantize_with_equal_parameters_is_removed() -> None:
    """The finest label that covers both operands is the output label of TANH, so its QUANTIZE
    changes nothing and is removed.

    The convolution's component has no finding: the QUANTIZE behind it is folded only with
    `optimize`.
    """
    data = converters_pattern().bytes(["x"], ["y"])
    result = align(data, PLAIN)
    assert names(result) == ["TANH", "CONV_2D", "QUANTIZE", "CONCATENATION", "HARD_SWISH"]
    assert reads(result, 3) == ["t", "qc"]
    assert (result.report.cuts, kinds(result).count("removed")) == (0, 1)
    assert result.report.remaining == ()
    assert align(result.data, PLAIN).data == result.data
    assert names(align(data, OPTIMIZE)) == ["TANH", "CONV_2D", "CONCATENATION", "HARD_SWISH"]


def test_a_report_counts_what_was_removed() -> None:
    result = align(converters_pattern().bytes(["x"], ["y"]), PLAIN)
    text = render_text(result.report)
    (change,) = [c for c in result.report.changes if c.kind == "removed"]
    assert (change.name, change.before, change.after) == ("qt", "(0.0078125, 0)", "(0.0078125, 0)")
    assert change.readers == ("subgraph[0]/operator[4] CONCATENATION/inputs[0]",)
    assert "QUANTIZE removed (1)" in text
    assert "the parameters on both sides are the same" in text
    assert "1 QUANTIZE removed" in text.splitlines()[-1]


def identity(outputs: list[str], *, second: Label | None = None, other: bool = False) -> bytes:
    """A graph: x -> CONV_2D c -> QUANTIZE q -> two convolutions. `second`: the label of q, by
    default that of c; `other`: c has a further reader.
    """
    graph = started()
    graph.conv("x", "c", 0.1)
    quantize(graph, "c", "q", *(second or (0.1, 0)))
    graph.conv("q", "y", 0.3)
    graph.conv("q", "z", 0.4)
    if other:
        graph.conv("c", "w", 0.2)
        outputs = [*outputs, "w"]
    return graph.bytes(["x"], outputs)


def test_every_reader_of_an_identity_is_wired_to_its_source() -> None:
    result = align(identity(["y", "z"], other=True), OPTIMIZE)
    assert names(result) == ["CONV_2D"] * 4
    assert [reads(result, n)[0] for n in range(4)] == ["x", "c", "c", "c"]


def test_a_component_without_findings_is_not_touched() -> None:
    data = identity(["y", "z"])
    assert align(data, PLAIN).data == data


@pytest.mark.parametrize("outputs", [["y", "q"], ["q"]])
def test_the_quantize_of_a_graph_output_stays(outputs: list[str]) -> None:
    data = identity(outputs)
    assert align(data, OPTIMIZE).data == data
    assert align(data, replace(OPTIMIZE, io="free")).data == data


def test_float_rounding_is_tolerated_by_kernels_with_multipliers() -> None:
    result = align(identity(["y", "z"], second=Label(0.1000003, 0), other=True), OPTIMIZE)
    assert [reads(result, n)[0] for n in range(4)] == ["x", "c", "c", "c"]
    assert result.report.remaining == ()


def test_float_noise_stays_where_bits_are_compared() -> None:
    graph = started()
    graph.activation("s", 1 / 256, -128)
    graph.add("LOGISTIC", ["x"], ["s"])
    quantize(graph, "s", "q", 0.0039062508, -128)
    graph.activation("p", 0.0039062508, -128)
    graph.add("MAX_POOL_2D", ["q"], ["p"], POOL)
    data = graph.bytes(["x"], ["p"])
    assert align(data, OPTIMIZE).data == data


def test_another_type_is_no_identity() -> None:
    graph = started()
    graph.conv("x", "c", 0.1)
    quantize(graph, "c", "q", 0.1)
    graph.tensors["q"] = replace(graph.tensors["q"], type="uint8")
    graph.activation("y", 0.1)
    graph.tensors["y"] = replace(graph.tensors["y"], type="uint8")
    graph.add("RELU", ["q"], ["y"])
    data = graph.bytes(["x"], ["y"])
    assert align(data, OPTIMIZE).data == data


def test_metadata_that_may_count_operators_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tflite_align.repair.planner.fold_apply.unknown_metadata",
        lambda _: ("model_control_dependencies",),
    )
    data = identity(["y", "z"])
    assert align(data, OPTIMIZE).data == data


def test_option_optimize_folds_redundant_quantizes(tmp_path: Path) -> None:
    model, out = tmp_path / "in.tflite", tmp_path / "out.tflite"
    model.write_bytes(identity(["y", "z"]))
    assert cli.main([str(model), str(out), "--no-verify", "--quiet"]) == 0
    assert out.read_bytes() == model.read_bytes()
    assert cli.main([str(model), str(out), "--no-verify", "--quiet", "--optimize"]) == 0
    assert out.read_bytes() == align(model.read_bytes(), OPTIMIZE).data != model.read_bytes()


# --- two in a row ------------------------------------------------------------------------------


def row(between: float, *, shared: bool = False, output: bool = False) -> bytes:
    """LOGISTIC -> QUANTIZE b -> QUANTIZE c -> CONV_2D. `between`: the scale of b; `shared`: a
    convolution reads b too; `output`: b is a graph output.
    """
    graph = started()
    graph.activation("s", 1 / 256, -128)
    graph.add("LOGISTIC", ["x"], ["s"])
    quantize(graph, "s", "b", between)
    quantize(graph, "b", "c", 0.01, -128)
    graph.conv("c", "y", 0.3)
    outputs = ["y", "b"] if output else ["y"]
    if shared:
        graph.conv("b", "z", 0.3)
        outputs.append("z")
    return graph.bytes(["x"], outputs)


def test_two_quantizes_in_a_row_become_one() -> None:
    result = align(row(0.008), OPTIMIZE)
    assert names(result) == ["LOGISTIC", "QUANTIZE", "CONV_2D"]
    assert reads(result, 1) == ["s"]
    assert kinds(result) == ["removed"]


def test_two_quantizes_stay_if_the_first_clips() -> None:
    data = row(0.004)
    assert align(data, OPTIMIZE).data == data


@pytest.mark.parametrize("options", [{"shared": True}, {"output": True}])
def test_a_quantize_with_other_readers_is_bypassed(options: dict[str, bool]) -> None:
    result = align(row(0.008, **options), OPTIMIZE)
    assert names(result)[:3] == ["LOGISTIC", "QUANTIZE", "QUANTIZE"]
    assert [reads(result, 1), reads(result, 2)] == [["s"], ["s"]]
    assert kinds(result) == ["composed"]
    assert "QUANTIZE bypassed (1)" in render_text(result.report)
    assert align(result.data, OPTIMIZE).data == result.data


def test_an_inserted_quantize_reads_the_input_of_an_earlier_one() -> None:
    """The file has a QUANTIZE s -> b. Policy `none` inserts another one behind b. It reads s
    directly, and the first one is removed.
    """
    graph = started()
    graph.activation("s", 1 / 256, -128)
    graph.add("LOGISTIC", ["x"], ["s"])
    quantize(graph, "s", "b", 0.008)
    graph.activation("p", 0.01, -128)
    graph.add("AVERAGE_POOL_2D", ["b"], ["p"], POOL)
    data = graph.bytes(["x"], ["p"])
    policies: dict[str, str] = {"pooling": "none"}
    result = align(data, AlignOptions(verify=False, policies=policies))  # type: ignore[arg-type]
    assert names(result) == ["LOGISTIC", "QUANTIZE", "AVERAGE_POOL_2D"]
    assert reads(result, 1) == ["s"]
    assert kinds(result) == ["cut", "removed"]
    assert result.report.remaining == ()


# --- folded into the producer ------------------------------------------------------------------


def folded(
    first: Label,
    second: Label,
    *,
    other: bool = False,
    fused: int = 0,
    outputs: int = 1,
    pooled: bool = False,
) -> bytes:
    """A graph: x -> CONV_2D c -> QUANTIZE q -> MAX_POOL_2D p -> CONV_2D y. `first`, `second`: the
    labels of c and q; `other`: c has a further reader; `outputs` 2: q is a graph output; `pooled`:
    p is the last tensor.
    """
    graph = started()
    graph.conv("x", "c", *first, fused=fused)
    quantize(graph, "c", "q", *second)
    graph.activation("p", *second)
    graph.add("MAX_POOL_2D", ["q"], ["p"], POOL)
    if pooled:
        return graph.bytes(["x"], ["p"])
    graph.conv("p", "y", 0.3)
    if other:
        graph.conv("c", "z", 0.3)
    return graph.bytes(["x"], ["y", "z"] if other else ["y", "q"][:outputs])


@pytest.mark.parametrize("second", [Label(0.2, 5), Label(0.04, -3), Label(0.1, 0)])
def test_a_free_producer_writes_the_quantizes_parameters(second: Label) -> None:
    result = align(folded(Label(0.1, 0), second), OPTIMIZE)
    assert names(result) == ["CONV_2D", "MAX_POOL_2D", "CONV_2D"]
    assert reads(result, 1) == ["c" if second == (0.1, 0) else "q"]
    assert kinds(result) == ["removed"]
    assert result.report.remaining == ()
    assert align(result.data, OPTIMIZE).data == result.data


@pytest.mark.parametrize(
    "data",
    [
        folded(Label(0.1, 0), Label(0.2, 0), other=True),
        folded(Label(0.1, 0), Label(0.2, 0), outputs=2),
        folded(Label(0.1, -128), Label(0.2, 0)),
    ],
    ids=["another reader", "a graph output", "a clamp that only the range states"],
)
def test_a_producer_keeps_its_parameters_without_folding(data: bytes) -> None:
    assert align(data, OPTIMIZE).data == data


def test_folding_never_exceeds_a_multiplier_window() -> None:
    data = folded(Label(0.1, 0), Label(1e-6, 0), pooled=True)
    options = replace(OPTIMIZE, targets=("xnnpack",))
    assert align(data, options).data == data
    wider = folded(Label(0.1, 0), Label(1e-5, 0), pooled=True)
    assert names(align(wider, options)) == ["CONV_2D", "MAX_POOL_2D"]


def test_a_stated_activation_does_not_prevent_folding() -> None:
    result = align(folded(Label(0.1, -128), Label(0.2, 0), fused=1), OPTIMIZE)
    assert names(result) == ["CONV_2D", "MAX_POOL_2D", "CONV_2D"]


def test_a_quantize_that_keeps_the_clamp_is_folded() -> None:
    result = align(folded(Label(0.1, -128), Label(0.2, -128)), OPTIMIZE)
    assert names(result) == ["CONV_2D", "MAX_POOL_2D", "CONV_2D"]


def test_a_producer_with_fixed_parameters_keeps_them() -> None:
    graph = started()
    graph.activation("s", 1 / 256, -128)
    graph.add("LOGISTIC", ["x"], ["s"])
    quantize(graph, "s", "q", 0.01)
    graph.conv("q", "y", 0.3)
    data = graph.bytes(["x"], ["y"])
    assert align(data, OPTIMIZE).data == data


def test_producers_that_must_stay_are_not_folded_into() -> None:
    data = folded(Label(0.1, 0), Label(0.2, 0))
    assert align(data, replace(OPTIMIZE, overlap="forbid")).data == data
    policies: dict[str, str] = {"concat": "none"}
    assert align(data, replace(OPTIMIZE, policies=policies)).data == data


# --- plans -------------------------------------------------------------------------------------


def rebind(model: Model) -> Bound:
    return bind(model, load_operators(), [load_target("tflite")])


def cuts(plan: Plan) -> int:
    return sum(change.kind == "cut" for change in plan.changes)


def forbidden() -> tuple[Model, Plan, list[TensorId]]:
    """(model, plan, changed tensors) for --overlap forbid: two pools get the output of one inserted
    QUANTIZE behind a convolution whose parameters stay.
    """
    graph = started()
    graph.conv("x", "c", 0.1)
    for name in ("p", "q"):
        graph.activation(name, 0.05)
        graph.add("MAX_POOL_2D", ["c"], [name], POOL)
    graph.activation("s", 0.02, 5)
    graph.add("LOGISTIC", ["x"], ["s"])
    model = read(graph.bytes(["x"], ["p", "q", "s"]))
    bound = rebind(model)
    findings = check_bound(bound)
    solution = solve(bound, [f.slot for f in findings], SolverOptions(overlap="forbid"))
    drawn, conflicts = plan(bound, solution, findings)
    assert (cuts(drawn), conflicts) == (2, [])
    return model, drawn, list(solution.source)


def test_a_redundant_quantize_is_not_inserted() -> None:
    model, drawn, decided = forbidden()
    before = rebind(model)
    tidied = fold_quantizes(drawn, before, rebind, decided)
    after = tidied.model.subgraphs[0]
    assert [op.name for op in after.operators] == [
        "CONV_2D", "MAX_POOL_2D", "MAX_POOL_2D", "LOGISTIC", "QUANTIZE",
    ]  # fmt: skip
    assert (cuts(tidied), [c.kind for c in tidied.changes]) == (1, ["moved", "cut", "moved"])
    left = check_bound(rebind(tidied.model))
    assert [finding for finding in left if finding.fix != "versions"] == []
    origins = [operator.origin for operator in after.operators]
    assert origins == [0, 1, 2, 3, None]  # no operator of the file is removed
    assert (after.inputs, after.outputs) == (
        model.subgraphs[0].inputs,
        model.subgraphs[0].outputs,
    )
    assert fold_quantizes(tidied, before, rebind, decided) == tidied
    assert fold_quantizes(drawn, before, rebind, decided, fold=False) == drawn


def test_a_fold_that_violates_a_rule_is_undone() -> None:
    """A fold is undone if the checker finds a violated rule afterwards; here `broken` adds one to
    every folded model.
    """
    model = read(folded(Label(0.1, 0), Label(0.2, 0)))
    whole = len(model.subgraphs[0].operators)

    def broken(changed: Model) -> Bound:
        return rebind(
            changed if len(changed.subgraphs[0].operators) == whole else _damaged(changed)
        )

    empty = Plan(model=model, changes=(), edited=frozenset())
    assert fold_quantizes(empty, rebind(model), broken, (), everywhere=True) == empty
    assert fold_quantizes(empty, rebind(model), rebind, (), everywhere=True) != empty


def _damaged(model: Model) -> Model:
    """The model with a wrong zero point at the output of its second operator, a pool."""
    graph = model.subgraphs[0]
    index = graph.operators[1].outputs[0]
    tensor = graph.tensors[index]
    assert tensor.quant is not None
    wrong = replace(tensor, quant=replace(tensor.quant, zero_point=(9,)))
    tensors = tuple(wrong if t.index == index else t for t in graph.tensors)
    return replace(model, subgraphs=(replace(graph, tensors=tensors),))
