"""The command-line options of a board. Vela's configuration file is read here, so that its errors
are reported before any work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..disk import read_text_file
from ..store.named_errors import Failure, about
from ..verify.board import ACCELERATORS, ANY_BOARD, Board, shipped_config
from .named import file_words, words

__all__ = ["BOARD", "board_of"]

BOARD: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--accelerator-config",
        metavar="NAME",
        shell_complete=words(lambda: list(ACCELERATORS)),
        help="The Ethos-U that Vela compiles for, such as ethos-u55-64.",
    ),
    click.option(
        "--vela-config",
        metavar="FILE",
        shell_complete=file_words,
        help="Vela's description of the board's memories: a file, or one shipped with Vela (Arm/vela.ini).",
    ),
    click.option("--system-config", metavar="NAME", help="The [System_Config.NAME] of that file."),
    click.option("--memory-mode", metavar="NAME", help="The [Memory_Mode.NAME] of that file."),
    click.option(
        "--emit-resolver",
        metavar="FILE",
        shell_complete=file_words,
        help="Write a C++ header with the operators that TFLM has to register.",
    ),
)


def board_of(values: Mapping[str, Any]) -> Board:
    """The board that the options describe. Raises Failure, UsageError or OSError for an invalid
    configuration.
    """
    names = ("accelerator_config", "vela_config", "system_config", "memory_mode")
    if not any(values.get(name) for name in names):
        return ANY_BOARD
    path = values.get("vela_config")
    return Board(
        accelerator=values.get("accelerator_config") or "",
        config=_text(path) if path else "",
        system=values.get("system_config") or "",
        memory_mode=values.get("memory_mode") or "",
    )


def _text(path: str) -> str:
    """The text of Vela's configuration file at this path, or of the shipped one with this name."""
    if not os.path.lexists(path):
        shipped = shipped_config(path)
        if shipped is not None:
            return shipped
    with about(path):
        try:
            return read_text_file(path)
        except UnicodeDecodeError:
            raise Failure(f"{path}: not UTF-8 text") from None
