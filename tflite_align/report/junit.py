"""The report as JUnit XML: one suite per file, one test case per rule and per judge."""

from __future__ import annotations

from collections.abc import Sequence

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ..checks.checker import Finding
from ..verdicts import JudgeVerdict
from .report import Report, Unread, report_list
from .terminal_text import follow_up, printable

__all__ = ["render_junit"]

_MOST = 50  # findings listed in one test case


def render_junit(reports: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """The XML text. The test case of a rule fails if findings of it remain, warnings included.

    Whether warnings fail the build is left to the exit status. Findings accepted by a baseline and
    judges that are not installed are skipped cases; an unreadable file is an error. `unread`: files
    that could not be read.
    """
    reports = report_list(reports)
    document = JUnitXml("tflite_align")
    for report in reports:
        document.add_testsuite(_suite(report))
    for unread_file in unread:
        suite, case = TestSuite(_name(unread_file.name)), TestCase("read", _name(unread_file.name))
        case.result = [Error(printable(unread_file.message), "unreadable")]
        suite.add_testcase(case)
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: str = document.tostring().decode("utf-8")  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _name(name: str) -> str:
    """The model's name, printable."""
    return printable(name or "model")


def _suite(report: Report) -> TestSuite:
    """The test suite of one file, with a test case for each rule and judge."""
    suite = TestSuite(_name(report.name))
    findings_by_rule: dict[str, list[Finding]] = {rule: [] for rule in report.rules}
    for finding in report.remaining:
        findings_by_rule.setdefault(finding.rule, []).append(finding)
    for rule in sorted(findings_by_rule):
        suite.add_testcase(_case(report, rule, findings_by_rule[rule]))
    for verdict in report.verification.judges if report.verification is not None else ():
        suite.add_testcase(_judge(report, verdict))
    return suite


def _case(report: Report, rule: str, findings: Sequence[Finding]) -> TestCase:
    """The test case of one rule. `findings`: those of the rule."""
    case = TestCase(rule, _name(report.name))
    passed = set(map(id, report.accepted))
    still = [finding for finding in findings if id(finding) not in passed]
    if still:
        worst = "error" if any(f.severity == "error" for f in still) else "warning"
        failure = Failure(printable(still[0].message), worst)
        lines = [f"{f.severity}: {f.message}: {f.behaviour}{follow_up(f)}" for f in still[:_MOST]]
        lines += [f"and {len(still) - _MOST} more"] if len(still) > _MOST else []
        failure.text = "\n".join(map(printable, lines))
        case.result = [failure]
    elif findings:
        case.result = [Skipped(f"{len(findings)} accepted by the baseline")]
    return case


def _judge(report: Report, verdict: JudgeVerdict) -> TestCase:
    """The test case of one judge."""
    case, acceptance = TestCase(f"judge/{verdict.judge}", _name(report.name)), verdict.after
    text = printable(
        f"{acceptance.status}: {acceptance.reason}" if acceptance.reason else acceptance.status
    )
    if acceptance.status == "skipped":
        case.result = [Skipped(text)]
    elif acceptance.status != "accepted":
        case.result = [Failure(text, acceptance.status)]
    return case
