"""Replaces itself by a judge, with limits on resources in case of a native crash or a hostile file.

Started by `process.run_tool` as a script, isolated (`python -I -S`), without modules of the
package:

    launch.py PARENT SPACE CPU FILE COMMAND...

sets its own limits and replaces itself by COMMAND, so that no code runs between fork and exec in
the caller's threads. SPACE: address space in bytes; CPU: processor seconds of all threads; FILE:
bytes of one file that it may write. It leaves no core file. PARENT is the caller's process id: on
Linux, the command ends with the caller.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

__all__ = ["main"]

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
_GRACE = 5  # seconds between SIGXCPU, which tells the reason, and SIGKILL


def main(arguments: list[str]) -> NoReturn:
    """Never returns. Raises SystemExit if the caller has ended, OSError without a COMMAND.
    `arguments`: process id of the caller, limits, COMMAND.
    """
    parent, space, cpu, file, *command = arguments
    if sys.platform == "linux":
        _die_with_parent()
    if os.getppid() != int(parent):
        sys.exit(1)
    if sys.platform != "win32":
        import resource

        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_CPU, int(cpu), _GRACE)
        _limit(resource.RLIMIT_FSIZE, int(file))
        _limit(resource.RLIMIT_AS, int(space))
    os.execv(command[0], command)  # noqa: S606 - deliberately without a shell


def _limit(resource_id: int, value: int, grace: int = 0) -> None:
    """Set a soft limit of `value` and a hard one of `value` + `grace`. A lower existing limit is
    kept; systems without this kind of limit are ignored. `resource_id`: a constant of the module
    resource.
    """
    import resource

    none = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource_id)
    lower = value if soft == none else min(value, soft)
    upper = value + grace if hard == none else min(value + grace, hard)
    with suppress(OSError, ValueError):  # macOS defines RLIMIT_AS but may refuse to set it
        resource.setrlimit(resource_id, (min(lower, upper), upper))


def _die_with_parent() -> None:
    """Let the kernel end this process when its parent ends, since a killed parent cannot end its
    judges.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
