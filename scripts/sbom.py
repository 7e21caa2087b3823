#!/usr/bin/env python3
"""The bill of materials of a release, as CycloneDX 1.6 JSON: its components, and the distributions
that it needs.

    scripts/sbom.py [--out FILE]

Shipped: the project and the scripts of its HTML report. Needed, at the versions of
.ci/constraints.txt: the distributions that are installed with it, and, as optional, those that the
extras of its judges add. Licences are those that the distributions state, so that they have to be
installed here. The same project and pins give the same bytes: no date, and a serial number that
follows from them.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import constraints
from licences import FRAGMENTS, scripts_of
from tflite_align import __version__
from vendor_js import PACKAGES, Package

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "tflite-align"
EXTRAS = ("tflm", "ethos-u", "mlir")  # further packages of judges
OWN = {"licenses": [{"expression": "Apache-2.0 AND MIT"}]}
# Classifier -> SPDX, for distributions without a better statement.
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def bill() -> dict[str, Any]:
    """The document."""
    pins = constraints.parsed(constraints.FILE.read_text(encoding="utf-8"))
    needed = _needed(PROJECT, ())
    more = _needed(PROJECT, EXTRAS)
    names = sorted({*needed, *more} - {PROJECT})
    vendored = [_vendored(package) for package in PACKAGES if not package.inside]
    components = [
        *vendored,
        *(_distribution(n, pins, "required" if n in needed else "optional") for n in names),
    ]
    refs = {name: _reference(name, pins) for name in names} | {PROJECT: _own()}
    graph = {name: {*needed.get(name, ()), *more.get(name, ())} for name in (PROJECT, *names)}
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": _own(),
                "name": PROJECT,
                "version": __version__,
                "purl": _own(),
                **OWN,
            }
        },
        "components": components,
        "dependencies": [
            {
                "ref": refs[name],
                "dependsOn": sorted(
                    [refs[other] for other in others]
                    + [one["bom-ref"] for one in vendored if name == PROJECT]
                ),
            }
            for name, others in graph.items()
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True))
    return {**made, "serialNumber": serial.urn}


def _own() -> str:
    """The project's package URL."""
    return f"pkg:pypi/{PROJECT}@{__version__}"


def _reference(name: str, pins: dict[str, str]) -> str:
    """The package URL of a distribution. `pins`: version by distribution."""
    return f"pkg:pypi/{name}@{pins[name]}"


# --- Python -------------------------------------------------------------------------------------


def _needed(name: str, extras: tuple[str, ...]) -> dict[str, set[str]]:
    """Distribution -> the names of its own requirements, for `name` with these extras and
    everything that it needs, directly or not.
    """
    found: dict[str, set[str]] = {}
    waiting = [(name, frozenset(extras))]
    done = set()
    while waiting:
        one = waiting.pop()
        if one in done:
            continue
        done.add(one)
        asked = found.setdefault(one[0], set())
        for other, more in _asked(*one):
            asked.add(other)
            waiting.append((other, more))
    return found


def _asked(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """(name, extras) of each requirement of a distribution on this system; SystemExit if it is not
    installed.
    """
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{name} is not installed: pip install -e '.[dev]'") from None
    for requirement in map(Requirement, requires):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def _distribution(name: str, pins: dict[str, str], scope: str) -> dict[str, Any]:
    """The component of a distribution. `scope`: required or optional. `pins`: version by
    distribution.
    """
    return {
        "type": "library",
        "bom-ref": _reference(name, pins),
        "name": name,
        "version": pins[name],
        "scope": scope,
        "purl": _reference(name, pins),
        "licenses": [_licence(name)],
    }


def _licence(name: str) -> dict[str, Any]:
    """The licence that a distribution states."""
    said = metadata.metadata(name)
    if "License-Expression" in said:
        return {"expression": said["License-Expression"]}
    found = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or ()
             if line.startswith("License ::")]  # fmt: skip
    known = [_CLASSIFIED[one] for one in found if one in _CLASSIFIED]
    if known:
        return {"license": {"id": known[0]}}
    license_name = said["License"].partition("\n")[0].strip() if "License" in said else ""
    return {"license": {"name": license_name or "not stated"}}


# --- the scripts of the HTML report -------------------------------------------------------------


def _vendored(package: Package) -> dict[str, Any]:
    """The component of a vendored package and of the third-party code inside its file."""
    inner = [_vendored(other) for other in PACKAGES if other.inside == package.name]
    inner += [
        {
            "type": "library",
            "bom-ref": f"{package.name}/{fragment.name}",
            "name": fragment.name,
            "copyright": fragment.copyright,
            "licenses": [{"license": {"id": "MIT"}}],
        }
        for fragment in FRAGMENTS
        if fragment.inside == package.name
    ]
    purl = f"pkg:npm/{package.name.replace('@', '%40')}@{package.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "scope": "required",
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
        "licenses": [{"license": {"id": package.licence}}],
        "evidence": {"occurrences": [{"location": scripts_of(package)}]},
        **({"components": inner} if inner else {}),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Write a bill of materials.")
    parser.add_argument("--out", metavar="FILE", help="the file to write; default stdout")
    given = parser.parse_args(arguments)
    text = json.dumps(bill(), indent=2) + "\n"
    if given.out:
        Path(given.out).write_text(text, encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
