"""Runs native code in separate processes, where a crash or a hang does not end the caller.

`call_worker` sends a request to `tflite_align.verify.worker`; `run_tool` runs a command line tool.
Both return the process's end as an `Ended` and never raise for it. The limits and the environment
of such a process are set here; docs/security.md promises them.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any, BinaryIO

from ..interruption import whole
from ..record import Record
from ..verdicts import Acceptance

__all__ = [
    "Ended",
    "acceptance",
    "answer_so_far",
    "call_jobs",
    "call_worker",
    "children_pool",
    "limited",
    "run_tool",
    "useful_line",
    "workspace",
]

_ANSWER = "response.json"
_HERE = Path(__file__).resolve().parent
# The worker needs only two modules: empty stand-ins for the packages keep their __init__ (and its
# imports) out of every child process.
_BOOT = """
import sys, types
for name, folder in zip(("tflite_align", "tflite_align.verify"), sys.argv[3:]):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from tflite_align.verify.worker import main
sys.exit(main(sys.argv[1:3]))
"""
_LAUNCH = str(_HERE / "launch.py")
# Exit of a worker that exceeds the time limit of a job.
_OUT_OF_TIME = -getattr(signal, "SIGALRM", 0) or None
_WINDOWS_FAULT = 0xC0000000  # NTSTATUS errors, which is how a crash looks on Windows
_GARBAGE = re.compile(r"(params\.scale\)*) \(-?\d+ != -?\d+\)")
# messages without a separator between them
_GLUED = re.compile(r"(?<=\S)(?=Node number|failed to delegate )")
_NOISE = ("INFO:", "WARNING:", "W0000", "I0000", "Traceback", "  File ", "    ")


# A judge's address space: what runtimes and compilers reserve before they have read a byte, and
# a multiple of the file's size, for packed weights, arenas, a compiler's graph.
_SPACE = 8 << 30
_SPACE_A_BYTE = 8
_LONGEST = 10.0**7  # seconds: longer times overflow the system's timers
# bytes: largest file that a judge may write, besides a multiple of the model's size
_FILE = 1 << 30
_LOG = 4 << 20  # bytes that are read from the end of each output stream
# Environment variables that a tool may see: locations of programs and libraries, and the language.
_SEEN = frozenset({
    "DYLD_LIBRARY_PATH", "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONUSERBASE",
    "VIRTUAL_ENV",
    # Windows does not start a program without these.
    "APPDATA", "COMSPEC", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "PATHEXT",
    "PROCESSOR_ARCHITECTURE", "PROGRAMDATA", "SYSTEMDRIVE", "SYSTEMROOT", "USERPROFILE", "WINDIR",
})  # fmt: skip
_TEMPORARY = ("TEMP", "TMP", "TMPDIR")


class Ended(Record, frozen=True, kw_only=True):
    """How a child process ended. `code`: exit status, None if it reached the time limit; `errors`:
    its output; `answer`: the worker's.
    """

    code: int | None
    errors: str  # its stderr (and stdout, for tools)
    answer: Mapping[str, Any]  # a worker's response; empty if it wrote none
    seconds_allowed: float


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary directory, removed afterwards in every case.

    An OSError inside that names no file (a full disk) gets the directory's name.
    """
    folder = Path(gettempdir(), f"tflite_align-{os.urandom(8).hex()}")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as error:
        if error.filename not in (None, str(folder)):
            raise
        code = error.errno or errno.EIO
        raise OSError(code, error.strerror or str(error), gettempdir()) from error
    finally:
        # Twice: a killed process may have created a file during the first deletion.
        for _ in range(2):
            shutil.rmtree(folder, ignore_errors=True)


