"""The command line as a separate process: exit status, streams, imported modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FAST = "--no-verify"


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tflite_align", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def test_the_process_has_the_documented_status_and_streams(folder: Path, sample: bytes) -> None:
    done = run("in.tflite", "out.tflite", FAST)
    assert (done.returncode, done.stderr) == (0, b"")
    failed = run("missing", "other.tflite")
    assert failed.returncode == 2
    assert (
        failed.stderr == b"tflite_align: missing: No such file or directory" + os.linesep.encode()
    )
    assert failed.stdout == b""
    piped = run("-", "-", FAST, stdin=sample)
    assert piped.returncode == 0
    assert piped.stdout == (folder / "out.tflite").read_bytes()
    assert run("check", "in.tflite", "--quiet").returncode == 1
    assert sorted(p.name for p in folder.iterdir()) == ["in.tflite", "out.tflite"]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes and /dev/full")
def test_a_closed_pipe_or_full_disk_is_handled(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = f"{sys.executable} -m tflite_align rules | head -n 1; echo ${{PIPESTATUS[0]}}"
    left = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env=environment
    )
    assert left.stdout.splitlines()[-1] == "0"
    assert left.stderr == ""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    command = f"{sys.executable} -m tflite_align in.tflite - {FAST} -q > /dev/full"
    full = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env=environment
    )
    assert full.returncode == 2
    assert full.stderr == "tflite_align: standard output: No space left on device\n"


LOADED = """
import sys
from tflite_align.cli.main import main
status = main(sys.argv[1:])
heavy = {"ai_edge_litert", "tensorflow", "tflite_micro", "ethosu", "numpy"}
heavy |= {"multiprocessing", "importlib.metadata"}  # what only a batch needs
print(status, *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def loaded(*arguments: str) -> str:
    """The exit status of a command, and which heavy libraries it imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 0),
        (("targets",), 0),
        (("rules", "--target", "tflite"), 0),
        (("check", "in.tflite", "-q"), 1),
        (("in.tflite", "out.tflite", "--dry-run", "--quiet"), 0),
    ],
)
def test_check_loads_no_interpreter(folder: Path, arguments: tuple[str, ...], status: int) -> None:
    assert loaded(*arguments).replace(" numpy", "") == str(status)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("check", "--help")])
def test_help_needs_no_numpy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == "0"


def test_importing_verify_imports_no_runtime() -> None:
    heavy = ["ai_edge_litert", "tensorflow", "tflite_micro", "ethosu", "tosa_converter_for_tflite"]
    code = f"import sys, tflite_align.verify; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "command", [("check", "in.tflite"), ("in.tflite", "out.tflite", "--no-verify")]
)
def test_a_run_without_certificate_loads_no_kernel_arithmetic(
    folder: Path, command: tuple[str, ...]
) -> None:
    code = (
        "import sys; from tflite_align.cli.main import main; main(sys.argv[1:]);"
        " sys.exit(10 * any('.certify.functions' in name for name in sys.modules))"
    )
    given = [sys.executable, "-c", code, *command, "--quiet"]
    assert subprocess.run(given, cwd=folder, check=False).returncode == 0
