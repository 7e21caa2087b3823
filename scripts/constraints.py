#!/usr/bin/env python3
"""Pins the tools and libraries of .ci/run, with the hashes of their files: .ci/constraints.txt.

    python3 -m venv fresh && fresh/bin/python -m pip install uv
    fresh/bin/python scripts/constraints.py             what the project asks for now
    fresh/bin/python scripts/constraints.py --upgrade   and the newest of each

uv resolves the extra `dev` for every system and Python at once: a line that not all of them need has
a marker. The hashes are those of all files of a version, as the registry has them, so that pip
takes no other on any machine.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = ROOT / ".ci" / "constraints.txt"
HEAD = "# Written by scripts/constraints.py: what .ci/run installs.\n"
LOWEST = (
    "3.11.5"  # soupsieve, which the site needs, supports no older Python; .ci/run requires the same
)
_PIN = re.compile(r"^([a-z0-9-]+)==([^\s;\\]+)(?: ; (.+?))?(?= \\$|$)", re.MULTILINE)
_HASH = re.compile(r"^    --hash=(sha256:[0-9a-f]{64})(?: \\)?$", re.MULTILINE)


def parsed(text: str) -> dict[str, str]:
    """Versions by distribution name, from the text of a constraints file."""
    return {name: version for name, version, _ in _PIN.findall(text)}


def hashes(text: str) -> dict[str, list[str]]:
    """The hashes of each distribution's files, by name, from the text of a constraints file."""
    starts = [*_PIN.finditer(text)]
    ends = [*(one.start() for one in starts[1:]), len(text)]
    return {
        one[1]: _HASH.findall(text[one.end() : end])
        for one, end in zip(starts, ends, strict=True)
    }  # fmt: skip


def resolved(old: str, *, upgrade: bool) -> str:
    """The pins resolved again; pins in `old` are kept if they still fit, unless all are upgraded.
    `old`: the present file's text.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "constraints.txt")
        out.write_text(old, encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--extra", "dev",
                   "--universal", "--generate-hashes", "--python-version", LOWEST,
                   "--no-config", "--no-header", "--no-annotate",
                   "--quiet", "--output-file", str(out)]  # fmt: skip
        subprocess.run(
            [*command, *(["--upgrade"] if upgrade else [])], cwd=ROOT, env=settings, check=True
        )
        return HEAD + out.read_text(encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Write .ci/constraints.txt.")
    parser.add_argument("--upgrade", action="store_true", help="the newest version of each")
    given = parser.parse_args(arguments)
    old = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    text = resolved(old, upgrade=given.upgrade)
    FILE.write_text(text, encoding="utf-8", newline="\n")
    before, after = parsed(old), parsed(text)
    changed = sorted(name for name in after if after[name] != before.get(name))
    print(f"{len(after)} pins, {len(changed)} new or changed: {', '.join(changed) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
