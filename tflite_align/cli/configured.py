"""Commands whose options take defaults from a configuration file.

The file is searched as ruff does: the nearest tflite-align.toml, or pyproject.toml with the table,
from the current directory upwards, wherever the models are. The command line takes precedence.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import UsageError
from ..store.named_errors import Failure, about
from .failure import reader_may_leave, tell
from .found_settings import is_trusted, restrict
from .help_groups import write_groups

if TYPE_CHECKING:
    from ..checks.overrides import Override
    from ..settings.config import Config

__all__ = ["ConfiguredCommand", "NeededArgument", "find_config", "overrides_of", "read_config"]

# Keys of click's Context.meta.
_SHOWN = "tflite_align.show_settings"  # True with --show-settings: no model is needed
_FILE = "tflite_align.settings.file"  # path of the configuration file; "" without one
_TRUSTED = "tflite_align.settings.trusted"  # whether that file may start judges


def find_config() -> tuple[str, Config] | None:
    """Find the nearest configuration file, from the current directory upwards; return its path and
    content.

    Raises Failure for a misspelled file name, such as tflite_align.toml, on the way.
    """
    from ..settings.config_names import CONFIG_NAMES, misnamed_file  # noqa: PLC0415 - only needed to search a configuration file

    folder, up = os.getcwd(), ""  # noqa: PTH109 - as text, printed unchanged
    while True:
        wrong = misnamed_file(_files(up))
        if wrong is not None:
            path = os.path.join(up, wrong)  # noqa: PTH118
            raise Failure(
                f"{path}: this name is not supported; rename the configuration to {CONFIG_NAMES[0]}"
            )
        for name in CONFIG_NAMES:
            path = os.path.join(up, name)  # noqa: PTH118
            # A parent folder may not be readable.
            config = _read(path) if os.path.isfile(path) else None  # noqa: PTH113
            if config is not None:
                return path, config
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return None
        folder, up = above, os.path.join(up, os.pardir)  # noqa: PTH118


def _files(folder: str) -> Iterator[str]:
    """Names of the files in a folder; none for a folder that cannot be listed."""
    with contextlib.suppress(OSError), os.scandir(folder or os.curdir) as entries:
        yield from (item.name for item in entries if item.is_file())


def read_config(path: str) -> Config:
    """Read the configuration file given by `--config`. Raises Failure for one without a table of
    ours.
    """
    config = _read(path)
    if config is None:
        raise Failure(f"{path}: it has no table [tool.tflite-align]")
    return config


def _read(path: str) -> Config | None:
    """The configuration in a file; None for a pyproject.toml without one. Raises Failure for an
    invalid one.
    """
    from ..disk import read_text_file  # noqa: PLC0415
    from ..settings.config import parse_config  # noqa: PLC0415

    with about(path):
        try:
            document = read_text_file(path)
        except UnicodeDecodeError:
            raise Failure(f"{path}: not UTF-8 text") from None
        config = parse_config(document, path)
    return config.placed(os.path.dirname(path)) if config is not None else None  # noqa: PTH120


class NeededArgument(click.Argument):
    """An argument that is required unless --show-settings is given."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The argument's value; also None with --show-settings."""
        if ctx.meta.get(_SHOWN):
            return value
        return super().process_value(ctx, value)


