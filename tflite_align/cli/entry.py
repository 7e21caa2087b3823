"""Where a process of the command line begins: Ctrl-C ends it silently until `main` can tell it.

To be imported by what is started, and by nothing else.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Else Ctrl-C during the imports below would print their traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from .hook import main as hook
from .main import main

__all__ = ["hook", "main"]
