"""Runs all variants that a verification compares, on samples for which the original's declared
reading is usable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UnsupportedError
from ..record import Record, replace
from .case import Case, Order, constants_form
from .deviations import Steps
from .evidence import DECLARED, Evidence, reference_db
from .frontier import Frontier, cut_copy
from .judges import available
from .object_api import pack, parse
from .samples import Samples, make_samples
from .sqnr import REFERENCE_DB
from .step_scores import Steps as CheckedSteps
from .step_scores import score_steps
from .stepwise import PreparedSteps, check_steps, prepare_steps
from .variants import run_forms, sample_records

__all__ = ["Gathered", "gather", "gather_readings", "with_constants"]

_SPREAD = 0.1  # share of the inputs' declared ranges to try if every kind of inputs overflows
_PILOT = 8  # number of samples for that try
_WORTH_DB = 2.0
# names of forms: of the original, of both files, of one file
_READINGS = (
    "declared:before",
    DECLARED,
    "declared:after",
)


class Gathered(Record, frozen=True, kw_only=True):
    """All runs, and the results of comparing operators one by one."""

    evidence: Evidence
    steps: Steps


def gather(order: Order, case: Case, first: Samples, folder: Path) -> Gathered:
    """Run every variant on samples on which the original's declared reading is usable.

    Random inputs over the whole declared range can drive a network far out of its calibrated
    ranges. Then narrower inputs are tried on a few samples. Only the original decides, so that the
    choice favours neither file. `first`: the samples to begin with; `folder`: for files.
    """
    gathered = _run(order, case, first, folder / "first")
    level = reference_db(gathered.evidence)
    if level >= REFERENCE_DB or not first.random or not _complete(gathered.evidence):
        return gathered
    order.report("narrower inputs", 0.5)
    model = case.model
    few = make_samples(model, count=_PILOT, seed=order.seed, spread=_SPREAD)
    pilot = _run(order, _references(case), few, folder / "pilot")
    if reference_db(pilot.evidence) <= level + _WORTH_DB:
        return gathered
    again = make_samples(model, count=order.count, seed=order.seed, spread=_SPREAD)
    return _run(order, case, again, folder / "again")


def gather_readings(order: Order, case: Case, samples: Samples, folder: Path) -> Evidence:
    """Runs of the twin and the declared readings alone, on further samples."""
    forms = tuple(form for form in case.forms if form.name in ("twin", *_READINGS))
    return _run(order, replace(case, forms=forms, changed=frozenset()), samples, folder).evidence


def with_constants(order: Order, case: Case, evidence: Evidence, folder: Path) -> Evidence:
    """The evidence, with a run that shows the effect of the aligned file's requantized constants
    alone, on the same samples.
    """
    try:
        form = constants_form(order, case)
    except UnsupportedError:
        return evidence
    folder.mkdir()
    records = sample_records(evidence.samples, folder)
    ran, _ = run_forms(
        (form,), evidence.samples, records, folder, lambda _: None, seconds=order.seconds
    )
    return replace(evidence, ran={**evidence.ran, **ran})


def _complete(evidence: Evidence) -> bool:
    """Whether the twin and the original's declared reading ran."""
    return all(evidence.ran[name].outputs is not None for name in ("twin", "declared:before"))


def _references(case: Case) -> Case:
    """The case with only the float twin and the original's declared reading (the aligned file's if
    both files are the same): enough to test whether samples are usable.
    """
    names = {form.name for form in case.forms}
    reading = next(name for name in _READINGS if name in names)
    forms = tuple(form for form in case.forms if form.name in ("twin", reading))
    return replace(case, forms=forms, changed=frozenset())


