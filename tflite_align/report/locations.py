"""Where a report's file and its problems stand, as forges want it told."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from ..settings.baseline import entry_of
from .problems import ReportedProblem

__all__ = ["fingerprints", "relative_path", "uri"]


def relative_path(name: str) -> str:
    """The file from the current directory, with `/`, however its path was spelled; an absolute path
    only for a file that does not lie below.
    """
    posix = name.replace("\\", "/")
    if os.path.isabs(posix):  # noqa: PTH117 - a name may hold what no path can
        folder = os.getcwd()  # noqa: PTH109 - as text
        below = os.path.relpath(posix, folder).replace(os.sep, "/")
        return posix if below.startswith("../") else below
    return os.path.normpath(posix).replace(os.sep, "/") if posix else "model"


def uri(name: str) -> str:
    """That path as a reference of RFC 3986; a file URI where it is absolute."""
    quoted = quote(relative_path(name), safe="/~", errors="replace")
    return f"file://{quoted}" if quoted.startswith("/") else quoted


def fingerprints(problems: Iterable[ReportedProblem]) -> list[str]:
    """For each problem of one file: `<16 hex digits>:<ordinal>`, the same in every run.

    Made of the rule, the operator's name and operand, the tensor's name, and a count among those
    that are equal in all that: neither the file's path nor an operator's number changes it.
    """
    counts: Counter[str] = Counter()
    prints = []
    for problem in problems:
        digest = hashlib.sha256(json.dumps(_known_by(problem)).encode()).hexdigest()[:16]
        counts[digest] += 1
        prints.append(f"{digest}:{counts[digest]}")
    return prints


def _known_by(problem: ReportedProblem) -> list[str]:
    if problem.finding is None:
        return [problem.rule]
    accepted = entry_of(problem.finding)
    return [accepted.rule, accepted.slot, accepted.tensor]
