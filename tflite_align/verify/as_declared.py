"""A file that nothing was changed in: whether runtimes compute what it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..record import replace
from ..verdicts import Verification
from .board import ANY_BOARD, Board
from .budget import MEMORY
from .outputs import named
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
    """Run the file in the judges' runtimes and compare each output, and each operator on LiteRT's
    builtin kernels, with what the file's own parameters declare.

    "failed" where a runtime computes something else. Arguments and errors are those of `verify`.
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
    """Where a runtime departs from the declared parameters, in sentences, operators first: those
    are compared on LiteRT's builtin kernels, and count where these are asked about (`builtin`).

    The file stands for its own original, so that a runtime that is as far off there has not
    become worse: its word is "unchanged". A run above FLOOR_DB departs from nothing that a reader
    could tell.
    """
    sentences = []
    if builtin and verification.steps is not None and verification.steps.beyond:
        sentences.append(f"{named(verification.steps.beyond)} by the declared parameters")
    sentences += [
        f"{score.title}: {run.judge} {run.why.partition(', as the original does')[0]}"
        for score in verification.outputs
        for run in score.runs
        if run.word in ("unchanged", "failed") and (run.sqnr_db or 0.0) < FLOOR_DB
    ]
    return sentences
