"""Work for processes that die of it; a module of its own, so that such a process can import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def work(order: str) -> str:
    """`word`: answered. `!`: the process is killed. A path: killed, but for the second time; the
    file says that there was a first. `+path`: writes its process's number there, and sleeps.
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
