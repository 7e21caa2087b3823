"""Judge: Coral's Edge TPU compiler, if it is on the PATH.

It prints a summary, and with `-s` a table of operators: name, count, status. The format is that of
published logs of versions 2.0 to 16.0.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter

from ..errors import AlignError
from ..format.reader import read
from ..verdicts import Acceptance
from .process import acceptance, run_tool, useful_line, workspace

__all__ = ["available", "judge", "parse_log"]

TOOL = "edgetpu_compiler"
MAPPED = "Mapped to Edge TPU"
_OUT = "compiled"

# Line of the compiler's summary -> name of the figure.
_SUMMARY = {
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "operators",
    "Number of operations that will run on Edge TPU": "operators on Edge TPU",
    "Number of operations that will run on CPU": "operators on CPU",
    "On-chip memory used for caching model parameters": "on-chip memory",
    "On-chip memory remaining for caching model parameters": "on-chip memory left",
    "Off-chip memory used for streaming uncached model parameters": "off-chip memory",
}
_VERSION = re.compile(r"^Edge TPU Compiler version (\S+)", re.MULTILINE)
_ROW = re.compile(r"^([A-Z][A-Z0-9_]*)\s+(\d+)\s{2,}(\S.*?)\s*$", re.MULTILINE)
_FAILED = re.compile(
    r"^(Invalid model.*|Internal compiler error.*|Compilation failed.*|ERROR: .*|Model .*not .*)$",
    re.MULTILINE,
)


def available() -> str | None:
    """None when the compiler is on the PATH, else why the judge is skipped."""
    return None if shutil.which(TOOL) else f"{TOOL} is not on the PATH"


def judge(data: bytes | memoryview, _: str, seconds: float) -> Acceptance:
    """Compile the file; accepted means exit status 0 and a compiled file. `seconds`: time limit.

    Operators left on the CPU are reported as figures: the compiler accepts models of which it maps
    little.
    """
    tool = shutil.which(TOOL)
    if tool is None:
        return Acceptance(status="skipped", reason=f"{TOOL} is not on the PATH")
    with workspace() as folder:
        (folder / "model.tflite").write_bytes(data)
        command = [tool, "-s", "-o", _OUT, "model.tflite"]
        (folder / _OUT).mkdir()
        ended = run_tool(command, folder, seconds=seconds)
        log = folder / _OUT / "model_edgetpu.log"
        table = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        written = (folder / _OUT / "model_edgetpu.tflite").is_file()
    if ended.code is None or ended.code < 0:
        return acceptance(ended)
    if ended.code == 0 and written:
        facts = parse_log(ended.errors, table)
        return Acceptance(status="accepted", operator=_first(data, facts), facts=facts)
    failed = [line.strip() for line in _FAILED.findall(ended.errors)]
    reason = " ".join(dict.fromkeys(failed)) or useful_line(ended.errors) or "no output file"
    return Acceptance(status="refused", reason=reason)


def parse_log(printed: str, log: str = "") -> tuple[tuple[str, str], ...]:
    """(name, figure) from the compiler's output, and from its operator log (`log`) if the output
    has no table: the summary, then for each `OPERATOR: status` its count, sorted. `printed`: the
    output's text.
    """
    facts = [("version", version) for version in _VERSION.findall(printed)[:1]]
    for words, name in _SUMMARY.items():
        match = re.search(rf"^{re.escape(words)}: (.*?)\s*$", printed, re.MULTILINE)
        if match is not None:
            facts.append((name, match[1]))
    rows = _ROW.findall(printed) or _ROW.findall(log)
    counts: Counter[tuple[str, str]] = Counter()
    for operator, count, status in rows:
        counts[operator, status] += int(count)
    names = {name for name, _ in facts}
    if rows and "operators on Edge TPU" not in names:
        mapped = sum(count for (_, status), count in counts.items() if status == MAPPED)
        facts.append(("operators on Edge TPU", str(mapped)))
        facts.append(("operators on CPU", str(counts.total() - mapped)))
    facts += [(f"{name}: {status}", str(count)) for (name, status), count in sorted(counts.items())]
    return tuple(facts)


def _first(data: bytes | memoryview, facts: tuple[tuple[str, str], ...]) -> int | None:
    """Index of the first operator of a type of which the compiler mapped none, for reasons other
    than a second subgraph (status 'More than one ...'). None if there is no such type or the file
    cannot be read. `facts`: what parse_log returns.
    """
    statuses: dict[str, set[str]] = {}
    for key, _ in facts:
        name, reason, status = key.partition(": ")
        if reason:
            statuses.setdefault(name, set()).add(status)
    refused = {name for name, words in statuses.items() if _refused(words)}
    try:
        operators = read(data).subgraphs[0].operators
    except AlignError:
        return None
    return next((operator.index for operator in operators if operator.name in refused), None)


def _refused(words: set[str]) -> bool:
    """Whether the statuses of an operator type say that the compiler refuses it: none is mapped,
    and the reason is not a second subgraph. `words`: the statuses.
    """
    return MAPPED not in words and not any(word.startswith("More than one") for word in words)
