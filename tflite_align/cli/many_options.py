"""Command-line options of commands on many models, and of their reports."""

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
        help="Process only shard K of N; a digest of its path below IN decides a model's shard.",
    ),
    click.option(
        "--files-from",
        metavar="FILE",
        help="Read the models' names from this file, one per line; - is standard input.",
    ),
    click.option(
        "--executor",
        metavar="dask:ADDRESS",
        help="Run on the workers of this Dask scheduler instead of local processes.",
    ),
    click.option("--list", is_flag=True, help="Print which models would be processed, and exit."),
)
RECORD: _Decorator = click.option(
    "--record",
    metavar="FOLDER",
    help="Record finished models in this folder, so that the same command resumes a stopped run.",
)
REPORTING: tuple[_Decorator, ...] = (
    click.option(
        "--report",
        multiple=True,
        metavar="FILE",
        help="Write the merged report: .jsonl .json .parquet .sarif .sqlite .txt .xml; - is JSON on stdout; repeatable.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Print only errors."),
    click.option("--verbose", "-v", is_flag=True, help="List everything."),
)
