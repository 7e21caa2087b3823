"""Work that kills its process, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def work(order: str) -> str:
    """Follow the command `order`: "word" returns it; "!" kills the process; a path kills it the
    first time only, which the file records; "+path" writes the process id to the file and sleeps.
    """
    if order == "!":
        _kill()
    elif order.startswith("+"):
        Path(order[1:]).write_text(str(os.getpid()))
        time.sleep(600)
    elif os.sep in order:
        if not Path(order).exists():
            Path(order).touch()
            _kill()
        return "second"
    return f"{order} done"


def _kill() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
