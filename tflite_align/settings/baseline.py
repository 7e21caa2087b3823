"""A baseline: findings that a team knows and lets pass, so that the gate can be shut today.

In: the text of a baseline file, and reports. Out: what of a report is known, and what of the
baseline no longer occurs. An entry is known by file, rule, operator, slot and tensor name, not by
the operator's number: it survives changes elsewhere in the model.
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
    """A finding that is let pass, as often as it is listed. `slot` is the address without the
    operator's number: `subgraph[0]/CONCATENATION/inputs[1]`.
    """

    rule: str
    slot: str
    tensor: str


class Baseline(Record, frozen=True, kw_only=True):
    """Entries by the model's file name, relative to the baseline's folder, with `/` between."""

    models: dict[str, tuple[Accepted, ...]]

    @classmethod
    def parse(cls, text: str) -> Baseline:
        """Raises UsageError that names the place for anything but a baseline of this format."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"line {error.lineno}: no JSON: {error.msg}") from None
        if not isinstance(document, dict) or "format" not in document:
            raise UsageError("no baseline: expected an object of `format` and `models`")
        if document["format"] != BASELINE_FORMAT:
            found_format = f"format {document['format']!r}; this version reads {BASELINE_FORMAT}"
            raise UsageError(f"{found_format}: write it anew with --write-baseline")
        try:
            read = f.convert(document, _BaselineDocument, "")
        except RuleError as error:
            raise UsageError(str(error)) from None
        return cls(models=read.models)

    def text(self) -> str:
        """The file's text: sorted, one entry per line, so that reviews show the accepted findings."""
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
    format: int


def _record(accepted: Accepted) -> str:
    return json.dumps(plain(accepted))


def entry_of(finding: Finding) -> Accepted:
    """The entry that lets this finding pass."""
    return Accepted(
        rule=finding.rule,
        slot=_NUMBER.sub("/", finding.address, count=1),
        tensor=finding.tensor_name,
    )


def accepted_in(
    findings: Iterable[Finding], entries: Sequence[Accepted]
) -> tuple[tuple[Finding, ...], tuple[Accepted, ...]]:
    """The findings that the entries let pass, each entry once; and the entries left over."""
    left = Counter(entries)
    passed = []
    for finding in findings:
        entry = entry_of(finding)
        if left[entry] > 0:
            left[entry] -= 1
            passed.append(finding)
    return tuple(passed), tuple(sorted(left.elements()))
