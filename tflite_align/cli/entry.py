"""Entry point of the console scripts. Ctrl-C ends the process silently until `main` handles
signals.

Nothing else may import this module: importing it sets the handler of SIGINT.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Otherwise Ctrl-C during the imports below would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from .hook import main as hook
from .main import main

__all__ = ["hook", "main"]
