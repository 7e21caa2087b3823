"""The digest of everything but the model that determines a result: options, rules, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..disk import read_text_file
from ..record import replace, values
from ..report.values import tool_version
from ..resources import data_root
from ..settings.baseline import Accepted
from ..settings.options import AlignOptions

__all__ = ["accepted_digest", "asks_judges", "environment", "settings_digest"]

_TOOL, _RULES = "tflite_align", "rules"
# Packages whose versions change what a verification computes.
_JUDGED_BY = (
    "ai-edge-litert",
    "ethos-u-vela",
    "tensorflow",
    "tensorflow-cpu",
    "tflite-micro",
    "tosa-converter-for-tflite",
)


def environment(*, judged: bool) -> dict[str, str]:
    """Versions and the digest of the rules, by name; with `judged`, the versions of the judges'
    packages too.
    """
    versions = {_TOOL: tool_version(), _RULES: _rules(data_root())}
    return {**versions, **_versions()} if judged else versions


@cache
def _rules(root: Path) -> str:
    """SHA-256 of all rule files below a folder, in hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.toml")):
        digest.update(read_text_file(path).encode())
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str]:
    """The installed versions of the judges' packages, by name."""
    from importlib import metadata  # noqa: PLC0415 - only needed where judges run

    digests = {}
    for name in _JUDGED_BY:
        try:
            digests[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return digests


def settings_digest(verb: str, options: AlignOptions, *, keep_going: bool) -> str:
    """SHA-256 of options, rules and versions, in hexadecimal; not of findings that a baseline
    accepts, which have a digest of their own. `verb`: check or align.
    """
    options = replace(options, compare=False, view=False, accepted=())
    judged = options.verify if verb == "align" else asks_judges(options)
    text = repr((verb, values(options), keep_going, environment(judged=judged)))
    return hashlib.sha256(text.encode()).hexdigest()


def asks_judges(options: AlignOptions) -> bool:
    """Whether the options of `check` run any judge."""
    return options.run or bool(options.judges or options.require)


def accepted_digest(accepted: Sequence[Accepted]) -> str:
    """SHA-256 of the findings that a baseline accepts in one model, in hexadecimal; "" for none.
    `accepted`: the findings.
    """
    return hashlib.sha256(repr(tuple(accepted)).encode()).hexdigest() if accepted else ""
