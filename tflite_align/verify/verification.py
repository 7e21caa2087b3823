"""The verification of one alignment: two statements about its numbers, and acceptance by the
judges.

(a) Alignment loss: declared(aligned) >= declared(original) - 1 dB, without integer kernels. (b)
Kernel fidelity: run(aligned) is no further from the twin than declared(aligned), within a bootstrap
bound, on each kernel set that accepts the file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.model import OperatorId
from ..record import Record, replace
from ..verdicts import OutputScore, Verification
from .acceptances import ask, ask_same, verdicts_of
from .board import ANY_BOARD, Board
from .budget import MEMORY
from .case import Case, Order, build_case
from .deviations import Steps, deviations_text, gross_deviations, our_deviations
from .evidence import Evidence
from .figures import with_figures
from .gather import gather, gather_readings, with_constants
from .judges import available
from .object_api import unpacked_once
from .outputs import more_inputs, noise_notes, score_outputs
from .process import workspace
from .runtimes import processor, runtimes
from .samples import Samples, make_samples
from .sqnr import FLOOR_DB
from .verdict_rules import loaded, overall

__all__ = ["DEFAULT_JUDGES", "verify"]

DEFAULT_JUDGES = ("litert", "xnnpack")
_LEAST = 64  # least number of inputs for a verdict
# Limits for more inputs if the first ones do not decide; these should take one or two seconds.
# If the first ones show no loss, they should take tenths of a second.
_MORE = 1024  # largest number of inputs
_LEAST_MORE = 4  # least factor by which the number of inputs grows
_ELEMENTS = 1 << 30  # elements of all tensors of the main subgraph, over all inputs
_SURE = 64  # divisor of _ELEMENTS if the first inputs show no loss
_SHOWN = "kernels were not compared on samples: the certificate holds for every input, on "
_KEPT = 1 << 24  # elements of all outputs, over all inputs

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
    memory: int = MEMORY,
    board: Board = ANY_BOARD,
    allowed: frozenset[str] = frozenset(),
    reading: Data | None = None,
    figures: bool = False,
    kernel_runtimes: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Verification:
    """Compare the functions of `aligned` and `original`, and run the judges.

    `calibration`: real inputs, [samples, *shape] by input name or position (real values, or integers of the input's type); else
    `samples` random ones from `seed`. `judges`: names of JUDGES, by default litert and xnnpack. `edited`: (subgraph, operator) of
    changed operators of the aligned file. `changed` False: the bytes are equal, and only `judges` are run. `allowed`: judges
    whose refusal does not count. `reading`: the original with the parameters by which it is interpreted. `judge_seconds`: per
    process, by default 300 to load a file and 1800 to run the samples. `memory`: bytes that samples and running may take; larger
    models are skipped. `board`: settings of Vela. `figures`: compare the original's operators too, for plots. `kernel_runtimes`:
    runtimes that a certificate covers: without `figures`, and if no others run, only alignment loss and acceptance are judged.
    `progress`: called with (stage, fraction done). Raises UsageError for a wrong argument.
    """
    started = time.monotonic()
    asked = tuple(dict.fromkeys(DEFAULT_JUDGES if judges is None else judges))
    for name in asked:
        available(name)
    if not changed:
        named_judges = asked if judges is not None else ()
        with unpacked_once():
            verdicts = ask_same(aligned, named_judges, judge_seconds, memory, board)
        verification = loaded(verdicts, allowed)
    else:
        order = Order(
            before=original,
            reading=original if reading is None else reading,
            after=aligned,
            calibration=calibration,
            count=samples,
            seed=seed,
            asked=asked,
            edited=edited,
            allowed=allowed,
            report=progress or (lambda _stage, _fraction: None),
            seconds=judge_seconds,
            memory=memory,
            board=board,
            figures=figures,
            kernel_runtimes=kernel_runtimes,
        )
        with unpacked_once():
            verification = _verify(order)
    return replace(_named(verification), seconds=time.monotonic() - started)


def _named(found: Verification) -> Verification:
    """The verification with the versions of the runtimes that ran; LiteRT always does, since it
    runs the float twin.
    """
    judges = [verdict.judge for verdict in found.judges] + (["litert"] if found.samples else [])
    packages = runtimes(judges)
    return replace(found, runtimes=packages, processor=processor() if packages else "")


# Values of absurd scales overflow; each figure is checked for being finite where it is made.
@np.errstate(over="ignore", invalid="ignore")
def _verify(order: Order) -> Verification:
    """The verification of a changed file."""
    order.report("build the float twin", 0.0)
    try:
        case = build_case(order)
        judged = _judge(order, case)
    except UnsupportedError as error:
        why = f"numbers not judged: {error}"
        return overall(ask(order, order.asked), (), why, allowed=order.allowed)
    steps, scores = judged.steps, judged.scores
    verdicts = verdicts_of(order, judged.evidence.ran)
    order.report("done", 1.0)
    verification = overall(verdicts, scores, judged.why, allowed=order.allowed)
    verification = _with_steps(verification, steps)
    if verification.word == "verified" and judged.samples.count < _LEAST:
        why = f"{judged.samples.count} inputs are fewer than the {_LEAST} that verify"
        verification = replace(verification, word="inconclusive", why=why)
    return replace(
        verification,
        samples=judged.samples.count,
        inputs=judged.samples.what,
        steps=steps[0],
        notes=(
            *case.frontier_after.notes,
            *noise_notes(scores),
            *([_SHOWN + ", ".join(order.running)] if order.certified else []),
            *([steps[1]] if steps[1] and not order.certified else []),
        ),
    )


class _Scored(Record, frozen=True, kw_only=True):
    """The result of running the variants on some samples. `scores`: of each output; `steps`: of
    comparing operators one by one; `why`: the reason if there are no scores.
    """

    evidence: Evidence
    steps: Steps
    scores: tuple[OutputScore, ...]
    why: str

    @property
    def samples(self) -> Samples:
        """All samples that were run."""
        return (self.evidence.wide or self.evidence).samples


def _judge(order: Order, case: Case) -> _Scored:
    """Run the variants and score them, on more inputs if the first do not decide. Raises
    UnsupportedError if there are no inputs for the model.
    """
    model = case.model
    inputs = make_samples(
        model,
        calibration=order.calibration,
        count=order.count,
        seed=order.seed,
        memory=order.memory,
    )
    with workspace() as folder:
        gathered = gather(order, case, inputs, folder)
        evidence, steps = gathered.evidence, gathered.steps
        scores, why = score_outputs(evidence, steps)
        if any(_may_be_constants(score) for score in scores):
            evidence = with_constants(order, case, evidence, folder / "constants")
            scores, why = score_outputs(evidence, steps)
        times = _times(case, evidence, scores)
        if times >= _LEAST_MORE:  # a few more inputs do not tighten the bounds
            more = make_samples(
                model, count=order.count * times, seed=order.seed, spread=evidence.samples.spread
            )
            wide = gather_readings(order, case, more, folder / "more")
            evidence = replace(evidence, wide=wide)
            scores, why = score_outputs(evidence, steps)
    scores = with_figures(evidence, scores, model)
    return _Scored(evidence=evidence, steps=steps, scores=scores, why=why)


def _times(case: Case, evidence: Evidence, scores: Sequence[OutputScore]) -> int:
    """The factor by which the number of inputs grows so that a loss can be told from chance,
    limited by their cost. 1 if the first inputs decide, for calibration data, or if an output has
    failed. `scores`: of the outputs.
    """
    if not evidence.samples.random or any(s.word == "failed" and s.index >= 0 for s in scores):
        return 1
    chance = any(score.word == "inconclusive" for score in scores)
    kept = sum(rows.shape[1] for rows in evidence.ran["twin"].outputs or ())
    elements = _ELEMENTS if chance else _ELEMENTS // _SURE
    most = min(elements // case.elements, _KEPT // max(kept, 1), _MORE)
    times = int(most // evidence.samples.count)
    needed = more_inputs(evidence) if times >= _LEAST_MORE else 1.0
    return min(max(math.ceil(needed), _LEAST_MORE), times) if needed > 1.0 else 1


def _may_be_constants(score: OutputScore) -> bool:
    """Whether an output failed although enough SQNR is left, which requantized constants alone may
    explain.
    """
    return score.word == "failed" and (score.declared_aligned_db or 0.0) >= FLOOR_DB


def _with_steps(verification: Verification, steps: Steps) -> Verification:
    """The verification, with a worse word if operators deviate although the outputs do not show it."""
    mine, gross = our_deviations(steps), gross_deviations(steps)
    if verification.word in ("verified", "inconclusive") and gross:
        return replace(verification, word="failed", why=deviations_text(gross))
    if verification.word == "verified" and mine:
        why = f"the compared outputs do not show it, but {deviations_text(mine)}"
        return replace(verification, word="inconclusive", why=why)
    return verification
