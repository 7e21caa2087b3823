"""The options of an alignment, as values."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args

import numpy as np

from ..checks.overrides import Override
from ..errors import UsageError
from ..format.type_groups import BORDER_TYPES, IOType
from ..record import Record, brief, field, remember
from ..rules.families import FAMILIES, FAMILY_POLICIES, Policy
from ..rules.targets import Severity
from ..solver.problem_records import Overlap
from ..verify.board import Board
from ..verify.budget import MEMORY
from .baseline import Accepted
from .lock import Lock

__all__ = ["AlignOptions"]

Prefer = Literal["precision", "balanced", "speed"]
Io = Literal["keep", "free"]
To = Literal["int8"]
Only = Literal["all", "errors"]
FailOn = Literal["error", "warning"]
Bias = Literal["declared", "as-run"]

_WORDS: dict[str, tuple[Any, ...]] = {
    "overlap": get_args(Overlap),
    "prefer": get_args(Prefer),
    "io": get_args(Io),
    "to": (*get_args(To), None),
    "input_type": (*BORDER_TYPES, None),
    "output_type": (*BORDER_TYPES, None),
    "only": get_args(Only),
    "fail_on": get_args(FailOn),
    "bias": get_args(Bias),
}
# Option -> what its tuple holds.
_TUPLES: dict[str, type] = {
    "targets": str,
    "require": str,
    "judges": str,
    "unasked": str,
    "accepted": Accepted,
    "fix": str,
    "no_fix": str,
    "allow_metadata": str,
    "allow_refused": str,
    "overrides": Override,
    "select": str,
    "ignore": str,
}
# Option -> its allowed values, and their description.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(
        ("certificate", "compare", "optimize", "verify", "run", "portable", "view"),
        ((bool,), "True or False"),
    ),
    **dict.fromkeys(("memory", "samples", "seed"), ((Integral,), "a whole number")),
    "judge_seconds": ((Real, NoneType), "a number of seconds"),
    **dict.fromkeys(("policies", "severity"), ((Mapping,), "a mapping from strings to strings")),
    "calibration": ((Mapping, NoneType), "arrays by input name or position"),
    "lock": ((Lock, NoneType), "a Lock"),
    "board": ((Board,), "a Board"),
}


class AlignOptions(Record, frozen=True, kw_only=True):
    """The options of all commands, as values.

    `policies`: PPQ's alignment policy for each family (`families.FAMILY_POLICIES`). `prefer`:
    weight of a QUANTIZE relative to precision. `compare`: compute the cost of PPQ's strategies too.
    `only`: "errors" leaves warnings unrepaired. `optimize`: fold QUANTIZE operators of components
    without findings too. `io`: whether the parameters of graph inputs and outputs may change.
    `require`: judges, "numbers" or "certified", without which the result counts as failed.
    `judge_seconds`: time limit of each judge's process, default 300, and 1800 to run the samples.
    `memory`: bytes that samples and running the model may take; larger models are skipped. `board`:
    settings of Vela. `samples`: inputs to verify with (at least 64 for a verdict). `to`: "int8"
    converts a uint8 model to int8. `input_type`, `output_type`: types of real-valued graph inputs
    and outputs. `run`: check() runs the file in its targets' runtimes and compares it with what it
    declares. `portable`: check() predicts which operators can give different integers on different
    runtimes. `allow_refused`: judges whose refusal is reported and does not fail the run. `judges`:
    judges that check() runs in addition to required ones; align() runs its targets' own. `unasked`:
    judges (or "numbers") that are not run, except the targets' own; a required one then fails the
    result. `accepted`: findings that a baseline accepts for this model. `fix`, `no_fix`: repairs
    switched on and off, by id, glob or `all`. `bias`: whether the real value of a bias is given by
    its declared scale or by the one that kernels compute with. `view`: add data for drawing the
    model to the report. `lock`: required graph inputs and outputs. `allow_metadata`: names of
    metadata that count neither tensors nor operators, so that some may be added. `severity`:
    patterns of rule ids -> severity on every target that has the rule, later ones win; "off":
    neither reported nor repaired. `overrides`: settings for single places. `select`: ids or
    patterns of the only rules to check, `same` for `same/*`; `ignore`: of rules not to check.
    `certificate`: make a certificate for every input; `require` "certified" does so too.
    `calibration`: real inputs, `[samples, *shape]` by name or position (real values, or integers of
    the input's own type), which narrow the value ranges and are used for verification. Raises
    UsageError for an invalid value.
    """

    targets: tuple[str, ...] = ("tflite",)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    overlap: Overlap = "auto"
    prefer: Prefer = "balanced"
    compare: bool = False
    io: Io = "keep"
    to: To | None = None
    input_type: IOType | None = None
    output_type: IOType | None = None
    only: Only = "all"
    optimize: bool = False
    fail_on: FailOn = "error"
    verify: bool = True
    require: tuple[str, ...] = ()
    judge_seconds: float | None = None
    memory: int = MEMORY
    board: Board = Board()
    samples: int = 64
    seed: int = 0
    calibration: Mapping[str | int, np.ndarray] | None = None
    judges: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    fix: tuple[str, ...] = ()
    no_fix: tuple[str, ...] = ()
    allow_metadata: tuple[str, ...] = ()
    allow_refused: tuple[str, ...] = ()
    run: bool = False
    portable: bool = False
    bias: Bias = "declared"
    lock: Lock | None = None
    severity: Mapping[str, Severity] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    view: bool = False
    certificate: bool = False

    def __repr__(self) -> str:
        """The options that differ from the defaults."""
        usual = type(self).__struct_defaults__
        settings = [
            f"{name}={_value_text(getattr(self, name))}"
            for name, default in zip(self.__struct_fields__, usual, strict=True)
            if not _usual(getattr(self, name), default)
        ]
        return brief(f"AlignOptions({', '.join(settings)})")

    def __post_init__(self) -> None:
        for name, item_type in _TUPLES.items():
            remember(self, name, _entries(name, getattr(self, name), item_type))
        for name, (kinds, expected) in _KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise UsageError(f"{name}: expected {expected}, found {_shown(value)}")
        if not self.targets:
            raise UsageError("targets: at least one is required")
        for name, words in _WORDS.items():
            _one_of(name, getattr(self, name), words)
        for family, policy in self.policies.items():
            _one_of("policies", family, FAMILIES)
            _one_of(f"policies[{family!r}]", policy, FAMILY_POLICIES[family])
        for pattern, severity in self.severity.items():
            _one_of(f"severity[{pattern!r}]", severity, get_args(Severity))
        if self.samples < 1:
            raise UsageError(f"samples: expected at least 1, found {self.samples}")
        if self.judge_seconds is not None and not self.judge_seconds > 0:
            raise UsageError(f"judge_seconds: expected more than 0, found {self.judge_seconds}")
        self.board.check_asked((*self.targets, *self.judges, *self.require))
        if self.memory < 1:
            raise UsageError(f"memory: expected at least 1 byte, found {self.memory}")


def _usual(value: object, default: object) -> bool:
    """Whether an option's value equals its default."""
    if isinstance(value, Mapping):
        return not value
    return value is None or value == default


def _value_text(value: object) -> str:
    """An option's value for `repr`; an array is shown by its shape."""
    if isinstance(value, Mapping):
        items = (f"{key!r}: {_value_text(item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"array{list(shape)}"


def _entries(name: str, value: object, item_type: type) -> tuple[Any, ...]:
    """A tuple of entries of this type; a single entry may be given without a tuple. UsageError,
    which names the option, for other values.
    """
    entries = (value,) if isinstance(value, item_type) else value
    if not isinstance(entries, (tuple, list)):
        called = "names" if item_type is str else item_type.__name__
        raise UsageError(f"{name}: expected a tuple of {called}, found {_shown(value)}")
    for item in entries:
        if not isinstance(item, item_type):
            called = "a name" if item_type is str else item_type.__name__
            raise UsageError(f"{name}: expected {called} for each entry, found {_shown(item)}")
    return tuple(entries)


def _shown(value: object) -> str:
    """A value as text; for a long one its type."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"a value of type {type(value).__name__}"


def _one_of(name: str, value: object, known: tuple[Any, ...]) -> None:
    """Raise UsageError, which names the option, if the value is not one of the known ones."""
    if not isinstance(value, (str, NoneType)) or value not in known:
        words = ", ".join(str(word) for word in known)
        raise UsageError(f"{name}: expected one of {words}; found {_shown(value)}")
