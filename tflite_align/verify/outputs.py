"""The verdict on each compared tensor: (a) alignment loss and (b) kernel fidelity.

Each kind of samples and each operand of a final CONCATENATION is judged separately; the worst
counts.
"""

from __future__ import annotations

from ..record import Record, replace
from ..verdicts import FidelityScore, OutputScore, Word
from .concat_parts import Part
from .deviations import Steps, deviations_text, our_deviations, steps_text, word_by_steps
from .evidence import CONSTANTS, Evidence
from .samples import Kind
from .sqnr import (
    CHANCE,
    FLOOR_DB,
    LOGITS_LOSS_DB,
    LOSS_DB,
    REFERENCE_DB,
    SILENT,
    Lost,
    Powers,
    fidelity,
    loss,
    quiet,
    silent,
    sqnr,
)

__all__ = [
    "more_inputs",
    "noise_notes",
    "score_kinds",
    "score_outputs",
]

_HALF_DB = 3.0  # dB: at least half of the noise comes from the constants
_SAME_DB = 1.0  # dB: difference up to which a gap counts as that of the original's kernels
_BY_CHANCE = "maybe by chance"
_RANK: dict[Word, int] = {"failed": 3, "inconclusive": 2, "skipped": 1}


class _Place(Record, frozen=True, kw_only=True):
    """The values that one verdict is about: a probe (index of a compared tensor), one kind of
    samples (None: all), one part of the elements (None: all). `steps`: results of comparing
    operators one by one.
    """

    evidence: Evidence
    steps: Steps
    probe: int
    part: Part | None
    kind: Kind | None = None

    @property
    def own(self) -> float:
        """The step of the compared tensor, real value; 0 for float."""
        return self.evidence.before.probes[self.probe].own

    def powers(self, form: str) -> Powers | None:
        """Signal and noise powers of one variant for these values. `form`: the variant's name."""
        return self.evidence.powers(form, self.probe, sample_kind=self.kind, part=self.part)


def score_outputs(evidence: Evidence, steps: Steps) -> tuple[tuple[OutputScore, ...], str]:
    """(a score for each probe and each part of one, ""), or ((), why there are none)."""
    for form in ("twin", "declared:before", "declared:after"):
        ran = evidence.ran[form]
        if ran.outputs is None:
            return (), f"numbers not judged: the {form} does not run: {ran.why}"
    probes = evidence.before.probes
    whole = [_score(_place(evidence, steps, i)) for i in range(len(probes))]
    whole = _pairs(evidence, whole)
    scores = [
        score
        for probe_index, first in enumerate(whole)
        for score in (first, *_parts(evidence, steps, probe_index, first))
    ]
    clean = any(not probe.behind_jump for probe in probes)
    return (
        (tuple(scores), "")
        if clean
        else (tuple(scores), "every output lies behind a discontinuous operator")
    )


def score_kinds(evidence: Evidence) -> tuple[OutputScore, ...]:
    """The SQNR of the declared readings at each probe and part, for each kind of samples; without
    verdicts.
    """
    places = [
        _Place(evidence=evidence, steps=(None, ""), probe=probe_index, part=part, kind=sample_kind)
        for probe_index, probe in enumerate(evidence.before.probes)
        for part in (None, *probe.parts)
        for sample_kind in evidence.samples.kinds
    ]
    readings = [evidence.readings(spot.probe, spot.kind, spot.part) for spot in places if spot.kind]
    return tuple(
        _score_kind(spot, reading, _lost(spot, reading))
        for spot, reading in zip(places, readings, strict=True)
    )


def more_inputs(evidence: Evidence) -> float:
    """The factor, at least 1, by which the number of inputs has to grow to distinguish a loss from
    chance.
    """
    losses = [
        _lost(spot, evidence.readings(probe_index, sample_kind, part)).more
        for probe_index, probe in enumerate(evidence.before.probes)
        for part in (None, *probe.parts)
        for spot in [_place(evidence, (None, ""), probe_index, part)]
        for sample_kind in evidence.samples.kinds
        if not probe.behind_jump
    ]
    return max(losses, default=1.0)


def _place(evidence: Evidence, steps: Steps, probe: int, part: Part | None = None) -> _Place:
    """The place of a probe, or of a part of it, over all samples."""
    return _Place(evidence=evidence, steps=steps, probe=probe, part=part)


def _parts(evidence: Evidence, steps: Steps, probe: int, whole: OutputScore) -> list[OutputScore]:
    """Scores of an output's parts, without silent parts; empty for a skipped output. `whole`: the
    score of the output. `probe`: index of the compared tensor.
    """
    if whole.word == "skipped":
        return []
    scores = [
        _score(_place(evidence, steps, probe, part)) for part in evidence.before.probes[probe].parts
    ]
    return [score for score in scores if score.word != "skipped" or SILENT not in score.why]


