#!/usr/bin/env python3
"""Pins the tools and libraries of .ci/run: writes .ci/constraints.txt from this environment.

    python3 -m venv fresh && fresh/bin/python -m pip install -e '.[dev]'
    fresh/bin/python scripts/constraints.py

Every distribution that the extra `dev` brings is pinned to the version installed here. Lines of
distributions that are not installed here stay: another system or Python may need them, and adds
its own by running this there. Constraints install nothing, so a line does no harm where it is not
needed.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = ROOT / ".ci" / "constraints.txt"
PROJECT = "tflite-align"
# What a virtual environment of Python 3.11 begins with; no later Python works with that version.
NOT_PINNED = {PROJECT, "setuptools"}
HEAD = "# Written by scripts/constraints.py: what .ci/run installs.\n"
# One library under two names: which of them is installed depends on the system.
SAME = {"tensorflow": "tensorflow-cpu", "tensorflow-cpu": "tensorflow"}


def parsed(text: str) -> dict[str, str]:
    """Version by name, of a file of constraints."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, re.MULTILINE))


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """Names of what is installed here because of a distribution and its extras."""
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    yield name
    for requirement in map(Requirement, requires):
        marker = requirement.marker
        wanted = [e for e in ("", *extras) if marker is None or marker.evaluate({"extra": e})]
        other = canonicalize_name(requirement.name)
        key = (other, ",".join(sorted(requirement.extras)))
        if wanted and key not in seen:
            seen.add(key)
            yield from needed(other, frozenset(requirement.extras), seen)


def pins(old: dict[str, str]) -> dict[str, str]:
    """Old pins, renewed by what is installed here."""
    names = set(needed(PROJECT, frozenset({"dev"}), set())) - NOT_PINNED
    new = {**old, **{name: metadata.version(name) for name in names}}
    new.update({SAME[name]: new[name] for name in names & set(SAME)})
    return dict(sorted(new.items()))


def main() -> int:
    old = parsed(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    new = pins(old)
    lines = [f"{name}=={version}\n" for name, version in new.items()]
    FILE.write_text(HEAD + "".join(lines), encoding="utf-8", newline="\n")
    changed = sorted(name for name in new if new[name] != old.get(name))
    print(f"{len(new)} pins, {len(changed)} new or changed: {', '.join(changed) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
