"""Shell completion: the script that a shell loads, and the answer to a completion request.

A shell requests completions by running the program with `_TFLITE_ALIGN_COMPLETE` set. The answer is
derived from the same click commands and options that parse the command line.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

import click
from click.shell_completion import ShellComplete, get_completion_class

from .streams import say

__all__ = ["SHELLS", "asked_to_complete", "complete", "completion_script"]

SHELLS = ("bash", "zsh", "fish")
_PROGRAM = "tflite-align"
_VARIABLE = "_TFLITE_ALIGN_COMPLETE"


def completion_script(commands: click.Command, shell: str) -> str:
    """The completion script for a shell (bash, zsh, fish)."""
    # `BashComplete.source` would check this machine's bash version, but the script may be for
    # another machine.
    text = ShellComplete.source(_class(shell)(commands, {}, _PROGRAM, _VARIABLE))
    # fish: split once, or `tflm,ethos-u55` would be cut at its comma.
    return text.replace('string split ","', 'string split -m 1 ","') + "\n"


def _class(shell: str) -> type[ShellComplete]:
    """The class of click that completes for a shell."""
    completion = get_completion_class(shell)
    assert completion is not None
    return completion


def asked_to_complete(environment: Mapping[str, str] = os.environ) -> str | None:
    """The shell that requests completions; None in a normal run. `environment`: environment
    variables.
    """
    shell, _, what = environment.get(_VARIABLE, "").partition("_")
    return shell if shell in SHELLS and what == "complete" else None


def complete(commands: click.Command, shell: str) -> int:
    """Print the completions that the shell requested, in its format; nothing on any error. Returns
    0.
    """
    with contextlib.suppress(Exception):
        say(_class(shell)(commands, {}, _PROGRAM, _VARIABLE).complete())
    return 0