class ConfiguredCommand(click.Command):
    """A command with --config, --isolated, --trust-config and --show-settings.

    Settings in the file become defaults of the command's options. `values["config"]` is the whole
    configuration, or None; `values["isolated"]` is whether none may be read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(
                ["--config"],
                metavar="FILE",
                expose_value=False,
                help="Read settings from this file instead of the nearest configuration file.",
            ),
            click.Option(
                ["--isolated"],
                is_flag=True,
                expose_value=False,
                help="Read no configuration file, and no record of finished models in OUT.",
            ),
            click.Option(
                ["--trust-config"],
                is_flag=True,
                expose_value=False,
                help="Allow the nearest configuration file to start judges, as --config does.",
            ),
            click.Option(
                ["--show-settings"],
                is_flag=True,
                expose_value=False,
                help="Print the settings in effect and their origins, and exit.",
            ),
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their groups."""
        write_groups(self.get_params(ctx), ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the configuration file, make its settings the defaults of the options, and parse the
        arguments.
        """
        if ctx.resilient_parsing:  # shell completion does not depend on settings
            return super().parse_args(ctx, args)
        arguments, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        helping = self.get_help_option(ctx)
        helped = helping is not None and arguments.get(str(helping.name)) is True
        origin, config = ("", None) if helped else _chosen(arguments)
        if config is not None:
            names = {param.name for param in self.params}
            settings = {name.replace("-", "_"): value for name, value in config.settings.items()}
            ctx.default_map = {name: settings[name] for name in settings if name in names}
        ctx.meta[_SHOWN] = bool(arguments.get("show_settings"))
        left = super().parse_args(ctx, args)
        ctx.params["config"] = config
        ctx.params["isolated"] = bool(arguments.get("isolated"))
        ctx.meta[_TRUSTED] = bool(
            arguments.get("trust_config") or arguments.get("config") or is_trusted(origin)
        )
        ctx.meta[_FILE] = origin
        return left

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, or print the settings with --show-settings."""
        if not ctx.meta.get(_SHOWN):
            file = ctx.meta[_FILE]
            notes = restrict(ctx, file, trusted=ctx.meta[_TRUSTED])
            status = super().invoke(ctx)
            # After the command: if the command fails, its one-line error is the only output.
            for line in notes:
                tell(line, file)
            return status
        with reader_may_leave(0):
            click.echo("\n".join(_settings(ctx)))
        return 0


def _chosen(values: dict[str, Any]) -> tuple[str, Config | None]:
    """(path, content) of the configuration file to use; ("", None) without one."""
    if values.get("config") and values.get("isolated"):
        raise UsageError("--config reads a file and --isolated reads none: give only one of them")
    if values.get("config"):
        return values["config"], read_config(values["config"])
    config = None if values.get("isolated") else find_config()
    return config if config is not None else ("", None)


def overrides_of(values: dict[str, Any]) -> tuple[Override, ...]:
    """Overrides of the configuration file, then those of --keep, --anchor and --no-cut patterns."""
    from ..checks.overrides import ADDRESS, Override  # noqa: PLC0415

    requested: dict[str, dict[str, Any]] = {
        "keep": {"keep": True},
        "anchor": {"anchor": True},
        "no_cut": {"cut": False},
    }
    config = values.get("config")
    overrides = list(config.overrides) if config is not None else []
    for name, wish in requested.items():
        for pattern in values.get(name, ()):
            field_name = "slot" if ADDRESS.fullmatch(pattern) else "tensor"
            origin = f"--{name.replace('_', '-')}"
            overrides.append(Override(**{field_name: pattern}, origin=origin, **wish))
    return tuple(overrides)


# --- --show-settings ----------------------------------------------------------------------------


def _settings(ctx: click.Context) -> Iterator[str]:
    """Lines of an equivalent configuration file, each with the source of its value as a comment."""
    from ..settings.config import SETTING_NAMES  # noqa: PLC0415

    file = ctx.meta[_FILE]
    yield f"# settings of: {ctx.info_name}"
    yield f"# configuration: {file or 'none'}"
    for name in SETTING_NAMES:
        key = name.replace("-", "_")
        if key not in ctx.params:
            continue
        source = ctx.get_parameter_source(key)
        where = {ParameterSource.COMMANDLINE: "command line", ParameterSource.DEFAULT_MAP: file}
        value = ctx.params[key]
        if name == "target" and not value:
            value = ("tflite",)
        origin = where.get(source, "default") if source is not None else "default"
        yield f"# {name} is not set" if value is None else f"{name} = {_toml(value)}  # {origin}"
    config = ctx.params["config"]
    if config is not None and config.severity:
        yield from ("", f"[severity]  # {file}")
        yield from (f"{_toml(rule)} = {_toml(word)}" for rule, word in config.severity.items())
    for override in overrides_of(ctx.params):
        yield from ("", f"[[override]]  # {_whence(override, file)}", *_override(override))


def _whence(override: Override, file: str) -> str:
    """The source of an override, for the comment. `file`: the configuration file."""
    return "command line" if override.origin.startswith("--") else file


def _override(override: Override) -> Iterator[str]:
    """The lines of `--show-settings` for one `[[override]]` table."""
    for key in ("tensor", "operator", "slot", "keep", "anchor", "policy", "rule", "severity"):
        value = getattr(override, key)
        if value:
            yield f"{key} = {_toml(value)}"
    if not override.cut:
        yield "cut = false"


def _toml(value: Any) -> str:
    """A value in TOML. Strings, numbers, booleans and lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
