"""The verification as sections: SQNR of the outputs, verdicts of the judges, and the word for the
whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..verdicts import Acceptance, CertificateSummary, OutputScore, Verification, Word
from .report import Report
from .section import Row, Section
from .terminal_text import plural

__all__ = [
    "certificate_words",
    "decibels",
    "how_shown",
    "short_word",
    "shown_too_little",
    "verification_sections",
    "verification_word",
]

_NUMBERS = "Numbers: SQNR in dB against the float twin"
_WORDS: dict[Word, str] = {
    "verified": "verified",
    "failed": "failed",
    "inconclusive": "not verified (inconclusive)",
    "skipped": "not verified (skipped)",
    "unchanged": "unchanged",
    "accepted": "accepted, numbers not run",
}


def verification_word(verification: Verification | None) -> str:
    """`verified`, `not verified (skipped): why`, or `not verified` without a verification."""
    if verification is None:
        return "not verified"
    word, why = short_word(verification.word), verification.why
    return f"{word}: {why}" if why and verification.word != "verified" else word


def shown_too_little(report: Report) -> bool:
    """Whether the verification was inconclusive or skipped."""
    verification = report.verification
    return verification is not None and verification.word in {"inconclusive", "skipped"}


def how_shown(report: Report) -> str:
    """The word of the verification, combined with the certificate: `certified for every input`, for
    example.
    """
    word, shown = verification_word(report.verification), report.certificate
    if shown is None:
        return word
    return (
        "certified for every input" if report.certified else f"{word}; {certificate_words(shown)}"
    )


def certificate_words(shown: CertificateSummary) -> str:
    """The certificate in one line: number of certified operators, error bound in steps, the first
    reason for others.
    """
    if shown.word == "none":
        return f"not certified: {shown.why}"
    share = f"{shown.certified} of {shown.operators} operators certified for every input"
    within = "" if shown.worst_lsb is None else f", within {shown.worst_lsb:.3f} LSB"
    on = f" on {', '.join(shown.runtimes)}"
    return f"{share}{within}{on}" + (f"; not certified: {shown.why}" if shown.why else "")


def short_word(word: Word) -> str:
    """The verification's word as reports print it, e.g. `not verified (skipped)`."""
    return _WORDS[word]


def verification_sections(report: Report, *, full: bool) -> list[Section]:
    """All sections; empty without a verification. `full`: with each judge's message."""
    verification = report.verification
    if verification is None:
        return _certificate(report)
    one_file = not report.changes
    return [
        _numbers_as_they_are(verification) if one_file else _numbers(verification),
        _calibration(report, verification),
        _judges_as_it_is(verification) if one_file else _judges(verification, full=full),
        _figures(verification, one_file=one_file),
        *_estimates(verification),
        _steps(verification),
        *_certificate(report),
        Section(title="", lines=_word(verification)),
    ]


def _certificate(report: Report) -> list[Section]:
    """The section on the certificate; none if it was not requested."""
    shown = report.certificate
    if shown is None:
        return []
    lines = (certificate_words(shown), *(f"assumed: {one}" for one in shown.assumed))
    return [Section(title="For every input", lines=lines)]


def _judges(verification: Verification, *, full: bool) -> Section:
    """The table of judges: whether each accepts the file before and after. `full`: with the
    reasons, unshortened.
    """
    rows = tuple(
        (
            verdict.judge,
            _acceptance(verdict.before, full=full),
            _acceptance(verdict.after, full=full),
            verdict.word,
            verdict.why,
        )
        for verdict in verification.judges
    )
    return Section(
        title="Judges", head=("judge", "original", "written", "verdict", "why"), rows=rows
    )


def _judges_as_it_is(verification: Verification) -> Section:
    """Verdicts on an unchanged file, which has no before and after."""
    rows = tuple(
        (verdict.judge, _acceptance(verdict.after, full=False), verdict.after.reason)
        for verdict in verification.judges
    )
    return Section(title="Judges", head=("judge", "the file", "why"), rows=rows)


def _figures(verification: Verification, *, one_file: bool) -> Section:
    """Figures that judges report for an accepted file, such as memory and operators on the
    accelerator.
    """
    rows: list[Row] = []
    for verdict in verification.judges:
        before, after = dict(verdict.before.facts), dict(verdict.after.facts)
        named = verdict.judge
        for name in dict.fromkeys([*before, *after]):
            values = (
                (after.get(name, "-"),)
                if one_file
                else (before.get(name, "-"), after.get(name, "-"))
            )
            rows.append((named, name, *values))
            named = ""
    head = ("judge", "figure", "value") if one_file else ("judge", "figure", "original", "written")
    return Section(title="Figures of the judges", head=head, rows=tuple(rows))


