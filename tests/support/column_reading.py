"""Models read with and without bulk reading."""

from __future__ import annotations

import pytest

from tflite_align.errors import AlignError
from tflite_align.format import flatbuffer_bulk as columns
from tflite_align.format.model import Model
from tflite_align.format.reader import read

# Number of tables from which bulk reading is used: one that no file has, and 1.
NEVER, ALWAYS = 10**9, 1
THRESHOLDS = pytest.mark.parametrize("quick", [ALWAYS, 48], ids=["always", "as shipped"])


def read_with(data: bytes, many: int) -> Model | str:
    """The model, or the error message for bytes that are no model, with bulk reading from `many`
    tables on.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_MANY", many)
        patch.setattr(columns, "_ALIKE", 1 if many == ALWAYS else columns._ALIKE)
        try:
            return read(data)
        except AlignError as error:
            return str(error)
