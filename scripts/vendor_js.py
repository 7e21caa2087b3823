#!/usr/bin/env python3
"""Fetches the JavaScript libraries of the HTML report from the npm registry, pinned by hash.

scripts/vendor_js.py            write tflite_align/report/html/vendor/
scripts/vendor_js.py --check    write nothing; exit status 1 when a file differs from its package
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

from tflite_align.record import Record

VENDOR = Path(__file__).resolve().parents[1] / "tflite_align" / "report" / "html" / "vendor"
REGISTRY = "https://registry.npmjs.org"


class Package(Record, frozen=True, kw_only=True):
    """A published package. `files`: path in its archive -> name here.

    `inside`: the package whose file contains its code; only its licence is taken from its own
    archive.
    """

    name: str
    version: str
    sha256: str  # of the archive
    files: tuple[tuple[str, str], ...]
    licence: str  # SPDX
    inside: str = ""

    @property
    def url(self) -> str:
        """The address of the package's archive."""
        return f"{REGISTRY}/{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"


PACKAGES = (
    Package(
        name="cytoscape",
        version="3.34.4",
        sha256="0d02363d99d805ce8d91fdecab7b2a8cb91ee280d67f309ce44c161d117b4679",
        files=(
            ("package/dist/cytoscape.min.js", "cytoscape.min.js"),
            ("package/LICENSE", "cytoscape.LICENSE"),
        ),
        licence="MIT",
    ),
    Package(
        name="heap",
        version="0.2.7",
        sha256="091e62101e93e9a8089ca14c833c958fb1b8225f59086bb6e2b72110ec1de42a",
        files=(("package/LICENSE", "heap.LICENSE"),),
        licence="MIT",
        inside="cytoscape",
    ),
    Package(
        name="lodash",
        version="4.17.21",
        sha256="6a087ac9e5702a0c9d60fbcd48696012646ec8df1491dea472b150e79fcaf804",
        files=(("package/LICENSE", "lodash.LICENSE"),),
        licence="MIT",
        inside="cytoscape",
    ),
)


def fetched(package: Package) -> bytes:
    """The package's archive; SystemExit if its hash differs from the pinned one."""
    with urllib.request.urlopen(package.url, timeout=60) as answer:  # noqa: S310 - https, above
        archive = bytes(answer.read())
    found = hashlib.sha256(archive).hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{package.url}: sha256 is {found}, expected {package.sha256}")
    return archive


def unpacked(package: Package, archive: bytes) -> dict[Path, bytes]:
    """The files of an archive, by their path here."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for source, name in package.files:
            member = packed.extractfile(source)
            if member is None:
                raise SystemExit(f"{package.url}: holds no {source}")
            text = member.read().replace(b"\r\n", b"\n")
            lines = text.split(b"\n")
            # A browser's developer tools would request the source map, which is not shipped.
            kept = [line for line in lines if not line.startswith(b"//# sourceMappingURL")]
            files[VENDOR / name] = b"\n".join(kept).rstrip() + b"\n"
    return files


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Fetch the HTML report's libraries.")
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    stale = []
    for package in PACKAGES:
        for path, data in unpacked(package, fetched(package)).items():
            if path.exists() and path.read_bytes() == data:
                continue
            stale.append(path)
            if not given.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    for path in stale:
        print(f"{path}: {'differs' if given.check else 'written'}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
