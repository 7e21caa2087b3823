"""SQNR, its uncertainty, and the verdicts that follow for one output.

Signal and noise powers are summed over the elements of a sample and over samples; SQNR is in dB
against the float twin of the original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record, replace
from ..verdicts import Word

__all__ = [
    "CEILING_DB",
    "CHANCE",
    "FLOOR_DB",
    "LOGITS_LOSS_DB",
    "LOSS_DB",
    "REFERENCE_DB",
    "SILENT",
    "Fidelity",
    "Lost",
    "Powers",
    "fidelity",
    "loss",
    "powers",
    "quiet",
    "silent",
    "sqnr",
]

Array = npt.NDArray[Any]

# dB: above this SQNR, differences come from float kernels (order of float32 sums), not from the model.
CEILING_DB = 100.0
# dB: a reference below this SQNR is not usable, since its noise can hide any loss.
REFERENCE_DB = 10.0
# dB: loss that one additional requantization and the noise of float kernels can cause.
LOSS_DB = 1.0
# Near a graph input, where the only noise is one or two roundings, one more costs more than 1 dB.
# Root mean square of what may be added, in steps: half a step, the most that one rounding adds and
# slightly more than two roundings add if values are uniform between two steps.
LOSS_STEPS = 0.5
# A reading without rounding of activations has no noise with which new noise could be compared.
# From QUIET_DB on a reading counts as such; FLOOR_DB must remain then. 8-bit weights give 40 dB.
QUIET_DB = 90.0
FLOOR_DB = 30.0
# dB: allowed loss of logits, of which a saturating operator behind them shows less.
LOGITS_LOSS_DB = 3.0
# dB: allowed gap between run and declared reading. Of an unchanged ResNet it is 3 dB, since integer
# kernels round differently.
GAP_DB = 3.0
CHANCE = "which may be chance with these inputs"
SILENT = "the float twin's output is zero on these inputs"
_RESAMPLES = 1000  # bootstrap resamples
_BOUND = 0.05  # quantile of the resamples that is the lower bound
_FEW = 8  # least number of inputs of one kind from which bootstrap bounds are meaningful


class Powers(Record, frozen=True, kw_only=True):
    """Signal and noise powers, arrays of shape [units]; a unit is a sample, or a whole sequence.
    `elements`: number of elements that they sum up.
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


def sqnr(powers: Powers) -> float | None:
    """SQNR in dB, at most CEILING_DB; None if the reference is silent."""
    signal, noise = float(powers.signal.sum()), float(powers.noise.sum())
    if signal <= 0.0:
        return None
    return float(min(10.0 * np.log10(signal / max(noise, signal * 1e-30)), CEILING_DB))


def quiet(original: Powers | None) -> bool:
    """Whether a declared reading has no rounding noise of activations: an SQNR of at least
    QUIET_DB.
    """
    level = sqnr(original) if original is not None else None
    return level is not None and level >= QUIET_DB


class Fidelity(Record, frozen=True, kw_only=True):
    """How far a run is below its declared reading (`gap_db`), with bootstrap bounds; all in dB."""

    gap_db: float
    low_db: float
    high_db: float

    @property
    def beyond(self) -> bool:
        """Whether the gap is certainly larger than accepted: even its lower bound exceeds
        GAP_DB.
        """
        return self.low_db > GAP_DB


def fidelity(declared: Powers, run: Powers, seed: int) -> Fidelity | None:
    """How far `run` is below `declared`, with bounds from resampling the units; deterministic in
    `seed`. None if the reference is silent.
    """
    signal = float(declared.signal.sum())
    if signal <= 0.0:
        return None
    floor = signal * 10.0 ** (-CEILING_DB / 10.0)
    generator = np.random.default_rng(seed)
    units = len(declared.noise)
    resamples = generator.integers(0, units, (_RESAMPLES, units))
    gaps = _gap(run.noise[resamples].sum(axis=1), declared.noise[resamples].sum(axis=1), floor)
    whole = _gap(run.noise.sum(keepdims=True), declared.noise.sum(keepdims=True), floor)
    low, high = np.quantile(gaps, (_BOUND, 1.0 - _BOUND))
    return Fidelity(gap_db=float(whole[0]), low_db=float(low), high_db=float(high))


def _gap(run: Array, declared: Array, floor: float) -> Array:
    """The gap in dB from noise power `declared` to noise power `run`, element by element; both are
    raised to at least `floor`.
    """
    ratio = np.maximum(run, floor) / np.maximum(declared, floor)
    return np.asarray(10.0 * np.log10(ratio))


class Lost(Record, frozen=True, kw_only=True):
    """The verdict on the alignment loss for one kind of inputs, with word and reason. `tells`
    False: this kind of inputs shows nothing and does not count.

    `more`: factor on the number of inputs after which a loss could be told from chance; 1: enough
    inputs.
    """

    word: Word
    why: str = ""
    tells: bool = True
    more: float = 1.0


