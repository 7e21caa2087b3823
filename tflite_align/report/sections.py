"""The sections of a report, which the text and terminal formats render.

Names from the model are already escaped for a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..checks.checker import Finding
from ..record import Record, replace
from ..repair.planner.changes import Change
from .before_after import glance
from .partition_section import mapping_section
from .portability_section import portability_section
from .report import Report
from .section import Row, Section
from .terminal_text import counts, plural, printable, shorten
from .verification_section import how_shown, verification_sections, verification_word

__all__ = ["check_result", "closing", "done", "sections"]


class _RowLimit(Record, frozen=True, kw_only=True):
    """The limits of tables: at most `rows` rows and shortened names; None for no limits."""

    rows: int | None

    def table(self, title: str, head: Row, rows: Iterable[Row], lines: Row = ()) -> Section:
        """A section with at most the limit's number of rows. `title`: the heading."""
        every = list(rows)
        shown = every if self.rows is None else every[: self.rows]
        table = self.whole(title, head, shown, lines)
        return replace(table, hidden=len(every) - len(shown))

    def whole(self, title: str, head: Row, rows: Iterable[Row], lines: Row = ()) -> Section:
        """A section with all these rows; names are shortened if there is a limit. `title`: the
        heading.
        """
        return Section(
            title=title,
            head=head,
            rows=tuple(tuple(self.cell(cell) for cell in row) for row in rows),
            lines=tuple(self.cell(line) for line in lines),
        )

    def cell(self, text: str) -> str:
        """Printable text of a cell, shortened if there is a limit."""
        text = printable(text)
        return text if self.rows is None else shorten(text)


def sections(report: Report, *, rows: int | None = None) -> tuple[Section, ...]:
    """All sections in reading order; `rows` limits each table and shortens names."""
    view = _RowLimit(rows=rows)
    found = [_head(report)]
    if report.command == "check":
        found.append(_findings(report, view, "Findings", report.findings))
    else:
        if rows is None:
            found.append(_findings(report, view, "Findings before", report.findings))
        found += _changes(report, view)
        found.append(_conflicts(report, view))
        found.append(_components(report, view))
        found.append(_strategies(report, view))
        found.append(_readings(report, view))
        found.append(_findings(report, view, "Findings left", report.remaining))
    found.append(_operators(report, view))
    for mapping in report.mappings:
        section = mapping_section(mapping)
        found.append(view.table(section.title, section.head, section.rows, section.lines))
    if report.portability is not None:
        section = portability_section(report.portability)
        found.append(view.table(section.title, section.head, section.rows, section.lines))
    for section in verification_sections(report, full=rows is None):
        found.append(view.table(section.title, section.head, section.rows, section.lines))
    found.append(Section(title="", lines=tuple(view.cell(line) for line in _remarks(report))))
    found.append(glance(report))
    return tuple(section for section in found if section.rows or section.lines)


# --- findings -----------------------------------------------------------------------------------


def _head(report: Report) -> Section:
    """The first section: the file's name and size, the targets."""
    size = report.size
    held = [plural(size.bytes, "byte"), plural(size.operators, "operator")]
    held += [plural(size.tensors, "tensor")]
    if size.subgraphs > 1:
        held.append(plural(size.subgraphs, "subgraph"))
    name = report.name or "model"
    targets = f"target{'s' if len(report.targets) > 1 else ''} {', '.join(report.targets)}"
    rules = Counter(finding.rule for finding in report.findings)
    rule_counts = ", ".join(f"{rule} ({count})" for rule, count in sorted(rules.items()))
    found = counts(report.findings) + (f": {rule_counts}" if rule_counts else "")
    lines = (f"{name}: {', '.join(held)}; {targets}", f"found: {found}")
    # A file's name is never shortened, so that it can be copied.
    return Section(title="", lines=tuple(printable(line) for line in lines))


