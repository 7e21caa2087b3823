"""The user's calibration data, matched with the graph inputs before any model is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..format.model import Model
from ..record import Record

__all__ = ["Calibration", "Wanted", "check_calibration", "matched"]

Array = npt.NDArray[Any]
Calibration = Mapping[str | int, Array]


class Wanted(Record, frozen=True, kw_only=True):
    """A graph input to which calibration data have to be assigned; `aliases`: its names in
    signatures. Open sizes of `shape` count as 1.
    """

    name: str
    shape: tuple[int, ...]
    aliases: tuple[str, ...] = ()


def check_calibration(model: Model, calibration: Calibration) -> None:
    """Raise the UsageError of `matched` if the data do not fit subgraph 0's inputs."""
    if not model.subgraphs:
        return
    graph = model.subgraphs[0]
    inputs = []
    for index in graph.inputs:
        aliases = [
            name
            for signature in model.signatures
            if signature.subgraph == 0
            for name, tensor in signature.inputs
            if tensor == index
        ]
        tensor = graph.tensors[index]
        inputs.append(Wanted(name=tensor.name, shape=tensor.shape, aliases=tuple(aliases)))
    matched(inputs, calibration)


def matched(inputs: Sequence[Wanted], calibration: Calibration) -> tuple[Array, ...]:
    """An array for each input, [samples, *shape], found by the input's name, an alias or its
    position.

    Raises UsageError with the input, the found and the expected shape or name. Arrays that belong
    to no input are ignored, since data sets also contain labels.
    """
    if not inputs:
        raise UsageError("calibration: the model has no inputs to feed")
    arrays: list[Array] = []
    for position, wanted_input in enumerate(inputs):
        array = _shaped(position, wanted_input, _found(position, wanted_input, calibration))
        if arrays and len(array) != len(arrays[0]):
            raise _unfit(
                position,
                wanted_input,
                f"{len(array)} samples",
                f"{len(arrays[0])} samples, as for input 0",
            )
        arrays.append(array)
    return tuple(arrays)


def _found(position: int, wanted_input: Wanted, calibration: Calibration) -> Array:
    """The array of one input. Raises UsageError if there is none. `position`: the input's index."""
    names: tuple[str | int, ...] = (
        wanted_input.name,
        position,
        str(position),
        *wanted_input.aliases,
    )
    for name in names:
        if name in calibration:
            return np.asarray(calibration[name])
    there = ", ".join(repr(name) for name in calibration) or "no array"
    problem = f"no array under its name or position (found {there})"
    raise _unfit(position, wanted_input, problem, _expected(wanted_input))


def _shaped(position: int, wanted_input: Wanted, array: Array) -> Array:
    """The array with shape [samples, *shape of the input]. Raises UsageError if it does not fit.
    `position`: the input's index.
    """
    shape = tuple(max(size, 1) for size in wanted_input.shape)
    fits = array.shape[-len(shape) :] == shape if shape else True
    tail = array.shape[1:] == shape[1:] and bool(shape) and shape[0] == 1
    if array.size == 0 or not (fits or tail):
        raise _unfit(position, wanted_input, f"shape {array.shape}", _expected(wanted_input))
    if array.dtype.kind not in "biuf":
        raise _unfit(position, wanted_input, f"values of type {array.dtype}", "real numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _unfit(position, wanted_input, "values that are not finite", "real numbers")
    return array.reshape(-1, *shape)


def _expected(wanted_input: Wanted) -> str:
    """The expected shape as text."""
    sizes = ", ".join(str(max(size, 1)) for size in wanted_input.shape)
    return f"shape (samples, {sizes})" if sizes else "shape (samples,)"


def _unfit(position: int, wanted_input: Wanted, actual: str, expected: str) -> UsageError:
    """The error for an input with unsuitable data. `position`: the input's index. `actual`: text of
    the data found. `expected`: text of the requirement.
    """
    return UsageError(
        f"calibration: input {position} ({wanted_input.name!r}): found {actual}, expected {expected}"
    )
