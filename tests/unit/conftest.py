"""What several unit tests begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zoo import fill


@pytest.fixture
def zoo_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes, sample_origin: bytes
) -> Path:
    """The working folder: `zoo` holds three models, one of them without findings."""
    monkeypatch.chdir(tmp_path)
    fill(sample, sample_origin)
    return tmp_path
