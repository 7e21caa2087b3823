"""Conversion of float samples to a model's input type: large samples, converted by a table of 256
values, equal small ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tflite_align.verify.engines import InputSpec
from tflite_align.verify.worker import _Samples


@pytest.mark.parametrize("stored", ["int8", "uint8"])
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [("float32", None, 0), ("int8", 0.03, -4), ("uint8", 0.02, 130), ("int16", 0.001, 0)],
)
def test_a_large_sample_is_converted_like_a_small_one(
    stored: str, dtype: str, scale: float | None, zero_point: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    limits = np.iinfo(stored)
    array = rng.integers(limits.min, limits.max, (2, 20, 50), dtype=stored, endpoint=True)
    np.save(tmp_path / "x.npy", array)
    record = {"file": str(tmp_path / "x.npy"), "scale": 0.025, "zero_point": 3}
    spec = InputSpec(shape=(20, 50), dtype=np.dtype(dtype), scale=scale, zero_point=zero_point)
    small = InputSpec(shape=(50,), dtype=np.dtype(dtype), scale=scale, zero_point=zero_point)
    np.save(tmp_path / "rows.npy", array[1])
    rows = _Samples({**record, "file": str(tmp_path / "rows.npy")})
    given = _Samples(record).value(1, spec)
    assert given.dtype == np.dtype(dtype)
    assert np.array_equal(given, np.stack([rows.value(row, small) for row in range(20)]))
