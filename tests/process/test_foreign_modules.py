"""Which commands import Python modules from the current directory, which may be untrusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("tflite-align")
# Names that the package imports, and names that multiprocessing imports before the package.
TRAPS = ("click", "msgspec", "numpy", "pickle", "socket", "multiprocessing")


@pytest.fixture
def foreign(folder: Path) -> Path:
    for name in TRAPS:
        (folder / f"{name}.py").write_text(f"open('owned by {name}', 'w').close()\n")
    (folder / "models").mkdir()
    for name in ("a", "b"):
        (folder / "models" / f"{name}.tflite").write_bytes((folder / "in.tflite").read_bytes())
    return folder


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the environment variable that turns the current directory off as a
    source of modules.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = str(CHECKOUT)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def owned(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("owned*"))


@pytest.mark.promise(
    "`python -m tflite_align` takes modules from the current folder first, as Python does with"
    " `-m`: in an untrusted folder use `tflite-align` or `python -P -m tflite_align`, as the GitHub"
    " Action, the pre-commit hook and the CMake module do."
)
def test_installed_scripts_import_no_module_from_the_folder(foreign: Path) -> None:
    forms = [[sys.executable, "-P", "-m", "tflite_align"]]
    forms += [[str(SCRIPT)]] if SCRIPT.exists() else []
    for form in forms:
        done = run(*form, "check", "in.tflite", "--judge", "litert")
        assert done.returncode == 1, done.stderr
        assert owned(foreign) == []
    run(sys.executable, "-m", "tflite_align", "check", "in.tflite")
    assert owned(foreign), "it does: that is why the page says so"
    for name, used in (
        ("action.yml", '"$COMMAND" check'),
        (".pre-commit-hooks.yaml", "entry: tflite-align-hook"),
        ("scripts/cmake/TfliteAlign.cmake", "-P -m tflite_align"),
    ):
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert used in text
        assert "python -m tflite_align" not in text


@pytest.mark.promise(
    "Processes that share the files (`--jobs`) take no modules from the current folder either."
)
@pytest.mark.parametrize("command", [("check", "models"), ("models", "out", "--no-verify")])
def test_worker_processes_import_no_module_from_the_folder(
    command: tuple[str, ...], foreign: Path
) -> None:
    """Also if the main process has the folder on its path, which multiprocessing passes on to
    workers.
    """
    begin = "import sys; sys.path.pop(0); from tflite_align.cli.main import main; sys.exit(main())"
    done = run(sys.executable, "-c", begin, *command, "--jobs", "2", "-q")
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    assert owned(foreign) == []
