"""How near the declared reading of one aligned file comes to the original's twin; no verification."""

from __future__ import annotations

from ..errors import UnsupportedError
from ..verdicts import BiasReading, OutputLevel, OutputScore
from .calibration import Calibration
from .evidence import Evidence
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
    original: Data, aligned: Data, *, calibration: Calibration, samples: int, seed: int
) -> tuple[OutputLevel, ...]:
    """SQNR in dB of `aligned`'s declared reading at each output that `verify` compares, on the very
    inputs that it takes from the calibration. Empty where that cannot be computed.
    """
    try:
        model = parse(original)
        first, second = frontier(model), frontier(parse(aligned))
        if len(first.probes) != len(second.probes):
            return ()
        forms = (
            Form(name="twin", data=twin(original, first), kernels=FLOAT_KERNELS),
            Form(name="declared:after", data=declared(aligned, second), kernels=FLOAT_KERNELS),
        )
        inputs = make_samples(model, calibration=calibration, count=samples, seed=seed)
    except UnsupportedError:
        return ()
    with workspace() as folder:
        ran, _ = run_forms(forms, inputs, sample_records(inputs, folder), folder, lambda _: None)
    evidence = Evidence(before=first, after=second, samples=inputs, ran=ran, kernels=(), seed=seed)
    levels = []
    for number, probe in enumerate(first.probes):
        levels.append(
            OutputLevel(
                name=probe.name,
                index=-1 if probe.output is None else probe.output,
                declared_aligned_db=evidence.worst_db("declared:after", number),
            )
        )
    return tuple(levels)


def declared_scores(
    original: Data, aligned: Data, *, calibration: Calibration | None, samples: int, seed: int
) -> tuple[OutputScore, ...]:
    """The declared readings of both files at each output and part of one, on each kind of inputs;
    no kernel is run and nothing is judged. Empty where they cannot be computed.
    """
    try:
        model = parse(original)
        first, second = frontier(model), frontier(parse(aligned))
        if len(first.probes) != len(second.probes):
            return ()
        forms = (
            Form(name="twin", data=twin(original, first), kernels=FLOAT_KERNELS),
            Form(name="declared:before", data=declared(original, first), kernels=FLOAT_KERNELS),
            Form(name="declared:after", data=declared(aligned, second), kernels=FLOAT_KERNELS),
        )
        inputs = make_samples(model, calibration=calibration, count=samples, seed=seed)
    except UnsupportedError:
        return ()
    with workspace() as folder:
        ran, _ = run_forms(forms, inputs, sample_records(inputs, folder), folder, lambda _: None)
    evidence = Evidence(before=first, after=second, samples=inputs, ran=ran, kernels=(), seed=seed)
    return score_kinds(evidence)


def bias_readings(
    by_scale: Data, as_run: Data, *, calibration: Calibration | None, samples: int, seed: int
) -> tuple[BiasReading, ...]:
    """How far two readings of one file are apart: by its biases' declared scales, and with those
    that kernels compute with. Empty where that cannot be computed.
    """
    files = {"declared": by_scale, "as-run": as_run}
    try:
        model = parse(by_scale)
        found = {name: frontier(parse(data)) for name, data in files.items()}
        forms = tuple(
            Form(name=f"{kind}:{name}", data=make(data, found[name]), kernels=FLOAT_KERNELS)
            for name, data in files.items()
            for kind, make in (("twin", twin), ("levels", declared))
        )
        inputs = make_samples(model, calibration=calibration, count=samples, seed=seed)
    except UnsupportedError:
        return ()
    with workspace() as folder:
        ran, _ = run_forms(forms, inputs, sample_records(inputs, folder), folder, lambda _: None)

    def level(reference: str, measured: str, number: int) -> float | None:
        evidence = Evidence(
            before=found["declared"],
            after=found["as-run"],
            samples=inputs,
            ran={"twin": ran[reference], "measured": ran[measured]},
            kernels=(),
            seed=seed,
        )
        return evidence.worst_db("measured", number)

    return tuple(
        BiasReading(
            name=probe.name,
            index=-1 if probe.output is None else probe.output,
            apart_db=level("twin:declared", "twin:as-run", number),
            declared_db=level("twin:declared", "levels:declared", number),
            as_run_db=level("twin:as-run", "levels:as-run", number),
        )
        for number, probe in enumerate(found["declared"].probes)
    )
