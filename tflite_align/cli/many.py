"""Parts shared by commands on many models: selection, executor, and results kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

from ..errors import UsageError
from ..report.batch_lines import BatchLine, parse_line
from ..report.formats import renderer
from ..report.report import Report, Unread
from ..report.shard_lines import Shard, ShardHead, shard_head
from ..report.table_files import TABLES, check_table
from ..report.terminal_text import printable
from ..store.chunk_work import Result, in_order
from ..store.model_listing import ModelFile
from ..store.named_errors import Failure, about
from ..store.spool import Spool
from ..store.urls import shown
from ..store.whole_files import read, replace_all
from .failure import reader_may_leave, tell
from .pace import Pace
from .paths import STREAM
from .streams import read_stdin, say, write_stdout
from .summary import Bar, aside, progress_bar

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..report.html.index_page import IndexEntry

__all__ = [
    "LINES",
    "Outcomes",
    "check_reports",
    "chosen",
    "executor",
    "follow",
    "listed",
    "named",
    "show_list",
]

_PAGE = ".html"
LINES = ".jsonl"  # ending of the report with one line per model


def check_reports(paths: Sequence[str]) -> None:
    """Raise UsageError for an unknown report format. `paths`: of the reports."""
    for path in paths:
        if _ending(path) in TABLES:
            check_table(path)
        elif _ending(path) != LINES:
            renderer(path)


def _ending(path: str) -> str:
    """The path's ending in lower case, with the dot."""
    return PurePath(path).suffix.lower()


def chosen(models: Sequence[ModelFile], shard: str | None) -> tuple[list[ModelFile], Shard | None]:
    """The models of shard `K/N`, and the shard; all models and None without one."""
    if shard is None:
        return list(models), None
    chosen_shard = Shard.parse(shard)
    return [model for model in models if chosen_shard.has(model.path)], chosen_shard


def show_list(models: Sequence[ModelFile]) -> int:
    """Print the models of `--list`, one line each, and return the exit status."""
    with reader_may_leave(0):
        for model in models:
            destination = f" -> {shown(model.out)}" if model.out else ""
            why = f": {model.why}" if model.why else ""
            say(printable(f"{model.name}{destination}{why}"))
    return 0


def listed(name: str | None) -> list[str] | None:
    """Read names from a file, one per line. Empty lines and lines that begin with `#` are skipped."""
    if name is None:
        return None
    with about(shown(name)):
        data = read_stdin() if name == STREAM else bytes(read(name))
        try:
            lines = data.decode("utf-8").splitlines()
        except UnicodeDecodeError:
            raise Failure(f"{shown(name)}: not UTF-8 text") from None
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise Failure(f"{shown(name)}: line {number}: no name has a NUL character")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def named(sources: Sequence[str], values: dict[str, Any]) -> list[str]:
    """The models given to `check`, on the command line and by `--files-from`. Raises UsageError if
    there are none. `sources`: the arguments; `values`: the parsed options.
    """
    names = [*sources, *(listed(values["files_from"]) or ())]
    if not names:
        raise UsageError("no model is named: give files, folders, patterns or --files-from FILE")
    return names


def executor(
    jobs: int, models: int, elsewhere: str | None
) -> AbstractContextManager[Executor | None]:
    """The executor of `--executor` (`elsewhere`), or a pool of at most `jobs` processes.

    None, to run in this process, if one process is enough for this number of models.
    """
    if elsewhere is not None:
        executor_kind, _, address = elsewhere.partition(":")
        if executor_kind != "dask" or not address:
            raise UsageError(
                f"--executor {elsewhere}: expected dask:ADDRESS, such as dask:tcp://host:8786"
            )
        from ..store.dask_executor import DaskExecutor  # noqa: PLC0415 - optional dependency

        return DaskExecutor(address)
    if jobs == 1 or models < 2:
        return nullcontext()
    from ..store.local_pool import LocalPool, processes  # noqa: PLC0415 - not needed for one process

    workers = min(processes(jobs), models)
    return LocalPool(workers) if workers > 1 else nullcontext()


