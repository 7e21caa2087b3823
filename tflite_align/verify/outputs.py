"""The verdict on each compared tensor: alignment loss (a) and kernel fidelity (b)."""

from __future__ import annotations

from collections.abc import Mapping

from ..record import Record, replace
from ..verdicts import FidelityScore, OutputScore, StepCheck, StepDeviation, Word
from .frontier import Frontier
from .samples import Samples
from .sqnr import REFERENCE_DB, Powers, fidelity, loss, powers, sqnr
from .variants import Ran

__all__ = [
    "Evidence",
    "Steps",
    "gross_deviations",
    "named",
    "our_deviations",
    "reference_db",
    "score_outputs",
]

_GROSS = 4.0  # times the tolerance
_SAME_DB = 1.0  # a gap that the original's kernels show too is not the alignment's
Steps = tuple[StepCheck | None, str]  # the check, or why there is none


class Evidence(Record, frozen=True, kw_only=True):
    """All runs, by name: twin, declared:before, declared:after, before:KERNELS, after:KERNELS."""

    before: Frontier
    after: Frontier
    samples: Samples
    ran: Mapping[str, Ran]
    kernels: tuple[str, ...]
    seed: int

    def powers(self, form: str, probe: int) -> Powers | None:
        """Powers of one form at one probe against the twin; None when either did not run."""
        twin, other = self.ran["twin"].outputs, self.ran[form].outputs
        if twin is None or other is None:
            return None
        reference, values = twin[probe], other[probe]
        for low, high in filter(None, self._limits(probe)):
            reference, values = reference.clip(low, high), values.clip(low, high)
        return powers(reference, values, self.samples.sequences)

    def _limits(self, probe: int) -> tuple[tuple[float, float] | None, ...]:
        """Ranges to clip to: the twin's values beyond what the tensor can hold are no signal.

        Logits beyond either file's range only saturate further; nobody behind them can tell.
        """
        before, after = self.before.probes[probe], self.after.probes[probe]
        return (before.limits, after.limits) if before.feeds else (before.limits,)


def reference_db(evidence: Evidence) -> float:
    """The lowest SQNR of the original's declared reading at a probe that counts, dB."""
    levels = [
        sqnr(found) or 0.0 if found else 0.0
        for number, probe in enumerate(evidence.before.probes)
        if not (probe.behind_jump or probe.saturates)
        for found in (evidence.powers("declared:before", number),)
    ]
    return min(levels, default=0.0)


def score_outputs(evidence: Evidence, steps: Steps) -> tuple[tuple[OutputScore, ...], str]:
    """A score for each probe, and why there are none."""
    for form in ("twin", "declared:before", "declared:after"):
        ran = evidence.ran[form]
        if ran.outputs is None:
            return (), f"numbers not judged: the {form} does not run: {ran.why}"
    scores = _pairs(
        evidence, [_score(evidence, i, steps) for i in range(len(evidence.before.probes))]
    )
    clean = [s for s, p in zip(scores, evidence.before.probes, strict=True) if not p.behind_jump]
    return (scores, "") if clean else (scores, "every output lies behind a jump")


def _score(evidence: Evidence, probe: int, steps: Steps) -> OutputScore:
    place = evidence.before.probes[probe]
    original, aligned = (evidence.powers(f"declared:{w}", probe) for w in ("before", "after"))
    original_db = sqnr(original) if original else None
    aligned_db = sqnr(aligned) if aligned else None
    step = max(place.step, evidence.after.probes[probe].narrowed)
    word, why = loss(original, aligned, evidence.seed, logits=place.feeds, step=step)
    runs = tuple(
        _run(evidence, probe, kernels, declared=(original, aligned), steps=steps)
        for kernels in evidence.kernels
    )
    if word == "verified":
        word, why = _fidelity_word(runs)
    elif word == "inconclusive":
        word, why = _by_steps(word, why, steps)
    if place.behind_jump and word != "verified":
        word, why = _behind(why, steps)
    elif place.saturates and word == "inconclusive" and _too_low(original_db):
        word, why = "skipped", f"saturates: judged at what feeds it; {why}"
    return OutputScore(
        name=place.name,
        subgraph=0,
        index=-1 if place.output is None else place.output,
        tensor=place.tensor,
        declared_original_db=original_db,
        declared_aligned_db=aligned_db,
        runs=runs,
        word=word,
        why=why,
    )


