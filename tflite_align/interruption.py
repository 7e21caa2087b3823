"""Signals that end a run, raised as exceptions at safe points only.

Python raises from a signal handler between any two instructions. Here that waits while a module is
being imported (half of it would stay, or a library would print a traceback), and within `whole()`:
between starting a process or creating a folder, and recording it.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Stopper", "stop_here", "whole"]

_SOON = 0.01  # seconds until what was put off is tried again
_MOST = 1000  # times; then it falls wherever it falls
_IMPORTING = "<frozen importlib"  # how the files of Python's import machinery are called

_ALARM = getattr(signal, "SIGALRM", None)  # where there is none, nothing is put off
_Maker = Callable[[], BaseException]
_installed: list[Stopper] = []  # of the main thread, in the order of their installation
_inside = 0  # blocks of whole() that the main thread is in: signals are handled there


@contextmanager
def whole() -> Iterator[None]:
    """No exception of a Stopper falls in here. For what is short: it is put off meanwhile."""
    global _inside  # noqa: PLW0603 - handlers belong to the process, and so does this
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _inside += 1
    try:
        yield
    finally:
        _inside -= 1


def stop_here() -> None:
    """Raise the exception of a signal that was put off. For where something that lasts begins, as the
    writing of files: a run that is faster than the next try would end as if no signal had come.
    """
    for stopper in _installed:
        stopper.raise_put_off()


class Stopper:
    """Handlers for signals, each with what makes its exception (or never returns).

    Only the first signal counts, so that what is cleaned up on the way out is cleaned up whole.
    Made and used in the main thread.
    """

    def __init__(self, actions: Mapping[int, _Maker]) -> None:
        self._actions = dict(actions)
        self._raised: BaseException | None = None
        self._number = 0
        self._tries = 0
        self._removed = False
        self._before: dict[int, Any] = {}
        self._told: Any = None
        self._installed = threading.Lock()  # held while the alarm may not be sent

    @property
    def begun(self) -> bool:
        """Whether a signal came."""
        return self._number != 0

    def install(self) -> None:
        for number in self._actions:
            self._before[number] = signal.signal(number, self._stop)
        if _ALARM is not None:
            self._before[_ALARM] = signal.signal(_ALARM, self._again)
        self._told, sys.unraisablehook = sys.unraisablehook, self._lost
        _installed.append(self)

    def raise_put_off(self) -> None:
        """Raise, in the main thread, what came and was not raised yet."""
        waits = self.begun and self._raised is None and not self._removed
        if waits and threading.current_thread() is threading.main_thread():
            self._raised = self._actions[self._number]()
            raise self._raised

    def remove(self) -> None:
        """The handlers that were there before. What came too late to be raised is forgotten."""
        self._removed = True
        if self in _installed:
            _installed.remove(self)
        self._installed.acquire()  # for good: no alarm comes from now on
        for number, handler in self._before.items():
            # None: it was set by no Python code, and cannot be set again by any.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        sys.unraisablehook = self._told

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.begun:
            self._number = number
            self._again(number, frame)

    def _again(self, _: int, frame: FrameType | None) -> None:
        if not self.begun or self._raised is not None or self._removed:
            return
        harmful = _inside > 0 or _importing(frame)
        if harmful and self._tries < _MOST and _ALARM is not None:
            self._tries += 1
            self._soon()
            return
        self._raised = self._actions[self._number]()
        raise self._raised

    def _lost(self, told: Any) -> None:
        """Raised in a destructor or a callback, the exception goes no further: once more, then."""
        if self._raised is None or told.exc_value is not self._raised:
            self._told(told)
        elif _ALARM is not None:
            self._raised = None
            self._soon()

    def _soon(self) -> None:
        """The alarm, to the main thread itself: one to the process may go to a library's thread, and
        the main thread then waits on in whatever it waits for.
        """
        _thread.start_new_thread(self._ring, ())  # Thread.start() takes locks, and so might we have

    def _ring(self) -> None:
        time.sleep(_SOON)
        if _ALARM is not None and self._installed.acquire(blocking=False):
            try:
                signal.pthread_kill(threading.main_thread().ident or 0, _ALARM)
            finally:
                self._installed.release()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
