"""What a user may free where an alignment loses what its verification holds against it, and the
word for a loss that no parameters avoid.
"""

from __future__ import annotations

from collections.abc import Callable

from ..record import Record, replace
from ..settings.options import AlignOptions
from ..verdicts import OutputScore, Verification
from .preparation import Prepared

__all__ = ["with_way_out"]

_LOST_DB = 1.0  # as the verification's
_NOISE_DB = 10.0  # what is left below it is noise: no loss that comes to that is borne

Scores = tuple[OutputScore, ...]


class _Tried(Record, frozen=True, kw_only=True):
    """The option that was tried, and the declared readings of the file that it gives."""

    option: str
    scores: Scores


def with_way_out(
    prepared: Prepared,
    verification: Verification | None,
    align: Callable[[AlignOptions], bytes],
) -> Verification | None:
    """The verification, whose reason says what would avoid the loss: `--io free` and `--prefer
    precision` are tried. Where the second does not, the rules leave no other parameters, and the
    loss alone is no failure: the word is inconclusive. `align`: the file that other options give,
    without judges.
    """
    if verification is None or verification.word not in ("failed", "inconclusive"):
        return verification
    lost = [score for score in verification.outputs if _loses(score)]
    options = prepared.session.options
    if not lost or (options.io != "keep" and not _own_choice(options)):
        return verification
    from ..verify.declared_sqnr import declared_scores  # noqa: PLC0415 - a run without judges needs none of it

    def tried(option: str, others: AlignOptions) -> _Tried:
        scores = declared_scores(
            memoryview(prepared.written(prepared.repair.model)),
            align(replace(others, verify=False, compare=False)),
            calibration=options.calibration,
            samples=options.samples,
            seed=options.seed,
            memory=options.memory,
        )
        return _Tried(option=option, scores=scores)

    found = []
    if _own_choice(options):
        found.append(tried("--prefer precision", replace(options, prefer="precision")))
    if options.io == "keep":
        found.append(tried("--io free", replace(options, io="free")))
    told = [_told(lost, one) for one in found]
    why = "; ".join([verification.why, *filter(None, told)])
    word = verification.word
    if _own_choice(options) and _is_all(verification, lost) and _unavoidable(lost, found[0]):
        word = "inconclusive"
    return replace(verification, word=word, why=why)


def _own_choice(options: AlignOptions) -> bool:
    """Whether the solver chose all of the parameters, at what it weighs by default."""
    return not options.policies and options.overlap == "auto" and options.prefer == "balanced"


def _loses(score: OutputScore) -> bool:
    return score.word in ("failed", "inconclusive") and _lost_db(score) > _LOST_DB


def _lost_db(score: OutputScore) -> float:
    """0 where it is not known."""
    if score.declared_original_db is None or score.declared_aligned_db is None:
        return 0.0
    return score.declared_original_db - score.declared_aligned_db


def _is_all(verification: Verification, lost: list[OutputScore]) -> bool:
    """Whether nothing fails but by these losses, and what they leave is more than noise."""
    judged = all(verdict.word != "failed" for verdict in verification.judges)
    outputs = all(score in lost for score in verification.outputs if score.word == "failed")
    steps = verification.steps is None or not any(one.ours for one in verification.steps.beyond)
    left = all(
        (score.declared_aligned_db or 0.0) >= _NOISE_DB
        for score in lost
        if (score.declared_original_db or 0.0) >= _NOISE_DB
    )
    return judged and outputs and steps and left


def _unavoidable(lost: list[OutputScore], tried: _Tried) -> bool:
    """Whether what weighs precision most loses as much, at one output or another."""
    if not tried.scores:
        return False
    worst = max(_lost_db(score) for score in lost)
    return max(_lost_db(score) for score in tried.scores) >= worst - _LOST_DB


def _told(lost: list[OutputScore], tried: _Tried) -> str:
    """Of the output that loses most; "" where nothing is known of it."""
    worst = max(lost, key=_lost_db)
    freed = {(score.title, score.inputs): score for score in tried.scores}
    other = freed.get((worst.title, worst.inputs))
    if other is None or other.declared_aligned_db is None:
        return ""
    left = _lost_db(other)
    if left <= _LOST_DB:
        return f"{tried.option} avoids it ({other.declared_aligned_db:.1f} dB)"
    if left < _lost_db(worst) - _LOST_DB:
        return f"{tried.option} loses {left:.1f} dB"
    return f"{tried.option} does not avoid it"
