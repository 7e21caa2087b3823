"""The summary and the progress bar: tables on a terminal, aligned text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from ..report import Report
from ..report.section import Section
from ..report.sections import sections
from ..report.text import more_rows, render_sections

__all__ = ["is_terminal", "progress_bar", "show", "show_sections"]

# How words of the report look on a terminal.
_STYLES = {
    "accepted": "green",
    "error": "red",
    "failed": "bold red",
    "inconclusive": "yellow",
    "proven": "green",
    "refused": "red",
    "skipped": "yellow",
    "warning": "yellow",
}


def is_terminal(stream: TextIO) -> bool:
    return bool(getattr(stream, "isatty", bool)())


def show(report: Report, last: str, *, rows: int | None, err: bool) -> None:
    """Print the report and its closing line on stdout, or on stderr."""
    show_sections(sections(report, rows=rows), last, report.exit_status, err=err)


def show_sections(told: Sequence[Section], last: str, status: int, *, err: bool) -> None:
    """Print sections and a closing line, which is red where the status is not 0."""
    stream = sys.stderr if err else sys.stdout
    if is_terminal(stream):
        _show_tables(told, last, status, stream)
    else:
        click.echo(render_sections(told, last), nl=False, err=err)


def _show_tables(told: Sequence[Section], last: str, status: int, stream: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, highlight=False)
    for section in told:
        if section.title:
            console.print(Text(section.title, style="bold"))
        if section.rows:
            console.print(_table(section))
        if section.hidden:
            console.print(Text(more_rows(section.hidden), style="dim"))
        for line in section.lines:
            console.print(Text(line, style=_STYLES.get(line.partition(":")[0], "")))
        console.print()
    console.print(Text(last, style="bold red" if status else "bold green"))


def _table(section: Section) -> object:
    """Cells are Text: brackets in a tensor's name are no markup."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    kept = [c for c in range(len(section.head)) if any(row[c] for row in section.rows)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in kept:
        table.add_column(Text(section.head[column]), overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(row[c], style=_STYLES.get(row[c].split(" ")[0], "")) for c in kept))
    return table


@contextmanager
def progress_bar(*, wanted: bool) -> Iterator[Callable[[str, float], None] | None]:
    """A bar on stderr that hears (stage, fraction done); None where stderr is no terminal."""
    if not wanted or not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("align", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)
