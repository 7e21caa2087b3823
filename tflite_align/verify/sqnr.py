"""SQNRs, their uncertainty, and what they mean for one output.

Signal and noise powers are added up over the elements of a sample, and over the samples; SQNRs
are in dB against the float twin of the original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record
from ..verdicts import Word

__all__ = [
    "CEILING_DB",
    "CHANCE",
    "FLOOR_DB",
    "KIND_LOSS_DB",
    "LOSS_DB",
    "REFERENCE_DB",
    "Fidelity",
    "Powers",
    "fidelity",
    "loss",
    "powers",
    "quiet",
    "sqnr",
]

Array = npt.NDArray[Any]

# Beyond this, what differs is the float kernels themselves (float32 sums), not the model.
CEILING_DB = 100.0
# Below this a reference says too little: noise in it can hide anything.
REFERENCE_DB = 10.0
# A requantization more or less, and the float kernels' own noise.
LOSS_DB = 1.0
# Near an input a requantization is more than 1 dB: all the noise there is are one or two roundings.
# Root mean square of what may be added, in steps: half a step, the most that one rounding adds and
# a little more than two add where values lie anywhere between two steps.
LOSS_STEPS = 0.5
# A reading without activation noise (floats between operators, or nothing that rounds) has nothing
# to hold new noise against. Then this is what has to be left: 8-bit weights leave 40 dB.
QUIET_DB = 90.0
FLOOR_DB = 30.0
# Of the inputs of one kind, where those of all kinds together are within LOSS_DB; and of logits.
KIND_LOSS_DB = 3.0
# An untouched ResNet runs 3 dB off its own declared reading: integer kernels round differently.
GAP_DB = 3.0
CHANCE = "which these inputs cannot tell from chance"
_RESAMPLES = 1000
_BOUND = 0.05


class Powers(Record, frozen=True, kw_only=True):
    """Per independent unit (a sample, or a whole sequence): signal and noise power; `elements`
    that they are added up over.
    """

    signal: npt.NDArray[np.float64]
    noise: npt.NDArray[np.float64]
    elements: int = 0


def powers(reference: Array, values: Array, units: tuple[tuple[int, int], ...]) -> Powers | None:
    """Powers of `values` against `reference`, both [samples, elements]; None if not comparable.

    `units`: ranges of samples that depend on one another.
    """
    if reference.shape != values.shape or reference.size == 0:
        return None
    wide = reference.astype(np.float64)
    off = values.astype(np.float64) - wide
    signal, noise = (np.einsum("ij,ij->i", rows, rows) for rows in (wide, off))
    if not (np.isfinite(signal).all() and np.isfinite(noise).all()):
        return None
    edges = [first for first, _ in units]
    return Powers(
        signal=np.add.reduceat(signal, edges),
        noise=np.add.reduceat(noise, edges),
        elements=reference.size,
    )


def sqnr(found: Powers) -> float | None:
    """dB, at most CEILING_DB; None when the reference is silent."""
    signal, noise = float(found.signal.sum()), float(found.noise.sum())
    if signal <= 0.0:
        return None
    return float(min(10.0 * np.log10(signal / max(noise, signal * 1e-30)), CEILING_DB))


def quiet(original: Powers | None) -> bool:
    """Whether a declared reading has no activation noise."""
    level = sqnr(original) if original is not None else None
    return level is not None and level >= QUIET_DB


class Fidelity(Record, frozen=True, kw_only=True):
    """Gap of a run below its declared reading (dB) and the gap's lower bootstrap bound."""

    gap_db: float
    low_db: float

    @property
    def beyond(self) -> bool:
        return self.low_db > GAP_DB


def fidelity(declared: Powers, run: Powers, seed: int) -> Fidelity | None:
    """How far `run` is below `declared`, resampled over the units; deterministic in `seed`."""
    signal = float(declared.signal.sum())
    if signal <= 0.0:
        return None
    floor = signal * 10.0 ** (-CEILING_DB / 10.0)
    generator = np.random.default_rng(seed)
    units = len(declared.noise)
    drawn = generator.integers(0, units, (_RESAMPLES, units))
    gaps = _gap(run.noise[drawn].sum(axis=1), declared.noise[drawn].sum(axis=1), floor)
    whole = _gap(run.noise.sum(keepdims=True), declared.noise.sum(keepdims=True), floor)
    return Fidelity(gap_db=float(whole[0]), low_db=float(np.quantile(gaps, _BOUND)))


def _gap(run: Array, declared: Array, floor: float) -> Array:
    ratio = np.maximum(run, floor) / np.maximum(declared, floor)
    return np.asarray(10.0 * np.log10(ratio))


def loss(
    original: Powers | None,
    aligned: Powers | None,
    seed: int,
    *,
    allowed: float = LOSS_DB,
    step: float = 0.0,
) -> tuple[Word, str]:
    """Statement (a): the aligned file still declares what the original declared.

    The same bootstrap as for kernels: where a few rare samples carry all the noise, two readings
    of equal quality lie several dB apart by chance. `allowed`: dB that may be lost; where it is more
    than LOSS_DB, more than it has to be lost beyond chance. `step`: what these values are rounded
    to one way or the other (real value); 0: not at all.
    """
    before = sqnr(original) if original else None
    now = sqnr(aligned) if aligned else None
    lost = fidelity(original, aligned, seed) if original and aligned else None
    if original is None or aligned is None or before is None or now is None or lost is None:
        return "inconclusive", "the float twin is silent here, or not finite"
    if before < REFERENCE_DB:
        return (
            "inconclusive",
            f"the original's own declared reading is at {before:.1f} dB, too low to judge by",
        )
    if now >= before - LOSS_DB or (quiet(original) and now >= FLOOR_DB):
        return "verified", ""
    if allowed > LOSS_DB and lost.low_db <= allowed:
        return "verified", ""
    said = f"alignment loses {lost.gap_db:.1f} dB: {before:.1f} dB declared before, {now:.1f} now"
    if _added(original, aligned) <= (LOSS_STEPS * step) ** 2:
        return "inconclusive", f"{said}, by no more than what rounding once or twice more adds"
    if lost.low_db > allowed:
        return "failed", said
    return "inconclusive", f"{said}, {CHANCE}"


def _added(original: Powers, aligned: Powers) -> float:
    """Noise power an element that the aligned file has more; infinite where nobody counted."""
    if not aligned.elements:
        return float("inf")
    return float(aligned.noise.sum() - original.noise.sum()) / aligned.elements
