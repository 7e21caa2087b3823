"""Options that avoid an alignment's loss of precision, and the verification's word for an
unavoidable loss.
"""

from __future__ import annotations

from collections.abc import Callable

from ..record import Record, replace
from ..settings.options import AlignOptions
from ..verdicts import OutputScore, Verification
from .preparation import Prepared

__all__ = ["with_way_out"]

_LOST_DB = 1.0  # dB; the verification's limit
_NOISE_DB = 10.0  # dB; a lower remaining SQNR is noise and never accepted as unavoidable

Scores = tuple[OutputScore, ...]


class _Tried(Record, frozen=True, kw_only=True):
    """An option that was tried, and the scores of the declared readings with it."""

    option: str
    scores: Scores


def with_way_out(
    prepared: Prepared,
    verification: Verification | None,
    align: Callable[[AlignOptions], bytes],
) -> Verification | None:
    """Add to the verification's reason which options avoid the loss.

    Tries `--io free` and `--prefer precision`. If the second does not help, the rules allow no
    better parameters and the loss alone is no failure: the word becomes inconclusive. `align`:
    returns the aligned file's bytes for other options, without running judges.
    """
    if verification is None or verification.word not in ("failed", "inconclusive"):
        return verification
    losing = [score for score in verification.outputs if _loses(score)]
    options = prepared.session.options
    if not losing or (options.io != "keep" and not _own_choice(options)):
        return verification
    from ..verify.declared_sqnr import declared_scores  # noqa: PLC0415 - a run without judges needs none of it

    # Only the written bytes of the other alignments are needed.
    bare = replace(options, verify=False, compare=False, view=False, certificate=False, require=())

    def tried(option: str, other_options: AlignOptions) -> _Tried:
        """The scores of the outputs of an alignment with other options. `option`: text for the
        report.
        """
        scores = declared_scores(
            memoryview(prepared.written(prepared.repair.model)),
            align(other_options),
            calibration=options.calibration,
            samples=options.samples,
            seed=options.seed,
            memory=options.memory,
            least=verification.samples,
        )
        return _Tried(option=option, scores=scores)

    attempts = []
    if _own_choice(options):
        attempts.append(tried("--prefer precision", replace(bare, prefer="precision")))
    if options.io == "keep":
        attempts.append(tried("--io free", replace(bare, io="free")))
    sentences = [_option_sentence(losing, attempt) for attempt in attempts]
    why = "; ".join([verification.why, *filter(None, sentences)])
    word = verification.word
    if _own_choice(options) and _is_all(verification, losing) and _unavoidable(losing, attempts[0]):
        word = "inconclusive"
    return replace(verification, word=word, why=why)


def _own_choice(options: AlignOptions) -> bool:
    """Whether the solver chose all parameters with default cost weights: no policy, overlap or
    preference is set.
    """
    return not options.policies and options.overlap == "auto" and options.prefer == "balanced"


def _loses(score: OutputScore) -> bool:
    """Whether the output failed or is undecided because of its alignment loss."""
    return score.word in ("failed", "inconclusive") and _lost_db(score) > _LOST_DB


def _lost_db(score: OutputScore) -> float:
    """The alignment loss in dB; 0 if unknown."""
    if score.declared_original_db is None or score.declared_aligned_db is None:
        return 0.0
    return score.declared_original_db - score.declared_aligned_db


def _is_all(verification: Verification, losing: list[OutputScore]) -> bool:
    """Whether these losses are the only failures of the verification, and no output is left with an
    SQNR so low that it is noise. `losing`: outputs with a loss.
    """
    judged = all(verdict.word != "failed" for verdict in verification.judges)
    outputs = all(score in losing for score in verification.outputs if score.word == "failed")
    steps = verification.steps is None or not any(
        deviation.ours for deviation in verification.steps.beyond
    )
    left = all(
        (score.declared_aligned_db or 0.0) >= _NOISE_DB
        for score in losing
        if (score.declared_original_db or 0.0) >= _NOISE_DB
    )
    return judged and outputs and steps and left


def _unavoidable(losing: list[OutputScore], attempt: _Tried) -> bool:
    """Whether no parameters avoid the loss: also with `--prefer precision` (`attempt`) some output
    loses at least as much, less _LOST_DB, as the worst of `losing`. False if nothing was measured.
    `losing`: outputs with a loss.
    """
    if not attempt.scores:
        return False
    worst = max(_lost_db(score) for score in losing)
    return max(_lost_db(score) for score in attempt.scores) >= worst - _LOST_DB


def _option_sentence(losing: list[OutputScore], attempt: _Tried) -> str:
    """A sentence on the worst output under the tried option; "" if it was not measured. `losing`:
    outputs with a loss.
    """
    worst = max(losing, key=_lost_db)
    freed = {(score.title, score.inputs): score for score in attempt.scores}
    freed_score = freed.get((worst.title, worst.inputs))
    if freed_score is None or freed_score.declared_aligned_db is None:
        return ""
    left = _lost_db(freed_score)
    if left <= _LOST_DB:
        return f"{attempt.option} avoids it ({freed_score.declared_aligned_db:.1f} dB)"
    if left < _lost_db(worst) - _LOST_DB:
        return f"{attempt.option} loses {left:.1f} dB"
    return f"{attempt.option} does not avoid it"
