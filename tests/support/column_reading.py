"""Models read with and without the way that reads many tables at once."""

from __future__ import annotations

import pytest

from tflite_align.errors import AlignError
from tflite_align.format import flatbuffer_bulk as columns
from tflite_align.format.model import Model
from tflite_align.format.reader import read

# From how many tables on: the numbers that switch it off and always on.
NEVER, ALWAYS = 10**9, 1
THRESHOLDS = pytest.mark.parametrize("quick", [ALWAYS, 48], ids=["always", "as shipped"])


def read_with(data: bytes, many: int) -> Model | str:
    """The model, or what is said of bytes that hold none, with the quick way from `many` on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_MANY", many)
        patch.setattr(columns, "_ALIKE", 1 if many == ALWAYS else columns._ALIKE)
        try:
            return read(data)
        except AlignError as error:
            return str(error)
