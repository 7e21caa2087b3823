"""Figures of the outputs for readers: the largest error, and how often the same class has the
largest value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import replace
from ..verdicts import FidelityScore, OutputScore
from .evidence import Evidence

__all__ = ["with_figures"]

Array = npt.NDArray[np.float32]


def with_figures(
    evidence: Evidence, scores: Sequence[OutputScore], model: Any
) -> tuple[OutputScore, ...]:
    """The scores with the largest error of each whole tensor; and with top-1 agreement for those
    that hold one vector, as classifiers do. `model`: the original, unpacked.
    """
    tensors = model.subgraphs[0].tensors
    places = {probe.tensor: at for at, probe in enumerate(evidence.before.probes)}
    return tuple(
        score
        if score.part or score.tensor not in places
        else _figured(evidence, score, places[score.tensor], ranked=_vector(tensors[score.tensor]))
        for score in scores
    )


def _vector(tensor: Any) -> bool:
    """Whether the tensor holds a single vector of more than one element."""
    sizes = [int(size) for size in tensor.shape] if tensor.shape is not None else []
    return 0 < len(sizes) <= 2 and all(size == 1 for size in sizes[:-1]) and sizes[-1] > 1


def _figured(evidence: Evidence, score: OutputScore, probe: int, *, ranked: bool) -> OutputScore:
    """The score of one probe with its figures. `ranked`: with top-1 agreement."""

    def figures(form: str) -> tuple[float | None, float | None]:
        """(largest error as real value, top-1 agreement in 0..1) of one variant against the twin;
        None where not computed. `form`: the variant's name.
        """
        twin, other = _rows(evidence, "twin", probe), _rows(evidence, form, probe)
        if twin is None or other is None or twin.shape != other.shape or not twin.size:
            return None, None
        for low, high in filter(None, evidence.limits(probe)):
            twin, other = twin.clip(low, high), other.clip(low, high)
        off = other - twin
        most = max(float(off.max()), -float(off.min()))  # NaN if one of them is NaN
        largest = most if math.isfinite(most) else None
        if not ranked or twin.ndim != 2:
            return largest, None
        return largest, float((twin.argmax(axis=1) == other.argmax(axis=1)).mean())

    before, after = figures("declared:before"), figures("declared:after")
    runs = [_run(run, figures(f"after:{run.judge}")) for run in score.runs]
    return replace(
        score,
        runs=tuple(runs),
        largest_original=before[0],
        largest_aligned=after[0],
        top1_original=before[1],
        top1_aligned=after[1],
    )


def _run(run: FidelityScore, found: tuple[float | None, float | None]) -> FidelityScore:
    """The score of a runtime with these figures. `found`: (largest error as real value, top-1
    agreement).
    """
    return replace(run, largest=found[0], top1=found[1])


def _rows(evidence: Evidence, form: str, probe: int) -> Array | None:
    """Outputs of one variant at a probe, [samples, elements]; None if it did not run. `form`: the
    variant's name.
    """
    ran = evidence.ran.get(form)
    return None if ran is None or ran.outputs is None else ran.outputs[probe]
