#!/usr/bin/env python3
"""Mutates a room's source and runs the tests on each mutant; needs the extra `mutation`.

    scripts/mutation.py numerics                    every mutant of a room, or of one module of it
    scripts/mutation.py format.writer --tenths 2    two of each ten, the same ones each time

[tool.mutmut] in pyproject.toml lists the mutated files, the tests, and the type checker that runs
before them. Results are kept in the folder mutants/: mutmut runs only what a change may have
altered. Known survivors with reasons are in tests/mutation/survivors/. Exit status 0 if no other
mutant survives and all of these still do.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
KNOWN = ROOT / "tests" / "mutation" / "survivors"  # one file per room
MUTANTS = ROOT / "mutants"

# mutmut's status for mutants ended by a test, by pytest itself, by the clock, by the type checker
# or by a crash.
KILLED = {1, 3, 24, 36, 37, 152, 255, -9, -11, -24}
Mutant = tuple[str, str, str]  # function, original lines, mutated lines


def run(room: str, tenths: int = 10) -> None:
    """Run the mutants of a room (a subpackage or module of tflite_align): all, or those whose
    number ends in one of the first `tenths` digits.
    """
    wanted = f"tflite_align.{room}.*__mutmut_*"
    if tenths < 10:
        wanted += f"[{''.join(str(digit) for digit in range(tenths))}]"
    # mutmut looks for the type checker on the path.
    tools = os.pathsep.join([str(pathlib.Path(_mutmut()).parent), os.environ.get("PATH", "")])
    command = [_mutmut(), "run", wanted]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PATH": tools})


def _mutmut() -> str:
    """The path of the program mutmut in this environment."""
    return str(pathlib.Path(sys.executable).with_name("mutmut"))


def results(room: str) -> dict[str, int | None]:
    """The exit status of every mutant of a room, by name; None for those that were not run."""
    found: dict[str, int | None] = {}
    for path in sorted((MUTANTS / "tflite_align").rglob("*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        found.update(
            {k: v for k, v in codes.items() if fnmatch.fnmatch(k, f"tflite_align.{room}.*")}
        )
    return found


def described(name: str) -> Mutant:
    """The mutant as (function, old lines, new lines), since its number changes with other edits of
    the file.
    """
    shown = subprocess.run(
        [_mutmut(), "show", name], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    changed = [line for line in shown if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    before, after = (
        " ".join(line[1:].strip() for line in changed if line.startswith(sign)) for sign in "-+"
    )
    return name.removeprefix("tflite_align.").rsplit("__mutmut_", 1)[0], before, after


def known(room: str) -> dict[Mutant, str]:
    """Mutant -> reason, for the expected survivors of a room (a subpackage or module of
    tflite_align).
    """
    path = KNOWN / f"{room.partition('.')[0]}.toml"
    if not path.exists():
        return {}
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]
    found = {(row["in"], row["was"], row["became"]): row["why"] for row in rows}
    return {key: why for key, why in found.items() if key[0].startswith(f"{room}.")}


def judged(room: str, *, whole: bool) -> tuple[list[Mutant], list[Mutant]]:
    """(survivors without a reason; for a complete run, listed survivors that did not survive).
    `room`: a subpackage or module of tflite_align; `whole`: all mutants were run.
    """
    expected = known(room)
    ran = {name: code for name, code in results(room).items() if code is not None}
    survivors = {described(name) for name, code in ran.items() if code not in KILLED}
    left = [code for code in ran.values() if code not in KILLED]
    print(f"{room}: {len(ran)} mutants run, {len(ran) - len(left)} killed, {len(left)} survive")
    stale = sorted(set(expected) - survivors) if whole else []
    return sorted(survivors - set(expected)), stale


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "room", help="numerics, checks.binder, format.writer, checks.binder.cache, ..."
    )
    parser.add_argument(
        "--tenths", type=int, choices=range(1, 11), default=10, help="mutants out of ten to run"
    )
    given = parser.parse_args()
    run(given.room, given.tenths)
    unknown, stale = judged(given.room, whole=given.tenths == 10)
    for where, before, after in unknown:
        print(f"survives: {where}\n    - {before}\n    + {after}")
    for where, before, after in stale:
        print(f"expected to survive, and does not: {where}\n    - {before}\n    + {after}")
    return 1 if unknown or stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
