"""Groups of options in the output of `--help`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

__all__ = ["GROUPS", "write_groups"]

# Title -> names of parameters, in this order. Options not listed here come last.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Rules": ("target", "select", "ignore", "io", "lock", "update_lock"),
    "What may change": (
        "only", "fix", "no_fix", "bias", "optimize", "to", "input_type", "output_type", "keep",
        "anchor", "no_cut", "allow_metadata",
    ),
    "Parameters of tied operands": (
        "concat", "elementwise", "pooling", "resize", "logical", "rnn", "overlap", "prefer",
        "compare",
    ),
    "Verification and judges": (
        "run", "judge", "require", "certificate", "portable", "allow_refused", "calibration", "samples", "seed",
        "no_verify", "judge_seconds", "memory",
    ),
    "The board": (
        "accelerator_config", "vela_config", "system_config", "memory_mode", "emit_resolver",
    ),
    "Exit status": ("fail_on", "baseline", "write_baseline", "keep_going"),
    "Output": ("report", "output_format", "as_json", "dry_run", "quiet", "verbose"),
    "Many models": ("jobs", "executor", "files_from", "record", "shard", "list"),
    "Configuration": ("config", "isolated", "trust_config", "show_settings"),
}  # fmt: skip
_REST = "General"
_FEW = 6


def write_groups(
    params: Sequence[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options below the titles of their groups; few options are written without groups.
    `params`: the command's options.
    """
    options = [option for option in params if isinstance(option, click.Option)]
    records = {str(option.name): option.get_help_record(ctx) for option in options}
    left = {name: record for name, record in records.items() if record is not None}
    groups: dict[str, list[tuple[str, str]]] = {}
    if len(left) > _FEW:
        for title, names in GROUPS.items():
            groups[title] = [left.pop(name) for name in names if name in left]
    groups[_REST if groups else "Options"] = [*left.values()]
    for title, rows in groups.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
