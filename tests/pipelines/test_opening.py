"""The README opens with what scripts/opening.py prints, figures within a little of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import opening
from as_it_runs import KERNELS
from tests.conftest import CHECKOUT, DATA
from tflite_align import check
from tflite_align.verify.judges import available

pytestmark = pytest.mark.pipelines

FIGURE = re.compile(r"(?<![\w#])\d[\d,]*(?:\.\d+)?")
OFF = 0.25  # of the figure: another machine's float sums train another network


def test_the_readme_shows_what_the_script_prints(ran_recipe: Callable[[str, str], Path]) -> None:
    for judge in KERNELS:
        missing = available(judge)
        if missing is not None:
            pytest.skip(missing)
    printed = opening.block(ran_recipe("onnx2tf", "unet"))
    first, last = opening.MARKS
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    shown = text.split(first, 1)[1].split(last, 1)[0].strip()
    assert FIGURE.sub("N", shown) == FIGURE.sub("N", printed)
    pairs = zip(_figures(shown), _figures(printed), strict=True)
    assert [pair for pair in pairs if abs(pair[0] - pair[1]) > OFF * max(pair)] == []


def _figures(text: str) -> list[float]:
    return [float(figure.replace(",", "")) for figure in FIGURE.findall(text)]


def test_the_shipped_sample_is_what_the_recipe_makes(
    ran_recipe: Callable[[str, str], Path],
) -> None:
    """The same findings at the same slots; weights may differ with the machine's float sums."""
    made = (ran_recipe("onnx2tf", "unet") / "model.tflite").read_bytes()
    shipped = (DATA / opening.SHIPPED.name).read_bytes()
    slots = [[(f.rule, str(f.address)) for f in check(data).findings] for data in (made, shipped)]
    assert slots[0] == slots[1]
