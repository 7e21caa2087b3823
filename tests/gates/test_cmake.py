"""The CMake module with the real cmake, ninja and C compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tflite_align import check
from tflite_align.cli import main as cli

CHECKOUT = Path(__file__).resolve().parents[2]
TAKES_AT_MOST = 300  # seconds

PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(firmware C)
list(APPEND CMAKE_MODULE_PATH "{modules}")
include(TfliteAlign)
tflite_align_model(model in.tflite gen/out.tflite NO_VERIFY C_ARRAY g_model {more})
add_executable(firmware main.c)
target_link_libraries(firmware PRIVATE model)
"""
# Prints the array; fails if its address is not a multiple of 16.
MAIN = """\
#include <stdint.h>
#include <stdio.h>
#include "g_model.h"
int main(void) {
  if ((uintptr_t)g_model % 16) return 3;
  return fwrite(g_model, 1, g_model_len, stdout) == g_model_len ? 0 : 4;
}
"""


# C, although TFLM's header is C++: here it only has to exist.
USES_HEADER = """\
#if !__has_include("ops.h")
#error no header of the operators
#endif
int main(void) { return 0; }
"""


@pytest.fixture
def project(tmp_path: Path, sample: bytes) -> Path:
    cmake("--version")
    compilers = ("cc", "gcc", "clang", "cl")
    if not any(map(shutil.which, compilers)):
        pytest.skip(f"no C compiler on the path ({', '.join(compilers)})")
    write(tmp_path)
    (tmp_path / "in.tflite").write_bytes(sample)
    return tmp_path


def write(folder: Path, more: str = "") -> None:
    modules = (CHECKOUT / "scripts" / "cmake").as_posix()
    (folder / "CMakeLists.txt").write_text(PROJECT.format(modules=modules, more=more))
    (folder / "main.c").write_text(MAIN)


def cmake(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("cmake")
    if found is None:
        pytest.skip("cmake is not on the path")
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment["PYTHONPATH"] = str(CHECKOUT)
    return subprocess.run(
        [found, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=TAKES_AT_MOST,
    )


def configure(folder: Path) -> subprocess.CompletedProcess[str]:
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    return cmake("-S", str(folder), "-B", str(folder / "build"), *generator, python)


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    run = configure(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return cmake("--build", str(folder / "build"))


def printed(folder: Path) -> bytes:
    run = subprocess.run([folder / "build" / "firmware"], capture_output=True, check=False)
    assert run.returncode == 0
    return run.stdout


def test_the_program_holds_the_aligned_model(project: Path, sample_origin: bytes) -> None:
    run = build(project)
    assert run.returncode == 0, run.stdout + run.stderr
    out = project / "build" / "gen" / "out.tflite"
    assert not check(out.read_bytes()).findings
    assert printed(project) == out.read_bytes()

    again = build(project)
    assert "tflite_align" not in again.stdout, "nothing changed, nothing runs"

    (project / "in.tflite").write_bytes(sample_origin)
    changed = build(project)
    assert changed.returncode == 0, changed.stdout + changed.stderr
    assert printed(project) == out.read_bytes() == sample_origin


def test_findings_fail_the_build(project: Path) -> None:
    """The model differs from its lock, which no repair can change."""
    lock = project / "io.json"
    assert cli.main(["check", str(CHECKOUT / "tests/data/sample_origin.tflite"), "--lock",
                     str(lock), "--update-lock", "-q"]) == 0  # fmt: skip
    write(project, "LOCK io.json")
    assert build(project).returncode == 0
    lock.write_text(lock.read_text().replace('"type": "int8"', '"type": "uint8"'))
    run = build(project)
    assert run.returncode != 0
    message = "type is int8, the lock has uint8 (rule lock/type)"
    assert message in run.stdout + run.stderr


def test_the_header_of_the_operators_is_an_output(project: Path) -> None:
    """The build makes the header before it compiles programs that include it, with and without
    C_ARRAY.
    """
    for more in ("RESOLVER gen/ops.h", "RESOLVER gen/ops.h C_ARRAY"):
        array = more.endswith("C_ARRAY")
        text = (project / "CMakeLists.txt").read_text()
        listed = text[: text.index("tflite_align_model(")]
        call = f"tflite_align_model(model in.tflite gen/out.tflite NO_VERIFY {more}"
        call += " g_model)\n" if array else ")\n"
        program = "add_executable(firmware main.c)\ntarget_link_libraries(firmware PRIVATE model)\n"
        (project / "CMakeLists.txt").write_text(listed + call + program)
        (project / "main.c").write_text(USES_HEADER)
        shutil.rmtree(project / "build", ignore_errors=True)
        run = build(project)
        assert run.returncode == 0, run.stdout + run.stderr
        header = project / "build" / "gen" / "ops.h"
        assert "AddConcatenation()" in header.read_text()
        assert "tflite_align" not in build(project).stdout, "nothing changed, nothing runs"
        header.unlink()
        run = build(project)
        assert run.returncode == 0, run.stdout + run.stderr
        assert header.is_file()


def test_the_header_among_the_options_is_refused(project: Path) -> None:
    write(project, "OPTIONS --emit-resolver ops.h")
    run = configure(project)
    assert run.returncode != 0
    assert "RESOLVER" in run.stderr


def test_a_missing_lock_stops_the_configuration(project: Path) -> None:
    write(project, "LOCK io.json")
    run = configure(project)
    assert run.returncode != 0
    assert "lock file not found" in run.stderr


def test_an_unknown_argument_stops_the_configuration(project: Path) -> None:
    write(project, "LOKC io.json")
    run = configure(project)
    assert run.returncode != 0
    assert "LOKC" in run.stderr


def test_the_folder_of_the_module_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--cmake-dir"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "TfliteAlign.cmake").is_file()
