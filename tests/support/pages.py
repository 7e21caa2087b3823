"""Documentation pages split into blocks, and a copy of the project to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tflite_align.record import Record

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").rglob("*.md")),
]
TAKES_AT_MOST = 600  # seconds
BASH = pytest.mark.skipif(
    shutil.which("bash") is None, reason="no bash on the path: the commands are for a POSIX shell"
)

# (page, first line of a block) -> why no test runs it.
NOT_RUN = {
    ("README.md", ".ci/run"): "runs all tests, this one too",
    ("README.md", "onnx2tf -i net.onnx -o exported -oiqt \\"): "a line of docs/recipes.md's recipe",
    (
        "CONTRIBUTING.md",
        "python3 -m venv .venv && .venv/bin/python -m pip install -e '.[dev]'",
    ): "what .ci/run does on every clean machine, and all tests again",
    ("adding.md", "python -m venv .venv"): "what .ci/run does on every clean machine",
    ("gate.md", "permissions:"): "needs GitHub; its inputs are compared with action.yml",
    ("gate.md", "repos:"): "needs the published repository; tests/gates run the hook",
    (
        "gate.md",
        "python -m pip install click flatbuffers junitparser msgspec numpy rich tflite",
    ): "what pre-commit installs for the hook: tests/gates",
    ("gate.md", "idf_component_register(SRCS main.cc)"): "needs ESP-IDF",
    ("gate.md", "genrule("): "needs Bazel",
}

_FENCE = re.compile(r"^```(?P<words>.*)\n(?P<text>(?:.*\n)*?)^```$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
# Files and folders of the project that are copied for the page's commands.
_SHOWN = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "LICENSES.txt", "SECURITY.md", "pyproject.toml",
          "docs", "schema", "scripts", "tests", "tflite_align")  # fmt: skip


class Block(Record, frozen=True, kw_only=True):
    """A fenced block. `words` follow its language and are not displayed.

    `sh exits 1`: exit status of the last command; `text output`: output of the previous block, with
    `...` for any text; `toml add PATH`, `python new PATH`: changes of the project; `toml in PATH`: a part of a file.
    """

    page: str
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """The page and the block's first line."""
        return self.page, self.text.partition("\n")[0]


def blocks(page: Path) -> Iterator[Block]:
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        language, *words = found["words"].split() or [""]
        yield Block(page=page.name, language=language, words=tuple(words), text=found["text"])


def spans(page: Path) -> list[str]:
    """Texts in single backticks outside of blocks."""
    return _SPAN.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def project_copy(folder: Path) -> Path:
    """The project as in a clone, with the reader's model.tflite and models/."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "build")
    for name in _SHOWN:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    (folder / "models").mkdir()
    for place in ("model.tflite", "models/model.tflite"):
        shutil.copy(CHECKOUT / "tests" / "data" / "sample_origin.tflite", folder / place)
    return folder


def run(
    command: list[str], folder: Path, *, path: str = "", status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the block in this folder with this environment's programs; `path` is searched first.
    `command`: program and arguments; `status`: the expected exit status.
    """
    programs = [path, str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTHONPATH")}
    environment["PATH"] = os.pathsep.join(filter(None, programs))
    ran = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=TAKES_AT_MOST,
    )
    assert ran.returncode == status, f"{command[-1]}\nexit status {ran.returncode}\n{ran.stdout}"
    return ran
