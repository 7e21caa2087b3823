"""The part of the HTML page about one model: summary, graph, charts, tables."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import PurePath

from ...verdicts import OutputScore, Verification
from ..report import Report
from ..section import Section
from ..sections import done, sections
from ..settling import settling
from ..terminal_text import counts, plural, shorten
from ..verification_section import certificate_words, how_shown
from .charts import charts
from .graph_section import graph_section
from .markup import Markup, element, joined, named

__all__ = ["article", "title_of"]

# Words of verdicts and severities, with their CSS classes.
_WORDS = {
    "verified": "good",
    "accepted": "good",
    "unchanged": "calm",
    "inconclusive": "calm",
    "skipped": "calm",
    "warning": "warn",
    "failed": "bad",
    "refused": "bad",
    "crashed": "bad",
    "timeout": "bad",
    "error": "bad",
}
_OUTCOMES = {
    "checked": "Checked",
    "nothing to align": "Nothing to align",
    "aligned": "Aligned",
    "not aligned": "Not aligned",
}
# Words of a verification that leave no question open.
_SURE = ("verified", "unchanged", "accepted")
_OUTPUTS = 2  # most outputs in the summary
_EXAMPLES = 3  # most examples of changed tensors in the summary
_SHORT = 14  # longest cell that is not wrapped
_LONG = 12  # longest table that is shown expanded


def title_of(report: Report) -> str:
    """The model's file name without folders; its path is shown below."""
    return PurePath(report.name.replace("\\", "/")).name or "model"


def article(report: Report, index: int) -> Markup:
    """The article about one model; its element ids end in `index`."""
    title = element("h1", title_of(report), " ", _badge(report))
    head, *rest = sections(report)
    where = element("p", *_lines(head.lines[:1]), class_="where")
    tables = [_table(section) for section in rest]
    return element(
        "article",
        title,
        where,
        _summary(report),
        graph_section(report, index),
        charts(report, index),
        element("section", element("h2", "All tables"), *tables, class_="tables")
        if any(tables)
        else "",
        id=f"model-{index}",
        data_number=str(index),
    )


# --- summary ------------------------------------------------------------------------------------


def _badge(report: Report) -> Markup:
    """The outcome, as a coloured badge."""
    outcome = _OUTCOMES[report.outcome]
    if report.outcome == "nothing to align" and (report.open or report.reasons):
        outcome = _OUTCOMES["not aligned"]  # there are findings, and the file was not changed
    if report.command == "check":
        outcome = counts(report.open)
        sure = not report.open
    else:
        word = report.verification.word if report.verification is not None else ""
        sure = word in _SURE
        outcome = outcome if sure or report.exit_status else f"{outcome}, not verified"
    good = "bad" if report.exit_status else ("good" if sure else "warn")
    return element("span", outcome, class_=f"badge {good}")


def _summary(report: Report) -> Markup:
    """The cards that say what was wrong, what was done and whether it is verified."""
    cards = [_card("What was wrong", _wrong(report))]
    if report.command == "align":
        cards.append(_card("What was done", _done(report)))
    cards.append(_card("Is it verified?", _verified(report), _levels(report)))
    return element(
        "section",
        element("h2", "In short", class_="hidden"),
        *cards,
        class_="summary",
    )


def _card(title: str, lines: tuple[str, ...], below: str = "") -> Markup:
    """A card: its first line is emphasised, the others are list items; `below`: HTML after them.
    `title`: the heading.
    """
    lead, *points = lines
    body = element("ul", *points) if points else Markup("")
    return element("div", element("h3", title), element("p", lead, class_="lead"), body, below)


def _wrong(report: Report) -> tuple[str, ...]:
    """The summary's lines on findings: counts, and the first rules."""
    if not report.findings:
        return ("Nothing: every rule of the targets holds.",)
    first = {finding.rule: finding for finding in reversed(report.findings)}
    rules = Counter(finding.rule for finding in report.findings)
    points = []
    for rule, count in rules.most_common(6):
        finding = first[rule]
        what = f" {finding.behaviour}" if finding.behaviour else ""
        points.append(element("li", element("code", rule), f" \u00d7 {count}:{what}"))
    if len(rules) > len(points):
        points.append(element("li", f"and {plural(len(rules) - len(points), 'rule')} more"))
    return (f"{counts(report.findings)} under {plural(len(rules), 'rule')}.", *points)


def _done(report: Report) -> tuple[str, ...]:
    """The summary's lines on changes."""
    points = [
        element("li", action, _examples(report) if action.endswith(" moved") else "")
        for action in done(report)
    ]
    if report.grown_bytes:
        points.append(element("li", f"the file grew by {plural(report.grown_bytes, 'byte')}"))
    points += [
        element("li", f"could not be aligned: {conflict.message}")
        for conflict in report.conflicts[:3]
    ]
    left = counts(report.remaining)
    lead = "Nothing: the file is as it was." if not report.changes else f"{left} left.".capitalize()
    return (lead, *points)


def _examples(report: Report) -> Markup:
    """The first tensors whose parameters changed, with both parameters."""
    moved = [change for change in report.changes if change.kind in ("moved", "snapped")]
    cells = [
        element(
            "li",
            f"{change.tensor} ",
            element("code", shorten(change.name, 30)),
            f": {change.before} \u2192 {change.after}",
        )
        for change in moved[:_EXAMPLES]
    ]
    more = len(moved) - _EXAMPLES
    return element("ul", *cells, element("li", f"and {more:,} more") if more > 0 else "")


