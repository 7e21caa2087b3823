"""Shells complete the command line: what they run, and what answers them.

A shell that completes runs the program with an environment variable that names itself; the answer is
made of the same commands and options that parse the command line.
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
    """The text for a shell to read."""
    # The class of bash asks which bash is here first: the script may be for another machine.
    text = ShellComplete.source(_class(shell)(commands, {}, _PROGRAM, _VARIABLE))
    # In fish `tflm,ethos-u55` would end at its comma.
    return text.replace('string split ","', 'string split -m 1 ","') + "\n"


def _class(shell: str) -> type[ShellComplete]:
    completion = get_completion_class(shell)
    assert completion is not None
    return completion


def asked_to_complete(environment: Mapping[str, str] = os.environ) -> str | None:
    """The shell that asks for words; None where the program is run by a person."""
    shell, _, what = environment.get(_VARIABLE, "").partition("_")
    return shell if shell in SHELLS and what == "complete" else None


def complete(commands: click.Command, shell: str) -> int:
    """Print the words that may follow, as the shell wants them; nothing where anything goes wrong."""
    with contextlib.suppress(Exception):
        say(_class(shell)(commands, {}, _PROGRAM, _VARIABLE).complete())
    return 0
