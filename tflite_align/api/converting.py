"""Conversion and alignment in one call, for export pipelines.

Imports no converter: TensorFlow's, litert-torch's and onnx2tf's are recognized by their methods.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from ..errors import UsageError, kind_of
from ..pipeline.session import Progress
from ..record import replace
from ..rules.wildcards import matches
from ..settings.option_words import OptionWords, options_of
from ..settings.options import AlignOptions
from .jobs import align
from .results import AlignResult

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Converter", "Exportable", "convert_and_align"]


class Converter(Protocol):
    """The methods of `tf.lite.TFLiteConverter` that are used."""

    def convert(self) -> bytes: ...


class Exportable(Protocol):
    """The methods of the result of `litert_torch.convert()` that are used."""

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
    """Convert a model and `align()` the converted file.

    `converter`: a `tf.lite.TFLiteConverter`; the model that `litert_torch.convert()` returns; or a
    function that takes an empty folder and writes a .tflite file into it (`lambda folder:
    onnx2tf.convert("net.onnx", output_folder_path=folder, output_integer_quantized_tflite=True,
    custom_input_op_name_np_data_path=...)`). `file`: a pattern that selects one of several files.
    `calibrate`: use the first `options.samples` samples of the converter's `representative_dataset`
    as calibration data, which narrow the value ranges and are used for verification. Options, `name`
    and `progress` are those of align().

    Raises what the converter and `align` raise; UsageError where there is no such dataset, its
    samples do not match the model's inputs, or not exactly one file is selected.
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
    """Run the converter: the bytes of the converted file. `file`: pattern that selects one of
    several files.
    """
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
    """Raise UsageError for a module or network, which are easily given by mistake: networks can be
    called, and modules of converters have a convert().
    """
    if isinstance(converter, ModuleType):
        raise UsageError(
            f"converter: found the module {converter.__name__}; expected a function that"
            f" converts one model, for example lambda folder: {converter.__name__}.convert(...)"
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
    """Call a step of a converter; a SystemExit, as of a command-line program, becomes a UsageError."""
    try:
        return step(*arguments)
    except SystemExit as end:
        raise UsageError(
            f"converter: it ended the process with exit status {end.code}; its output above says why"
        ) from end


def _only_file(folder: str, pattern: str) -> bytes:
    """The bytes of the only .tflite file in the folder whose name matches the pattern. Raises
    UsageError for none or several.
    """
    files = sorted(Path(folder).rglob("*.tflite"))
    fitting = [path for path in files if matches(path.name, pattern)]
    if len(fitting) != 1:
        names = ", ".join(path.name for path in files) or "no .tflite file at all"
        raise UsageError(
            f"file: {len(fitting)} of what the converter wrote fit {pattern!r}; it wrote {names}"
        )
    return fitting[0].read_bytes()


# --- calibration --------------------------------------------------------------------------------


def _stacked(dataset: Any, most: int) -> dict[str | int, np.ndarray]:
    """The first `most` samples of the dataset as arrays [samples, *shape], by input name, or by
    position if samples are sequences.
    """
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
    """The samples of a dataset: it is a generator function, or wrapped in a RepresentativeDataset."""
    source: Callable[[], Iterable[Any]] | None = getattr(dataset, "input_gen", dataset)
    if not callable(source):
        raise UsageError(
            "calibrate=True needs the converter's representative_dataset;"
            " of other converters, give the inputs themselves: calibration=images"
        )
    return source()


def _named(sample: Any) -> Iterable[tuple[str | int, Any]]:
    """(input name or position, value) of one sample, which is a list, a dict, or (signature key,
    dict).
    """
    if isinstance(sample, tuple) and len(sample) == 2 and isinstance(sample[1], Mapping):
        sample = sample[1]
    if isinstance(sample, Mapping):
        return ((str(key), value) for key, value in sample.items())
    return enumerate(sample)


def _joined(values: list[np.ndarray]) -> np.ndarray:
    """The values of all samples stacked along a new first axis."""
    import numpy as np  # noqa: PLC0415

    if len({value.shape for value in values}) > 1:
        raise UsageError("the converter's representative_dataset yields inputs of several shapes")
    return np.stack(values)
