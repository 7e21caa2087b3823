"""The report as SARIF 2.1.0: findings as results, for code scanning and for editors.

A result's place is told three ways: the file, the byte of its FlatBuffers table, and the address
of the slot as the logical location. `ruleId` is the rule's own id and stays; a refusal by a judge
has the id `judge/NAME`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from ..checks.checker import Finding
from ..rules.operator_rows import load_operators
from ..rules.rows import Rule
from ..rules.rule_text import general_words, rule_words
from ..rules.targets import load_target
from ..verdicts import JudgeVerdict
from .report import Report, Unread
from .terminal_text import follow_up
from .values import tool_version

__all__ = ["render_sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_TABLE_BYTES = 4  # a table begins with the reference to its vtable


def render_sarif(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """One run over all files; a file that could not be read is a notification of the run."""
    results = [entry for report in reports for entry in _results(report)]
    rules = _rules(reports, {str(entry["ruleId"]) for entry in results})
    places = {entry["id"]: number for number, entry in enumerate(rules)}
    for entry in results:
        entry["ruleIndex"] = places[entry["ruleId"]]
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tflite_align",
                        "semanticVersion": tool_version(),
                        "rules": rules,
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not unread,
                        "toolExecutionNotifications": [_notification(one) for one in unread],
                    }
                ],
                "artifacts": _artifacts(reports, unread),
                "results": results,
                "columnKind": "utf16CodeUnits",
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _uri(name: str) -> str:
    """A reference as RFC 3986 has it: relative as it was given, an absolute path as a file URI."""
    told = quote(name.replace("\\", "/") or "model", safe="/~", errors="replace")
    return f"file://{told}" if told.startswith("/") else told


def _artifacts(reports: Sequence[Report], unread: Sequence[Unread]) -> list[dict[str, Any]]:
    """Every file once."""
    names = [*(report.name for report in reports), *(one.name for one in unread)]
    kind = "application/octet-stream"
    return [{"location": {"uri": uri}, "mimeType": kind} for uri in dict.fromkeys(map(_uri, names))]


def _notification(one: Unread) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": one.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.name)}}}],
    }


# --- rules -------------------------------------------------------------------------------------


def _rules(reports: Sequence[Report], used: set[str]) -> list[dict[str, Any]]:
    """Every rule that was looked at, with its words; those of results in any case."""
    rows = {rule.id: rule for row in load_operators().values() for rule in row.rules}
    targets = sorted({name for report in reports for name in report.targets})
    looked = used.union(*(report.rules for report in reports))
    return [_rule(rule_id, rows.get(rule_id), targets) for rule_id in sorted(looked)]


def _rule(rule_id: str, rule: Rule | None, targets: Sequence[str]) -> dict[str, Any]:
    told = rule_words(rule).replace("`", "") if rule is not None else general_words(rule_id)
    entry: dict[str, Any] = {"id": rule_id, "shortDescription": {"text": told or rule_id}}
    behaviours = _behaviours(rule, targets) if rule is not None else []
    if behaviours:
        entry["fullDescription"] = {"text": "; ".join([told, *behaviours])}
    if rule is not None and rule.sources:
        entry["help"] = {"text": "Sources: " + ", ".join(rule.sources)}
    return entry


def _behaviours(rule: Rule, targets: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in targets:
        target = load_target(name)
        for type_name in sorted(rule.types):
            level = target.requirement(rule.id, type_name)
            if level.severity != "off":
                found[f"{name}: {level.severity}: {level.behaviour}"] = None
    return list(found)


# --- results -----------------------------------------------------------------------------------


def _results(report: Report) -> Iterator[dict[str, Any]]:
    passed = set(map(id, report.accepted))
    for finding in report.remaining:
        yield _result(report, finding, accepted=id(finding) in passed)
    for verdict in report.verification.judges if report.verification is not None else ():
        if verdict.after.status not in ("accepted", "skipped"):
            yield _refusal(report, verdict)


def _result(report: Report, finding: Finding, *, accepted: bool) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(report.name)}}
    if finding.offset >= 0:
        physical["region"] = {"byteOffset": finding.offset, "byteLength": _TABLE_BYTES}
    logical = {"fullyQualifiedName": finding.address, "kind": "element"}
    if finding.tensor_name:
        logical["name"] = finding.tensor_name
    entry: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": f"{finding.message}. {finding.behaviour}{follow_up(finding)}"},
        "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
        "partialFingerprints": {"slot/v1": _fingerprint(report, finding)},
        "properties": {
            "expected": finding.expected,
            "actual": finding.actual,
            "fixable": finding.fixable,
            "fix": finding.fix,
            "targets": list(finding.targets),
        },
    }
    if accepted:
        why = "accepted by the baseline"
        entry["suppressions"] = [{"kind": "external", "justification": why}]
    return entry


def _fingerprint(report: Report, finding: Finding) -> str:
    """The same for the same fault at the same slot, whatever else changes in the file."""
    told = json.dumps([report.name, finding.rule, finding.address, finding.tensor_name])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _refusal(report: Report, verdict: JudgeVerdict) -> dict[str, Any]:
    said = verdict.after
    told = f"{verdict.judge}: {said.status}" + (f": {said.reason}" if said.reason else "")
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(report.name)}}
    }
    if said.operator is not None:
        name = f"subgraph[0]/operator[{said.operator}]"
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "element"}]
    return {
        "ruleId": f"judge/{verdict.judge}",
        "level": "error",
        "message": {"text": told},
        "locations": [location],
    }
