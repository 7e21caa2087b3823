"""The summary and the progress bar: tables with colours on a terminal, aligned text otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO

from ..report.column_layout import laid_out, wrapped
from ..report.concise import problem_lines
from ..report.report import Report
from ..report.section import Row, Section
from ..report.sections import sections
from ..report.terminal_text import printable
from ..report.text import more_rows, render_sections, text_table
from .streams import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = [
    "Bar",
    "aside",
    "is_terminal",
    "progress_bar",
    "show",
    "show_lines",
    "show_problems",
    "show_sections",
    "show_table",
]

# First word of a cell -> its style on a terminal.
_STYLES = {
    "accepted": "green",
    "aligned": "green",
    "aligned,": "green",
    "could": "red",
    "error": "red",
    "failed": "bold red",
    "inconclusive": "yellow",
    "not": "red",
    "verified": "green",
    "refused": "red",
    "skipped": "yellow",
    "warning": "yellow",
}


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal."""
    return bool(getattr(stream, "isatty", bool)())


def _dressed(stream: TextIO) -> bool:
    """Whether the stream gets tables and colours: a terminal, or FORCE_COLOR is set
    (https://force-color.org).

    rich itself honours NO_COLOR and TERM.
    """
    return is_terminal(stream) or bool(os.environ.get("FORCE_COLOR"))


def show(report: Report, last: str, *, rows: int | None, err: bool) -> None:
    """Print the report and the closing line `last` on stdout, or stderr with `err`. `rows`: the
    most rows of each table, None for all.
    """
    show_sections(sections(report, rows=rows), last, report.exit_status, err=err)


def show_problems(report: Report, last: str = "", *, err: bool) -> None:
    """Print each problem of a report as one line, and the closing line `last` unless it is "".
    `err`: on stderr instead of stdout.
    """
    lines = [*problem_lines(report), *([last] if last else [])]
    if lines:
        say("\n".join(lines), err=err)


def show_sections(parts: Sequence[Section], last: str, status: int, *, err: bool) -> None:
    """Print sections and the closing line `last`, which is red for an exit status (`status`) other
    than 0. `parts`: the sections. `err`: on stderr instead of stdout.
    """
    stream = sys.stderr if err else sys.stdout
    if _dressed(stream):
        _show_tables(parts, last, status, stream)
    else:
        say(render_sections(parts, last), nl=False, err=err)


def show_lines(lines: Sequence[str]) -> None:
    """Print sentences on stdout. On a terminal they are wrapped, and the first line of a paragraph
    is bold.
    """
    if not _dressed(sys.stdout):
        say("\n".join(lines))
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=sys.stdout, highlight=False)
    before = ""
    for line in lines:
        head = not before
        indent = " " * (len(line) - len(line.lstrip()) + (0 if head else 2))
        text = "\n".join(wrapped(line, console.width, indent))
        console.print(Text(text, style="bold" if head else ""), soft_wrap=True)
        before = line


def show_table(head: Row, rows: Sequence[Row], *, err: bool = False) -> None:
    """Print a table without a title or closing line. `head`: titles; `rows`: cells by column.
    `err`: on stderr instead of stdout.
    """
    stream = sys.stderr if err else sys.stdout
    if not _dressed(stream):
        say("\n".join(text_table(head, rows)), err=err)
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal

    console = Console(file=stream, highlight=False)
    _print_table(console, Section(title="", head=head, rows=tuple(rows)))


def _show_tables(parts: Sequence[Section], last: str, status: int, stream: TextIO) -> None:
    """Print the sections as tables on a terminal, then the line `last`, coloured by the exit status
    (`status`).
    """
    from rich.console import Console  # noqa: PLC0415 - only for a terminal

    console = Console(file=stream, highlight=False)
    for section in parts:
        if section.title:
            _print(console, section.title, "bold")
        if section.rows:
            _print_table(console, section)
        if section.hidden:
            _print(console, more_rows(section.hidden), "dim")
        for line in section.lines:
            _print(console, line, _STYLES.get(line.partition(":")[0], ""))
        console.print()
    _print(console, last, "bold red" if status else "bold green")


def _print(console: Console, text: str, style: str) -> None:
    """Print a line, wrapped between words. It is printed as Text, so that brackets in tensor names
    are not markup. `style`: rich's style name.
    """
    from rich.text import Text  # noqa: PLC0415

    wrapped_text = "\n".join(wrapped(text, console.width, "  "))
    console.print(Text(wrapped_text, style=style), soft_wrap=True)


def _print_table(console: Console, section: Section) -> None:
    """Print a section's table on a terminal."""
    from rich.text import Text  # noqa: PLC0415

    for index, line in enumerate(laid_out(section.head, section.rows, console.width)):
        styled = Text()
        for text, cell in line:
            first = cell.partition(" ")[0]
            styled.append(text, style="bold" if not index and cell else _STYLES.get(first, ""))
        console.print(styled, soft_wrap=True)


class Bar:
    """A progress bar, called with (description, fraction done)."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0)

    def __call__(self, stage: str, done: float) -> None:
        self._bar.update(self._task, description=printable(stage), completed=done)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the bar while other text is printed on the terminal."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def aside(bar: Bar | None) -> AbstractContextManager[None]:
    """Hide the bar, if there is one, while other text is printed."""
    return nullcontext() if bar is None else bar.aside()


@contextmanager
def progress_bar(*, wanted: bool) -> Iterator[Bar | None]:
    """A progress bar on stderr; None where it is not wanted or stderr is no terminal."""
    if not wanted or not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    # stdout is not redirected: it may carry the model or a report.
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        yield Bar(bar)
