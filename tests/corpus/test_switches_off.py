"""Without repairs no file of the corpus is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.edited_models import PLAIN
from tflite_align import align
from tflite_align.record import replace


@pytest.mark.corpus
def test_with_all_repairs_off_no_real_model_changes(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    assert align(data, replace(PLAIN, no_fix=("all",))).data == data