def _hint(finding: Finding, off: Sequence[str]) -> str:
    """The hint behind a finding: that no repair exists, or the option that switches it on. `off`:
    ids of repairs that are off.
    """
    if not finding.fix:
        return " [no repair]"
    return f" [--fix {finding.fix}]" if finding.fix in off else ""


def _findings(report: Report, view: _RowLimit, title: str, findings: Sequence[Finding]) -> Section:
    """The table of findings, errors first. `title`: the heading."""
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")
    shown = ordered if view.rows is None else ordered[: view.rows]
    several = len(report.targets) > 1
    rows = [row for one in shown for row in _finding_rows(one, report.fixes_off, several=several)]
    head = ("severity", "finding", "what happens", *(["for"] if several else []))
    return replace(view.whole(title, head, rows), hidden=len(ordered) - len(shown))


def _finding_rows(finding: Finding, off: Sequence[str], *, several: bool) -> Iterator[Row]:
    """Rows of one finding: the message with its consequence, one row per group of targets; then the
    notes. `off`: ids of repairs that are off.

    With `several` targets there is a column of their names.
    """
    message = f"{finding.message}{_hint(finding, off)}"
    happens = _by_target(finding)
    for number, (behaviour, whom) in enumerate(happens):
        first = (finding.severity, message) if not number else ("", "")
        yield (*first, behaviour, whom) if several else (*first, behaviour)
    for note in finding.notes:
        yield ("note", note, *([""] * (2 if several else 1)))


def _by_target(finding: Finding) -> list[tuple[str, str]]:
    """(consequence, names of targets such as `tflm, xnnpack`), highest severity first.

    A name is followed by its severity if severities differ.
    """
    alike = len({grade.severity for grade in finding.grades}) < 2
    found: dict[str, list[str]] = {finding.behaviour: []}
    for grade in sorted(finding.grades, key=lambda grade: grade.severity != "error"):
        target = grade.target if alike else f"{grade.target} ({grade.severity})"
        found.setdefault(grade.behaviour, []).append(target)
    if not finding.grades:
        return [(finding.behaviour, ", ".join(finding.targets))]
    return [(behaviour, ", ".join(names)) for behaviour, names in found.items() if names]


# --- changes ------------------------------------------------------------------------------------

# Kinds of changes, title, and title of the column of slots ("" for no such column).
_TABLES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("converted",), "Converted", "at"),
    (("retyped",), "Operands converted to another type", "for"),
    (("moved", "snapped", "parameters", "version", "activation"), "Aligned", ""),
    (("shape",), "Shapes rewritten", "at"),
    (("folded",), "Computed sizes folded to constants", "for"),
    (("cut",), "Cut: a QUANTIZE inserted", "for"),
    (("removed",), "QUANTIZE removed", "wired directly"),
    (("composed",), "QUANTIZE bypassed", "wired directly"),
    (("bias",), "Biases re-expressed", "of"),
    (("constant",), "Constants re-expressed", "for"),
)


def _changes(report: Report, view: _RowLimit) -> list[Section]:
    """A table for each kind of change."""
    found = []
    for kinds, title, place in _TABLES:
        changes = [change for change in report.changes if change.kind in kinds]
        head = ("tensor", "before", "after", *([place] if place else []), "why")
        rows = [_change_row(report, view, change, slots=bool(place)) for change in changes]
        found.append(view.table(f"{title} ({len(changes)})", head, rows))
    return found


def _change_row(report: Report, view: _RowLimit, change: Change, *, slots: bool) -> Row:
    """The row of one change. `slots`: with the column of reading slots."""
    graph = f"subgraph[{change.subgraph}]/" if report.size.subgraphs > 1 else ""
    shown = change.readers if view.rows is None else change.readers[:3]
    more = len(change.readers) - len(shown)
    readers = ", ".join(shown) + (f" and {more} more" if more else "")
    why = f"{change.why} (float noise)" if change.kind == "snapped" else change.why
    cells = (f"{graph}{change.tensor} {change.name}", change.before, change.after)
    return (*cells, readers, why) if slots else (*cells, why)