def call_worker(request: Mapping[str, Any], folder: Path, *, seconds: float) -> Ended:
    """Run a worker process that does `request`; returns how it ended, with the content of its
    response file. `folder` must exist; `seconds`: time limit.
    """
    asked, answered = folder / "request.json", folder / _ANSWER
    asked.write_text(json.dumps(request), encoding="utf-8")
    places = [str(asked), str(answered), str(_HERE.parent), str(_HERE)]
    command = [sys.executable, "-P", "-c", _BOOT, *places]
    ended = run_tool(command, folder, seconds=seconds, model=Path(request["model"]))
    answer = answer_so_far(folder)
    return Ended(code=ended.code, errors=ended.errors, answer=answer, seconds_allowed=seconds)


def call_jobs(
    jobs: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    seconds: float,
    done: Callable[[int], None] | None = None,
) -> list[Ended]:
    """Run the jobs in one worker process, one after the other, each in at most `seconds`; return
    how each ended.

    After a job that crashes or hangs, the rest get a new process. `done` is called with the number
    finished. A job is a worker request, with its `model` for the limits. `folder` must exist.
    """
    ended: list[Ended] = []
    while len(ended) < len(jobs):
        left = jobs[len(ended) :]
        subfolder = folder / f"process{len(ended)}"
        subfolder.mkdir()
        ended += _in_one_process(left, subfolder, seconds)
        if done is not None:
            done(len(ended))
    return ended


def _in_one_process(jobs: Sequence[Mapping[str, Any]], folder: Path, seconds: float) -> list[Ended]:
    """Run the jobs in one process: how each of those ended that it finished, and the one during
    which it crashed or timed out, if any. `seconds`: time limit of each.
    """
    largest = max((Path(job["model"]) for job in jobs), key=lambda path: path.stat().st_size)
    request = {
        "task": "several",
        "model": str(largest),
        "jobs": [{**job, "seconds": min(seconds, _LONGEST)} for job in jobs],
    }
    whole = call_worker(request, folder, seconds=seconds * len(jobs))
    answers = list(whole.answer.get("jobs", []))
    found = [
        Ended(code=0, errors=whole.errors, answer=answer, seconds_allowed=seconds)
        for answer in answers
        if answer.get("ended")
    ]
    if len(found) == len(jobs):
        return found
    partial = answers[len(found)] if len(answers) > len(found) else {}
    down = Ended(code=whole.code, errors=whole.errors, answer=partial, seconds_allowed=seconds)
    return [*found, down]


