"""The examples of docs/python.md run as they stand, from the root of the checkout."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def test_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    flags = doctest.ELLIPSIS | doctest.REPORT_NDIFF
    ran = doctest.testfile(
        str(CHECKOUT / "docs/python.md"), module_relative=False, optionflags=flags
    )
    assert ran.attempted > 10
    assert ran.failed == 0
