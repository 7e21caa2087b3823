"""The entry point `run`: many models are checked or aligned, on any executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import count, islice
from typing import TYPE_CHECKING, get_args

from ..errors import UsageError
from ..record import replace
from ..report.shard_lines import Shard
from ..rules.targets import load_target
from ..settings.baseline import Accepted
from ..settings.options import AlignOptions
from .chunk_work import Chunk, Job, Result, Verb, outcomes
from .done_record import DoneRecord
from .model_listing import RECORD, ModelFile, models_of, pairs
from .named_errors import about
from .settings_digest import asks_judges, environment, settings_digest
from .urls import shown
from .whole_files import join

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["run"]

_ONE = "memory://"
_AHEAD = 4  # chunks queued per process; a process that dies loses them
_UNKNOWN = 16  # processes assumed for an executor that does not state their number


def run(
    verb: Verb,
    inputs: str | Sequence[str | ModelFile],
    output: str | None = None,
    options: AlignOptions | None = None,
    *,
    executor: Executor | None = None,
    chunk: int | None = None,
    record: str | None = None,
    shard: str | Shard | None = None,
    resume: bool = True,
    write: bool = True,
    keep_going: bool = False,
    accepted: Callable[[ModelFile], tuple[Accepted, ...]] | None = None,
    stdin: Callable[[], bytes] | None = None,
) -> Generator[Result, None, None]:
    """Check models, or align them to the same places below `output`; yields a Result for each, as
    it finishes.

    `inputs`: folders, files, patterns, each a path or a URL; for `align`, one folder. `executor`: a
    `concurrent.futures` executor, None for this process. `chunk`: number of models per task.
    `record`: a folder with finished results, from which the same call resumes after a stop; by
    default, for `align`, a folder in `output`. `shard`: "3/20", the models that the third of twenty
    runs processes. `resume`: with False finished results are recorded, but none is read. `write`: with False nothing but reports is made. `keep_going`: models with
    remaining findings are written too. `accepted`: returns the findings that a baseline accepts in
    a model. `stdin`: reads the input `-`, in this process.

    An error of a single model is that model's result. Raises UsageError, Failure or OSError for
    errors that concern the whole run.
    """
    options = replace(options or AlignOptions(), compare=False)
    for name in options.targets:
        load_target(name)
    chosen_shard = Shard.parse(shard) if isinstance(shard, str) else shard
    models = _models(verb, inputs, output)
    if chosen_shard is not None:
        models = tuple(model for model in models if chosen_shard.has(model.path))
    if record is None:
        record = join(output, RECORD) if output is not None else ""
    with DoneRecord(record if write else "", chosen_shard) as done:
        if resume:
            with about(shown(record)):
                done.read(model.path for model in models)
        jobs = _jobs(models, done, accepted)
        whole = Chunk(
            verb=verb,
            jobs=(),
            options=options,
            settings=settings_digest(verb, options, keep_going=keep_going),
            write=write,
            keep_going=keep_going,
            place=os.getcwd(),  # noqa: PTH109 - as text
            stdin=stdin,
        )
        _reachable(models, executor)
        chunks = _chunks(whole, jobs, done, chunk or _size(whole, executor))
        with closing(_results(chunks, whole, executor)) as results:
            yield from results


def _models(
    verb: Verb, inputs: str | Sequence[str | ModelFile], output: str | None
) -> tuple[ModelFile, ...]:
    """The models that the inputs select. Raises UsageError for an unknown verb. `output`: OUT; None
    for `check`.
    """
    if verb not in get_args(Verb):
        raise UsageError(f"verb: expected 'check' or 'align', found {verb!r}")
    named = [inputs] if isinstance(inputs, str) else list(inputs)
    if all(isinstance(source, ModelFile) for source in named):
        return tuple(source for source in named if isinstance(source, ModelFile))
    sources = [source for source in named if isinstance(source, str)]
    if verb == "check":
        return tuple(models_of(sources))
    if len(sources) != 1 or output is None:
        raise UsageError("align: expected two folders, IN and OUT")
    return pairs(sources[0], output)


def _reachable(models: Sequence[ModelFile], executor: Executor | None) -> None:
    """Raise UsageError if a model is in a store that exists only in this process, and others do the
    work.
    """
    if executor is None:
        return
    for model in models:
        if model.source.startswith(_ONE) or model.out.startswith(_ONE):
            raise UsageError(
                f"{model.name}: {_ONE} exists only in this process: do not use other processes"
            )


def _jobs(
    models: Sequence[ModelFile],
    done: DoneRecord,
    accepted: Callable[[ModelFile], tuple[Accepted, ...]] | None,
) -> Iterator[Job]:
    """The job of each model. `accepted`: findings that a baseline accepts in a model."""
    for index, model in enumerate(models):
        passed = accepted(model) if accepted is not None else ()
        yield Job(number=index, model=model, accepted=passed, known=done.line(model.path))


def _judged(chunk: Chunk) -> bool:
    """Whether the chunk's options run judges."""
    return chunk.options.verify if chunk.verb == "align" else asks_judges(chunk.options)


def _size(chunk: Chunk, executor: Executor | None) -> int:
    """The number of models per chunk: few if a model takes long, since a killed chunk is run again;
    not too few, since each chunk is a file of the record.
    """
    if _judged(chunk):
        return 1 if executor is None or getattr(executor, "local", False) else 2
    return 16 if chunk.verb == "align" else 64


def _chunks(whole: Chunk, jobs: Iterator[Job], done: DoneRecord, size: int) -> Iterator[Chunk]:
    """The jobs in chunks of `size`; `whole`: the chunk's settings."""
    for chunk_number in count(1):
        some = tuple(islice(jobs, size))
        if not some:
            return
        yield replace(whole, jobs=some, record=done.name(chunk_number))


def _results(
    chunks: Iterator[Chunk], whole: Chunk, executor: Executor | None
) -> Generator[Result, None, None]:
    """The results of all chunks, in this process or on the executor."""
    if executor is None:
        for chunk in chunks:
            with closing(outcomes(chunk)) as results:
                yield from results
        return
    from .dispatch import Dispatch  # noqa: PLC0415 - one process needs no others
    from .worker_call import packed  # noqa: PLC0415 - as above

    judged = _judged(whole)
    local_environment = environment(judged=judged)
    workers = getattr(executor, "workers", _UNKNOWN)

    def pack(chunk: Chunk) -> bytes:
        """The bytes of a chunk for a worker."""
        return packed(chunk, local_environment, judged=judged)

    dispatch = Dispatch(executor=executor, pack=pack, ahead=_AHEAD * workers)
    yield from dispatch.results(chunks)
