"""The command line's `main`: runs a command and converts every error to one line and an exit
status.

Exit status 0: aligned, or nothing to do; 1: findings remain or the target refuses the file; 2: the
job could not be done, with one line on stderr and nothing written; 130, 143: SIGINT, SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import click

from ..errors import AlignError
from ..interruption import Stopper
from ..store.named_errors import Failure, internal
from .commands import commands
from .completion import asked_to_complete, complete
from .failure import ReaderGone, tell
from .streams import open_closed

__all__ = ["main"]


class _Terminated(BaseException):
    """SIGTERM as an exception, so that temporary files are removed before the process ends."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line on these arguments (default: sys.argv) and return the exit status.

    Never raises an Exception: errors become one line on stderr.
    """
    open_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A tensor name that the terminal's encoding cannot represent must not end the run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _terminable():
            return _run(arguments)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return tell(error.format_message())
    except ReaderGone as error:
        return error.status
    except (Failure, AlignError) as error:
        return tell(str(error))
    except OSError as error:
        # An OSError of a file operation has a file name; without one it comes from stdout.
        return tell(error.strerror or str(error), error.filename or "standard output")
    except (KeyboardInterrupt, click.Abort) as error:
        tell(f"interrupted; {_left(error)}")
        return 130
    except _Terminated as error:
        tell(f"terminated; {_left(error)}")
        return 143
    except MemoryError:
        return tell("out of memory")
    except Exception as error:  # noqa: BLE001 - the contract: one line, never a traceback
        return tell(internal(error))
    finally:
        _let_go()


def _left(error: BaseException) -> str:
    """A description of the files that an interrupted run leaves. Commands that write while they
    work attach it to the exception as notes.
    """
    return "; ".join(getattr(error, "__notes__", ())) or "nothing is written"


def _run(arguments: list[str]) -> int:
    """Run the command that the arguments name, or answer a completion request; returns the exit
    status.
    """
    shell = asked_to_complete()
    if shell is not None:
        return complete(commands, shell)
    with commands.make_context("tflite_align", arguments) as context:
        status = commands.invoke(context)
    return status if isinstance(status, int) else 0


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Raise KeyboardInterrupt and _Terminated on SIGINT and SIGTERM. Does nothing outside the main
    thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    raised: dict[int, Callable[[], BaseException]] = {
        signal.SIGINT: KeyboardInterrupt,
        signal.SIGTERM: _Terminated,
    }
    # A signal that the caller ignores (nohup, a shell's &) stays ignored.
    heard = {n: error for n, error in raised.items() if signal.getsignal(n) != signal.SIG_IGN}
    stopper = Stopper(heard)
    stopper.install()
    try:
        yield
    finally:
        stopper.remove()


def _let_go() -> None:
    """Redirect an stdout that cannot be flushed to the null device, so that Python reports no error
    at exit.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
