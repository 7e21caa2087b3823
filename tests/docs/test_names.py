"""Variables are named by nouns for their content; scripts/names.py counts the other names."""

from __future__ import annotations

from pathlib import Path

import names
from tests.test_house import PACKAGE

GOAL = 3.0  # maximum share of filler names among the variables of a room, percent


def test_variables_are_nouns(tmp_path: Path) -> None:
    shares = {
        path.stem: names.share(names.python_files([path]))
        for path in sorted(PACKAGE.iterdir())
        if path.is_dir() and path.name != "__pycache__"
    }
    assert {room: share for room, share in shares.items() if share > GOAL} == {}


def test_variables_of_the_package_are_nouns() -> None:
    assert names.share(names.python_files([PACKAGE])) <= GOAL


def test_each_variable_counts_once_in_each_scope(tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(
        "found = 1\nfound = 2\ndef f(given, name):\n    for one, place in name:\n        one += 1\n"
        "    return [kind for kind in given if (slot := kind)]\n"
    )
    fillers = sorted(name for name, _ in names.variables(file) if names.is_filler(name))
    assert fillers == ["found", "given", "kind", "one", "place"]
    assert len(list(names.variables(file))) == 7
