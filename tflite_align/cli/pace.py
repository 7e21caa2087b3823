"""Progress of a run over many models, for the progress bar and for logs."""

from __future__ import annotations

import logging
import time

from ..report.batch_lines import BatchLine
from ..report.terminal_text import printable
from .streams import say

__all__ = ["Pace"]

_EVERY = 60.0  # seconds between two lines if stderr is not a terminal
_LOG = logging.getLogger("tflite_align.store")


class Pace:
    """Counts completed models and estimates the time left.

    With `spoken`, prints a line on stderr each minute. The logger `tflite_align.store` gets the
    line in any case.
    """

    def __init__(self, total: int, *, spoken: bool) -> None:
        self._total, self._spoken = total, spoken
        self._begin = self._last_report = time.monotonic()
        self._done = self._failed = self._fresh = 0

    def add(self, line: BatchLine) -> None:
        """Count one completed model, and print or log the progress if a minute has passed."""
        self._done += 1
        self._failed += line.exit_status == 2
        self._fresh += not line.resumed
        now = time.monotonic()
        if now - self._last_report >= _EVERY or self._done == self._total:
            last, self._last_report = self._done == self._total, now
            _LOG.info("%s", self.text())
            if self._spoken and not last:
                say(f"tflite_align: {self.text()}", err=True)

    def text(self, name: str = "") -> str:
        """Progress such as `12 of 100, 1 failed, 3.2 a second, 0:27 left: deep/a.tflite`.

        Models resumed from an earlier run do not count towards the speed.
        """
        parts = [f"{self._done:,} of {self._total:,}"]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        took = time.monotonic() - self._begin
        if self._fresh and took > 1:
            speed = self._fresh / took
            left = int((self._total - self._done) / speed)
            hours, minutes = divmod(left // 60, 60)
            clock = f"{hours}:{minutes:02}:{left % 60:02}" if hours else f"{minutes}:{left % 60:02}"
            parts += [f"{speed:,.1f} a second", f"{clock} left"]
        sentence = ", ".join(parts)
        return f"{sentence}: {printable(name)}" if name else sentence

    @property
    def fraction(self) -> float:
        """The share of completed models, 0 to 1."""
        return self._done / self._total
