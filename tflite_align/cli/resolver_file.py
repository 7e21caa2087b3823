"""`--emit-resolver FILE.h`: a C++ header that registers the model's operators with TFLM."""

from __future__ import annotations

from pathlib import PurePath

from ..disk import read_model_file
from ..errors import UsageError
from ..format.flatbuffer import Bytes
from ..format.reader import read
from ..report.resolver import render_resolver
from ..store.named_errors import about
from .click_options import Given
from .paths import STREAM
from .streams import say

__all__ = ["check_resolver", "new_resolver"]


def check_resolver(request: Given, files: int = 1) -> list[str]:
    """The header's path in a list, or an empty list. Raises UsageError for more than one model.
    `files`: number of models.
    """
    if request.emit_resolver is None:
        return []
    if files != 1:
        raise UsageError(
            f"--emit-resolver is for a single model, and {files} files are named: name one"
        )
    if request.emit_resolver == STREAM:
        raise UsageError("--emit-resolver cannot write to standard output; give a file")
    return [request.emit_resolver]


def new_resolver(
    request: Given, model: Bytes | str | None, name: str, why: str = ""
) -> list[tuple[str, tuple[bytes]]]:
    """The header to write, as (path, chunks), made from a model's bytes or path. `name`: the
    model's name.

    Empty without a model, for the reason `why`. Prints on stderr whether it is written.
    """
    if request.emit_resolver is None:
        return []
    if model is None or model == STREAM:
        outcome = f"not written: {why or 'a model from standard input is read once'}"
        say(f"tflite_align: {request.emit_resolver}: resolver {outcome}", err=True)
        return []
    with about(request.emit_resolver):
        data = read_model_file(model) if isinstance(model, str) else model
        text = render_resolver(read(data), PurePath(name).stem)
    say(f"tflite_align: {request.emit_resolver}: resolver written", err=True)
    return [(request.emit_resolver, (text.encode(),))]