def _run(order: Order, case: Case, samples: Samples, folder: Path) -> Gathered:
    """Run every variant of the case on these samples; `folder` must not exist yet."""
    folder.mkdir()
    records = sample_records(samples, folder)
    ended: list[str] = []

    def done(name: str) -> None:
        """Report the progress after a variant ended."""
        ended.append(name)
        order.report(name, 0.1 + 0.8 * len(ended) / sum(len(form.of) or 1 for form in case.forms))

    inputs = _Inputs(samples=samples, records=records, folder=folder)
    prepared, why = _prepare(order, case, inputs)
    original = _original(order, case, inputs) if order.figures and not order.same else None
    if prepared is not None and original is not None:
        prepared = prepared.moved_from(original)
    ran, companion_end = run_forms(
        case.forms,
        samples,
        records,
        folder,
        done,
        seconds=order.seconds,
        separate=not case.cheap,
        companion=prepared.job if prepared is not None else None,
    )
    if order.same:
        ran |= {name.replace("after", "before"): one for name, one in ran.items()}
    kernels = tuple(name for name in order.asked if f"after:{name}" in ran)
    evidence = Evidence(
        before=case.frontier_before,
        after=case.frontier_after,
        samples=samples,
        ran=ran,
        kernels=() if order.certified else kernels,
        seed=order.seed,
        certified=order.certified,
    )
    steps: Steps = None, why
    if prepared is not None:
        steps = _steps(order, case, prepared.read(companion_end), (inputs, original))
    return Gathered(evidence=evidence, steps=steps)


# --- operator by operator ----------------------------------------------------------------------


class _Inputs(Record, frozen=True, kw_only=True):
    """The samples as records for workers, and a folder for their files."""

    samples: Samples
    records: list[dict[str, Any]]
    folder: Path


def _prepare(order: Order, case: Case, inputs: _Inputs) -> tuple[PreparedSteps | None, str]:
    """(request to compare the aligned file's operators one by one, ""), or (None, why there is
    none).
    """
    if order.certified:
        return None, "operator by operator: certified for every input"
    missing = available("litert")
    if missing is not None:
        return None, f"operator by operator: skipped: {missing}"
    only = None if order.figures else _counted(case)
    try:
        return _prepared(order.after, case.frontier_after, inputs, "steps-after", only), ""
    except UnsupportedError as error:
        return None, f"operator by operator: not done: {error}"


def _prepared(
    data: bytes | memoryview,
    found: Frontier,
    inputs: _Inputs,
    name: str,
    only: frozenset[int] | None,
) -> PreparedSteps:
    """The request to compare a file's operators one by one. `name`: of its folder; `only`:
    operators that count, None for all.
    """
    copy = pack(cut_copy(parse(data), found)) if found.dropped else data
    subfolder = inputs.folder / name
    return prepare_steps(
        copy, inputs.records, inputs.samples, subfolder, only=only, dropped=found.dropped
    )


def _renumbered(operators: frozenset[int], found: Frontier) -> frozenset[int]:
    """The indices that these operators have in the copy from which operators that cannot run are
    removed.
    """
    return frozenset(
        index - sum(dropped < index for dropped in found.dropped)
        for index in operators - found.dropped
    )


def _counted(case: Case) -> frozenset[int] | None:
    """The operators whose comparison counts, by index in the copy that is run; None: all."""
    return None if case.changed is None else _renumbered(case.changed, case.frontier_after)


def _original(order: Order, case: Case, inputs: _Inputs) -> PreparedSteps | None:
    """The request to compare all operators of the original; None if that is impossible."""
    try:
        return _prepared(order.reading, case.frontier_before, inputs, "steps-before", None)
    except UnsupportedError:
        return None


def _steps(
    order: Order,
    case: Case,
    after: CheckedSteps,
    given: tuple[_Inputs, PreparedSteps | None],
) -> Steps:
    """Scores of the comparison operator by operator, from the aligned file's results `after`;
    without results a record with the reason.

    The original's operators are compared too if some of the aligned file deviate, or if figures of
    both are requested. `given`: inputs, and the original's prepared comparison or None.
    """
    if after.why:
        return None, f"operator by operator: not done: {after.why}"
    only = _counted(case)
    within = (after if only is None else after.some(only)).within
    if order.same or (within and not order.figures):
        return score_steps(after, after, order.edited, only), ""
    inputs, first = given
    try:
        if first is None:
            first = _prepared(order.reading, case.frontier_before, inputs, "steps-before", None)
    except UnsupportedError as error:
        return None, f"operator by operator: not done: {error}"
    place = inputs.folder / "steps-before-process"
    before = check_steps(first, place, seconds=order.seconds)
    return score_steps(before, after, order.edited, only), ""
