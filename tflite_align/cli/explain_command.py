"""`explain IN [SLOT|TENSOR]`."""

from __future__ import annotations

from typing import Any

import click

from ..disk import read_model_file
from ..pipeline.explaining import explain
from ..report.component_summary import render_explanation
from ..report.terminal_text import shorten
from ..rules.targets import load_target
from ..store.named_errors import about
from .click_options import settings
from .failure import reader_may_leave
from .paths import STREAM
from .streams import read_stdin
from .summary import show_lines

__all__ = ["run_explain"]

_ROWS = 5  # entries of a list that are shown without -v


def run_explain(source: str, place: str | None, values: dict[str, Any]) -> int:
    """Print the answer and return 0; Failure, AlignError, OSError: it could not be done."""
    options = settings(values)
    for name in options.targets:
        load_target(name)
    with about(source):
        data: Any = read_stdin() if source == STREAM else read_model_file(source)
        found = explain(memoryview(data), place, options)
        lines = found.lines(None if values["verbose"] else _ROWS)
        # The name that was asked for stays whole.
        whole = len(lines) if values["verbose"] else int(place is not None)
        lines = [*lines[:whole], *map(shorten, lines[whole:])]
    with reader_may_leave(0):
        if values["as_json"]:
            click.echo(render_explanation(found.answer), nl=False)
        else:
            show_lines(lines)
    return 0
