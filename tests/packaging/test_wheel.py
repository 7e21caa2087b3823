"""The wheel contains the package, py.typed, and schema/ byte for byte."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tflite_align

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built without a network by the declared backend in this environment."""
    pytest.importorskip("build", reason="the wheel is built by the package `build`")
    pytest.importorskip("hatchling", reason="the declared build backend is not installed")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def _files(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def _shipped(wheel: zipfile.ZipFile, folder: str) -> dict[str, bytes]:
    return {
        name.removeprefix(folder): wheel.read(name)
        for name in wheel.namelist()
        if name.startswith(folder)
    }


def test_schema_is_shipped_unchanged(wheel: zipfile.ZipFile) -> None:
    assert _shipped(wheel, "tflite_align/schema/") == _files(CHECKOUT / "schema")


def test_the_cmake_module_is_shipped_unchanged(wheel: zipfile.ZipFile) -> None:
    assert _shipped(wheel, "tflite_align/cmake/") == _files(CHECKOUT / "scripts" / "cmake")


def test_every_module_is_shipped(wheel: zipfile.ZipFile) -> None:
    shipped = {n: d for n, d in _shipped(wheel, "tflite_align/").items() if n.endswith(".py")}
    assert shipped == _files(CHECKOUT / "tflite_align", "*.py")


def test_the_html_report_is_shipped_with_its_licences(wheel: zipfile.ZipFile) -> None:
    folder = "tflite_align/report/html/"
    shipped = _shipped(wheel, folder)
    assert shipped == _files(CHECKOUT / folder)


def test_the_package_is_typed(wheel: zipfile.ZipFile) -> None:
    assert "tflite_align/py.typed" in wheel.namelist()


def test_nothing_else_is_shipped(wheel: zipfile.ZipFile) -> None:
    outside = {name.split("/")[0] for name in wheel.namelist()} - {"tflite_align"}
    assert [name for name in outside if not name.endswith(".dist-info")] == []


def test_the_version_is_defined_once(wheel: zipfile.ZipFile) -> None:
    (info,) = {n.split("/")[0] for n in wheel.namelist() if ".dist-info/" in n}
    assert info == f"tflite_align-{tflite_align.__version__}.dist-info"


def test_the_licence_and_the_entry_point_are_shipped(wheel: zipfile.ZipFile) -> None:
    (info,) = {n.split("/")[0] for n in wheel.namelist() if ".dist-info/" in n}
    for name in ("LICENSE", "LICENSES.txt"):
        assert wheel.read(f"{info}/licenses/{name}") == (CHECKOUT / name).read_bytes()
    entries = wheel.read(f"{info}/entry_points.txt").decode()
    assert "tflite-align = tflite_align.cli.entry:main" in entries
    assert "tflite-align-hook = tflite_align.cli.entry:hook" in entries
