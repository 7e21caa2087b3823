"""The published packages install from the registry into clean environments and work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tflite_align
from tests.support.distribution import PROJECT, run
from tests.support.registry import registry_missing

pytestmark = pytest.mark.packaging

PYTHONS = [
    word for line in PROJECT["classifiers"] if (word := line.rpartition(" :: ")[2]).startswith("3.")
]
# `dev` includes `test`, which includes `docs` and `tflm`: these need no resolution of their own.
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"test"})


def needs_registry() -> None:
    if missing := registry_missing():
        pytest.skip(missing)


def interpreter(version: str) -> str:
    """The path of a Python of that version: the running one, or one on the PATH that starts."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    found = shutil.which(f"python{version}")
    if (
        found is None
        or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"there is no python{version} on the path")
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_alone_works(version: str, wheel: Path, tmp_path: Path, sample: bytes) -> None:
    """The environment has only the wheel and its requirements: no extras, no checkout."""
    python = interpreter(version)
    needs_registry()
    run(python, "-m", "venv", str(tmp_path / "venv"))
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    own = str(programs / "python")
    run(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    run(own, "-m", "pip", "check")
    (tmp_path / "in.tflite").write_bytes(sample)

    def tool(*arguments: str, status: int = 0) -> str:
        return run(own, "-m", "tflite_align", *arguments, cwd=tmp_path, status=status)

    version_line = f"tflite-align {tflite_align.__version__}\n"
    assert run(str(programs / "tflite-align"), "--version").replace("_", "-") == version_line
    assert "4 errors" in tool("check", "in.tflite", status=1)
    assert "verified -> out.tflite" in tool("in.tflite", "out.tflite", "--report", "x.html")
    assert "no findings" in tool("check", "out.tflite", "--target", "tflm")
    assert "<html" in (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "same/CONCATENATION" in tool("rules")
    assert "not installed" in tool("targets")
    skipped = tool("in.tflite", "tflm.tflite", "--target", "tflm", "--require", "tflm", status=1)
    assert "tflite-micro is not installed" in skipped or "no wheel" in skipped
    typed = (
        "import tflite_align as t, pathlib as p; print(p.Path(t.__file__).with_name('py.typed'))"
    )
    assert Path(run(own, "-c", typed, cwd=tmp_path).strip()).is_file()


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_resolve(extra: str, wheel: Path, tmp_path: Path) -> None:
    """The extras are resolved as for a new environment, without being installed."""
    needs_registry()
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    said = run(*pip, "install", "--dry-run", f"{wheel}[{extra}]")
    assert "Would install" in said
