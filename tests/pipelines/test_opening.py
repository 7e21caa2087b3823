"""The README's sample file is reproduced by its recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import opening
from tflite_align import check

pytestmark = pytest.mark.pipelines


def test_the_shipped_sample_is_what_the_recipe_makes(
    ran_recipe: Callable[[str, str], Path],
) -> None:
    """Equal findings at equal slots; weights may differ, as float sums depend on the machine."""
    made = (ran_recipe("onnx2tf", "unet") / "model.tflite").read_bytes()
    shipped = opening.SHIPPED.read_bytes()
    slots = [[(f.rule, str(f.address)) for f in check(data).findings] for data in (made, shipped)]
    assert slots[0] == slots[1]
