"""Public names are typed: mypy --strict accepts a program that uses each of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import tflite_align

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = CHECKOUT / "tests/typing/user_program.py"


def test_the_program_uses_each_public_name() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    assert [name for name in tflite_align.__all__ if text.count(name) < 2] == []


def test_every_public_name_exists() -> None:
    assert [name for name in tflite_align.__all__ if not hasattr(tflite_align, name)] == []


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_users_program_passes_mypy_strict(tmp_path: Path) -> None:
    """No configuration file of mypy is used, as by most users."""
    empty = tmp_path / "mypy.ini"
    empty.write_text("[mypy]\n", encoding="utf-8")
    settings = ["--strict", "--config-file", str(empty), "--cache-dir", str(tmp_path / "cache")]
    # Untyped libraries that the package imports must not cause errors in a user's program.
    quiet = ["--follow-imports", "silent", "--ignore-missing-imports"]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, *quiet, str(PROGRAM)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