def loss(
    original: Powers | None,
    aligned: Powers | None,
    seed: int,
    *,
    allowed: float = LOSS_DB,
    step: float = 0.0,
    rounding: float = 0.0,
    saturates: bool = False,
) -> Lost:
    """The verdict on statement (a): the aligned file declares the original's function.

    Bounds by bootstrap as for kernel fidelity: if a few samples carry most of the noise, two
    equally good readings differ by several dB by chance. `allowed`: loss in dB that is accepted; if
    it exceeds LOSS_DB, larger losses must be beyond chance. `step`: the coarsest step to which
    these values are rounded (real value); `rounding`: that of their tensor; 0: none. An output that
    `saturates` may be as noisy as its own rounding: it hardly leaves an end of its range, and how
    near the original's integers are to that end is chance.
    """
    if original is None or aligned is None:
        return Lost(word="inconclusive", why="the outputs are not finite on these inputs")
    before, now = sqnr(original), sqnr(aligned)
    if before is None or now is None:
        return _silent(original, aligned, rounding)
    floored = saturates or quiet(original)
    if quiet(original) and not rounding and now >= FLOOR_DB:
        return Lost(word="verified")
    if floored:
        original = _rounded(original, rounding)
    if before < REFERENCE_DB:
        return _noise(original, aligned, before, seed)
    lost = fidelity(original, aligned, seed)
    if lost is None or lost.gap_db <= LOSS_DB or (allowed > LOSS_DB and lost.low_db <= allowed):
        why = _allowed_loss(before - now, lost, floored=floored)
        return Lost(word="verified", why=why, more=_more(lost, allowed))
    sentence = f"alignment loses {lost.gap_db:.1f} dB"
    if floored and rounding:
        sentence = f"{sentence} beyond its own rounding"
    sentence = f"{sentence}: {before:.1f} dB declared before, {now:.1f} now"
    if _added(original, aligned) <= (LOSS_STEPS * step) ** 2:
        why = f"{sentence}, no more than one or two additional roundings cause"
        return Lost(word="inconclusive", why=why, more=_more(lost, allowed))
    inputs = len(aligned.noise)
    if lost.low_db > allowed and inputs >= _FEW:
        return Lost(word="failed", why=sentence)
    more = max(_more(lost, allowed), _FEW / max(inputs, 1))
    return Lost(word="inconclusive", why=f"{sentence}, {CHANCE}", more=more)


def _allowed_loss(apart: float, lost: Fidelity | None, *, floored: bool) -> str:
    """Why a difference of more than LOSS_DB between the readings (`apart`, dB) is accepted; "" if
    it is not larger. `floored`: the noise was raised to that of the output's own rounding.
    """
    if lost is None or apart <= LOSS_DB:
        return ""
    if floored and lost.gap_db <= LOSS_DB:
        return "the loss is smaller than the output's own rounding error"
    return f"loses {lost.gap_db:.1f} dB, less behind its saturating reader"


def silent(before: Powers, after: Powers | None, rounding: float) -> bool:
    """Whether the float twin is always 0 and the noise of `after` is no more than rounding to steps
    of `rounding` (real value) makes.
    """
    if after is None or sqnr(before) is not None:
        return False
    least = _rounded(before, rounding).noise.sum() * 10.0 ** (LOSS_DB / 10.0)
    return float(after.noise.sum()) <= float(least)


def _silent(original: Powers, aligned: Powers, rounding: float) -> Lost:
    """The verdict where the twin is zero: skipped if the aligned file is silent too. `rounding`:
    the output's step, real value.
    """
    if silent(original, aligned, rounding):
        return Lost(word="skipped", why=SILENT, tells=False)
    return Lost(word="inconclusive", why=f"{SILENT}, and the aligned file's is not")


def _noise(original: Powers, aligned: Powers, before: float, seed: int) -> Lost:
    """The verdict where the original's declared reading is noise (`before`, dB): whether the
    aligned file's has more of it, beyond chance.
    """
    loss = fidelity(original, aligned, seed)
    sentence = f"the original's declared reading has only {before:.1f} dB, too low for a comparison"
    worse = loss is not None and loss.low_db > LOSS_DB
    if loss is not None and worse:
        sentence = f"{sentence}, and alignment loses {loss.gap_db:.1f} dB"
    return Lost(word="inconclusive", why=sentence, tells=worse)


def _rounded(powers: Powers, rounding: float) -> Powers:
    """The powers, with at least the noise that rounding to steps of `rounding` (real value) makes."""
    share = powers.elements * rounding**2 / 12.0 / max(len(powers.noise), 1)
    return replace(powers, noise=np.maximum(powers.noise, share))


def _more(fidelity: Fidelity | None, allowed: float) -> float:
    """The factor on the number of inputs after which `allowed` (dB) would be outside the bootstrap
    bounds, since these narrow with the square root of the number.
    """
    if fidelity is None or not fidelity.low_db <= allowed < fidelity.high_db:
        return 1.0
    distance = max(abs(fidelity.gap_db - allowed), 1e-3)
    return float(max((0.5 * (fidelity.high_db - fidelity.low_db) / distance) ** 2, 1.0))


def _added(original: Powers, aligned: Powers) -> float:
    """Additional noise power per element of the aligned file; infinite if unknown."""
    if not aligned.elements:
        return float("inf")
    return float(aligned.noise.sum() - original.noise.sum()) / aligned.elements
