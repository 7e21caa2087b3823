"""Signals with noise of a known size, as powers of 64 samples."""

from __future__ import annotations

import numpy as np

from tflite_align.verify.sqnr import Powers, powers

__all__ = ["UNITS", "noisy"]

UNITS = tuple((n, n + 1) for n in range(64))


def noisy(level: float, seed: int) -> Powers:
    """64 samples of 100 values whose noise is `level` times their signal, in amplitude."""
    generator = np.random.default_rng(seed)
    signal = generator.normal(size=(64, 100))
    found = powers(signal, signal + level * generator.normal(size=(64, 100)), UNITS)
    assert found is not None
    return found
