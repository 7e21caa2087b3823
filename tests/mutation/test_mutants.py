"""Every surviving mutant of the listed rooms has a reason."""

from __future__ import annotations

import importlib.util

import pytest

import mutation

pytestmark = [
    pytest.mark.mutation,
    pytest.mark.skipif(
        importlib.util.find_spec("mutmut") is None, reason="the extra `mutation` is not installed"
    ),
]

LOOKED_AT = ("numerics", "checks.binder", "format.writer")


@pytest.mark.parametrize("room", LOOKED_AT)
def test_only_explained_mutants_survive(room: str) -> None:
    mutation.run(room)
    unknown, stale = mutation.judged(room, whole=True)
    assert unknown == []
    assert stale == [], "no longer needed in survivors/"