def _verified(report: Report) -> tuple[str, ...]:
    """Lines on the verification and on reasons for exit status 1."""
    verification = report.verification
    points = [element("li", reason, class_="bad") for reason in report.reasons]
    if verification is None:
        sentence = "no judge was run." if report.command == "check" else "it was not verified."
        points += _ways_out(report)
        return (f"Not judged: {sentence}", *points)
    word, _, why = shorten(how_shown(report)).partition(": ")
    points += [element("li", why)] if why and not any(why in r for r in report.reasons) else []
    points += (
        [element("li", certificate_words(report.certificate))]
        if report.certified and report.certificate
        else []
    )
    words = Counter((verdict.word, verdict.after.status) for verdict in verification.judges)
    for verdict, status in words:
        named = ", ".join(
            v.judge for v in verification.judges if (v.word, v.after.status) == (verdict, status)
        )
        points.append(element("li", _word(status), f" by {named}"))
    points += _ways_out(report)
    return (f"{word.capitalize()}.", *points)


def _ways_out(report: Report) -> list[Markup]:
    """Advice for a verification that is not decided; option names are not broken at hyphens."""
    return [
        element(
            "li",
            "How to decide it: ",
            *(
                element("code", part, class_="option") if part.startswith("--") else part
                for part in re.split(r"(--[\w-]+)", way_out)
            ),
        )
        for way_out in settling(report)
    ]


def _levels(report: Report) -> Markup:
    """The table of SQNR: of the declared reading, then of each kernel set; before and after if the
    file changed.
    """
    verification = report.verification
    if verification is None or not verification.outputs:
        return Markup("")
    columns = ("before", "after") if report.changes else ("the file",)
    head = [element("th", title, scope="col") for title in ("SQNR against float", *columns)]
    rows = [
        [row[0], *row[-len(columns) :]]
        for score in verification.outputs[:_OUTPUTS]
        for row in _level(score, verification)
    ]
    more = len(verification.outputs) - _OUTPUTS
    note = element("p", f"{plural(more, 'compared tensor')} more below") if more > 0 else ""
    table = element(
        "table", element("thead", element("tr", *head)), *(element("tr", *row) for row in rows)
    )
    return joined([table, note])


def _level(score: OutputScore, verification: Verification) -> list[list[Markup]]:
    """Table rows of one output; instead of a figure the status of a judge that refused the file."""
    name = f"output {score.index}" if score.index >= 0 else named(score.title, score.tensor)
    refused = {
        verdict.judge: [
            _word(state.status) if state.status != "accepted" else None
            for state in (verdict.before, verdict.after)
        ]
        for verdict in verification.judges
    }
    rows = [[element("th", name, ", as declared", scope="row")]]
    rows[0] += [
        element("td", _db(level))
        for level in (score.declared_original_db, score.declared_aligned_db)
    ]
    for run in score.runs:
        words = refused.get(run.judge, [None, None])
        levels = (_db(run.original_db), _db(run.sqnr_db))
        cells = [element("td", word or level) for word, level in zip(words, levels, strict=True)]
        rows.append([element("th", f"run by {run.judge}", scope="row"), *cells])
    return rows


def _db(value: float | None) -> str:
    """A level in dB as text; `did not run` for None."""
    if value is None:
        return "did not run"
    return f"{value:.1f} dB" if math.isfinite(value) else ("exact" if value > 0 else "no signal")


# --- tables -------------------------------------------------------------------------------------


def _lines(lines: tuple[str, ...]) -> list[str]:
    """The lines as one text, separated by spaces."""
    return [line for index, item in enumerate(lines) for line in ([" "] if index else []) + [item]]


def _table(section: Section) -> Markup:
    """A section as an HTML table with its lines."""
    visible = [
        column for column in range(len(section.head)) if any(row[column] for row in section.rows)
    ]
    parts = []
    if section.rows:
        head = [_head(section.head[column]) for column in visible]
        rows = [element("tr", *(_cell(row[column]) for column in visible)) for row in section.rows]
        table = element("table", element("thead", element("tr", *head)), element("tbody", *rows))
        parts.append(
            element(
                "div",
                table,
                class_="scroll",
                tabindex="0",
                role="region",
                aria_label=section.title or "Table",
            )
        )
    parts += [element("p", line) for line in section.lines]
    if not section.title:
        return joined(parts)
    title = element("h3", section.title)
    long = len(section.rows) > _LONG
    # A row with an empty first cell continues the row above it.
    count = sum(bool(row[visible[0]]) for row in section.rows) if visible else 0
    summary = element("summary", title, element("span", f" {count:,}") if count else "")
    return element("details", summary, *parts, open=not long)


def _head(title: str) -> Markup:
    """A table heading. `title`: the heading."""
    return element("th", title, scope="col") if title else element("td", "")


def _cell(cell: str) -> Markup:
    """A table cell."""
    return element("td", _word(cell), class_="short" if len(cell) <= _SHORT else "long")


def _word(cell: str) -> Markup:
    """Text, coloured if it begins with a verdict. `cell`: the text."""
    first = re.split(r"[ :]", cell, maxsplit=1)[0]
    css_class = _WORDS.get(first, "")
    if not css_class:
        return joined([cell])
    return joined([element("span", first, class_=f"word {css_class}"), cell[len(first) :]])
