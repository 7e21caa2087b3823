"""Rules from results to words: verified, failed, inconclusive, skipped or unchanged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..format.model import OperatorId
from ..verdicts import Acceptance, JudgeVerdict, JudgeWord, OutputScore, Status, Verification, Word

__all__ = ["judge_word", "loaded", "overall"]

# judges whose refusal fails the file only if they accepted the original
_INFORMATIONAL = ("xnnpack",)
_NUMBERS = re.compile(r"[-+]?\d[\d.e+-]*")


def judge_word(
    judge: str, before: Acceptance, after: Acceptance, edited: frozenset[OperatorId]
) -> JudgeVerdict:
    """The verdict of a judge over both files. It is "failed" only if the judge accepted the
    original, or names an operator that alignment changed (`edited`).
    """
    word, why = _judge_word(judge, before, after, edited)
    return JudgeVerdict(judge=judge, before=before, after=after, word=word, why=why)


def _judge_word(
    judge: str, before: Acceptance, after: Acceptance, edited: frozenset[OperatorId]
) -> tuple[JudgeWord, str]:
    """(word, reason) of a judge. `before`, `after`: acceptance of both files; `edited`: operators
    that alignment changed.
    """
    if after.status == "skipped":
        return "skipped", after.reason
    if after.status == "accepted":
        return "accepted", "" if before.status == "accepted" else "accepts the aligned file only"
    sentence = f"{after.status}: {after.reason}" if after.reason else after.status
    if after.status == "timeout":
        return "inconclusive", sentence
    if before.status == "accepted":
        return "failed", f"accepts the original, but not the aligned file: {sentence}"
    if before.status == after.status and _same(before, after):
        return "unchanged", f"does not accept the original either: {sentence}"
    if (0, after.operator) in edited and judge not in _INFORMATIONAL:
        return "failed", f"names an operator that was edited: {sentence}"
    return "inconclusive", f"does not accept the original either, for another reason: {sentence}"


def _same(before: Acceptance, after: Acceptance) -> bool:
    """Whether two refusals count as the same: equal texts, apart from operator numbers and
    addresses. After a crash always True, since its text differs each time.
    """
    crashed = before.status == "crashed"
    return crashed or _NUMBERS.sub("#", before.reason) == _NUMBERS.sub("#", after.reason)


def loaded(judges: Sequence[JudgeVerdict], allowed: frozenset[str]) -> Verification:
    """The verification of an unchanged file that the judges only loaded. `allowed`: judges that may
    refuse it.
    """
    word, why = _loaded([verdict.after for verdict in judges if verdict.judge not in allowed])
    return Verification(word=word, why=why, judges=tuple(judges))


def _loaded(acceptances: Sequence[Acceptance]) -> tuple[Word, str]:
    """(word, reason) of an unchanged file. Whether a refusal fails the file depends on the targets,
    which the caller knows. `acceptances`: one per judge.
    """
    accepted = any(acceptance.status == "accepted" for acceptance in acceptances)
    order: list[tuple[Status, Word]] = [("timeout", "inconclusive")]
    if not accepted:
        order += [("refused", "failed"), ("crashed", "failed")]
    order += [("skipped", "skipped"), ("accepted", "accepted")]
    for status, word in order:
        for acceptance in acceptances:
            if acceptance.status == status:
                return (
                    word,
                    f"{status}: {acceptance.reason}" if word == "failed" else acceptance.reason,
                )
    return "skipped", "every judge is allowed to refuse"


def overall(
    judges: Sequence[JudgeVerdict],
    outputs: Sequence[OutputScore],
    why: str,
    *,
    allowed: frozenset[str] = frozenset(),
) -> Verification:
    """The whole verification: its word is the worst over judges and outputs. `why`: the reason if
    no output could be judged. `allowed`: judges that may refuse the file.
    """
    counted = [verdict for verdict in judges if verdict.judge not in allowed]
    word, reason = _overall(counted, outputs, why)
    return Verification(word=word, why=reason, judges=tuple(judges), outputs=tuple(outputs))


def _overall(
    judges: Sequence[JudgeVerdict], outputs: Sequence[OutputScore], why: str
) -> tuple[Word, str]:
    """(word, reason) of the whole verification: the worst of its parts. `judges`, `outputs`: the
    parts; `why`: reason if nothing was compared.
    """
    for verdict in judges:
        if verdict.word == "failed":
            return "failed", f"{verdict.judge} {verdict.why}"
    for score in outputs:
        if score.word == "failed":
            return "failed", f"{score.title}: {score.why}"
    counted = [score for score in outputs if score.word != "skipped"]
    for score in counted:
        if score.word != "verified":
            return "inconclusive", f"{score.title}: {score.why}"
    unknown = [verdict for verdict in judges if verdict.after.status in ("timeout", "skipped")]
    for one in unknown:
        reason = f"{one.judge}: {one.after.reason}"
        return ("inconclusive" if one.after.status == "timeout" else "skipped"), reason
    if counted:
        return "verified", ""
    return "skipped", why or "no judge and no output gave a verdict"
