"""The verification of one alignment: two statements about its numbers, and the judges' acceptance.

(a) Alignment loss: declared(aligned) >= declared(original) - 1 dB. No integer kernel is in it.
(b) Kernel fidelity: run(aligned) is no further from the twin than declared(aligned), within a
    bootstrap bound, on each kernel set that takes the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.model import OperatorId
from ..record import Record, replace
from ..verdicts import Acceptance, JudgeVerdict, Verification
from .frontier import Frontier, cut_copy, frontier
from .judges import JUDGES, available, judge_file, placed
from .object_api import pack, parse
from .outputs import (
    Evidence,
    Steps,
    gross_deviations,
    named,
    our_deviations,
    reference_db,
    score_outputs,
)
from .process import children_pool, workspace
from .runtimes import processor, runtimes
from .samples import Samples, make_samples
from .sqnr import REFERENCE_DB
from .stepwise import Steps as CheckedSteps
from .stepwise import check_steps, score_steps
from .tflm import arena_facts
from .twin import declared, twin
from .variants import FLOAT_KERNELS, Form, Ran, run_forms, sample_records
from .verdict_rules import judge_word, loaded, overall

__all__ = ["DEFAULT_JUDGES", "verify"]

DEFAULT_JUDGES = ("litert", "xnnpack")
_SPREADS = (0.3, 0.1)  # parts of the inputs' declared ranges to try when the whole is too much
_PILOT = 8  # samples to try them on
_WORTH_DB = 2.0
LARGEST_MODEL = 512 << 20  # bytes; a twin is up to four times as large

Array = npt.NDArray[Any]
Data = bytes | memoryview
Progress = Callable[[str, float], None]


def verify(
    original: Data,
    aligned: Data,
    *,
    calibration: Mapping[str | int, Array] | None = None,
    samples: int = 64,
    seed: int = 0,
    judges: Sequence[str] | None = None,
    edited: frozenset[OperatorId] | None = None,
    changed: bool = True,
    judge_seconds: float | None = None,
    allowed: frozenset[str] = frozenset(),
    reading: Data | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Prove that `aligned` stands for the same function as `original`, and that it runs so.

    `calibration`: real inputs, [samples, *shape] by input name or position (real values, or
    integers of the input's own type); else `samples` random ones from `seed`. `judges`: names of
    JUDGES, by default litert and xnnpack. `edited`: (subgraph, operator) of the aligned file at
    which edits were made. `changed` False: the bytes are the same, and judges are asked only
    where `judges` names them. `allowed`: judges whose refusal does not count. `reading`: the original with the parameters by which it is to be
    understood, where those are not its own. `judge_seconds`: what each process may take, default
    300 to say whether it takes a file and 1800 to run the samples. `progress` hears (stage,
    fraction done).

    Raises UsageError for unknown judges and calibration that does not fit; whatever else goes
    wrong is a word in the verification.
    """
    started = time.monotonic()
    asked = tuple(dict.fromkeys(DEFAULT_JUDGES if judges is None else judges))
    for name in asked:
        available(name)
    report = progress or (lambda _stage, _fraction: None)
    if not changed:
        verdicts = _same_file(aligned, asked if judges is not None else (), judge_seconds)
        verification = loaded(verdicts, allowed)
    else:
        order = _Order(
            before=original,
            reading=original if reading is None else reading,
            after=aligned,
            calibration=calibration,
            count=samples,
            seed=seed,
            asked=asked,
            edited=edited,
            allowed=allowed,
            report=report,
            seconds=judge_seconds,
        )
        verification = _verify(order)
    return replace(_named(verification), seconds=time.monotonic() - started)


def _named(found: Verification) -> Verification:
    """With the packages that were asked; the float twin is LiteRT's, whoever else was."""
    judges = [verdict.judge for verdict in found.judges] + (["litert"] if found.samples else [])
    packages = runtimes(judges)
    return replace(found, runtimes=packages, processor=processor() if packages else "")


def _same_file(
    data: Data, asked: tuple[str, ...], seconds: float | None
) -> tuple[JudgeVerdict, ...]:
    verdicts = []
    for name in asked:
        found = judge_file(data, name, seconds=seconds)
        verdicts.append(judge_word(name, found, found, frozenset()))
    return tuple(verdicts)


