"""What the comparison of operators one by one says about an output's verdict."""

from __future__ import annotations

from ..verdicts import StepCheck, StepDeviation, Word

__all__ = [
    "Steps",
    "deviations_text",
    "gross_deviations",
    "our_deviations",
    "steps_text",
    "word_by_steps",
]

_GROSS = 4.0  # multiple of the tolerance that counts as a gross deviation
Steps = tuple[StepCheck | None, str]  # the check, or why there is none


def word_by_steps(word: Word, why: str, steps: Steps) -> tuple[Word, str]:
    """The verdict (word, reason) after the comparison operator by operator (`steps`): "failed" if
    an operator deviates because of the alignment, else `word`. The result of the comparison is
    added to the reason `why`.
    """
    mine = our_deviations(steps)
    if mine:
        return "failed", f"{why}; {deviations_text(mine)}"
    return word, f"{why}; {steps_text(steps)}"


def our_deviations(steps: Steps) -> tuple[StepDeviation, ...]:
    """Operators that deviate because of the alignment: those that it changed, and those that do not
    deviate in the original. To deviate is to be further from the exact result than the tolerance.
    """
    return tuple(d for d in steps[0].beyond if d.ours) if steps[0] else ()


def gross_deviations(steps: Steps) -> tuple[StepDeviation, ...]:
    """Deviations of changed operators, so large that kernels cannot use the declared parameters."""
    return tuple(d for d in our_deviations(steps) if d.lsb > _GROSS * d.tolerance_lsb)


def deviations_text(deviations: tuple[StepDeviation, ...]) -> str:
    """A clause about the largest of the deviations and the number of others."""
    worst = max(deviations, key=lambda deviation: deviation.lsb)
    more = f" and {len(deviations) - 1} more" if len(deviations) > 1 else ""
    return f"{worst.address} is {worst.lsb:.1f} LSB off the result for its inputs{more}"


def steps_text(steps: Steps) -> str:
    """A clause with the result of comparing operators one by one."""
    checks, note = steps
    if checks is None:
        return note
    if checks.beyond:
        return f"{deviations_text(checks.beyond)}, as in the original"
    skipped = f", {len(checks.not_judged)} not judged" if checks.not_judged else ""
    return f"each of {checks.checked} operators is within tolerance{skipped}"
