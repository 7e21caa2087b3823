"""Virtual environments of real converters: created on demand, kept, pinned.

One requirements file per converter in tests/pipelines/requirements. An environment is kept until
its requirements change. Several processes may request one at once.

Environment
    TFLITE_ALIGN_TINYNN   a folder or address to install TinyNeuralNetwork from, instead of the
                          pinned one: it is on no package index
    PIP_FIND_LINKS ...    pip's own. On Linux the index's PyTorch is a CUDA build of several GB:
                          let pip find a CPU build.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

import filelock

__all__ = ["PYTHONS", "WITH_TFLITE_ALIGN", "NotInstalledError", "environment"]

PROJECT = pathlib.Path(__file__).resolve().parents[1] / "pyproject.toml"
REQUIREMENTS = PROJECT.parent / "tests/pipelines/requirements"
# Python versions on which each converter's pinned versions are known to run.
PYTHONS = {
    "ai-edge-quantizer": "3.11",
    "esp-ppq": "3.11",
    "litert-torch": "3.11",
    "onnx2tf": "3.12",
    "pytorch": "3.11",
    "tinynn": "3.11",
}
# Where tflite_align is imported beside the converter: what it needs is installed with it.
WITH_TFLITE_ALIGN = ("litert-torch", "onnx2tf")
# Without a git checkout its version is the time of day, and differs between two builds of pip's.
BUILD = {"TINYML_BUILD_VERSION": "0.1.0"}
INSTALLING_TAKES_AT_MOST = 1800  # seconds
_SAID = 160  # characters of pip's message


class NotInstalledError(Exception):
    """The environment is not available; the message is one line with the reason."""


def environment(name: str, folder: pathlib.Path) -> pathlib.Path:
    """The Python of a converter's environment under `folder`. Raises NotInstalledError."""
    wanted = _requirements(name)
    digest = hashlib.sha256(f"{PYTHONS[name]}\n{wanted}".encode()).hexdigest()[:12]
    place = folder / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place.with_suffix(".lock")):
        if not (place / "installed").is_file():
            _make(name, place, wanted)
    return _program(place, "python")


def _requirements(name: str) -> str:
    """The requirements file of a converter's environment: pinned versions, and for converters that
    import tflite_align also its dependencies.
    """
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    other = os.environ.get("TFLITE_ALIGN_TINYNN")
    lines = [
        other if other and line.startswith("TinyNeuralNetwork") else line
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]
    if name in WITH_TFLITE_ALIGN:
        lines += tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    return "\n".join(lines) + "\n"


def _make(name: str, place: pathlib.Path, wanted: str) -> None:
    """Create the environment of converter `name` in folder `place` with the requirements `wanted`.
    Raises NotInstalledError, with pip's reason.
    """
    base = _python(PYTHONS[name])
    if base is None:
        raise NotInstalledError(f"{name} is pinned for Python {PYTHONS[name]}, which is not here")
    shutil.rmtree(place, ignore_errors=True)
    _run([base, "-m", "venv", str(place)], f"no virtual environment for {name}")
    asked = place / "requirements.txt"
    asked.write_text(wanted, encoding="utf-8")
    install = [str(_program(place, "python")), "-m", "pip", "install", "--quiet", "-r", str(asked)]
    _run(install, f"{name} does not install here")
    (place / "installed").touch()


def _run(command: list[str], failed: str) -> None:
    """Run a command; raises NotInstalledError with the text `failed` and pip's error if it fails or
    takes too long.
    """
    try:
        ran = subprocess.run(
            command,
            env={**os.environ, **BUILD},
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALLING_TAKES_AT_MOST,
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"{failed}: not in {error.timeout:.0f} s") from error
    if ran.returncode != 0:
        errors = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")]
        said = errors or ran.stderr.splitlines() or [f"exit status {ran.returncode}"]
        raise NotInstalledError(f"{failed}: {said[-1][:_SAID]}")


def _program(place: pathlib.Path, name: str) -> pathlib.Path:
    """The path of a program in a virtual environment, on POSIX or Windows."""
    return place / ("Scripts" if os.name == "nt" else "bin") / name


def _python(version: str) -> str | None:
    """A Python of that version: this one, one on the path, or one of pyenv's."""
    home = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    kept = sorted(home.glob(f"versions/{version}.*/bin/python"), reverse=True)
    for name in (sys.executable, shutil.which(f"python{version}"), *map(str, kept)):
        if name is not None and _is(name, version):
            return name
    return None


def _is(python: str, version: str) -> bool:
    """Whether the executable runs that version; a launcher may name one that is not installed."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return ran.stdout.strip() == version