def _estimates(verification: Verification) -> Iterator[Section]:
    """Tables of a compiler's estimate of cycles for each operator."""
    for verdict in verification.judges:
        operators = verdict.after.operators
        total = sum(one.cycles for one in operators)
        rows = tuple(
            (
                one.operator,
                one.runs_as,
                one.unit,
                f"{one.cycles:,}",
                f"{100 * one.cycles / total:.1f} %" if total else "-",
                one.name,
            )
            for one in operators
        )
        yield Section(
            title=f"{verdict.judge}: estimated cycles of each operator" if rows else "",
            head=("operator", "runs as", "on", "cycles", "share", "writes"),
            rows=rows,
        )


def _acceptance(found: Acceptance, *, full: bool) -> str:
    """Whether a judge accepts a file, as text. `full`: with its message."""
    status = f"{found.status} at {found.place}" if found.place else found.status
    return f"{status}: {found.reason}" if full and found.reason else status


def decibels(value: float | None, absent: str = "-") -> str:
    """A level in dB without the unit; `absent` for None."""
    if value is None:
        return absent
    return f"{value:.1f}" if math.isfinite(value) else ("exact" if value > 0 else "no signal")


def _numbers(verification: Verification) -> Section:
    """The table of SQNR by output, before and after."""
    head = (
        "output",
        "declared before",
        "declared after",
        "kernels",
        "ran before",
        "runs after",
        "verdict",
        "why",
    )
    rows = tuple(row for score in verification.outputs for row in _score(score))
    return Section(title=_NUMBERS, head=head, rows=rows)


def _score(score: OutputScore) -> Iterator[Row]:
    """The rows of one output: declared readings, then each kernel set."""
    before, after = decibels(score.declared_original_db), decibels(score.declared_aligned_db)
    on = f", {score.inputs}" if score.inputs else ""
    yield (f"{_place(score)} {score.title}{on}", before, after, "", "", "", score.word, score.why)
    for run in score.runs:
        ran, runs = decibels(run.original_db, "did not run"), decibels(run.sqnr_db, "does not run")
        yield "", "", "", run.judge, ran, runs, run.word, run.why


def _numbers_as_they_are(verification: Verification) -> Section:
    """SQNR of an unchanged file. A judge's message about the file is not repeated for each output."""
    known = {verdict.after.reason for verdict in verification.judges}
    rows: list[Row] = []
    for score in verification.outputs:
        declared = decibels(score.declared_aligned_db)
        rows.append((f"{_place(score)} {score.title}", declared, "", "", score.word, score.why))
        for run in score.runs:
            runs = decibels(run.sqnr_db, "does not run")
            why = "" if run.why in known else run.why
            rows.append(("", "", run.judge, runs, run.word, why))
    head = ("output", "declared", "kernels", "runs", "verdict", "why")
    return Section(title=_NUMBERS, head=head, rows=tuple(rows))


def _place(score: OutputScore) -> str:
    """The output's position, or the index of an inner tensor."""
    return f"output {score.index}" if score.index >= 0 else f"tensor {score.tensor}"


def _calibration(report: Report, verification: Verification) -> Section:
    """SQNR of the outputs with and without the ranges observed on calibration inputs."""
    head = ("output", "without", "with")
    whole = [score for score in verification.outputs if not score.part]
    scores = {(score.index, score.name): score for score in whole}
    rows = []
    for level in report.without_calibration:
        score = scores.get((level.index, level.name))
        place = f"output {level.index} " if level.index >= 0 else ""
        now = decibels(score.declared_aligned_db) if score is not None else "-"
        rows.append((f"{place}{level.name}", decibels(level.declared_aligned_db), now))
    return Section(title="Calibration: declared SQNR in dB", head=head, rows=tuple(rows))


def _steps(verification: Verification) -> Section:
    """The table of operators that deviate from their declared function."""
    steps = verification.steps
    if steps is None:
        return Section(title="")
    heading = f"{plural(steps.checked, 'operator')} compared, {len(steps.beyond)} beyond tolerance"
    if steps.not_judged:
        heading += f", {len(steps.not_judged)} not judged"
    if not steps.beyond:
        return Section(title="", lines=(f"operator by operator: {heading}",))
    return Section(
        title=f"Operator by operator: {heading}",
        head=("operator", "steps off", "tolerance", "before", "edited, or within tolerance before"),
        rows=tuple(
            (
                one.address,
                f"{one.lsb:.2f}",
                f"{one.tolerance_lsb:.2f}",
                "-" if one.original_lsb is None else f"{one.original_lsb:.2f}",
                "yes" if one.ours else "no",
            )
            for one in steps.beyond
        ),
    )


def _word(verification: Verification) -> Row:
    """The lines with the word, the inputs and the runtimes."""
    inputs = f"{verification.samples} inputs: {verification.inputs}" if verification.samples else ""
    ran = (
        ", ".join((*verification.runtimes, verification.processor)) if verification.runtimes else ""
    )
    details = "; ".join(filter(None, (inputs, ran)))
    return (
        f"verification: {verification_word(verification)}{f' ({details})' if details else ''}",
        *(f"note: {note}" for note in verification.notes),
    )
