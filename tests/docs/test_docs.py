"""Every command in the documentation that is marked `sh run` runs, as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")))
]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("block", COMMANDS)
@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands are for a POSIX shell")
def test_commands_run(block: str, tmp_path: Path) -> None:
    """In a copy of what a checkout shows: the commands may write beside it."""
    for name in ("tests/data", "schema", "docs", "README.md", "scripts"):
        source, target = CHECKOUT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source, target_is_directory=source.is_dir())
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    inside = {"PYTHONPATH": str(CHECKOUT), "PATH": paths, "CI": ""}
    ran = subprocess.run(
        ["bash", "-eu", "-c", block],
        cwd=tmp_path,
        env={**os.environ, **inside},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{block}\n{ran.stdout[-1500:]}{ran.stderr[-1500:]}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    found = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in found if not (path.parent / link).exists()] == []
