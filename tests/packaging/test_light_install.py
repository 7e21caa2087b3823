"""The two lines of docs/gate.md that install only what a gate needs, run in a clean environment."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.distribution import CHECKOUT, run
from tests.support.registry import registry_missing

pytestmark = pytest.mark.packaging
LINES = re.compile(r"^python -m pip install (.*)\npython -m pip install (.*)$", re.MULTILINE)


def test_the_lines_of_the_page_install_a_gate(tmp_path: Path) -> None:
    why = registry_missing()
    if why:
        pytest.skip(why)
    clone = tmp_path / "clone"
    built = ("tflite_align", "schema", "scripts", "pyproject.toml", "README.md", "LICENSE")
    for name in (*built, "LICENSES.txt"):
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        clone.mkdir(exist_ok=True)
        copy(CHECKOUT / name, clone / name)
    found = LINES.search((CHECKOUT / "docs" / "gate.md").read_text(encoding="utf-8"))
    assert found is not None
    run(sys.executable, "-m", "venv", str(tmp_path / "env"))
    python = str(tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    for words in found.groups():
        run(python, "-m", "pip", "install", "--quiet", *words.split(), cwd=clone)
    listed = run(python, "-m", "pip", "list", "--format", "freeze").lower()
    assert "tflite-align==" in listed.replace("_", "-")
    assert "litert" not in listed
    assert "highs" not in listed
    sample = str(CHECKOUT / "tests" / "data" / "sample_dealigned.tflite")
    output = run(python, "-P", "-m", "tflite_align", "check", sample, cwd=tmp_path, status=1)
    assert "same/CONCATENATION" in output
