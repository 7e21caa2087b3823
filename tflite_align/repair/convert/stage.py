"""The conversion stage, before alignment. Later stages get the converted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from ...format.model import Model, SlotKind
from ...record import Record
from ...rules.rows import OperatorRow
from ...rules.targets import Target
from ...rules.versions import load_versions
from ..planner.changes import ModelState
from .conversion import Conversion
from .io_types import convert_border
from .uint8_to_int8 import convert_to_int8

__all__ = ["ConversionRequest", "Converted", "convert"]


class ConversionRequest(Record, frozen=True, kw_only=True):
    """The requested conversions. `to`: the type that replaces uint8, with `free_io` also at graph
    inputs and outputs; `inputs`, `outputs`: types of graph inputs and outputs; None for unchanged.
    `fixes`: ids of enabled repairs.
    """

    to: Literal["int8"] | None = None
    free_io: bool = False
    fixes: frozenset[str] = frozenset()
    inputs: str | None = None
    outputs: str | None = None


class Converted(Record, frozen=True, kw_only=True):
    """The state after the conversions, unchanged if there were none. `refused`: reasons against a
    conversion.
    """

    state: ModelState
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def convert(
    given: ModelState,
    request: ConversionRequest,
    rows: Mapping[str, OperatorRow],
    targets: Sequence[Target],
) -> Converted:
    """Run the requested conversions one after the other; if one is refused, none is applied.
    `rows`: rules by operator name. `targets`: runtimes for which the result must be legal.
    """
    state, warnings = given, list[str]()
    for conversion in _conversions(request, rows, targets):
        done = conversion(state.model)
        if done.refused:
            return Converted(state=given, refused=done.refused)
        state = state.after(done.plan)
        warnings += done.warnings
    return Converted(state=state, warnings=tuple(warnings))


def _conversions(
    request: ConversionRequest, rows: Mapping[str, OperatorRow], targets: Sequence[Target]
) -> Iterator[Callable[[Model], Conversion]]:
    """The requested conversions, in order, as functions of a model. `rows`: rules by operator name.
    `targets`: runtimes for which the result must be legal.
    """
    if request.to is not None:
        # Inputs or outputs that are converted to another type afterwards become int8 here, too.
        sides: tuple[tuple[SlotKind, str | None], ...] = (
            ("inputs", request.inputs),
            ("outputs", request.outputs),
        )
        free = frozenset(side for side, to_type in sides if request.free_io or to_type is not None)
        yield lambda model: convert_to_int8(
            model,
            rows,
            load_versions(),
            targets,
            free=free,
            fixes=request.fixes,
        )
    if request.inputs is not None or request.outputs is not None:
        yield lambda model: convert_border(
            model, rows, targets, inputs=request.inputs, outputs=request.outputs
        )
