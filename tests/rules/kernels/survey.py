"""Runs one-operator models with every operand type in the real runtimes and records what each
runtime does.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.rules.kernels.hybrid import hybrids
from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import of_other_types, varied
from tests.support.kernel_batch import FILL, Outcome, run_batch
from tflite_align import AlignOptions, check
from tflite_align.record import Record
from tflite_align.rules import kernels

__all__ = ["RUNTIMES", "Observed", "Settled", "errors_of", "settled", "survey"]

_OTHER_FILL = 0
RUNTIMES = ("litert", "xnnpack", "tflm")
# The right result of these depends on the output's type, which a form's reference does not know.
_REINTERPRETED = frozenset({"BITCAST"})

Settled = dict[tuple[str, str, str], kernels.Outcome]  # (runtime, operator, signature) -> outcome


class Observed(Record, frozen=True, kw_only=True):
    """The result of one runtime on one model.

    `base`: the signature of the sound model that it was varied from; `place`: the operand that
    differs ("" for the base).
    """

    case: TypedCase
    operator: str
    runtime: str
    signature: str
    outcome: kernels.Outcome
    base: str
    place: str
    words: str = ""


def survey(operators: Iterable[str], runtimes: Sequence[str] = RUNTIMES) -> Iterator[Observed]:
    """For each operator its bases and, if some runtime computes a base right, the variations of it;
    each in every runtime.
    """
    found = [case for name in operators for case in bases(name)]
    yield from _around([*found, *(other for case in found for other in hybrids(case))], runtimes)
    apart = [other for case in found for other in of_other_types(case)]
    if "tflm" in runtimes and apart:
        yield from _around(apart, ["tflm"])


def _around(cases: Sequence[TypedCase], runtimes: Sequence[str]) -> Iterator[Observed]:
    found = {case.name: case for case in cases}
    right: set[str] = set()
    for runtime in runtimes:
        outcomes = _run(cases, runtime)
        for name, case in found.items():
            seen = _observed(case, case, runtime, outcomes[name])
            right |= {name} if seen.outcome == "right" else set()
            yield seen
    others = {
        case.name: (found[name], case)
        for name in found
        if name in right
        for case in varied(found[name])
    }
    for runtime in runtimes:
        outcomes = _run([case for _, case in others.values()], runtime)
        for name, (base, case) in others.items():
            yield _observed(base, case, runtime, outcomes[name])


def _run(cases: Sequence[TypedCase], runtime: str) -> dict[str, Outcome]:
    """Outcomes by case name in the kernel set `runtime`. A right result is computed once more with
    other contents of new memory, and counts only if both are equal.
    """
    outcomes = _batch(cases, runtime, FILL)
    right = [c for c in cases if not outcomes[c.name].error and c.right(outcomes[c.name].outputs)]
    return {**outcomes, **_batch(right, runtime, _OTHER_FILL)}


def _batch(cases: Sequence[TypedCase], runtime: str, fill: int) -> dict[str, Outcome]:
    """Outcomes by case name. Models that ended the process are run once more, since an earlier
    model may have damaged the memory. `fill`: the byte that fills new memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(cases, runtime, Path(folder), fill=fill)
    ended = [case for case in cases if outcomes[case.name].aborted]
    if not ended:
        return outcomes
    with tempfile.TemporaryDirectory() as folder:
        return {**outcomes, **run_batch(ended, runtime, Path(folder), fill=fill)}


def _observed(base: TypedCase, case: TypedCase, runtime: str, outcome: Outcome) -> Observed:
    what: kernels.Outcome = "refused"
    if not outcome.error:
        what = "right" if case.right(outcome.outputs) else "wrong"
    place = "" if case is base else case.name.removeprefix(f"{base.name}-").split("-")[0]
    return Observed(
        case=case,
        operator=case.operator,
        runtime=runtime,
        signature=case.signature,
        outcome=what,
        base=base.name,
        place=place,
        words=outcome.error,
    )


def errors_of(seen: Observed) -> tuple[str, ...]:
    """The rules that `check` reports as errors for the observed runtime."""
    found = check(seen.case.model(), AlignOptions(targets=(seen.runtime,))).findings
    return tuple(finding.rule for finding in found if finding.severity == "error")


def settled(found: Iterable[Observed]) -> Settled:
    """The outcomes of operand types, whatever else a model declares: supported if some model with
    them is computed correctly; a wrong result counts only if no rule other than that on types is
    violated.
    """
    groups: dict[tuple[str, str, str], list[Observed]] = defaultdict(list)
    for one in found:
        groups[one.runtime, one.operator, one.signature].append(one)
    return {key: _outcome_of(members) for key, members in groups.items()}


def _outcome_of(members: Sequence[Observed]) -> kernels.Outcome:
    outcomes = {one.outcome for one in members}
    if "right" in outcomes:
        wrong = [one for one in members if one.outcome == "wrong"]
        silent = members[0].operator not in _REINTERPRETED and any(map(_untold, wrong))
        return "wrong" if silent else "right"
    return "wrong" if "wrong" in outcomes else "refused"


def _untold(seen: Observed) -> bool:
    """Whether no error finding except those on types explains a wrong result."""
    return not any(rule != f"types/{seen.operator}" for rule in errors_of(seen))