def _components(report: Report, view: _RowLimit) -> Section:
    """The table of cost and lower bound by component; without --verbose only components not shown
    to be optimal.
    """
    rows = [
        (
            str(entry.index),
            f"{len(entry.tensors):,} {entry.type}",
            f"{entry.cost:.4g}",
            "the least" if entry.optimal else f"none below {entry.bound:.4g}",
            str(entry.cuts),
            str(entry.candidates),
            ", ".join(entry.rules),
        )
        for entry in report.components
        if view.rows is None or not entry.optimal
    ]
    head = ("component", "tensors", "cost", "optimal", "QUANTIZE", "candidates", "rules")
    return view.table("Components", head, rows)


_COST = (
    "cost: the unitless sum that an alignment minimizes: each bit of precision that a tensor's readers"
    " lose (weighed by --prefer), each QUANTIZE inserted, and much more for values that are clipped"
)


def _strategies(report: Report, view: _RowLimit) -> Section:
    """The cost of PPQ's alignment strategies on the same model."""
    rows = [
        (
            entry.name,
            str(entry.cuts),
            f"{entry.elements_moved:,}",
            f"{entry.bits_lost:.2f}",
            f"{entry.cost:.2f}" if entry.holds else "leaves a rule broken",
        )
        for entry in report.strategies
    ]
    head = ("strategy", "QUANTIZE", "elements moved", "bits lost", "cost")
    return view.table("PPQ's strategies on this model", head, rows, (_COST,) if rows else ())


def _operators(report: Report, view: _RowLimit) -> Section:
    """The table of the file's operators with their counts; only with --verbose."""
    rows = [
        (one.name, f"{one.count:,}", "custom" if one.custom else "") for one in report.operators
    ]
    return view.whole("Operators", ("operator", "count", ""), rows if view.rows is None else ())


def _readings(report: Report, view: _RowLimit) -> Section:
    """The table of SQNR of the two readings of biases, and between them."""
    rows = [
        (
            f"{entry.index} {entry.name}",
            *(
                "-" if value is None else f"{value:.1f} dB"
                for value in (entry.apart_db, entry.declared_db, entry.as_run_db)
            ),
        )
        for entry in report.bias_readings
    ]
    head = ("output", "as run against declared", "level if declared", "level if as run")
    return view.table("Biases read by their declared scales and as kernels read them", head, rows)


def _conflicts(report: Report, view: _RowLimit) -> Section:
    """The table of requirements that could not be satisfied."""
    addresses = report.conflict_addresses or ("",) * len(report.conflicts)
    rows = [
        (address, conflict.message, ", ".join(conflict.rules))
        for address, conflict in zip(addresses, report.conflicts, strict=True)
    ]
    return view.table("Could not be aligned", ("slot", "why", "rules"), rows)


# Words of verifications that show what a repair claims.
_SHOWN = ("verified", "accepted")


def _remarks(report: Report) -> list[str]:
    """Lines on accepted findings, repairs, warnings and reasons."""
    lines = []
    if report.accepted:
        lines.append(f"{plural(len(report.accepted), 'finding')} accepted by the baseline")
    wrong = sorted({f.rule for f in report.findings if f.fixable and "wrong" in f.behaviour})
    shown = report.verification is None or report.verification.word in _SHOWN
    aligned = report.outcome == "aligned" and not report.reasons
    if aligned and wrong and shown and _some_took(report):
        lines.append(
            f"note: a runtime that takes the original computes wrong values there"
            f" ({', '.join(wrong)}): the aligned model gives different, right integers"
        )
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"warning: {warning}" for warning in report.warnings]
    lines += [f"exit status 1: {_briefly(report, reason)}" for reason in report.reasons]
    if report.reasons and report.changes:
        repaired = ", ".join(done(report))
        lines.append(f"note: --keep-going writes the repairs that are possible: {repaired}")
    return lines


