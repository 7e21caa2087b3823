"""File paths and fingerprints of problems, as code-scanning services expect them."""

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
    """The path relative to the current directory, with `/`; an absolute path outside it stays."""
    posix = name.replace("\\", "/")
    if os.path.isabs(posix):  # noqa: PTH117 - a name may hold characters that no path can
        folder = os.getcwd()  # noqa: PTH109 - needed as text
        below = os.path.relpath(posix, folder).replace(os.sep, "/")
        return posix if below.startswith("../") else below
    return os.path.normpath(posix).replace(os.sep, "/") if posix else "model"


def uri(name: str) -> str:
    """The path as a URI reference (RFC 3986); a file URI for an absolute path."""
    quoted = quote(relative_path(name), safe="/~", errors="replace")
    return f"file://{quoted}" if quoted.startswith("/") else quoted


def fingerprints(problems: Iterable[ReportedProblem]) -> list[str]:
    """A fingerprint `<16 hex digits>:<ordinal>` for each problem of one file, the same in every
    run.

    It hashes the rule, the operator's name and operand, and the tensor's name; the ordinal
    distinguishes equal hashes. Renaming the file or inserting operators does not change it.
    """
    counts: Counter[str] = Counter()
    prints = []
    for problem in problems:
        digest = hashlib.sha256(json.dumps(_known_by(problem)).encode()).hexdigest()[:16]
        counts[digest] += 1
        prints.append(f"{digest}:{counts[digest]}")
    return prints


def _known_by(problem: ReportedProblem) -> list[str]:
    """The texts that identify a problem: rule, slot and tensor, as a baseline has them."""
    if problem.finding is None:
        return [problem.rule]
    accepted = entry_of(problem.finding)
    return [accepted.rule, accepted.slot, accepted.tensor]
