"""For export pipelines: convert with TensorFlow's converter, and align what it writes, in one step.

TensorFlow is not imported here: whatever has the converter's `convert()` will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from .errors import UsageError
from .pipeline.aligning import AlignResult, Progress, align
from .record import replace
from .settings.options import AlignOptions

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Converter", "convert_and_align"]


class Converter(Protocol):
    """What is used of a `tf.lite.TFLiteConverter`."""

    def convert(self) -> bytes: ...


def convert_and_align(
    converter: Converter,
    options: AlignOptions | None = None,
    *,
    calibrate: bool = False,
    name: str = "",
    progress: Progress | None = None,
) -> AlignResult:
    """`converter.convert()`, then `align()` of its result.

    `calibrate`: what the converter's `representative_dataset` yields (its first
    `options.samples` samples) is the alignment's calibration too: it tightens what each value
    needs, and the numbers are judged by it. `name` is what the report calls the model.

    Raises what the converter and `align` raise; UsageError where there is no such dataset, or it
    yields something else than samples of the model's inputs.
    """
    options = options or AlignOptions()
    data = converter.convert()
    if calibrate:
        dataset = getattr(converter, "representative_dataset", None)
        options = replace(options, calibration=_stacked(dataset, options.samples))
    return align(data, options, name=name, progress=progress)


def _stacked(dataset: Any, most: int) -> dict[str | int, np.ndarray]:
    """Arrays [samples, *shape] by input name, or by position where samples are sequences."""
    import numpy as np  # noqa: PLC0415 - only calibration needs it

    columns: dict[str | int, list[np.ndarray]] = {}
    for sample in islice(_samples(dataset), most):
        for key, value in _named(sample):
            columns.setdefault(key, []).append(np.asarray(value))
    if not columns:
        raise UsageError("the converter's representative_dataset yields no samples")
    if len({len(values) for values in columns.values()}) > 1:
        raise UsageError("the converter's representative_dataset yields samples of several inputs")
    return {key: _joined(values) for key, values in columns.items()}


def _samples(dataset: Any) -> Iterable[Any]:
    """The converter takes a generator function, or a RepresentativeDataset around one."""
    source: Callable[[], Iterable[Any]] | None = getattr(dataset, "input_gen", dataset)
    if not callable(source):
        raise UsageError("calibrate=True needs the converter's representative_dataset")
    return source()


def _named(sample: Any) -> Iterable[tuple[str | int, Any]]:
    """A sample is a list by position, a dict by name, or (signature key, dict)."""
    if isinstance(sample, tuple) and len(sample) == 2 and isinstance(sample[1], Mapping):
        sample = sample[1]
    if isinstance(sample, Mapping):
        return ((str(key), value) for key, value in sample.items())
    return enumerate(sample)


def _joined(values: list[np.ndarray]) -> np.ndarray:
    """Each sample carries the input's own batch dimension: one more in front counts samples."""
    import numpy as np  # noqa: PLC0415

    if len({value.shape for value in values}) > 1:
        raise UsageError("the converter's representative_dataset yields inputs of several shapes")
    return np.stack(values)
