"""Building an sdist and a wheel, and reading their contents."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TAKES_AT_MOST = 600  # seconds


def run(*command: str, cwd: Path = CHECKOUT, status: int = 0) -> str:
    hidden = ("CI", "PYTHONPATH", "VIRTUAL_ENV")
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=TAKES_AT_MOST,
    )
    assert ran.returncode == status, f"{command}\n{ran.stdout}"
    return ran.stdout


def build(source: Path, out: Path, *what: str) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", str(out), str(source))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
