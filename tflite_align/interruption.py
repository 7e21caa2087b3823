"""Signals that end a run, raised as exceptions only at safe points.

Python raises from a signal handler between any two instructions. Here the exception is deferred
while a module is imported (a half-imported module would remain, or a library would print a
traceback) and inside `whole()`: between starting a process, or creating a folder, and recording it.
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

_SOON = 0.01  # seconds until a deferred exception is tried again
_MOST = 1000  # number of tries; then it is raised at any point
_IMPORTING = "<frozen importlib"  # names of files of Python's import machinery

_ALARM = getattr(signal, "SIGALRM", None)  # on systems without it nothing is deferred
_Maker = Callable[[], BaseException]
_installed: list[Stopper] = []  # installed in the main thread, in order of installation
_inside = 0  # nesting depth of whole() in the main thread, where signals are handled


@contextmanager
def whole() -> Iterator[None]:
    """Defer the exception of a signal to the end of the block. For short blocks only."""
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
    """Raise the exception of a deferred signal, if there is one. Called before long operations,
    such as writing files.

    Otherwise a run that ends before the next deferred attempt would end as if there had been no
    signal.
    """
    for stopper in _installed:
        stopper.raise_put_off()


class Stopper:
    """Handlers for signals, given with a function for each that returns the exception to raise (or
    never returns).

    Only the first signal counts, so that clean-up is not interrupted. Must be created and used in
    the main thread.
    """

    def __init__(self, actions: Mapping[int, _Maker]) -> None:
        self._actions = dict(actions)
        self._raised: BaseException | None = None
        self._number = 0
        self._tries = 0
        self._removed = False
        self._before: dict[int, Any] = {}
        self._earlier_hook: Any = None
        self._installed = threading.Lock()  # held while no alarm may be sent

    @property
    def begun(self) -> bool:
        """Whether a signal was received."""
        return self._number != 0

    def install(self) -> None:
        """Set the signal handlers."""
        for number in self._actions:
            self._before[number] = signal.signal(number, self._stop)
        if _ALARM is not None:
            self._before[_ALARM] = signal.signal(_ALARM, self._again)
        self._earlier_hook, sys.unraisablehook = sys.unraisablehook, self._lost
        _installed.append(self)

    def raise_put_off(self) -> None:
        """Raise the exception of a signal that was received but not raised yet, or that a library
        caught and dropped; only in the main thread.
        """
        if not self.begun or self._removed or _handled(self._raised):
            return
        if threading.current_thread() is threading.main_thread():
            self._raised = self._raised or self._actions[self._number]()
            raise self._raised

    def remove(self) -> None:
        """Restore the previous handlers. A signal that is still deferred is dropped."""
        self._removed = True
        if self in _installed:
            _installed.remove(self)
        self._installed.acquire()  # permanently: no further alarm
        for number, handler in self._before.items():
            # None: the handler was not set by Python and cannot be restored
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        sys.unraisablehook = self._earlier_hook

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Handler of the signals: note the first one."""
        if not self.begun:
            self._number = number
            self._again(number, frame)

    def _again(self, _: int, frame: FrameType | None) -> None:
        """Raise the exception of the noted signal, or try again later if this is no safe point."""
        if not self.begun or self._raised is not None or self._removed:
            return
        harmful = _inside > 0 or _importing(frame)
        if harmful and self._tries < _MOST and _ALARM is not None:
            self._tries += 1
            self._soon()
            return
        self._raised = self._actions[self._number]()
        raise self._raised

    def _lost(self, unraisable: Any) -> None:
        """Hook for exceptions that Python discards in destructors and callbacks: if it is ours,
        raise it again later.
        """
        if self._raised is None or unraisable.exc_value is not self._raised:
            self._earlier_hook(unraisable)
        elif _ALARM is not None:
            self._raised = None
            self._soon()

    def _soon(self) -> None:
        """Send the alarm to the main thread itself. Sent to the process, it might be handled in a
        library's thread, and the main thread would keep waiting.
        """
        _thread.start_new_thread(self._ring, ())  # Thread.start() takes locks

    def _ring(self) -> None:
        """Wait for a fraction of a second, then send SIGALRM."""
        time.sleep(_SOON)
        if _ALARM is not None and self._installed.acquire(blocking=False):
            try:
                signal.pthread_kill(threading.main_thread().ident or 0, _ALARM)
            finally:
                self._installed.release()


def _handled(error: BaseException | None) -> bool:
    """Whether the exception is being handled at this point, so that clean-up must not be
    interrupted.
    """
    current = sys.exc_info()[1]
    while current is not None and current is not error:
        current = current.__context__
    return error is not None and current is error


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported at this point of the call stack."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
