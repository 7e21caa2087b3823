"""SQNR of an aligned file's declared reading against the original's float twin, computed without a
verification.
"""

from __future__ import annotations

from ..errors import UnsupportedError
from ..verdicts import BiasReading, OutputLevel, OutputScore
from .budget import MEMORY
from .calibration import Calibration
from .evidence import Evidence
from .footprint import hold_to
from .frontier import frontier
from .object_api import parse
from .outputs import score_kinds
from .process import workspace
from .samples import make_samples
from .twin import declared, twin
from .variants import FLOAT_KERNELS, Form, run_forms, sample_records

__all__ = ["bias_readings", "declared_levels", "declared_scores"]

Data = bytes | memoryview


def declared_levels(
    original: Data,
    aligned: Data,
    *,
    calibration: Calibration,
    samples: int,
    seed: int,
    memory: int = MEMORY,
) -> tuple[OutputLevel, ...]:
    """SQNR in dB of `aligned`'s declared reading at each output that `verify` compares, on
    calibration inputs.

    Empty if it cannot be computed, or takes more than `memory` bytes. `samples`: number of inputs.
    """
    evidence = _evidence(
        original, aligned, calibration, samples, seed=seed, memory=memory, both=False
    )
    if evidence is None:
        return ()
    return tuple(
        OutputLevel(
            name=probe.name,
            index=-1 if probe.output is None else probe.output,
            declared_aligned_db=evidence.worst_db("declared:after", probe_index),
        )
        for probe_index, probe in enumerate(evidence.before.probes)
    )


def declared_scores(
    original: Data,
    aligned: Data,
    *,
    calibration: Calibration | None,
    samples: int,
    seed: int,
    memory: int = MEMORY,
    least: int = 0,
) -> tuple[OutputScore, ...]:
    """Scores of the declared readings of both files, one for each output, part of an output and
    kind of inputs.

    No kernel is run and no verdict given. Empty if they cannot be computed, or take more than
    `memory` bytes. `samples`: number of inputs; `least`: the number that a verification ended with,
    whose random inputs are drawn anew.
    """
    evidence = _evidence(
        original, aligned, calibration, samples, seed=seed, memory=memory, both=True, least=least
    )
    return () if evidence is None else score_kinds(evidence)


def _evidence(
    original: Data,
    aligned: Data,
    calibration: Calibration | None,
    samples: int,
    *,
    seed: int,
    memory: int,
    both: bool,
    least: int = 0,
) -> Evidence | None:
    """Runs of the original's float twin and of `aligned`'s declared reading on the same inputs;
    with `both` also of `original`'s declared reading. None if they cannot be computed, or the files
    have no outputs in common. `samples`: number of inputs; `memory`: limit in bytes.
    """
    try:
        model, written = parse(original), parse(aligned)
        for file in (model, written):
            hold_to(memory, file)
        first, second = frontier(model), frontier(written)
        if len(first.probes) != len(second.probes):
            return None
        data = {"twin": twin(original, first), "declared:after": declared(aligned, second)}
        if both:
            data["declared:before"] = declared(original, first)
        forms = tuple(Form(name=n, data=form, kernels=FLOAT_KERNELS) for n, form in data.items())
        inputs = make_samples(
            model, calibration=calibration, count=samples, seed=seed, memory=memory
        )
        if inputs.random and inputs.count < least:
            inputs = make_samples(model, count=samples * (least // inputs.count), seed=seed)
    except UnsupportedError:
        return None
    with workspace() as folder:
        ran, _ = run_forms(forms, inputs, sample_records(inputs, folder), folder, lambda _: None)
    return Evidence(before=first, after=second, samples=inputs, ran=ran, kernels=(), seed=seed)


def bias_readings(
    by_scale: Data,
    as_run: Data,
    *,
    calibration: Calibration | None,
    samples: int,
    seed: int,
    memory: int = MEMORY,
) -> tuple[BiasReading, ...]:
    """How far two readings of a file are apart: biases by their declared scales (`by_scale`), and
    by the scales that kernels compute with (`as_run`).

    Empty if it cannot be computed, or takes more than `memory` bytes. `samples`: number of inputs.
    """
    files = {"declared": by_scale, "as-run": as_run}
    try:
        model = parse(by_scale)
        hold_to(memory, model)
        frontiers = {name: frontier(parse(data)) for name, data in files.items()}
        forms = tuple(
            Form(name=f"{form}:{name}", data=make(data, frontiers[name]), kernels=FLOAT_KERNELS)
            for name, data in files.items()
            for form, make in (("twin", twin), ("levels", declared))
        )
        inputs = make_samples(
            model, calibration=calibration, count=samples, seed=seed, memory=memory
        )
    except UnsupportedError:
        return ()
    with workspace() as folder:
        ran, _ = run_forms(forms, inputs, sample_records(inputs, folder), folder, lambda _: None)

    def level(reference: str, measured: str, probe_index: int) -> float | None:
        """SQNR in dB of one variant against another at one output. `reference`, `measured`: names
        of variants; `probe_index`: the output.
        """
        evidence = Evidence(
            before=frontiers["declared"],
            after=frontiers["as-run"],
            samples=inputs,
            ran={"twin": ran[reference], "measured": ran[measured]},
            kernels=(),
            seed=seed,
        )
        return evidence.worst_db("measured", probe_index)

    return tuple(
        BiasReading(
            name=probe.name,
            index=-1 if probe.output is None else probe.output,
            apart_db=level("twin:declared", "twin:as-run", probe_index),
            declared_db=level("twin:declared", "levels:declared", probe_index),
            as_run_db=level("twin:as-run", "levels:as-run", probe_index),
        )
        for probe_index, probe in enumerate(frontiers["declared"].probes)
    )
