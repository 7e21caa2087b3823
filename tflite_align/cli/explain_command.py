"""The command `explain IN [SLOT|TENSOR]`."""

from __future__ import annotations

import os
from typing import Any

import click

from ..errors import UsageError
from ..pipeline.explaining import explain
from ..pipeline.session import Session
from ..report.component_summary import render_explanation
from ..report.terminal_text import shorten
from ..rules.rule_text import family_pattern
from ..store.named_errors import about
from ..store.urls import shown
from ..store.whole_files import read
from .click_options import settings
from .failure import reader_may_leave
from .list_commands import show_rule, told_story
from .paths import STREAM
from .streams import read_stdin
from .summary import show_lines

__all__ = ["run_explain"]

_ROWS = 5  # entries of a list that are shown without --verbose


def run_explain(source: str, subject: str | None, values: dict[str, Any]) -> int:
    """Print the explanation and return 0. `subject`: tensor or slot, None for an overview;
    `values`: the parsed options. Raises Failure, AlignError or OSError if there is none. `source`:
    path of IN; - is standard input.
    """
    if _is_rule(source, subject):
        show_rule(source, values["target"], as_json=values["as_json"])
        return 0
    options = settings(values)
    Session.of(options)  # an unknown target or judge is an error before any file is read
    with about(shown(source)):
        data: Any = read_stdin() if source == STREAM else read(source)
        explanation = explain(memoryview(data), subject, options)
        lines = explanation.lines(None if values["verbose"] else _ROWS)
        # The line that repeats the requested name is not shortened.
        whole = len(lines) if values["verbose"] else int(subject is not None)
        lines = [*lines[:whole], *map(shorten, lines[whole:])]
    with reader_may_leave(0):
        if values["as_json"]:
            click.echo(render_explanation(explanation.answer), nl=False)
        else:
            show_lines(lines)
    return 0


def _is_rule(source: str, subject: str | None) -> bool:
    """Whether the only argument is a rule id. Raises UsageError for a misspelled rule id. `source`:
    path of IN; - is standard input.
    """
    plain = source != STREAM and subject is None and not source.endswith(".tflite")
    if not plain or os.path.lexists(source):
        return False
    story = told_story(source, ())
    if isinstance(story, str) and "/" in source and "did you mean" in story:
        raise UsageError(f"{source}: no file and no rule{story}")
    return not isinstance(story, str) or family_pattern(source) != source
