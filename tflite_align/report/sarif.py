"""The report as SARIF 2.1.0, for code scanning and editors.

A result's location is the file, the byte offset of a FlatBuffers table, and, as logical location,
the address of the slot. `ruleId` is the stable id of the rule; a refusal by a judge has
`judge/NAME`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..rules.rule_story import RuleStory, known_story
from ..rules.targets import Target, load_target
from .locations import fingerprints, uri
from .problems import ReportedProblem, problems
from .report import Report, Unread, report_list
from .rule_lines import rule_lines, rule_markdown
from .values import tool_version

__all__ = ["render_sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_TABLE_BYTES = 4  # bytes of the reference to the vtable, which begins each table
# A binary has no lines, but services show no result without one.
_FIRST_LINE = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2}
_NO_TARGET = "none"  # targets of a run in which no file could be read
_MOST = 1000  # most characters of a description; GitHub accepts 1,024


def render_sarif(reports: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """The SARIF text with one run; unreadable files are notifications of the run. `unread`: files
    that could not be read.
    """
    reports = report_list(reports)
    results = [item for report in reports for item in _results(report)]
    rules = _rules(reports, {str(result["ruleId"]) for result in results})
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = places[result["ruleId"]]
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tflite_align",
                        "version": tool_version(),
                        "semanticVersion": tool_version(),
                        "rules": rules,
                    }
                },
                # Different targets are different analyses, whose results do not replace each other.
                "automationDetails": {"id": f"tflite_align/{'+'.join(_targets(reports))}/"},
                "invocations": [
                    {
                        "executionSuccessful": not unread,
                        "toolExecutionNotifications": [
                            _notification(unread_file) for unread_file in unread
                        ],
                    }
                ],
                "artifacts": _artifacts(reports, unread),
                "results": results,
                "columnKind": "utf16CodeUnits",
                **_certificates(reports),
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _targets(reports: Sequence[Report]) -> list[str]:
    """The names of all reports' targets, each once."""
    return list(dict.fromkeys(name for report in reports for name in report.targets)) or [
        _NO_TARGET
    ]


def _artifacts(reports: Sequence[Report], unread: Sequence[Unread]) -> list[dict[str, Any]]:
    """One artifact per file. `reports`: one per file. `unread`: files that could not be read."""
    names = [*(report.name for report in reports), *(unread_file.name for unread_file in unread)]
    mime_type = "application/octet-stream"
    places = dict.fromkeys(map(uri, names))
    return [{"location": {"uri": address}, "mimeType": mime_type} for address in places]


def _notification(unread_file: Unread) -> dict[str, Any]:
    """The notification of an unreadable file."""
    location = {"artifactLocation": {"uri": uri(unread_file.name)}, "region": dict(_FIRST_LINE)}
    return {
        "level": "error",
        "message": {"text": unread_file.message},
        "locations": [{"physicalLocation": location}],
    }


# --- rules -------------------------------------------------------------------------------------


def _certificates(reports: Sequence[Report]) -> dict[str, Any]:
    """The certificate summary of each file; empty where none was requested. `reports`: one per
    file.
    """
    shown = {
        report.name: {
            "word": "certified" if report.certified else report.certificate.word,
            "certified": report.certificate.certified,
            "operators": report.certificate.operators,
            "why": report.certificate.why,
        }
        for report in reports
        if report.certificate is not None
    }
    return {"properties": {"certificates": shown}} if shown else {}


def _rules(reports: Sequence[Report], used: set[str]) -> list[dict[str, Any]]:
    """Every rule that was checked, and the rules of all results. `reports`: one per file. `used`:
    ids of the results' rules.
    """
    targets = [load_target(name) for name in _targets(reports) if name != _NO_TARGET]
    looked = used.union(*(report.rules for report in reports))
    return [_rule(rule_id, targets) for rule_id in sorted(looked)]


def _rule(rule_id: str, targets: Sequence[Target]) -> dict[str, Any]:
    """One rule: id, description, severity on each target, sources."""
    story = known_story(rule_id, targets)
    graded = list(
        dict.fromkeys(
            f"{grade.target}: {grade.severity}: {grade.behaviour}" for grade in story.grades
        )
    )
    return {
        "id": rule_id,
        "name": story.name,
        "shortDescription": {"text": story.words[:_MOST]},
        "fullDescription": {"text": "; ".join([story.words, *graded])[:_MOST]},
        "defaultConfiguration": {"level": _level(story)},
        "helpUri": story.page,
        "help": {
            "text": "\n".join(rule_lines(story)),
            "markdown": rule_markdown(story),
        },
        "properties": {"tags": ["quantization", rule_id.split("/", maxsplit=1)[0]]},
    }


def _level(story: RuleStory) -> str:
    """The highest severity on any target; error for a rule without a severity."""
    severities = {grade.severity for grade in story.grades}
    if not severities or "error" in severities:
        return "error"
    return "warning" if "warning" in severities else "none"


# --- results -----------------------------------------------------------------------------------


def _results(report: Report) -> Iterator[dict[str, Any]]:
    """The results of one report."""
    reported = list(problems(report))
    for problem, known_by in zip(reported, fingerprints(reported), strict=True):
        yield _result(report, problem, known_by)


def _result(report: Report, problem: ReportedProblem, known_by: str) -> dict[str, Any]:
    """The result of one problem. `known_by`: its fingerprint."""
    finding = problem.finding
    region = dict(_FIRST_LINE)
    if finding is not None and finding.offset >= 0:
        region |= {"byteOffset": finding.offset, "byteLength": _TABLE_BYTES}
    physical = {"artifactLocation": {"uri": uri(report.name)}, "region": region}
    location: dict[str, Any] = {"physicalLocation": physical}
    if problem.place:
        logical = {"fullyQualifiedName": problem.place, "kind": "element"}
        if finding is not None and finding.tensor_name:
            logical["name"] = finding.tensor_name
        location["logicalLocations"] = [logical]
    text = f"{problem.place}: {problem.text}" if problem.place else problem.text
    document: dict[str, Any] = {
        "ruleId": problem.rule,
        "level": problem.severity,
        "message": {"text": text},
        "locations": [location],
        # GitHub reads the first of these.
        "partialFingerprints": {"primaryLocationLineHash": known_by, "slot/v2": known_by},
    }
    if finding is not None:
        document["properties"] = {
            "expected": finding.expected,
            "actual": finding.actual,
            "fixable": finding.fixable,
            "fix": finding.fix,
            "targets": list(finding.targets),
        }
    if problem.accepted:
        why = "accepted by the baseline"
        document["suppressions"] = [{"kind": "external", "justification": why}]
    return document
