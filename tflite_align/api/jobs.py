"""The functions align, check and explain for Python callers: model by path, bytes or file, options
by keyword.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Unpack

from ..errors import UsageError, kind_of
from ..pipeline import aligning, checking, explaining
from ..pipeline.aligning import Progress
from ..report.report import Report
from ..report.sections import closing
from ..settings.option_words import OptionWords, options_of
from ..settings.options import AlignOptions
from .results import AlignResult, Explained
from .sources import Source, calibration_arrays, opened

__all__ = ["align", "check", "explain"]

# A library is silent by default; logging.getLogger("tflite_align").setLevel("INFO") enables it.
_LOG = logging.getLogger("tflite_align")
_LOG.addHandler(logging.NullHandler())
_NO_JUDGES = ("numbers", "certified")  # requirements other than judges


def align(
    source: Source,
    options: AlignOptions | None = None,
    *,
    name: str = "",
    progress: Progress | None = None,
    **words: Unpack[OptionWords],
) -> AlignResult:
    """Make the quantization contract of a model hold, and verify the result.

    `source`: a path, the bytes of the model (bytes, mmap, any object with a buffer) or a file open
    for reading. Options are an AlignOptions, or keywords of the same names, which take precedence:
    `align("model.tflite", targets=("tflite", "tflm"), samples=128)`. `name`: the model's name in
    the report. `progress`: called with (stage, fraction done).

    A model without findings is returned unchanged. Use the result only if `report.exit_status` is
    0; `save()` and `raise_for_status()` check that. Raises AlignError (FormatError,
    UnsupportedError, UsageError) where the model cannot be processed, OSError for a file that
    cannot be read.
    """
    align_options = _options(options, words)
    if progress is not None and not callable(progress):
        raise UsageError(
            f"progress: expected a function of (stage, fraction), found {kind_of(progress)}"
        )
    model = opened(source)
    called = _name(name) or model.name
    _LOG.info("align %s: %d bytes", called or "model", len(model.data))
    result = aligning.align(model.data, align_options, name=called, progress=_logged(progress))
    _tell(result.report)
    return AlignResult(result.chunks, result.report, result.certificate)


def check(
    source: Source,
    options: AlignOptions | None = None,
    *,
    name: str = "",
    **words: Unpack[OptionWords],
) -> Report:
    """Return a report of every finding of the model for the options' targets; change nothing.

    No judge runs unless options name one, or `run`. Source, options and name are those of align().
    Raises FormatError for bytes that are no readable model, UsageError for an unknown target,
    OSError for a file that cannot be read.
    """
    align_options = _options(options, words)
    model = opened(source)
    called = _name(name) or model.name
    _LOG.info("check %s: %d bytes", called or "model", len(model.data))
    report = checking.check(model.data, align_options, name=called)
    _tell(report)
    return report


def explain(
    source: Source,
    place: str | int | None = None,
    options: AlignOptions | None = None,
    **words: Unpack[OptionWords],
) -> Explained:
    """Explain why align() gives a tensor its parameters, and what the alternatives cost.

    `place`: a tensor's name or index, or a slot such as `operator[5]/inputs[0]`; without it, an
    overview of every component. Nothing is written or run. Raises what check() raises, and
    UsageError for a place that the model does not have.
    """
    align_options = _options(options, words)
    result = explaining.explain(opened(source).data, _place(place), align_options)
    return Explained(answer=result.answer, lines=tuple(result.lines()))


def _options(options: AlignOptions | None, words: Mapping[str, Any]) -> AlignOptions:
    """The options with these keywords, with calibration files read and names of judges checked.
    `words`: option name -> value.
    """
    if words.get("calibration") is not None:
        words = {**words, "calibration": calibration_arrays(words["calibration"])}
    align_options = options_of(options, words)
    judges = [
        judge
        for judge in (*align_options.judges, *align_options.require)
        if judge not in _NO_JUDGES
    ]
    if judges:
        from ..verify.judges import require_known  # noqa: PLC0415 - only needed where judges are named

        require_known(judges)
    return align_options


def _name(name: object) -> str:
    """The model's name in the report, from a string or a path."""
    text = os.fspath(name) if isinstance(name, os.PathLike) else name or ""
    if not isinstance(text, str):
        raise UsageError(f"name: expected a text, found {kind_of(name)}")
    return text


def _place(place: object) -> str | None:
    """The place as text; None for None. UsageError for another type."""
    if place is None:
        return None
    if isinstance(place, bool) or not isinstance(place, (str, Integral)):
        options = " (options come third)" if isinstance(place, AlignOptions) else ""
        raise UsageError(
            "place: expected a tensor's name or index, or a slot such as operator[5]/inputs[0];"
            f" found {kind_of(place)}{options}"
        )
    return str(place)


def _logged(progress: Progress | None) -> Progress:
    """A progress callback that logs the start of each stage and calls the given one."""
    begun: set[str] = set()

    def tell(stage: str, done: float) -> None:
        """Log the start of a stage and report the progress. `done`: share of the stage, 0 to 1."""
        if stage not in begun:
            begun.add(stage)
            _LOG.debug("%s", stage)
        if progress is not None:
            progress(stage, done)

    return tell


def _tell(report: Report) -> None:
    """Log the report's warnings and closing line."""
    for warning in report.warnings:
        _LOG.warning("%s: %s", report.name or "model", warning)
    _LOG.info("%s: %s", report.name or "model", closing(report))
