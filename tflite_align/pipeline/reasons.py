"""Sentences that say why a run fails, and the findings that a baseline accepts."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.binder.bound import Bound
from ..checks.checker import Finding
from ..settings.baseline import Accepted
from ..settings.options import AlignOptions
from ..solver.problem_records import Conflict
from ..verdicts import CertificateSummary, Verification
from .refusals import refusals

__all__ = [
    "certificate_reasons",
    "conflict_reasons",
    "judge_reasons",
    "kept_conflicts",
    "remaining_reasons",
    "stale_warnings",
    "verification_reasons",
    "without",
]


_NOT_ASKED = "not run: only a configuration file named with --config starts judges"


def judge_reasons(verification: Verification | None, options: AlignOptions) -> list[str]:
    """Sentences on judges that fail a check; empty if none does."""
    if verification is None:
        return [_missing(name, _NOT_ASKED) for name in options.require]
    failed = verification.word == "failed" and (options.run or "numbers" in options.require)
    considered = [
        verdict
        for verdict in verification.judges
        if verdict.judge in (*options.judges, *options.require)
        and verdict.judge not in options.allow_refused
    ]
    reasons = [*([verification.why] if failed else []), *refusals(considered)]
    return list(dict.fromkeys([*reasons, *_required(verification, options)]))


def without(findings: Sequence[Finding], passed: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that are not among `passed`, compared by identity."""
    passed_ids = set(map(id, passed))
    return tuple(finding for finding in findings if id(finding) not in passed_ids)


def stale_warnings(stale: Sequence[Accepted]) -> tuple[str, ...]:
    """Warnings for baseline entries that match no finding any more. `stale`: the entries."""
    if not stale:
        return ()
    first = f"{stale[0].slot} {stale[0].rule}"
    more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
    return (f"the baseline lists findings that no longer occur: {first}{more}",)


def kept_conflicts(bound: Bound, findings: Sequence[Finding]) -> tuple[Conflict, ...]:
    """Conflicts of findings whose repair would change a tensor that an override keeps."""
    return tuple(
        Conflict(
            slots=(finding.slot,),
            rules=(finding.rule,),
            message=f"{bound.kept[finding.tensor_id]} keeps"
            f" {finding.tensor_name!r}, which {finding.rule} asks to change",
        )
        for finding in findings
    )


def conflict_reasons(conflicts: Sequence[Conflict]) -> list[str]:
    """A sentence on overrides that cannot be satisfied, whether or not a rule is violated there.
    `conflicts`: those of the solver.
    """
    overridden = [
        conflict for conflict in conflicts if any(r.startswith("override/") for r in conflict.rules)
    ]
    return (
        [f"{len(overridden)} conflict{'s' if len(overridden) > 1 else ''} with overrides"]
        if overridden
        else []
    )


def remaining_reasons(findings: Sequence[Finding], options: AlignOptions) -> list[str]:
    """Sentences on the findings that fail the run: errors, and warnings if the options say so."""
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    reasons = []
    if errors:
        reasons.append(f"{errors} error finding{'s' if errors > 1 else ''}")
    if warnings and options.fail_on == "warning":
        reasons.append(f"{warnings} warning finding{'s' if warnings > 1 else ''}")
    return reasons


def verification_reasons(verification: Verification | None, options: AlignOptions) -> list[str]:
    """Sentences on a failed or missing verification."""
    if verification is None:
        required = [name for name in options.require if name != "certified"]
        return [_missing(name, "no judge was run") for name in required]
    reasons = [f"verification failed: {verification.why}"] if verification.word == "failed" else []
    return [*reasons, *_required(verification, options)]


def certificate_reasons(
    certificate: CertificateSummary | None,
    verification: Verification | None,
    options: AlignOptions,
) -> list[str]:
    """Sentences on a certificate that is required and does not cover every operator."""
    if "certified" not in options.require:
        return []
    if certificate is None or certificate.word != "certified":
        why = "there is no certificate" if certificate is None else certificate.why
        return [f"certified is required, but {why}"]
    if verification is None or verification.word != "verified":
        word = "not run" if verification is None else f"{verification.word}: {verification.why}"
        return [f"certified is required, but the numbers are {word}"]
    return []


def _required(verification: Verification, options: AlignOptions) -> list[str]:
    """Sentences on requirements of `--require` that are not met."""
    reasons = []
    judged = {verdict.judge: verdict for verdict in verification.judges}
    for name in options.require:
        if name == "certified":
            continue
        if name == "numbers":
            if verification.word != "verified":
                reasons.append(_missing(name, f"{verification.word}: {verification.why}"))
        elif name not in judged or judged[name].after.status != "accepted":
            acceptance = judged[name].after if name in judged else None
            reason = f"{acceptance.status}: {acceptance.reason}" if acceptance else _NOT_ASKED
            reasons.append(_missing(name, reason))
    return reasons


def _missing(name: str, why: str) -> str:
    """The sentence that a judge or kind of proof is required, but missing. `name`: the judge or
    proof; `why`: the reason.
    """
    return f"{name} {'are' if name == 'numbers' else 'is'} required, but {why}"
