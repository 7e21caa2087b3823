"""The options of runs over many models, and of their reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["MANY", "RECORD", "REPORTING"]

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MANY: tuple[_Decorator, ...] = (
    click.option(
        "--shard",
        metavar="K/N",
        help="Do the models of one of N runs, chosen by a digest of their paths below IN.",
    ),
    click.option(
        "--files-from",
        metavar="FILE",
        help="Read the models' names from this file, a line each; - is standard input.",
    ),
    click.option(
        "--executor",
        metavar="dask:ADDRESS",
        help="Let the workers of this Dask scheduler do it, in place of processes of this machine.",
    ),
    click.option("--list", is_flag=True, help="Print which models would be done, and end."),
)
RECORD: _Decorator = click.option(
    "--record",
    metavar="FOLDER",
    help="Note in this folder what is done, so that the same command goes on after any stop.",
)
REPORTING: tuple[_Decorator, ...] = (
    click.option(
        "--report",
        multiple=True,
        metavar="FILE",
        help="Write what was merged: .jsonl .json .parquet .sarif .sqlite .txt .xml; - is JSON on stdout; repeatable.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Say nothing but what went wrong."),
    click.option("--verbose", "-v", is_flag=True, help="List everything."),
)
