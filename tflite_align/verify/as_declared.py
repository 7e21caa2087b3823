"""Compares the outputs of runtimes with what an unchanged file declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..record import replace
from ..verdicts import Verification
from .board import ANY_BOARD, Board
from .budget import MEMORY
from .deviations import deviations_text
from .sqnr import FLOOR_DB
from .verification import verify

__all__ = ["run_as_declared"]


def run_as_declared(
    data: bytes | memoryview,
    *,
    judges: Sequence[str],
    allowed: frozenset[str] = frozenset(),
    calibration: Mapping[str | int, np.ndarray] | None = None,
    samples: int = 64,
    seed: int = 0,
    judge_seconds: float | None = None,
    memory: int = MEMORY,
    board: Board = ANY_BOARD,
) -> Verification:
    """Run an unchanged file in the judges' runtimes and compare each output, and each operator on
    LiteRT's builtin kernels, with the values that the file's own parameters declare.

    The word is "failed" if a runtime computes other values. Arguments and errors are those of
    `verify`. `allowed`: judges that may refuse the file. `calibration`: real inputs; None: random
    ones. `samples`: number of inputs. `memory`: limit in bytes.
    """
    verification = verify(
        data,
        data,
        calibration=calibration,
        samples=samples,
        seed=seed,
        judges=judges,
        allowed=allowed,
        judge_seconds=judge_seconds,
        memory=memory,
        board=board,
    )
    wrong = _departures(verification, builtin="litert" in judges)
    if not wrong or verification.word == "failed":
        return verification
    more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return replace(verification, word="failed", why=wrong[0] + more)


def _departures(verification: Verification, *, builtin: bool) -> list[str]:
    """A sentence for each output or operator at which a runtime computes other values than the
    file's quantization parameters declare, operators first.

    Operators are compared on LiteRT's builtin kernels, and only if these were requested
    (`builtin`). The verification had the same file as original and as result: a run that deviates
    got the verdict "unchanged", as it deviates equally in both. A run with an SQNR of FLOOR_DB or
    more counts as right.
    """
    sentences = []
    if builtin and verification.steps is not None and verification.steps.beyond:
        sentences.append(f"{deviations_text(verification.steps.beyond)} by the declared parameters")
    sentences += [
        f"{score.title}: {run.judge} {run.why.partition(', as the original does')[0]}"
        for score in verification.outputs
        for run in score.runs
        if run.word in ("unchanged", "failed") and (run.sqnr_db or 0.0) < FLOOR_DB
    ]
    return sentences