def _pairs(evidence: Evidence, scores: list[OutputScore]) -> tuple[OutputScore, ...]:
    """A saturating output and the logits behind it: one of them has to tell, not both."""
    for number, place in enumerate(evidence.before.probes):
        score = scores[number]
        low = score.word == "inconclusive" and _too_low(score.declared_original_db)
        if place.feeds and low and scores[number - 1].word == "verified":
            why = f"judged at what it feeds; {score.why}"
            scores[number] = replace(score, word="skipped", why=why)
    return tuple(scores)


def _too_low(original_db: float | None) -> bool:
    return original_db is None or original_db < REFERENCE_DB


def _behind(why: str, steps: Steps) -> tuple[Word, str]:
    """Behind a jump SQNRs prove nothing; the tensors that feed it are judged, and each operator."""
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{why}; {named(mine)}"
    return "skipped", "behind a jump (ARG_MAX, NMS ...): judged at the tensors that feed it"


def _run(
    evidence: Evidence,
    probe: int,
    kernels: str,
    *,
    declared: tuple[Powers | None, Powers | None],
    steps: Steps,
) -> FidelityScore:
    original, aligned = declared
    before = evidence.powers(f"before:{kernels}", probe)
    after = evidence.powers(f"after:{kernels}", probe)
    gap = fidelity(aligned, after, evidence.seed) if aligned and after else None
    word: Word
    if gap is None:
        ran = evidence.ran[f"after:{kernels}"]
        word, why = "skipped", ran.why or "nothing to compare"
    elif not gap.beyond:
        word, why = "verified", ""
    else:
        known = fidelity(original, before, evidence.seed) if original and before else None
        word, why = _beyond(gap.gap_db, known.gap_db if known else None, steps)
    return FidelityScore(
        judge=kernels,
        sqnr_db=sqnr(after) if after else None,
        original_db=sqnr(before) if before else None,
        gap_db=gap.gap_db if gap else None,
        gap_low_db=gap.low_db if gap else None,
        word=word,
        why=why,
    )


def _beyond(gap: float, known: float | None, steps: Steps) -> tuple[Word, str]:
    said = f"runs {gap:.1f} dB below the declared reading"
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{said}: {named(mine)}"
    if known is not None and known >= gap - _SAME_DB:
        return "unchanged", f"{said}, as the original does ({known:.1f} dB)"
    return "inconclusive", f"{said}; {_what_steps_say(steps)}"


def _fidelity_word(runs: tuple[FidelityScore, ...]) -> tuple[Word, str]:
    for word in ("failed", "inconclusive", "unchanged"):
        for run in runs:
            if run.word == word:
                return ("failed" if word == "failed" else "inconclusive"), f"{run.judge} {run.why}"
    if any(run.word == "verified" for run in runs):
        return "verified", ""
    return "inconclusive", "nothing lost in the declared reading, but no kernel set runs the file"


# --- what the operator-wise check adds ---------------------------------------------------------


def _by_steps(word: Word, why: str, steps: Steps) -> tuple[Word, str]:
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{why}; {named(mine)}"
    return word, f"{why}; {_what_steps_say(steps)}"


def our_deviations(steps: Steps) -> tuple[StepDeviation, ...]:
    return tuple(d for d in steps[0].beyond if d.ours) if steps[0] else ()


def gross_deviations(steps: Steps) -> tuple[StepDeviation, ...]:
    """Those of ours that are so far off that the kernel cannot have used the declared parameters."""
    return tuple(d for d in our_deviations(steps) if d.lsb > _GROSS * d.tolerance_lsb)


def named(deviations: tuple[StepDeviation, ...]) -> str:
    worst = max(deviations, key=lambda deviation: deviation.lsb)
    more = f" and {len(deviations) - 1} more" if len(deviations) > 1 else ""
    return f"{worst.address} is {worst.lsb:.1f} LSB off what its inputs give{more}"


def _what_steps_say(steps: Steps) -> str:
    found, note = steps
    if found is None:
        return note
    if found.beyond:
        return f"{named(found.beyond)}, as in the original"
    skipped = f", {len(found.not_judged)} not judged" if found.not_judged else ""
    return f"each of {found.checked} operators is within tolerance{skipped}"
