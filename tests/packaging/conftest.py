"""The packages that would be published, built once for all tests of this folder."""

from __future__ import annotations

import email
from email.message import Message
from pathlib import Path

import pytest

from tests.support.distribution import CHECKOUT, build, contents


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the checkout, and the wheel built from that sdist."""
    for library in ("build", "hatchling", "hatch_fancy_pypi_readme"):
        pytest.importorskip(library, reason=f"{library} is not installed: the extra `test` has it")
    out = tmp_path_factory.mktemp("dist")
    build(CHECKOUT, out)
    return out


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    (text,) = (data for name, data in contents(wheel).items() if name.endswith("/METADATA"))
    return email.message_from_bytes(text)
