"""The proof as tables: the outputs' figures, the judges before and after, the word."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..verdicts import Acceptance, OutputScore, Proof, Word
from .report import Report
from .section import Row, Section

__all__ = ["decibels", "proof_sections", "proof_word", "short_word"]

# Neither disproved nor proven is one word for people.
_WORDS: dict[Word, str] = {
    "proven": "proven",
    "failed": "failed",
    "inconclusive": "unproven",
    "skipped": "unproven",
    "unchanged": "unchanged",
}


def proof_word(proof: Proof | None) -> str:
    """`proven`; `unproven: skipped: why`; `not verified` where no proof was asked for."""
    if proof is None:
        return "not verified"
    word = short_word(proof.word)
    why = f"{proof.word}: {proof.why}" if word == "unproven" else proof.why
    return f"{word}: {why}" if why and proof.word != "proven" else word


def short_word(word: Word) -> str:
    return _WORDS[word]


def proof_sections(report: Report, *, full: bool) -> list[Section]:
    """Nothing for a report without a proof. `full`: with each judge's own words."""
    proof = report.proof
    if proof is None:
        return []
    judges = Section(
        title="Judges",
        head=("judge", "original", "written" if report.command == "align" else "now", "", "why"),
        rows=tuple(
            (
                v.judge,
                _acceptance(v.before, full=full),
                _acceptance(v.after, full=full),
                v.word,
                v.why,
            )
            for v in proof.judges
        ),
    )
    return [
        _numbers(proof),
        _calibration(report, proof),
        judges,
        _steps(proof),
        Section(title="", lines=_word(proof)),
    ]


def _acceptance(found: Acceptance, *, full: bool) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in found.facts)
    told = f"{found.status} ({facts})" if facts else found.status
    told += f" at {found.place}" if found.place else ""
    return f"{told}: {found.reason}" if full and found.reason else told


def decibels(value: float | None, absent: str = "-") -> str:
    """As tables show it, without the unit."""
    if value is None:
        return absent
    return f"{value:.1f}" if math.isfinite(value) else ("exact" if value > 0 else "no signal")


def _numbers(proof: Proof) -> Section:
    head = (
        "output",
        "declared before",
        "declared after",
        "kernels",
        "ran before",
        "runs after",
        "",
        "why",
    )
    rows = tuple(row for score in proof.outputs for row in _score(score))
    return Section(title="Numbers: SQNR in dB against the float twin", head=head, rows=rows)


def _score(score: OutputScore) -> Iterator[Row]:
    place = f"output {score.index}" if score.index >= 0 else f"tensor {score.tensor}"
    before, after = decibels(score.declared_original_db), decibels(score.declared_aligned_db)
    yield (f"{place} {score.name}", before, after, "", "", "", score.word, score.why)
    for run in score.runs:
        ran, runs = decibels(run.original_db, "did not run"), decibels(run.sqnr_db, "does not run")
        yield "", "", "", run.judge, ran, runs, run.word, run.why


def _calibration(report: Report, proof: Proof) -> Section:
    """What the observed ranges bought: the same outputs of the plan that would be made without."""
    head = ("output", "without", "with")
    scores = {(score.index, score.name): score for score in proof.outputs}
    rows = []
    for level in report.without_calibration:
        score = scores.get((level.index, level.name))
        place = f"output {level.index} " if level.index >= 0 else ""
        now = decibels(score.declared_aligned_db) if score is not None else "-"
        rows.append((f"{place}{level.name}", decibels(level.declared_aligned_db), now))
    return Section(title="Calibration: declared SQNR in dB", head=head, rows=tuple(rows))


def _steps(proof: Proof) -> Section:
    steps = proof.steps
    if steps is None:
        return Section(title="")
    told = f"{steps.checked} operators compared, {len(steps.beyond)} beyond tolerance"
    if steps.not_judged:
        told += f", {len(steps.not_judged)} not judged"
    if not steps.beyond:
        return Section(title="", lines=(f"operator by operator: {told}",))
    return Section(
        title=f"Operator by operator: {told}",
        head=("operator", "steps off", "tolerance", "before", "edited or within before"),
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


def _word(proof: Proof) -> Row:
    judged = f" ({proof.samples} inputs: {proof.inputs})" if proof.samples else ""
    return (f"proof: {proof_word(proof)}{judged}", *(f"note: {note}" for note in proof.notes))