def _score(spot: _Place) -> OutputScore:
    """The score on the kind of samples with the worst verdict, among those with a usable signal."""
    scored = []
    for sample_kind in spot.evidence.samples.kinds:
        readings = spot.evidence.readings(spot.probe, sample_kind, spot.part)
        loss = _lost(spot, readings)
        scored.append((loss, _score_kind(replace(spot, kind=sample_kind), readings, loss)))
    telling = [pair for pair in scored if pair[0].tells] or [
        pair for pair in scored if pair[0].word != "skipped"
    ]
    return max((score for _, score in telling or scored), key=_badness)


def _lost(spot: _Place, readings: tuple[Powers | None, Powers | None]) -> Lost:
    """The verdict on alignment loss from powers of both declared readings, (original, aligned)."""
    before = spot.evidence.before.probes[spot.probe]
    after = spot.evidence.after.probes[spot.probe]
    return loss(
        *readings,
        spot.evidence.seed,
        allowed=LOGITS_LOSS_DB if before.feeds else LOSS_DB,
        step=max(before.step, after.narrowed),
        rounding=spot.own,
        saturates=before.saturates,
    )


def _by_constants(spot: _Place, aligned_db: float | None) -> bool:
    """Whether the loss comes only from requantized constants, and enough SQNR is left in the
    aligned declared reading (`aligned_db`). Such a loss occurs without activation noise with which
    it could be compared.
    """
    if CONSTANTS not in spot.evidence.ran or aligned_db is None:
        return False
    constants = spot.powers(CONSTANTS)
    level = sqnr(constants) if constants is not None else None
    return level is not None and level >= FLOOR_DB and aligned_db >= level - _HALF_DB


def _badness(score: OutputScore) -> tuple[int, float]:
    """Sort key: worse verdicts first, then lower SQNR."""
    level = score.declared_aligned_db
    return _RANK.get(score.word, 0), -(level if level is not None else -1e3)


def _score_kind(
    spot: _Place, readings: tuple[Powers | None, Powers | None], loss: Lost
) -> OutputScore:
    """The score on one kind of samples: verdict, SQNR of both declared readings, and each runtime's
    score.
    """
    evidence, probe = spot.evidence, spot.evidence.before.probes[spot.probe]
    original, aligned = readings
    original_db = sqnr(original) if original else None
    aligned_db = sqnr(aligned) if aligned else None
    word, why = loss.word, loss.why
    runs = tuple(_run(spot, kernels, readings) for kernels in evidence.kernels)
    if word == "failed" and _by_constants(spot, aligned_db):
        word, why = "verified", "the loss is rounding of constants in new parameters"
    if word == "verified" and not evidence.certified:
        word, gap = _fidelity_word(runs)
        why = gap or why
    elif word == "inconclusive" and _noise_as_before(original_db, aligned_db):
        word, why = ("verified", "") if evidence.certified else _by_operators(why, runs, spot.steps)
    elif word == "inconclusive":
        word, why = word_by_steps(word, why, spot.steps)
    if word == "skipped":
        why = f"{why}, and both files' declared readings are zero too"
    elif probe.behind_jump and word != "verified":
        word, why = _behind(why, spot.steps)
    elif probe.saturates and word == "inconclusive" and _too_low(original_db):
        word, why = "skipped", f"saturates: judged at its input; {why}"
    return OutputScore(
        name=probe.name,
        part=spot.part.name if spot.part is not None else "",
        subgraph=0,
        index=-1 if probe.output is None else probe.output,
        tensor=probe.tensor,
        inputs=spot.kind.name if spot.kind is not None else "",
        declared_original_db=original_db,
        declared_aligned_db=aligned_db,
        runs=runs,
        word=word,
        why=why,
    )


def _pairs(evidence: Evidence, scores: list[OutputScore]) -> list[OutputScore]:
    """The scores; of a saturating output and the logits in front of it, the undecided one becomes
    "skipped" if the other is verified.
    """
    for probe_index, probe in enumerate(evidence.before.probes):
        if not probe.feeds:
            continue
        fed, score = scores[probe_index - 1], scores[probe_index]
        low = score.word == "inconclusive" and _too_low(score.declared_original_db)
        readable = not _too_low(fed.declared_original_db) and _above_floor(score)
        if (
            fed.word == "verified"
            and score.word in ("inconclusive", "failed")
            and (low or readable)
        ):
            why = f"judged at its reader's output; {score.why}"
            scores[probe_index] = replace(score, word="skipped", why=why)
        elif score.word == "verified" and fed.word == "inconclusive" and CHANCE in fed.why:
            why = f"saturates: judged at its input; {fed.why.replace(CHANCE, _BY_CHANCE)}"
            scores[probe_index - 1] = replace(fed, word="skipped", why=why)
    return scores


