"""Folders in which tests of the command line start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.model_folder import fill


@pytest.fixture
def zoo_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes, sample_origin: bytes
) -> Path:
    """The current directory, with a folder `zoo` of three models; one of them has no findings."""
    monkeypatch.chdir(tmp_path)
    fill(sample, sample_origin)
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    """The current directory, with in.tflite, which is the sample."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.tflite").write_bytes(sample)
    return tmp_path