def _some_took(report: Report) -> bool:
    """Whether a runtime accepts the original, or none was run on it."""
    judges = report.verification.judges if report.verification is not None else ()
    asked = [one.before.status for one in judges if one.before.status != "skipped"]
    return not asked or "accepted" in asked


def _briefly(report: Report, reason: str) -> str:
    """A reason without the text that the verification line already shows."""
    why = report.verification.why if report.verification is not None else ""
    shortened = reason.removesuffix(why).rstrip(": ") if why else reason
    return shortened or reason.partition(": ")[0]


# --- closing line -------------------------------------------------------------------------------

_DONE = (
    (("converted",), "tensor", "converted"),
    (("retyped",), "operand", "converted to another type"),
    (("moved", "snapped"), "tensor", "moved"),
    (("shape",), "shape", "rewritten"),
    (("folded",), "computed size", "folded"),
    (("activation",), "activation", "added"),
    (("cut",), "QUANTIZE", "inserted"),
    (("removed",), "QUANTIZE", "removed"),
    (("composed",), "QUANTIZE", "bypassed"),
    (("bias",), "bias", "re-expressed"),
    (("constant",), "constant", "re-expressed"),
    (("parameters",), "tensor", "corrected"),
    (("version",), "operator version", "changed"),
)


def done(report: Report) -> list[str]:
    """Counts of changes by kind, such as `2 tensors moved`, `1 QUANTIZE inserted`."""
    kinds: Counter[str] = Counter(change.kind for change in report.changes)
    counts_by_kind = []
    for names, noun, verb in _DONE:
        count = sum(kinds[name] for name in names)
        if count:
            ending = {"bias": "biases", "QUANTIZE": "QUANTIZE"}.get(noun, f"{noun}s")
            counts_by_kind.append(f"{count:,} {noun if count == 1 else ending} {verb}")
    return counts_by_kind


def _passed(report: Report) -> str:
    """The number of findings that the baseline accepts, as the end of a clause."""
    return f", {len(report.accepted)} accepted by the baseline" if report.accepted else ""


def closing(report: Report, *, out: str = "", dry_run: bool = False, written: bool = True) -> str:
    """The closing line. `out`: name of the destination; `written`: whether it was written.
    `dry_run`: nothing is written.
    """
    line = _checked(report) if report.command == "check" else _ending(report, dry_run=dry_run)
    line = shorten(printable(line), 100)
    if report.command == "check":
        return line
    if dry_run:
        return f"{line} (dry run: nothing written)"
    if not out:
        return line
    return f"{line} -> {printable(out)}" if written else f"{line}; {printable(out)} is not written"


def _checked(report: Report) -> str:
    """The closing line of `check`."""
    return f"{report.name or 'model'}: {check_result(report)}"


def check_result(report: Report) -> str:
    """The result of `check` in one line: counts of findings, then the runtimes' verdict, or that
    none was run.
    """
    result = f"{counts(report.open)}{_passed(report)}"
    if report.verification is None:
        return result if report.open else f"{result} (static check; --run asks the runtimes)"
    if report.verification.word == "failed":
        return f"{result}; failed: {report.verification.why}"
    return f"{result}; {verification_word(report.verification)}"


def _ending(report: Report, *, dry_run: bool) -> str:
    """The outcome of an alignment and the word of its verification. `dry_run`: nothing is written."""
    word = "not judged" if dry_run else how_shown(report)
    if report.outcome == "aligned" and not report.reasons:
        return f"{'would align' if dry_run else 'aligned'}: {', '.join([*done(report), word])}"
    reasons = "; ".join(report.reasons)
    if report.outcome == "nothing to align" and not report.reasons:
        left = f"; {counts(report.remaining)} left" if report.remaining else ""
        return f"nothing to align{left}" + ("" if dry_run else f"; {word}")
    if report.outcome == "nothing to align" and not report.open:
        return f"nothing to align, but {reasons}"
    return f"{'would not be aligned' if dry_run else 'not aligned'}: {reasons or word}"