class _Order(Record, frozen=True, kw_only=True):
    """What was asked for."""

    before: Data
    reading: Data
    after: Data
    calibration: Mapping[str | int, Array] | None
    count: int
    seed: int
    asked: tuple[str, ...]
    edited: frozenset[OperatorId] | None
    allowed: frozenset[str]
    report: Progress
    seconds: float | None


class _Case(Record, frozen=True, kw_only=True):
    """Everything that is run, built before anything runs."""

    frontier_before: Frontier
    frontier_after: Frontier
    references: tuple[Form, ...]  # twin and declared(original)
    forms: tuple[Form, ...]  # the rest


class _Gathered(Record, frozen=True, kw_only=True):
    evidence: Evidence
    records: list[dict[str, Any]]  # where a worker finds the samples

    @property
    def complete(self) -> bool:
        return all(ran.outputs is not None for ran in self.evidence.ran.values())


def _verify(order: _Order) -> Verification:
    order.report("build the float twin", 0.0)
    try:
        case = _case(order)
        model = parse(order.reading)
        inputs = make_samples(
            model, calibration=order.calibration, count=order.count, seed=order.seed
        )
    except UnsupportedError as error:
        why = f"numbers not judged: {error}"
        return overall(_ask(order, order.asked), (), why, allowed=order.allowed)
    with workspace() as folder:
        gathered = _gather(order, case, inputs, folder)
        evidence = gathered.evidence
        verdicts = _verdicts(order, evidence.ran)
        order.report("operator by operator", 0.9)
        steps = _steps(order, case, gathered, folder)
        scores, why = score_outputs(evidence, steps)
    order.report("done", 1.0)
    verification = overall(verdicts, scores, why, allowed=order.allowed)
    mine, gross = our_deviations(steps), gross_deviations(steps)
    if verification.word in ("verified", "inconclusive") and gross:
        verification = replace(verification, word="failed", why=named(gross))
    elif verification.word == "verified" and mine:
        why = f"the compared outputs do not show it, but {named(mine)}"
        verification = replace(verification, word="inconclusive", why=why)
    return replace(
        verification,
        samples=evidence.samples.count,
        inputs=evidence.samples.what,
        steps=steps[0],
        notes=case.frontier_after.notes + ((steps[1],) if steps[1] else ()),
    )


def _case(order: _Order) -> _Case:
    size = max(len(order.before), len(order.after))
    if size > LARGEST_MODEL:
        raise UnsupportedError(f"size: {size} bytes is above {LARGEST_MODEL}")
    before, after = parse(order.reading), parse(order.after)
    first, second = frontier(before), frontier(after)
    if len(first.probes) != len(second.probes):
        raise UnsupportedError("the two files have no corresponding outputs to compare")
    if not first.probes:
        raise UnsupportedError("no output stands for real values" + _notes(first))
    references = (
        Form(name="twin", data=twin(order.reading, first), kernels=FLOAT_KERNELS),
        Form(name="declared:before", data=declared(order.reading, first), kernels=FLOAT_KERNELS),
    )
    reading = declared(order.after, second)
    forms = [Form(name="declared:after", data=reading, kernels=FLOAT_KERNELS)]
    copy_before = _runnable(order.before, before, first), bool(first.dropped)
    copy_after = _runnable(order.after, after, second), bool(second.dropped)
    for name in order.asked:
        if JUDGES[name].runs and available(name) is None:
            forms.append(_real(f"before:{name}", name, order.before, copy_before))
            forms.append(_real(f"after:{name}", name, order.after, copy_after))
    return _Case(
        frontier_before=first, frontier_after=second, references=references, forms=tuple(forms)
    )


def _notes(found: Frontier) -> str:
    return "".join(f"; {note}" for note in found.notes)


def _runnable(data: Data, model: Any, found: Frontier) -> bytes | None:
    """A copy whose outputs are the probes, or None when the file's own outputs are just that."""
    if [probe.tensor for probe in found.probes] == model.subgraphs[0].outputs:
        return None
    return pack(cut_copy(parse(data), found))


def _real(name: str, kernels: str, data: Data, copy: tuple[bytes | None, bool]) -> Form:
    copied, part = copy
    if copied is None:
        return Form(name=name, data=data, kernels=(kernels,))
    return Form(name=name, data=copied, kernels=(kernels,), accept=data, part=part)


