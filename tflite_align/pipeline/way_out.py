"""What a user may free where an alignment loses what its verification holds against it."""

from __future__ import annotations

from collections.abc import Callable

from ..record import replace
from ..settings.options import AlignOptions
from ..verdicts import OutputScore, Verification
from .preparation import Prepared

__all__ = ["with_way_out"]

_LOST_DB = 1.0  # as the verification's


def with_way_out(
    prepared: Prepared,
    verification: Verification | None,
    align: Callable[[AlignOptions], bytes],
) -> Verification | None:
    """The verification, whose reason says whether `--io free` would avoid the loss: it is tried.
    `align`: the file that other options give, without judges.
    """
    options = prepared.session.options
    if verification is None or options.io != "keep":
        return verification
    lost = [score for score in verification.outputs if _loses(score)]
    if not lost or verification.word not in ("failed", "inconclusive"):
        return verification
    from ..verify.declared_sqnr import declared_scores  # noqa: PLC0415 - a run without judges needs none of it

    scores = declared_scores(
        memoryview(prepared.written(prepared.repair.model)),
        align(replace(options, io="free", verify=False, compare=False)),
        calibration=options.calibration,
        samples=options.samples,
        seed=options.seed,
        memory=options.memory,
    )
    freed = {(score.title, score.inputs): score for score in scores}
    told = _told(lost, freed)
    return replace(verification, why=f"{verification.why}; {told}") if told else verification


def _loses(score: OutputScore) -> bool:
    return score.word in ("failed", "inconclusive") and _lost_db(score) > _LOST_DB


def _lost_db(score: OutputScore) -> float:
    """0 where it is not known."""
    if score.declared_original_db is None or score.declared_aligned_db is None:
        return 0.0
    return score.declared_original_db - score.declared_aligned_db


def _told(lost: list[OutputScore], freed: dict[tuple[str, str], OutputScore]) -> str:
    """Of the output that loses most; "" where nothing is known of it."""
    worst = max(lost, key=_lost_db)
    other = freed.get((worst.title, worst.inputs))
    if other is None or other.declared_aligned_db is None:
        return ""
    left = _lost_db(other)
    if left <= _LOST_DB:
        return f"--io free avoids it ({other.declared_aligned_db:.1f} dB)"
    if left < _lost_db(worst) - _LOST_DB:
        return f"--io free loses {left:.1f} dB"
    return "--io free does not avoid it"
