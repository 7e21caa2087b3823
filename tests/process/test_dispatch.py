"""Sending chunks of models to executors. After a crash each model of the chunk is tried alone, and
the one that crashes is reported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tflite_align.errors import UsageError
from tflite_align.store import Failure, LocalPool, Result, run
from tflite_align.store.chunk_work import Chunk, Job, in_order
from tflite_align.store.dispatch import LOST, Dispatch
from tflite_align.store.model_listing import ModelFile
from tflite_align.store.worker_call import Answer, carried_out, packed


class _Deadly(LocalPool):
    """A job that kills its process for models named `kill`, and for models named `once` only the
    first time (a file records that).
    """

    call = staticmethod(lambda payload: payload)  # set below, to a function that can be pickled


def deadly(payload: bytes) -> Answer:
    import pickle

    chunk: Chunk = pickle.loads(pickle.loads(payload)[2])  # noqa: S301 - our own
    for job in chunk.jobs:
        source = Path(job.model.source)
        if source.name == "kill" or (source.name == "once" and not source.exists()):
            source.touch()
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return carried_out(payload)


_Deadly.call = staticmethod(deadly)


def chunks(sources: list[str], size: int, asked: list[int] | None = None) -> Iterator[Chunk]:
    from tflite_align import AlignOptions

    for start in range(0, len(sources), size):
        jobs = tuple(
            Job(number=number, model=ModelFile(path=sources[number], source=sources[number]))
            for number in range(start, min(start + size, len(sources)))
        )
        if asked is not None:
            asked.append(start)
        yield Chunk(verb="check", jobs=jobs, options=AlignOptions(), settings="")


def messages_of(executor: Executor, given: Iterator[Chunk]) -> list[str]:
    from tflite_align.store.settings_digest import environment

    here = environment(judged=False)
    dispatch = Dispatch(
        executor=executor, pack=lambda chunk: packed(chunk, here, judged=False), ahead=4
    )
    return [result.line.message for result in in_order(dispatch.results(given))]


@pytest.mark.parametrize("size", [1, 4])
def test_a_model_that_kills_its_process_does_not_affect_others(tmp_path: Path, size: int) -> None:
    names = [*map(str, range(6)), "kill", *map(str, range(6, 9)), "kill"]
    with _Deadly(2) as pool:
        said = messages_of(pool, chunks([str(tmp_path / name) for name in names], size))
    assert [one == LOST for one in said] == [name == "kill" for name in names]


@pytest.mark.parametrize("size", [1, 4])
def test_a_model_that_kills_its_process_once_is_retried(tmp_path: Path, size: int) -> None:
    """With one process the chunks run in order, so that no other crash comes first."""
    names = [*map(str, range(6)), "once", *map(str, range(6, 9)), "kill"]
    expected = [LOST if name == "kill" else "No such file or directory" for name in names]
    expected[names.index("once")] = "an empty file is no model"
    with _Deadly(1) as pool:
        said = messages_of(pool, chunks([str(tmp_path / name) for name in names], size))
    assert [one == LOST for one in said] == [one == LOST for one in expected]
    assert "No such file" not in said[names.index("once")], "it was done again, and read"


def test_chunks_are_submitted_lazily() -> None:
    asked: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        from tflite_align.store.settings_digest import environment

        here = environment(judged=False)
        dispatch = Dispatch(
            executor=pool, pack=lambda chunk: packed(chunk, here, judged=False), ahead=4
        )
        found = dispatch.results(chunks([f"{n}.tflite" for n in range(1000)], 2, asked))
        next(found)
        assert len(asked) < 20
        found.close()


def test_any_concurrent_futures_executor_works(zoo_folder: Path) -> None:
    alone = sorted(run("check", "zoo"), key=lambda result: result.number)
    with ThreadPoolExecutor(2) as pool:
        shared = sorted(run("check", "zoo", executor=pool), key=lambda result: result.number)

    def same(result: Result) -> Any:
        return result.number, result.name, result.report()

    assert [same(result) for result in shared] == [same(result) for result in alone]
    assert [result.line.path for result in alone] == ["a.tflite", "deep/er/c.tflite", "good.tflite"]
    assert [result.line.outcome for result in alone] == ["fails", "fails", "passes"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda here: {**here, "tflite_align": "99"},
            "has tflite_align 0.1.0 where the caller has 99",
        ),
        (lambda here: {**here, "rules": "0" * 64}, "where the caller has 000000000000"),
        (
            lambda here: {**here, "tflite-micro": "7"},
            "has tflite-micro none where the caller has 7",
        ),
    ],
)
def test_a_worker_of_another_version_is_refused(
    spoil: Callable[[dict[str, str]], dict[str, str]], said: str
) -> None:
    from tflite_align.store.settings_digest import environment

    here = spoil(environment(judged=False))
    with ThreadPoolExecutor(1) as pool:
        dispatch = Dispatch(
            executor=pool, pack=lambda chunk: packed(chunk, here, judged=False), ahead=4
        )
        with pytest.raises(Failure, match=said):
            list(dispatch.results(chunks(["a"], 1)))


def test_a_shut_down_executor_is_an_error() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(Failure, match="the executor accepts no more work"):
        messages_of(pool, chunks(["a"], 1))


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^verb: expected 'check' or 'align', found"):
        list(run("explain", "zoo"))  # type: ignore[arg-type]


def test_the_store_is_an_attribute_of_the_package() -> None:
    code = "import tflite_align; print(tflite_align.store.run.__name__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "run\n"