def answer_so_far(folder: Path) -> Mapping[str, Any]:
    """The worker's answer in `folder` up to now; empty if it is not readable."""
    try:
        answer: Mapping[str, Any] = json.loads((folder / _ANSWER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # absent, half written, or not ours
        return {}
    return answer


def run_tool(
    command: Sequence[str],
    folder: Path,
    *,
    seconds: float,
    model: Path | None = None,
    space: int | None = None,
) -> Ended:
    """Run a command with `folder` as its working directory; returns how it ended. Both its streams
    are written to `errors`.

    At the time limit, or on an interrupt, it is ended with all its child processes. Its limits are
    those of `limited`, its temporary folder is `folder`, and it gets only the environment variables
    listed above. `command[0]` is a path; `model`: the file that determines the limits, by default
    in `folder`. `seconds`: time limit; `space`: address space in bytes, None for a judge's.
    """
    log = folder / "log.txt"
    code: int | None = None
    child: subprocess.Popen[bytes] | None = None
    with log.open("wb") as stream:
        try:
            with whole():
                files = [*folder.iterdir(), *([model] if model else [])]
                most = min(seconds, _LONGEST)
                child = _begun(limited(command, files, seconds=most, space=space), folder, stream)
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(timeout=most)
        finally:
            if child is not None:
                if code is None:
                    _end(child)
                with _running_lock:
                    _running.discard(child)
    return Ended(code=code, errors=_end_of(log), answer={}, seconds_allowed=seconds)


def _begun(command: Sequence[str], folder: Path, stream: BinaryIO) -> subprocess.Popen[bytes]:
    """The started process, registered among those that run. Raises OSError while these are being
    ended. `command`: program and arguments; `stream`: file for its output.
    """
    with _running_lock:
        if _ending.is_set():
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            close_fds=True,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a separate process group, which can be ended as a whole
        )
        _running.add(child)
    return child


def limited(
    command: Sequence[str], files: Sequence[Path], *, seconds: float, space: int | None = None
) -> list[str]:
    """The command, wrapped by launch.py, with limits: address space and file size by the largest of
    `files`, processor time by `seconds` on all cores. `space`: another limit of the address space.
    """
    if sys.platform == "win32":
        return list(command)  # this system has no such limits; only the time limit applies
    largest = max((path.stat().st_size for path in files if path.is_file()), default=0)
    limits = (
        os.getpid(),
        _SPACE + _SPACE_A_BYTE * largest if space is None else space,
        math.ceil(seconds * (os.cpu_count() or 1)),
        _FILE + _SPACE_A_BYTE * largest,
    )
    return [sys.executable, "-I", "-S", _LAUNCH, *map(str, limits), *command]


def _environment(folder: Path) -> dict[str, str]:
    """The environment variables of a child: no tokens, no settings that would change an answer, no
    preloaded libraries.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _SEEN or name.startswith("LC_")
    }
    return environment | dict.fromkeys(_TEMPORARY, str(folder))


def _end_of(log: Path) -> str:
    """The end of a log file as text; only the end, as a tool may print without limit."""
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOG))
        return stream.read(_LOG).decode("utf-8", errors="replace")


_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()
_ending = (
    threading.Event()
)  # set while all child processes are being ended, so that no new one starts


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child's process group, which includes the processes that it started."""
    if child.poll() is not None:
        return  # its process id may belong to another process by now
    if sys.platform == "win32":
        tree = ["taskkill", "/T", "/F", "/PID", str(child.pid)]
        subprocess.run(tree, capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def children_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that wait for child processes. An error or Ctrl-C inside the block ends all running
    children, as they are in process groups of their own and do not get the terminal's signals.
    `workers`: number of threads.
    """
    try:
        with ThreadPoolExecutor(workers) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                with _running_lock:
                    _ending.set()
                    left = list(_running)
                for child in left:
                    _end(child)
                raise
    finally:
        _ending.clear()


def useful_line(text: str) -> str:
    """The last line of a tool's output that says something (not a separator or a traceback's
    frame); "" without one.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if not line.startswith(_NOISE):
            return line.strip()
    return ""


def steady(reason: str) -> str:
    """The tool's message without numbers that differ between runs. LiteRT's comparison of scales
    prints them as integers, which shows uninitialised memory. `reason`: the message.
    """
    spaced = _GLUED.sub(" ", reason)
    return _GARBAGE.sub(r"\1", spaced)


def acceptance(ended: Ended) -> Acceptance:
    """The acceptance from a worker's end: its own answer, or that it crashed or timed out."""
    if ended.code is None or ended.code == _OUT_OF_TIME:
        return Acceptance(status="timeout", reason=f"no answer in {ended.seconds_allowed:g} s")
    if ended.code < 0 or ended.code >= _WINDOWS_FAULT:
        words = useful_line(ended.errors)
        name = _signal_name(ended.code)
        return Acceptance(status="crashed", reason=f"{name}: {words}" if words else name)
    if "status" not in ended.answer:
        words = useful_line(ended.errors) or f"exit status {ended.code}"
        return Acceptance(status="skipped", reason=f"could not start the judge: {words}")
    return Acceptance(
        status=ended.answer["status"],
        reason=steady(ended.answer.get("reason", "")),
        operator=ended.answer.get("operator"),
        facts=tuple((key, str(value)) for key, value in ended.answer.get("facts", {}).items()),
    )


def _signal_name(code: int) -> str:
    """The name of the signal or exception that ended a process, from its exit status. `code`: exit
    status.
    """
    if code >= 0:
        return f"exception {code:#010x}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
