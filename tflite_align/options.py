"""What an alignment can be told: the command line's options, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from .baseline import Accepted
from .lock import Lock
from .overrides import Override
from .record import Record, field
from .rules import Severity
from .solver import Policy

__all__ = ["AlignOptions", "IOType"]

IOType = Literal["int8", "uint8", "int16", "float32"]


class AlignOptions(Record, frozen=True, kw_only=True):
    """What the command line can say, as values.

    `policies`: PPQ's strategy for each family (concat, elementwise, pooling, resize).
    `prefer`: what a QUANTIZE is worth in precision. `compare`: price PPQ's strategies too.
    `only`: "errors" leaves findings that are warnings alone. `optimize`: fold QUANTIZE operators
    of components without findings too. `io`: whether graph inputs and
    outputs may take other parameters. `require`: judges, or "numbers", without whose word the
    result counts as failed. `judge_seconds`: what each judge's process may take, default 300, and
    1800 where it runs the samples. `samples`: inputs to judge numbers by (at least 64 for a verdict).
    `to`: "int8" turns a uint8 model into an int8 one.
    `input_type`, `output_type`: the type that real-valued graph inputs and outputs are to have.
    `judges`: whom check() asks beside those required; align() asks its targets' own. `accepted`:
    findings that are let pass (a baseline's entries for this model).
    `fix`, `no_fix`: repairs switched on and off, by id, glob or `all`. `bias`: whether a bias stands
    for its integers in its declared scale, or in the one that kernels compute with.
    `view`: let the report carry what a drawing of the model needs (its HTML form does).
    `lock`: the border that the checked or aligned model must have.
    `severity`: patterns of rule ids -> how grave they are on every target that asks for them, later
    ones win; "off": neither reported nor repaired. `overrides`: what holds at single places.
    `calibration`: real inputs, `[samples, *shape]` by name or position (real values, or integers of
    the input's own type); what values they lead to tightens what is needed, and they are judged by.
    """

    targets: tuple[str, ...] = ("tflite",)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    overlap: Literal["forbid", "force", "auto"] = "auto"
    prefer: Literal["precision", "balanced", "speed"] = "balanced"
    compare: bool = False
    io: Literal["keep", "free"] = "keep"
    to: Literal["int8"] | None = None
    input_type: IOType | None = None
    output_type: IOType | None = None
    only: Literal["all", "errors"] = "all"
    optimize: bool = False
    fail_on: Literal["error", "warning"] = "error"
    verify: bool = True
    require: tuple[str, ...] = ()
    judge_seconds: float | None = None
    samples: int = 64
    seed: int = 0
    calibration: Mapping[str | int, np.ndarray] | None = None
    judges: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    fix: tuple[str, ...] = ()
    no_fix: tuple[str, ...] = ()
    bias: Literal["declared", "as-run"] = "declared"
    lock: Lock | None = None
    severity: Mapping[str, Severity] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    view: bool = False
