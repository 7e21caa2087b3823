"""`.me.json` reports: valid for Model Explorer's own classes, with its adapter's node names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATA
from tests.support.models import concat_example
from tflite_align import AlignOptions, UsageError, align, check
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.report.formats import renderer
from tflite_align.report.model_explorer import render_model_explorer
from tflite_align.verdicts import OperatorFigure, StepCheck, Verification

DRAWN = AlignOptions(verify=False, view=True)


def _data(data: bytes, options: AlignOptions = DRAWN) -> dict[str, Any]:
    text = renderer("x.me.json")([align(data, options).report], ())
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_me_json_ending_selects_the_format() -> None:
    assert renderer("a/B.ME.json") is render_model_explorer
    assert renderer("me.json") is not render_model_explorer


def test_repairs_and_findings_have_colours() -> None:
    fixed = _data(concat_example())["main"]["results"]
    assert {key: one["bgColor"] for key, one in fixed.items()} == {"2": "#b9f6ca"}
    left = check(concat_example(), DRAWN)
    document = json.loads(render_model_explorer([left]))["main"]
    assert {key: one["bgColor"] for key, one in document["results"].items()} == {"2": "#ff8a80"}
    assert document["name"] == "tflite_align: findings"


def test_the_value_of_an_operator_is_its_lowest_sqnr() -> None:
    report = align(concat_example(), DRAWN).report
    levels = ((0, 41.234), (0, 35.0), (1, float("inf")), (2, None))
    figures = tuple(
        OperatorFigure(
            address="",
            subgraph=0,
            operator=at,
            tensor=0,
            name="",
            lsb=0,
            largest_lsb=0,
            tolerance_lsb=2,
            sqnr_db=level,
        )
        for at, level in levels
    )
    steps = StepCheck(checked=3, beyond=(), not_judged=(), operators=figures)
    found = replace(report, verification=Verification(word="verified", why="", steps=steps))
    results = json.loads(render_model_explorer([found]))["main"]["results"]
    assert {key: one["value"] for key, one in results.items()} == {"0": 35.0, "1": 120.0, "2": 0}


def test_several_models_are_refused() -> None:
    report = check(concat_example(), DRAWN)
    with pytest.raises(UsageError, match=r"a \.me\.json report is of one model; there are 2"):
        render_model_explorer([report, report])


@pytest.mark.filterwarnings("ignore")
def test_model_explorer_knows_every_node(tmp_path: Path) -> None:
    """Model Explorer's own builder accepts the report's data, and its converter gives the nodes the
    same keys.
    """
    for library in ("model_explorer", "ai_edge_model_explorer_adapter"):
        pytest.importorskip(library, reason=f"{library} is not installed: the extra `test` has it")
    import ai_edge_model_explorer_adapter as adapter
    from model_explorer import node_data_builder as builder

    result = align(DATA / "sample_dealigned.tflite", view=True)
    path = tmp_path / "x.tflite"
    result.save(path)
    document = json.loads(render_model_explorer([result.report]))
    (converted,) = json.loads(
        adapter.ConvertFlatbufferDirectlyToJson(adapter.VisualizeConfig(), str(path))
    )
    nodes = {
        graph["id"]: {n["id"]: n["label"] for n in graph["nodes"]}
        for graph in converted["subgraphs"]
    }
    assert document.keys() == nodes.keys()
    operators = read(result.data).subgraphs[0].operators
    for key, node in document["main"]["results"].items():
        assert nodes["main"][key] == operators[int(key)].name.lower()
        assert builder.NodeDataResult(**node).value >= 0
    assert len(document["main"]["results"]) == len(operators)
    graph = document["main"]
    built = builder.GraphNodeData(
        name=graph["name"],
        results={key: builder.NodeDataResult(**one) for key, one in graph["results"].items()},
        thresholds=[builder.ThresholdItem(**one) for one in graph["thresholds"]],
    )
    again = json.loads(builder.ModelNodeData(graphsData={"main": built}).to_json_string())
    assert all(again["main"][key] == graph[key] for key in graph)
