"""A baseline: findings that are known and accepted, so that checks fail only for new ones.

In: the text of a baseline file, and reports. Out: which findings of a report are accepted, and
which entries of the baseline match no finding any more. An entry identifies a finding by file,
rule, operator name, slot and tensor name, not by the operator's index: it remains valid when the
model changes elsewhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..checks.checker import Finding
from ..errors import RuleError, UsageError
from ..record import Record, plain
from ..rules import fields as f

__all__ = ["BASELINE_FORMAT", "Accepted", "Baseline", "accepted_in", "entry_of"]

BASELINE_FORMAT = 1
_NUMBER = re.compile(r"/operator\[\d+\] ")


class Accepted(Record, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """A finding that is accepted, as often as it is listed. `slot`: the address without the
    operator's index, `subgraph[0]/CONCATENATION/inputs[1]`.
    """

    rule: str
    slot: str
    tensor: str


class Baseline(Record, frozen=True, kw_only=True):
    """Accepted findings by the model's file name, relative to the baseline's folder, with `/`."""

    models: dict[str, tuple[Accepted, ...]]

    @classmethod
    def parse(cls, text: str) -> Baseline:
        """Parse a baseline file's text. Raises UsageError with the place for anything but a
        baseline of this format.
        """
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"line {error.lineno}: not JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"no baseline: not JSON: {error}") from None
        if not isinstance(document, dict) or "format" not in document:
            raise UsageError("not a baseline: expected an object of `format` and `models`")
        if document["format"] != BASELINE_FORMAT:
            found_format = f"format {document['format']!r}; this version reads {BASELINE_FORMAT}"
            raise UsageError(f"{found_format}: write it again with --write-baseline")
        try:
            read = f.convert(document, _BaselineDocument, "")
        except RuleError as error:
            raise UsageError(str(error)) from None
        return cls(models=read.models)

    def text(self) -> str:
        """The file's text: sorted, one entry per line, so that reviews of changes show the accepted
        findings.
        """
        models = {
            name: [_record(finding) for finding in sorted(entries)]
            for name, entries in sorted(self.models.items())
            if entries
        }
        blocks = [
            f"  {json.dumps(name)}: [\n" + ",\n".join(f"   {line}" for line in lines) + "\n  ]"
            for name, lines in models.items()
        ]
        inner = "{\n" + ",\n".join(blocks) + "\n }" if blocks else "{}"
        return f'{{\n "format": {BASELINE_FORMAT},\n "models": {inner}\n}}\n'


class _BaselineDocument(Baseline, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of a baseline file."""

    format: int


def _record(accepted: Accepted) -> str:
    """The JSON value of one baseline entry."""
    return json.dumps(plain(accepted))


def entry_of(finding: Finding) -> Accepted:
    """The baseline entry that accepts this finding."""
    return Accepted(
        rule=finding.rule,
        slot=_NUMBER.sub("/", finding.address, count=1),
        tensor=finding.tensor_name,
    )


def accepted_in(
    findings: Iterable[Finding], entries: Sequence[Accepted]
) -> tuple[tuple[Finding, ...], tuple[Accepted, ...]]:
    """(findings that the entries accept, each entry once; entries that match no finding)."""
    left = Counter(entries)
    passed = []
    for finding in findings:
        entry = entry_of(finding)
        if left[entry] > 0:
            left[entry] -= 1
            passed.append(finding)
    return tuple(passed), tuple(sorted(left.elements()))
