"""Signals with noise of known power, as signal and noise powers of each sample."""

from __future__ import annotations

import numpy as np

from tflite_align.verify.sqnr import Powers, powers

__all__ = ["UNITS", "noisy"]

UNITS = tuple((n, n + 1) for n in range(64))


def noisy(level: float, seed: int, samples: int = 64) -> Powers:
    """Powers of samples with 100 values each, whose noise has `level` times the signal's
    amplitude.
    """
    generator = np.random.default_rng(seed)
    signal = generator.normal(size=(samples, 100))
    noise = level * generator.normal(size=(samples, 100))
    found = powers(signal, signal + noise, UNITS[:samples])
    assert found is not None
    return found