def _above_floor(score: OutputScore) -> bool:
    """Whether the aligned file's declared reading has an SQNR of at least FLOOR_DB."""
    return score.declared_aligned_db is not None and score.declared_aligned_db >= FLOOR_DB


def _too_low(original_db: float | None) -> bool:
    """Whether the original's declared reading has too low an SQNR (dB) to be a reference."""
    return original_db is None or original_db < REFERENCE_DB


def _noise_as_before(original_db: float | None, aligned_db: float | None) -> bool:
    """Whether the original's declared reading is noise and the aligned file's is no worse."""
    if original_db is None or aligned_db is None:
        return False
    return original_db < REFERENCE_DB and aligned_db >= original_db - LOSS_DB


def _by_operators(why: str, runs: tuple[FidelityScore, ...], steps: Steps) -> tuple[Word, str]:
    """(word, reason) for an output that is noise: verified if every operator was compared and none
    deviates. `why`: the reason so far. `runs`: scores of the runtimes.
    """
    word, reason = _fidelity_word(runs)
    checks = steps[0]
    if word == "verified" and checks is not None and not (checks.beyond or checks.not_judged):
        return "verified", ""
    return word_by_steps("inconclusive", f"{why}; {reason}" if reason else why, steps)


def noise_notes(scores: tuple[OutputScore, ...]) -> tuple[str, ...]:
    """Notes on outputs whose declared reading is already noise in the original. `scores`: of the
    outputs.
    """
    return tuple(
        f"{score.title}: on these inputs the given file declares noise:"
        f" {score.declared_original_db:.1f} dB against the float twin; its operators are judged"
        for score in scores
        if score.word != "skipped"
        and score.declared_original_db is not None
        and score.declared_original_db < REFERENCE_DB
    )


def _behind(why: str, steps: Steps) -> tuple[Word, str]:
    """(word, reason) for an output after a discontinuity, where SQNR means nothing: failed if
    operators deviate. `why`: the reason so far.
    """
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{why}; {deviations_text(mine)}"
    return "skipped", "behind a discontinuous operator (ARG_MAX, NMS ...): judged at its inputs"


def _run(
    spot: _Place, kernels: str, readings: tuple[Powers | None, Powers | None]
) -> FidelityScore:
    """The score of one runtime's kernels: how far its outputs are from the declared reading, dB."""
    if spot.evidence.wide is not None:  # kernels are compared on the samples that they ran
        readings = (spot.powers("declared:before"), spot.powers("declared:after"))
    original, aligned = readings
    seed = spot.evidence.seed
    before, after = (spot.powers(f"{which}:{kernels}") for which in ("before", "after"))
    gap = fidelity(aligned, after, seed) if aligned and after else None
    level = sqnr(after) if after else None
    word: Word
    if gap is None and aligned is not None and silent(aligned, after, spot.own):
        word, why = "verified", ""
    elif gap is None:
        ran = spot.evidence.ran[f"after:{kernels}"]
        word, why = "skipped", ran.why or "nothing to compare"
    elif not gap.beyond or (quiet(original) and (level or 0.0) >= FLOOR_DB):
        word, why = "verified", ""
    else:
        gap_estimate = fidelity(original, before, seed) if original and before else None
        word, why = _beyond(gap.gap_db, gap_estimate.gap_db if gap_estimate else None, spot.steps)
    return FidelityScore(
        judge=kernels,
        sqnr_db=level,
        original_db=sqnr(before) if before else None,
        gap_db=gap.gap_db if gap else None,
        gap_low_db=gap.low_db if gap else None,
        word=word,
        why=why,
    )


def _beyond(gap: float, allowed_gap: float | None, steps: Steps) -> tuple[Word, str]:
    """(word, reason) for a run that is `gap` dB below the declared reading. `allowed_gap`: the same
    of the original, dB.
    """
    sentence = f"runs {gap:.1f} dB below the declared reading"
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{sentence}: {deviations_text(mine)}"
    if allowed_gap is not None and allowed_gap >= gap - _SAME_DB:
        return "unchanged", f"{sentence}, as the original does ({allowed_gap:.1f} dB)"
    return "inconclusive", f"{sentence}; {steps_text(steps)}"


def _fidelity_word(runs: tuple[FidelityScore, ...]) -> tuple[Word, str]:
    """(verdict, reason) on how closely the runtimes' kernels follow the declared reading: those of
    the worst runtime. `runs`: the scores of the runtimes.
    """
    for word in ("failed", "inconclusive", "unchanged"):
        for run in runs:
            if run.word == word:
                return ("failed" if word == "failed" else "inconclusive"), f"{run.judge} {run.why}"
    if any(run.word == "verified" for run in runs):
        return "verified", ""
    return "inconclusive", "nothing lost in the declared reading, but no kernel set runs the file"
