"""Refusals by judges and their effect on the verification and the exit status."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import replace
from ..rules.targets import Target
from ..verdicts import Acceptance, JudgeVerdict, Verification
from .session import Session

__all__ = ["allowed_warnings", "judged", "judged_as_declared", "judged_by_name", "refusals"]

_REFUSALS = ("refused", "crashed")


def judged(
    verification: Verification, targets: Sequence[Target], allowed: Sequence[str]
) -> Verification:
    """The verification, with the word "failed" if a target refuses the written file, even if it
    refused the original.

    `allowed`: judges whose refusal is ignored.
    """
    verdicts = {verdict.judge: verdict for verdict in verification.judges}
    for target in targets:
        of_target = [verdicts[name] for name in target.judges if name in verdicts]
        refusing = _refusing(target, of_target, allowed)
        if refusing:
            return replace(verification, word="failed", why="; ".join(refusals(refusing)))
    return verification


def judged_by_name(
    verification: Verification, names: Sequence[str], allowed: Sequence[str]
) -> Verification:
    """The verification, with the word "failed" if a judge named by the user refuses the file.
    `names`: the judges named by the user; `allowed`: judges whose refusal is ignored.
    """
    named = [
        verdict
        for verdict in verification.judges
        if verdict.judge in names and verdict.judge not in allowed
    ]
    reasons = refusals(named)
    return replace(verification, word="failed", why="; ".join(reasons)) if reasons else verification


def _refusing(
    target: Target, verdicts: Sequence[JudgeVerdict], allowed: Sequence[str]
) -> list[JudgeVerdict]:
    """The verdicts because of which the target refuses the file; empty if it accepts the file.
    `allowed`: judges that may refuse the file.
    """
    refusing = [verdict for verdict in verdicts if verdict.after.status in _REFUSALS]
    ran = [verdict for verdict in verdicts if verdict.after.status != "skipped"]
    if target.takes == "any" and len(refusing) < len(ran):
        return []
    return [verdict for verdict in refusing if verdict.judge not in allowed]


def refusals(verdicts: Sequence[JudgeVerdict]) -> list[str]:
    """Sentences such as `tflm refuses the file at subgraph[0]/operator[3] PAD: message`.

    Judges with the same message share a sentence. `verdicts`: those of refusing judges.
    """
    by_words: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.after.status in _REFUSALS:
            by_words.setdefault(_words(verdict.after), []).append(verdict.judge)
    return [
        f"{' and '.join(judges)} refuse{'s' if len(judges) == 1 else ''} the file{words}"
        for words, judges in by_words.items()
    ]


def _words(acceptance: Acceptance) -> str:
    """The end of a sentence on a refusal: the place and the judge's message."""
    location = f" at {acceptance.place}" if acceptance.place else ""
    crashed = " by a crash" if acceptance.status == "crashed" else ""
    return (
        f"{crashed}{location}: {acceptance.reason}" if acceptance.reason else f"{crashed}{location}"
    )


def allowed_warnings(verification: Verification | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """Warnings for refusals that --allow-refused accepts. `allowed`: judges that may refuse the
    file.
    """
    if verification is None:
        return ()
    passed = [verdict for verdict in verification.judges if verdict.judge in allowed]
    return tuple(f"{refusal} (allowed by --allow-refused)" for refusal in refusals(passed))


def judged_as_declared(
    data: bytes | memoryview, judges: Sequence[str], session: Session
) -> Verification:
    """Run the file in the judges' runtimes and compare the outputs with the file's declared
    reading.
    """
    from ..verify.as_declared import run_as_declared  # noqa: PLC0415 - a run without judges needs none of it

    options = session.options
    verification = run_as_declared(
        data,
        judges=judges,
        allowed=frozenset(options.allow_refused),
        calibration=options.calibration,
        samples=options.samples,
        seed=options.seed,
        judge_seconds=options.judge_seconds,
        memory=options.memory,
        board=options.board,
    )
    return judged(verification, session.targets, options.allow_refused)