class Outcomes:
    """The results of all models, stored on disk as JSON lines: a hundred thousand do not fit in
    memory.

    `shard`, `settings`: written to the head of a shard's report. The HTML pages of models with a
    drawing are kept in memory, compressed.
    """

    def __init__(self, shard: Shard | None = None, settings: str = "") -> None:
        self._shard, self._settings = shard, settings
        self._alone: Report | None = None  # the last report that has a graph
        self._spool = Spool()
        # (path, model name, start and end byte in the spool)
        self._places: list[tuple[str, str, int, int]] = []
        self._drawn: dict[int, IndexEntry] = {}

    def __enter__(self) -> Self:
        self._spool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, result: Result) -> None:
        """Store the report line of one model's result."""
        if result.drawn is not None:
            from ..report.html.index_page import index_entry  # noqa: PLC0415 - only needed for this format

            self._alone = result.drawn
            self._drawn[len(self)] = index_entry(result.line, result.drawn)
        start, end = self._spool.add(result.text)
        self._places.append((result.line.path, result.name, start, end))

    def lines(self) -> Iterator[bytes]:
        """JSON lines in the order of their paths, after the head line of a shard."""
        if self._shard is not None:
            head = ShardHead(
                shard=self._shard.number,
                shards=self._shard.count,
                models=len(self),
                settings_sha256=self._settings,
            )
            yield shard_head(head)
        for _, _, start, end in sorted(self._places):
            yield self._spool.part(start, end)

    def _page(self) -> str:
        """The HTML report: the page of a single model, or an index with one page per model."""
        from ..report.html.index_page import index_entry, render_index  # noqa: PLC0415
        from ..report.html.page import render_html  # noqa: PLC0415 - large scripts

        if len(self) == 1:
            reports, unread = self.found()
            return render_html(reports if self._alone is None else [self._alone], unread)
        entries = []
        for index, (_, _, start, end) in enumerate(self._places):
            page = self._drawn.get(index)
            if page is None:
                line = parse_line(self._spool.part(start, end))
                page = index_entry(line, line.report)
            entries.append(page)
        return render_index(entries)

    def _parsed(self) -> Iterator[BatchLine]:
        """The stored report lines, parsed, in the order of the models' paths."""
        for _, _, start, end in sorted(self._places):
            yield parse_line(self._spool.part(start, end))

    def found(self) -> tuple[list[Report], list[Unread]]:
        """All reports and unreadable files, in memory, as most report formats need them."""
        reports, unread = [], []
        for _, name, start, end in self._places:
            line = parse_line(self._spool.part(start, end))
            if line.report is not None:
                reports.append(line.report)
            else:
                unread.append(Unread(name=name, message=line.message))
        return reports, unread

    def write(self, paths: Sequence[str], more: Sequence[tuple[str, Any]] = ()) -> None:
        """Write every report. `more`: files that are written together with them, all or none.
        `paths`: of the reports.
        """
        lines = [path for path in paths if _ending(path) == LINES]
        tables = [path for path in paths if _ending(path) in TABLES]
        pages = [path for path in paths if _ending(path) == _PAGE]
        whole = [path for path in paths if path not in (*lines, *tables, *pages)]
        reports, unread = self.found() if whole else ([], [])
        texts = {path: renderer(path)(reports, unread).encode() for path in whole}
        texts.update({path: self._page().encode() for path in pages})
        streamed = texts.pop(STREAM, b"")
        files: list[tuple[str, Any]] = [(path, self.lines()) for path in lines]
        files += [(path, (TABLES[_ending(path)](self._parsed()),)) for path in tables]
        replace_all([*files, *((path, (text,)) for path, text in texts.items()), *more])
        if streamed:
            write_stdout([streamed])


def follow(
    results: Iterable[Result],
    total: int,
    outcomes: Outcomes,
    hear: Callable[[Result], None],
    *,
    quiet: bool,
) -> None:
    """Store every result in the order of the models, pass it to `hear`, and print errors on stderr.
    `total`: number of models. `quiet`: show no progress.
    """
    many = not quiet and total > 1
    with progress_bar(wanted=many) as progress:
        pace = Pace(total, spoken=many and progress is None)
        for result in in_order(_paced(results, pace, progress)):
            outcomes.add(result)
            with aside(progress):
                if result.line.exit_status == 2:
                    tell(f"{result.name}: {result.line.message}")
                hear(result)


def _paced(results: Iterable[Result], pace: Pace, progress: Bar | None) -> Iterator[Result]:
    """The results as they complete, each after the progress was updated with it."""
    for result in results:
        pace.add(result.line)
        if progress is not None:
            progress(pace.text(result.line.path), pace.fraction)
        yield result
