"""For export pipelines: convert, and align what was converted, in one step.

No converter is imported here: TensorFlow's, litert-torch and onnx2tf are known by what they offer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from ..errors import UsageError, kind_of
from ..pipeline.session import Progress
from ..record import replace
from ..settings.option_words import OptionWords, options_of
from ..settings.options import AlignOptions
from .jobs import align
from .results import AlignResult

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Converter", "Exportable", "convert_and_align"]


class Converter(Protocol):
    """What is used of a `tf.lite.TFLiteConverter`."""

    def convert(self) -> bytes: ...


class Exportable(Protocol):
    """What is used of the model that `litert_torch.convert()` returns."""

    def export(self, path: str, /) -> Any: ...


def convert_and_align(
    converter: Converter | Exportable | Callable[[str], Any],
    options: AlignOptions | None = None,
    *,
    calibrate: bool = False,
    file: str = "*.tflite",
    name: str = "",
    progress: Progress | None = None,
    **words: Unpack[OptionWords],
) -> AlignResult:
    """Convert, then `align()` what comes of it.

    `converter`: a `tf.lite.TFLiteConverter`; the model that `litert_torch.convert()` returns; or a
    function that is given an empty folder and writes a .tflite file there (`lambda folder:
    onnx2tf.convert("net.onnx", output_folder_path=folder, output_integer_quantized_tflite=True,
    custom_input_op_name_np_data_path=...)`). Of several files the one is taken whose name `file`
    fits, a pattern. `calibrate`: what the converter's
    `representative_dataset` yields (its first `options.samples` samples) is the alignment's
    calibration too: it tightens what each value needs, and the numbers are judged by it. Options,
    name and progress as for align().

    Raises what the converter and `align` raise; UsageError where there is no such dataset, it
    yields something else than samples of the model's inputs, or not one file fits.
    """
    align_options = options_of(options, {})
    data = _converted(converter, file)
    if calibrate:
        dataset = getattr(converter, "representative_dataset", None)
        most = words.get("samples", align_options.samples)
        align_options = replace(align_options, calibration=_stacked(dataset, most))
    return align(data, align_options, name=name, progress=progress, **words)


# --- the file -----------------------------------------------------------------------------------


def _converted(converter: Any, file: str) -> bytes:
    _refuse_what_is_no_converter(converter)
    if callable(getattr(converter, "convert", None)):
        data: bytes = _ran(converter.convert)
        return data
    with tempfile.TemporaryDirectory(prefix="tflite_align-") as folder:
        export = getattr(converter, "export", None)
        if callable(export):
            _ran(export, str(Path(folder, "model.tflite")))
            return _only_file(folder, "*")
        _ran(converter, folder)
        return _only_file(folder, file)


def _refuse_what_is_no_converter(converter: Any) -> None:
    """Networks can be called, and modules of converters have a convert(): both are easily given."""
    if isinstance(converter, ModuleType):
        raise UsageError(
            f"converter: found the module {converter.__name__}; expected what converts one model,"
            f" for example a function: lambda folder: {converter.__name__}.convert(...)"
        )
    if any(hasattr(converter, name) for name in ("state_dict", "get_config")):  # PyTorch, Keras
        raise UsageError(
            f"converter: found a network of type {type(converter).__name__}; expected a converter"
            " of it: tf.lite.TFLiteConverter.from_keras_model(network), or what"
            " litert_torch.convert(network, ...) returns"
        )
    if not any(callable(getattr(converter, n, None)) for n in ("convert", "export", "__call__")):
        raise UsageError(
            "converter: expected one with convert(), a model with export() or a function;"
            f" found {kind_of(converter)}"
        )


def _ran(step: Callable[..., Any], *arguments: str) -> Any:
    """What a step of a converter returns; command line programs end the process where they fail."""
    try:
        return step(*arguments)
    except SystemExit as end:
        raise UsageError(
            f"converter: it gave up with exit status {end.code}; what it printed says why"
        ) from end


def _only_file(folder: str, pattern: str) -> bytes:
    files = sorted(Path(folder).rglob("*.tflite"))
    fitting = [path for path in files if fnmatchcase(path.name, pattern)]
    if len(fitting) != 1:
        names = ", ".join(path.name for path in files) or "no .tflite file at all"
        raise UsageError(
            f"file: {len(fitting)} of what the converter wrote fit {pattern!r}; it wrote {names}"
        )
    return fitting[0].read_bytes()


# --- calibration --------------------------------------------------------------------------------


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
        raise UsageError(
            "calibrate=True needs the converter's representative_dataset;"
            " of other converters, give the inputs themselves: calibration=images"
        )
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
