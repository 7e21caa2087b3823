"""`explain`: its sentences on small graphs, and where QUANTIZE operators are inserted in cascades
of CONCATENATION.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tflite_align
from tests.support.models import POOL, Graph, concat_example
from tflite_align import AlignOptions
from tflite_align.cli import main as cli
from tflite_align.format.model import TensorId
from tflite_align.pipeline.aligning import question
from tflite_align.report.component_summary import overview
from tflite_align.report.explanation_text import explanation_lines, overview_lines
from tflite_align.solver.explain import explain
from tflite_align.solver.explanation import Explanation
from tflite_align.solver.solve import solve

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

CAT = "subgraph[0]/operator[2] CONCATENATION"
UNITS = (
    "Costs: one QUANTIZE is 1, a bit lost at one reader is 4;"
    " costs of some hundredths only decide between equal choices."
)


def key(data: bytes, name: str) -> TensorId:
    asked = question(data, AlignOptions())
    tensors = asked.bound.model.subgraphs[0].tensors
    return TensorId(0, next(tensor.index for tensor in tensors if tensor.name == name))


def explained(data: bytes, name: str, options: AlignOptions | None = None) -> Explanation:
    asked = question(data, options or AlignOptions())
    return explain(asked.bound, asked.broken, asked.settings, key(data, name))


def lines_of(data: bytes, name: str) -> list[str]:
    return explanation_lines(explained(data, name))


def joined(parts: tuple[tuple[str, float, int], ...], out: tuple[float, int], last: str) -> bytes:
    """Convolutions (name, scale, zero point) into a CONCATENATION of label `out`; output: `last`."""
    graph = Graph()
    graph.activation("x", 0.05)
    for name, scale, zero_point in parts:
        graph.conv("x", name, scale, zero_point)
    names = [name for name, _, _ in parts]
    graph.activation("cat", *out, (1, 4, 4, 3 * len(parts)))
    graph.add("CONCATENATION", names, ["cat"], ("ConcatenationOptions", {"axis": 3}))
    if last != "cat":
        graph.activation("y", 0.2, shape=(1, 4, 4, 3 * len(parts)))
        graph.add("HARD_SWISH", ["cat"], ["y"])
    return graph.bytes(["x"], [last])


# --- sentences ---------------------------------------------------------------------------------


def test_a_tensor_moved_by_a_concatenation_is_explained() -> None:
    assert lines_of(concat_example(0.1, 0.04, 0.1), "c2") == [
        "subgraph[0]/tensor[6] 'c2' (int8, written by subgraph[0]/operator[1] CONV_2D/outputs[0])",
        (
            "It declares (scale, zero_point) (0.04, 0). Its operator, unclipped, could write"
            " anything; -5.12 to 5.08 is written, and its readers distinguish -5.12 to 5.08. Its"
            " rounding errors are those of a step of 0.04."
        ),
        "It gets (0.1, 0), as 'c1' declares. They hold -12.8 to 12.7.",
        f"Chain of rules: same/CONCATENATION ties {CAT}/inputs[1] to {CAT}/inputs[0], 'c1'.",
        f"Rules that tie it to other tensors: same/CONCATENATION at {CAT}/inputs[0], inputs[1], outputs[0].",
        "No QUANTIZE is inserted behind it.",
        "With (0.04, 0) instead the component would cost 1.04, 1.049 more.",
        "Its component: 3 tensors under same/CONCATENATION; cost -0.009, the least possible.",
        UNITS,
    ]


def test_a_cut_before_a_kept_output_is_explained() -> None:
    """C (step 0.01) has another reader, and `cat` is a graph output, which keeps its step of 0.16."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.01)
    graph.conv("x", "d", 0.16)
    graph.activation("cat", 0.16, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "d"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("c", "e", 0.1)
    data = graph.bytes(["x"], ["cat", "e"])
    lines = lines_of(data, "c")
    assert lines[2] == "It keeps (0.01, 0), its own."
    assert lines[4] == (
        f"A QUANTIZE to (0.16, 0) is inserted for {CAT}/inputs[0], since the readers disagree"
        " (same/CONCATENATION). It costs 1.05: 1 for the operator, 0.05 for the elements it moves."
        " Without it the component would cost 16.08, 15.03 more."
    )
    assert lines_of(data, "d")[2] == (
        "It keeps (0.16, 0): subgraph[0]/outputs[0] is a graph output, so 'cat' keeps its"
        " parameters."
    )
    assert tflite_align.align(data, AlignOptions(verify=False)).report.cuts == 1


def test_parameters_fixed_by_a_kernel_are_explained() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("l", 0.02, 5)
    graph.add("LOGISTIC", ["x"], ["l"])
    graph.activation("p", 0.02, 5)
    graph.add("MAX_POOL_2D", ["l"], ["p"], POOL)
    graph.conv("p", "y", 0.1)
    lines = lines_of(graph.bytes(["x"], ["y"]), "p")
    place = "subgraph[0]/operator[0] LOGISTIC/outputs[0]"
    pool = "subgraph[0]/operator[1] MAX_POOL_2D"
    assert lines == [
        f"subgraph[0]/tensor[2] 'p' (int8, written by {pool}/outputs[0])",
        (
            "It declares (scale, zero_point) (0.02, 5). Its operator, unclipped, could write"
            " 0 to 1; 0 to 1 is written, and its readers distinguish -2.66 to 2.44. Its rounding"
            " errors are those of a step of 0.02."
        ),
        (
            "It gets (0.00390625, -128), which the kernel writes to 'l' (rule fixed/LOGISTIC/scale at"
            f" {place}). They hold 0 to 0.99609."
        ),
        f"Chain of rules: same/MAX_POOL_2D ties {pool}/outputs[0] to {pool}/inputs[0], 'l'.",
        f"Rules that tie it to other tensors: same/MAX_POOL_2D at {pool}/inputs[0], outputs[0].",
        "No QUANTIZE is inserted behind it.",
        "With (0.003921569, -128) instead the component would cost 1.055, 1.1 more.",
        "With (0.02, 5) instead the component would cost 1.101, 1.146 more.",
        (
            "Its component: 2 tensors under fixed/LOGISTIC/scale, fixed/LOGISTIC/zero_point, same/MAX_POOL_2D; cost -0.04512,"
            " the least possible."
        ),
        UNITS,
    ]


def test_a_clean_component_keeps_its_parameters() -> None:
    lines = lines_of(concat_example(0.1, 0.1, 0.1), "c1")
    assert lines[2:] == [
        "It keeps its parameters: nothing in its component is broken.",
        f"Rules that tie it to other tensors: same/CONCATENATION at {CAT}/inputs[0], inputs[1], outputs[0].",
        "Its component: 3 tensors under same/CONCATENATION.",
    ]


def test_a_tensor_outside_the_solver_says_what_fixes_it() -> None:
    data = concat_example()
    assert lines_of(data, "c1.b")[1] == (
        "It keeps its parameters: it is a bias: its scale is computed from its operator's other"
        " operands (rule bias/CONV_2D at subgraph[0]/operator[0] CONV_2D/inputs[2])."
    )
    assert explained(data, "c1.w").status == "outside"


def test_a_stated_clamp_is_explained() -> None:
    data = joined((("c", 0.05, -128), ("d", 0.1, 0)), (0.1, 0), "cat")
    assert "Its range no longer clamps, so its operator gets the activation RELU." in lines_of(
        data, "c"
    )


def test_a_policy_names_the_anchor_in_the_explanation() -> None:
    options = AlignOptions(policies={"concat": "large"})
    found = explained(concat_example(0.1, 0.04, 0.07), "c2", options)
    assert found.anchor is not None
    assert found.anchor.kind == "policy"
    place = f", chosen by the policy concat large at {CAT}/inputs[1]. "
    assert any(place in line for line in explanation_lines(found))


def test_alternatives_cost_more_than_the_chosen_parameters() -> None:
    for name in ("c1", "c2", "cat"):
        found = explained(concat_example(0.1, 0.04, 0.07), name)
        assert found.optimal
        assert found.alternatives
        costs = [other.cost for other in found.alternatives if other.cost is not None]
        assert costs == sorted(costs)
        assert costs[0] >= found.cost


# --- where a cascade is cut --------------------------------------------------------------------


def densenet() -> bytes:
    """Four layers, each a CONCATENATION of the one before and a new convolution. The first tensor
    (`stem`) has scale 0.01, all later ones 0.16.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "stem", 0.01)
    before = "stem"
    for layer in range(1, 5):
        graph.conv(before, f"grown{layer}", 0.16)
        cat, channels = f"cat{layer}", 3 * (layer + 1)
        graph.activation(cat, 0.16, shape=(1, 4, 4, channels))
        options = ("ConcatenationOptions", {"axis": 3})
        graph.add("CONCATENATION", [before, f"grown{layer}"], [cat], options)
        before = cat
    graph.conv(before, "y", 0.2)
    return graph.bytes(["x"], ["y"])


def inception() -> bytes:
    """Three blocks, each a CONCATENATION of two convolutions and a MAX_POOL_2D that copies the
    block's input. Scales are about 0.01, except in the last block: 0.16. Through the pools a common
    label would reach back to `stem`.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    before = graph.conv("x", "stem", 0.01)
    for block, scale in enumerate((0.0101, 0.0102, 0.16), 1):
        # The pool's output has a quarter of its input's elements: a QUANTIZE behind it costs less.
        graph.activation(f"pool{block}", 0.01, shape=(1, 2, 2, 3))
        graph.add("MAX_POOL_2D", [before], [f"pool{block}"], POOL)
        parts = [graph.conv(before, f"a{block}", scale), graph.conv(before, f"b{block}", scale)]
        graph.activation(f"cat{block}", scale, shape=(1, 2, 2, 9))
        options = ("ConcatenationOptions", {"axis": 3})
        graph.add("CONCATENATION", [*parts, f"pool{block}"], [f"cat{block}"], options)
        before = f"cat{block}"
    graph.conv(before, "y", 0.2)
    return graph.bytes(["x"], ["y"])


# Shapes are chosen for the cost of a QUANTIZE; no kernel runs.
ANY_SHAPE = AlignOptions(verify=False, severity={"shape/*": "off"})


def cut_behind(data: bytes) -> list[tuple[str, str]]:
    """(tensor, readers behind the QUANTIZE) of each inserted QUANTIZE."""
    report = tflite_align.align(data, ANY_SHAPE).report
    assert {finding.rule for finding in report.remaining} <= {"params/steps"}
    assert all(component.optimal for component in report.components)
    changes = [change for change in report.changes if change.kind == "cut"]
    return [(change.name, ", ".join(change.readers)) for change in changes]


def test_densenet_is_cut_behind_the_fine_stem_alone() -> None:
    """With a common label the convolution that reads `stem` would lose 4 bits; all tensors joined
    later are coarse already. One QUANTIZE between `stem` and the first CONCATENATION is the
    cheapest.
    """
    data = densenet()
    assert cut_behind(data) == [("stem", f"{CAT}/inputs[0]")]
    found = explained(data, "stem", ANY_SHAPE)
    assert [cut.readers for cut in found.cuts] == [f"{CAT}/inputs[0]"]
    cut = found.cuts[0]
    assert cut.operator == 1.0
    assert cut.bits == pytest.approx(0.0, abs=0.01)
    assert cut.without is not None
    assert cut.without - found.cost > 4 * 4 - 2
    assert any("Without it the component would cost 16." in line for line in lines_of(data, "stem"))


def test_inception_is_cut_where_the_fewest_elements_move() -> None:
    """The QUANTIZE stands between the last pool and the last CONCATENATION, where the tensor is
    smallest.
    """
    data = inception()
    (name, readers), *others = cut_behind(data)
    assert others == []
    assert name == "pool3"
    assert readers.endswith("CONCATENATION/inputs[2]")
    found = explained(data, "pool3", ANY_SHAPE)
    assert found.cuts[0].without is not None
    assert found.cuts[0].without > found.cost + 0.01


def test_explanations_are_those_of_the_golden_file() -> None:
    data = densenet()
    asked = question(data, AlignOptions())
    solution = solve(asked.bound, asked.broken, asked.settings)
    story = overview(asked.bound, solution, asked.findings)
    blocks = [overview_lines(asked.bound.model, story)]
    blocks += [lines_of(data, name) for name in ("stem", "grown1", "cat4")]
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    assert text == (GOLDEN / "explain.txt").read_text(encoding="utf-8")


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.tflite"
    path.write_bytes(concat_example(0.1, 0.04, 0.1))
    return path


@pytest.mark.parametrize(
    "place",
    [
        "c2",
        "6",
        "subgraph[0]/tensor[6]",
        f"{CAT}/inputs[1]",
        "subgraph[0]/operator[2]/inputs[1]",
        "operator[1]/outputs[0]",
    ],
)
def test_a_place_is_a_name_an_index_or_an_address(
    model: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assert cli.main(["explain", "in.tflite", place]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("subgraph[0]/tensor[6] 'c2' (int8, written by ")
    assert "It gets (0.1, 0), as 'c1' declares." in said.out
    seen = f"{CAT}/inputs[1] sees (0.1, 0), as the tensor is written."
    assert (seen in said.out) == place.endswith("inputs[1]")


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("999", "no such tensor: tensor[0] to tensor[8] exist"),
        ("subgraph[3]/tensor[0]", "no such subgraph: only subgraph[0] exists"),
        ("operator[9]/inputs[0]", "no such operator: operator[0] to operator[3] exist"),
        ("operator[2] PACK/inputs[0]", "operator[2] is CONCATENATION, not PACK"),
        ("operator[2]/inputs[7]", "no such operand, or it is left out (-1)"),
        ("intermediates[0]", "only operators have intermediates"),
    ],
)
def test_an_invalid_address_gives_a_one_line_error(
    model: Path, capsys: pytest.CaptureFixture[str], place: str, fault: str
) -> None:
    assert cli.main(["explain", "in.tflite", place]) == 2
    assert capsys.readouterr() == ("", f"tflite_align: {place}: {fault}\n")


def test_an_unknown_tensor_gives_a_one_line_error(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, hint in (("c", "; did you mean 'c2' or 'c1' or 'cat'?"), ("zzz", "")):
        assert cli.main(["explain", "in.tflite", place]) == 2
        assert capsys.readouterr() == ("", f"tflite_align: no tensor is called {place!r}{hint}\n")


def test_an_ambiguous_name_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = Graph()
    graph.activation("2", 0.05)
    graph.activation("1", 0.02, 5)
    graph.add("LOGISTIC", ["2"], ["1"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.tflite").write_bytes(graph.bytes(["2"], ["1"]))
    assert cli.main(["explain", "in.tflite", "2"]) == 0
    assert capsys.readouterr().out.startswith("subgraph[0]/tensor[0] '2' ")
    assert cli.main(["explain", "in.tflite", "1"]) == 0
    # "1" is name and index of one tensor; "0" now is the name of one and the index of another.
    graph.activation("0", 0.05)
    graph.add("HARD_SWISH", ["2"], ["0"])
    (tmp_path / "in.tflite").write_bytes(graph.bytes(["2"], ["1", "0"]))
    capsys.readouterr()
    assert cli.main(["explain", "in.tflite", "0"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: 0: several tensors have this name; give one of"
        " subgraph[0]/tensor[2], subgraph[0]/tensor[0]\n"
    )


def test_without_a_tensor_all_components_are_listed(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explain", "in.tflite"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Component 0: 3 int8 tensors under same/CONCATENATION.",
        "1 finding in it:",
        (
            f"  {CAT}/inputs[1]: scale 0.0399999991 differs from outputs[0]'s 0.100000001"
            " (rule same/CONCATENATION)"
        ),
        "1 tensor with new parameters:",
        "  'c2' (0.04, 0) gets (0.1, 0): takes the parameters of 'c1'",
        "Cost -0.009, the least possible.",
    ]
    model.write_bytes(concat_example(0.1, 0.1, 0.1))
    assert cli.main(["explain", "in.tflite"]) == 0
    assert capsys.readouterr().out == "No parameters have to change: every tensor keeps its own.\n"


def test_json_output_has_the_explanation(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "in.tflite", "c2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == 3
    assert found["explanation"]["name"] == "c2"
    assert found["explanation"]["label"]["zero_point"] == 0
    assert found["explanation"]["anchor"]["kind"] == "declared"
    assert cli.main(["explain", "in.tflite", "--json", "--concat", "none"]) == 0
    story = json.loads(capsys.readouterr().out)["overview"]
    assert [cut["name"] for cut in story["components"][0]["cuts"]] == ["c2"]
