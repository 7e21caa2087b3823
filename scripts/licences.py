#!/usr/bin/env python3
"""Writes LICENSES.txt: the licences of everything that a release ships, in one file.

scripts/licences.py            write it
scripts/licences.py --check    write nothing; exit status 1 when it is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tflite_align.record import Record
from vendor_js import PACKAGES, VENDOR, Package

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "LICENSES.txt"
RULE = "=" * 80
HEAD = """\
Licences of everything that a release of tflite_align ships. Written by scripts/licences.py.

What is installed beside it (NumPy, LiteRT, ...) is not shipped and has licences of its own:
scripts/sbom.py lists it.
"""
MIT = "tflite_align/report/html/vendor/cytoscape.LICENSE"  # the text is that of the MIT licence


class Fragment(Record, frozen=True, kw_only=True):
    """Third-party code inside a vendored file, without a package of its own; all under the MIT
    licence. `inside`: the package whose file contains it.
    """

    name: str
    copyright: str
    inside: str


FRAGMENTS = (
    Fragment(
        name="Thenable 1.1.1",
        copyright="Copyright (c) 2013-2014 Ralf S. Engelschall (http://engelschall.com)",
        inside="cytoscape",
    ),
    Fragment(
        name="event object of jQuery",
        copyright="Copyright OpenJS Foundation and other contributors (https://openjsf.org)",
        inside="cytoscape",
    ),
    Fragment(
        name="Bezier curve function generator",
        copyright="Copyright Gaetan Renaudeau",
        inside="cytoscape",
    ),
    Fragment(
        name="Runge-Kutta spring physics function generator, adapted from Framer.js",
        copyright="Copyright Koen Bok",
        inside="cytoscape",
    ),
)
# Only in the source archive: (path, owner, SPDX).
IN_TESTS = (("tests/data/sarif-2.1.0-rtm.5.json", "SchemaStore's schema of SARIF", "Apache-2.0"),)


def scripts_of(package: Package) -> str:
    """The paths of the files in which a release has a vendored package's code."""
    holder = next(one for one in PACKAGES if one.name == (package.inside or package.name))
    names = [name for _, name in holder.files if name.endswith(".js")]
    return ", ".join(f"{VENDOR.relative_to(ROOT).as_posix()}/{name}" for name in names)


def _sections() -> Iterator[str]:
    """The text of each licence, with the files that it applies to."""
    own = (ROOT / "LICENSE").read_text(encoding="utf-8")
    yield f"tflite_align: Apache-2.0 (all files that are not named below)\n\n{own}"
    for package in PACKAGES:
        (text,) = (VENDOR / name for _, name in package.files if name.endswith(".LICENSE"))
        head = f"{package.name} {package.version}: {package.licence} ({scripts_of(package)})"
        yield f"{head}\n\n{text.read_text(encoding='utf-8')}"
    _, _, words = (ROOT / MIT).read_text(encoding="utf-8").partition("Permission is")
    for fragment in FRAGMENTS:
        (holder,) = (package for package in PACKAGES if package.name == fragment.inside)
        head = f"{fragment.name}: MIT ({scripts_of(holder)})"
        yield f"{head}\n\n{fragment.copyright}\n\nPermission is{words}"
    for path, whose, licence in IN_TESTS:
        yield f"{whose}: {licence}, whose text is the first above ({path}; source archive alone)\n"


def text() -> str:
    """The text of LICENSES.txt."""
    return "\n".join([HEAD, *(f"{RULE}\n{section.strip()}\n" for section in _sections())])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Write LICENSES.txt.")
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    made = text()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == made:
        return 0
    if not given.check:
        FILE.write_text(made, encoding="utf-8", newline="\n")
    print(f"{FILE.name}: {'differs' if given.check else 'written'}")
    return int(given.check)


if __name__ == "__main__":
    sys.exit(main())