def _gather(order: _Order, case: _Case, first: Samples, folder: Path) -> _Gathered:
    """Runs every form on samples that the original's declared reading copes with.

    Random inputs over the whole declared range drive some networks far out of the ranges that
    were calibrated. Then narrower ones are tried, on a few samples; only the original decides, so
    the choice favours nobody.
    """
    order.report("float twin", 0.05)
    chosen = _references(order, case, first, folder / "draw")
    level = reference_db(chosen.evidence)
    if level < REFERENCE_DB and first.random and chosen.complete:
        order.report("float twin, narrower inputs", 0.1)
        model, tried = parse(order.reading), {}
        for spread in _SPREADS:
            few = make_samples(model, count=_PILOT, seed=order.seed, spread=spread)
            pilot = _references(order, case, few, folder / f"pilot-{spread}")
            tried[spread] = reference_db(pilot.evidence)
        best = max(tried, key=lambda spread: tried[spread])
        if tried[best] > level + _WORTH_DB:
            again = make_samples(model, count=first.count, seed=order.seed, spread=best)
            chosen = _references(order, case, again, folder / "again")
    ended: list[str] = []

    def done(name: str) -> None:
        ended.append(name)
        order.report(name, 0.2 + 0.65 * len(ended) / len(case.forms))

    evidence = chosen.evidence
    ran = run_forms(
        case.forms, evidence.samples, chosen.records, folder, done, seconds=order.seconds
    )
    kernels = tuple(name for name in order.asked if f"after:{name}" in ran)
    evidence = replace(evidence, ran={**evidence.ran, **ran}, kernels=kernels)
    return replace(chosen, evidence=evidence)


def _references(order: _Order, case: _Case, samples: Samples, folder: Path) -> _Gathered:
    """Twin and declared(original) on these samples; `folder` must not exist yet."""
    folder.mkdir()
    records = sample_records(samples, folder)
    ran = run_forms(
        case.references, samples, records, folder, lambda _: None, seconds=order.seconds
    )
    evidence = Evidence(
        before=case.frontier_before,
        after=case.frontier_after,
        samples=samples,
        ran=ran,
        kernels=(),
        seed=order.seed,
    )
    return _Gathered(evidence=evidence, records=records)


# --- judges ------------------------------------------------------------------------------------


def _ask(order: _Order, asked: Sequence[str]) -> tuple[JudgeVerdict, ...]:
    """Acceptance only, of both files, two processes at a time."""

    def one(name: str) -> JudgeVerdict:
        before, after = (
            judge_file(data, name, seconds=order.seconds) for data in (order.before, order.after)
        )
        return judge_word(name, before, after, order.edited or frozenset())

    verdicts = []
    with children_pool(2) as pool:
        for verdict in pool.map(one, asked):
            verdicts.append(verdict)
            order.report(verdict.judge, 0.88)
    return tuple(verdicts)


def _verdicts(order: _Order, ran: Mapping[str, Ran]) -> tuple[JudgeVerdict, ...]:
    """The runs have answered for their judges already; the others are asked now."""
    rest = [name for name in order.asked if f"after:{name}" not in ran]
    known = {verdict.judge: verdict for verdict in _ask(order, rest)}
    for name in order.asked:
        if name not in known:
            before = _accepted(ran[f"before:{name}"], order.before)
            after = _accepted(ran[f"after:{name}"], order.after)
            known[name] = judge_word(name, before, after, order.edited or frozenset())
    return tuple(known[name] for name in order.asked)


def _accepted(ran: Ran, data: Data) -> Acceptance:
    found = replace(ran.acceptance, facts=ran.acceptance.facts + arena_facts(ran.log))
    return placed(found, data)


# --- operator by operator ----------------------------------------------------------------------


def _steps(order: _Order, case: _Case, gathered: _Gathered, folder: Path) -> Steps:
    """The check of the aligned file, or why there is none; the original is asked where it errs."""
    missing = available("litert")
    if missing is not None:
        return None, f"operator by operator: skipped: {missing}"
    sequences = gathered.evidence.samples.sequences

    def check(data: Data, found: Frontier, name: str) -> CheckedSteps:
        copy = pack(cut_copy(parse(data), found)) if found.dropped else data
        return check_steps(copy, gathered.records, sequences, folder / name, seconds=order.seconds)

    try:
        after = check(order.after, case.frontier_after, "steps-after")
        if after.why:
            return None, f"operator by operator: not done: {after.why}"
        if after.within:
            return score_steps(after, after, order.edited), ""
        before = check(order.reading, case.frontier_before, "steps-before")
    except UnsupportedError as error:
        return None, f"operator by operator: not done: {error}"
    return score_steps(before, after, order.edited), ""
