"""The options of AlignOptions as keyword arguments, for type checkers and editors: one keyword for
each field.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ..checks.overrides import Override
from ..errors import UsageError, kind_of, nearest
from ..format.type_groups import IOType
from ..record import replace
from ..rules.families import Policy
from ..rules.targets import Severity
from ..solver.problem_records import Overlap
from ..verify.board import Board
from .baseline import Accepted
from .lock import Lock
from .options import AlignOptions, Bias, FailOn, Io, Only, Prefer, To

__all__ = ["OptionWords", "options_of"]


class OptionWords(TypedDict, total=False):
    """Every option of AlignOptions as a keyword. A single string may replace a tuple of one, and
    calibration may be the path of a file or folder of arrays.
    """

    targets: str | Sequence[str]
    policies: Mapping[str, Policy]
    overlap: Overlap
    prefer: Prefer
    compare: bool
    io: Io
    to: To | None
    input_type: IOType | None
    output_type: IOType | None
    only: Only
    optimize: bool
    fail_on: FailOn
    verify: bool
    require: str | Sequence[str]
    judge_seconds: float | None
    memory: int
    board: Board
    samples: int
    seed: int
    calibration: str | os.PathLike[str] | Mapping[str | int, Any] | Sequence[Any] | None
    judges: str | Sequence[str]
    unasked: str | Sequence[str]
    accepted: Sequence[Accepted]
    fix: str | Sequence[str]
    no_fix: str | Sequence[str]
    allow_metadata: str | Sequence[str]
    allow_refused: str | Sequence[str]
    run: bool
    portable: bool
    bias: Bias
    lock: Lock | None
    severity: Mapping[str, Severity]
    overrides: Sequence[Override]
    select: str | Sequence[str]
    ignore: str | Sequence[str]
    view: bool
    certificate: bool


def options_of(options: AlignOptions | None, words: Mapping[str, Any]) -> AlignOptions:
    """The options with these values replaced. UsageError for an unknown option name. `words`:
    option name -> value.
    """
    if options is not None and not isinstance(options, AlignOptions):
        raise UsageError(
            f"options: expected AlignOptions, found {kind_of(options)};"
            " give single options by keyword, for example targets=[...]"
        )
    for word in words:
        if word not in OptionWords.__annotations__:
            near = nearest(word, OptionWords.__annotations__)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"no option is called {word!r}{hint}")
    return replace(options or AlignOptions(), **words) if words else options or AlignOptions()
