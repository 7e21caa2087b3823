"""Facts about other projects that the tables rely on, checked in their installed packages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tflite

from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import BiasRule
from tflite_align.rules.targets import load_target, target_names
from tflite_align.verify.judges import JUDGES

ROWS = load_operators()
DATA = Path(__file__).with_name("data")
VELA = DATA / "vela-5.2.0.json"
LITERT_SCHEMA = "ai_edge_litert.schema_py_generated"
ACCELERATORS = ("EthosU55", "EthosU85")


def _builtin_names(enumeration: object) -> set[str]:
    return {name for name in vars(enumeration) if not name.startswith("_")}


def test_operators_are_builtins_of_the_tflite_package() -> None:
    assert set(ROWS) <= _builtin_names(tflite.BuiltinOperator)


def test_operators_are_builtins_of_litert() -> None:
    schema = pytest.importorskip(LITERT_SCHEMA, reason="ai-edge-litert is not installed")
    assert set(ROWS) <= _builtin_names(schema.BuiltinOperator)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


OPTIONS = {
    "CALL": "Call",
    "CALL_ONCE": "CallOnce",
    "CONV_2D": "Conv2D",
    "FULLY_CONNECTED": "FullyConnected",
    "IF": "If",
    "TRANSPOSE_CONV": "TransposeConv",
    "WHILE": "While",
}


def test_named_options_are_fields_of_the_schema() -> None:
    schema = pytest.importorskip(LITERT_SCHEMA, reason="ai-edge-litert is not installed")
    named = {
        (row.name, option)
        for row in ROWS.values()
        for option in (
            *(call.option for call in row.calls),
            *(r.type_option for r in row.rules if isinstance(r, BiasRule) and r.type_option),
        )
    }
    assert {name for name, _ in named} == set(OPTIONS)
    for name, option in named:
        table = getattr(schema, f"{OPTIONS[name]}OptionsT")()
        assert hasattr(table, _camel(option)), (name, option)


def test_judges_of_the_targets_exist() -> None:
    named = {judge for name in target_names() for judge in load_target(name).judges}
    assert named <= set(JUDGES)


# --- Vela ---------------------------------------------------------------------------------------


def _constraints(accelerator: str) -> Mapping[str, list[str]]:
    regor = pytest.importorskip("ethosu.regor", reason="ethos-u-vela is not installed")
    found: Mapping[str, list[str]] = regor.tflite_operator_constraints(accelerator, verbose=False)
    return found


def _digest() -> dict[str, dict[str, str]]:
    """Accelerator -> operator -> short hash of the lines on quantization that Vela prints for the
    operator.
    """
    about = re.compile("quanti|zero-point|scale", re.IGNORECASE)
    return {
        accelerator: {
            operator: hashlib.sha256(
                "\n".join(sorted(line for line in lines if about.search(line))).encode()
            ).hexdigest()[:12]
            for operator, lines in sorted(_constraints(accelerator).items())
        }
        for accelerator in ACCELERATORS
    }


def _installed_vela() -> str:
    pytest.importorskip("ethosu.regor", reason="ethos-u-vela is not installed")
    from importlib.metadata import version

    return version("ethos-u-vela")


def test_vela_still_prints_the_quoted_messages() -> None:
    """If a new Vela prints other constraints, the ethos-u targets must be revised."""
    known: dict[str, Any] = json.loads(VELA.read_text(encoding="utf-8"))
    if _installed_vela() != known["version"]:
        pytest.skip(f"the snapshot is of ethos-u-vela {known['version']}")
    assert _digest() == known["quantization"]


def _operators_with(accelerator: str, words: str) -> set[str]:
    found = _constraints(accelerator)
    return {name for name, lines in found.items() if any(words in line for line in lines)}


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_vela_compares_inputs_and_output_of_two_operators(accelerator: str) -> None:
    words = "Both Input quantization parameters must match OFM"
    assert _operators_with(accelerator, words) == {"MAXIMUM", "MINIMUM"}


def test_vela_keeps_int16_zero_points_from_the_u85_but_for_pools_and_resizing() -> None:
    held = _operators_with("EthosU85", "IFM Zero-points must be in the range")
    exempt = {"AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
    assert not held & exempt
    assert {"ADD", "CONCATENATION", "CONV_2D", "MAX_POOL_2D", "RESHAPE"} <= held


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_vela_accepts_per_channel_weights_for_four_operators(accelerator: str) -> None:
    refused = _operators_with(accelerator, "Per-axis quantization is not supported")
    weighted = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
    assert not refused & weighted
    assert {"PRELU", "BATCH_MATMUL"} & set(_constraints(accelerator)) <= refused
