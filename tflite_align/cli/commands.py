"""The click commands, and the rule that `IN OUT` without a command means `align IN OUT`."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from .. import __version__
from ..errors import UsageError
from ..resources import cmake_dir
from ..store.whole_files import is_folder
from .click_options import align_options, all_of, check_options, explain_options
from .completion import SHELLS, completion_script
from .configured import ConfiguredCommand, NeededArgument
from .failure import COULD_NOT
from .help_groups import write_groups
from .many_options import REPORTING
from .named import (
    file_words,
    misspelled_command,
    rule_names,
    some_of,
    target_names_given,
    words,
)

__all__ = ["commands"]

_HELP = ["-h", "--help"]
_SETTINGS = {"help_option_names": _HELP, "max_content_width": 100}
_USES = (
    "IN OUT [OPTIONS]",
    "IN_DIR OUT_DIR [OPTIONS]",
    "check IN... [OPTIONS]",
    "explain IN [SLOT|TENSOR] [OPTIONS]",
    "explain RULE_ID [OPTIONS]",
    "certify MODEL [OPTIONS]",
    "verify ORIGINAL WRITTEN CERT",
    "targets [--json]",
    "rules [RULE_ID] [OPTIONS]",
    "fixes [--json]",
    "report merge|diff FILE... [OPTIONS]",
    "completion SHELL",
)


def _examples(*lines: str) -> str:
    """An epilog of examples that click does not re-wrap."""
    return "\b\nExamples:\n" + "\n".join(f"  python -m tflite_align {line}" for line in lines)


_EXAMPLES = {
    "align": _examples(
        "in.tflite out.tflite",
        "in.tflite out.tflite --target tflm --require tflm",
        "in.tflite out.tflite --calibration inputs.npz --report out.html",
        "in.tflite out.tflite --dry-run --verbose",
        "models/ aligned/ --jobs 0 --report aligned.jsonl",
    ),
    "check": _examples(
        "check model.tflite",
        "check models/ --jobs 0 --target tflm,ethos-u55",
        "check model.tflite --judge tflm --report findings.sarif",
        "check models/ --write-baseline accepted.json",
    ),
    "explain": _examples(
        "explain in.tflite",
        "explain in.tflite 18",
        'explain in.tflite "operator[6]/inputs[1]"',
        "explain in.tflite output_name --overlap forbid",
        "explain same/CONCATENATION",
    ),
    "certify": _examples("certify model.tflite", "certify model.tflite --target tflm -v"),
    "verify": _examples(
        "verify in.tflite out.tflite out.cert.json",
        "verify model.tflite model.tflite model.cert.json",
    ),
    "targets": _examples("targets", "targets --json"),
    "rules": _examples(
        "rules --op CONCATENATION",
        "rules --op ADD --target tflm,tflite",
        "rules same/CONCATENATION",
        "rules --json",
    ),
    "completion": _examples("completion bash", "completion fish"),
    "report": _examples(
        "report merge shard-1.jsonl shard-2.jsonl --report zoo.sarif",
        "report diff last-week.jsonl zoo.jsonl",
    ),
    "fixes": _examples("fixes", "in.tflite out.tflite --no-fix all --fix tied"),
}


class _Commands(click.Group):
    """A command group in which `IN OUT` without a command's name means `align IN OUT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help if there are no arguments, else parse them."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit(COULD_NOT)
        return super().parse_args(ctx, self._with_command(args))

    def _with_command(self, args: list[str]) -> list[str]:
        """The arguments, with `align` in front if they name no command."""
        group_options = {name for param in self.params for name in param.opts}
        if not args or args[0] in group_options.union(_HELP):
            return args
        position = self._first_positional(args)
        if position is not None and args[position] in self.commands:
            return [args[position], *args[:position], *args[position + 1 :]]
        meant = misspelled_command(args[position], self.commands) if position is not None else None
        if meant is not None and position is not None:
            raise UsageError(f"{args[position]}: no file and no command; did you mean {meant!r}?")
        return ["align", *args]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names, and the arguments of `align`, which needs no name."""
        files = [] if incomplete.startswith("-") else [CompletionItem(incomplete, type="file")]
        align = self.commands["align"].shell_complete(ctx, incomplete)
        return [*files, *super().shell_complete(ctx, incomplete), *align]

    def _first_positional(self, args: list[str]) -> int | None:
        """Index of the first positional argument, skipping options and their values; None without
        one.
        """
        takers = {
            name
            for command in self.commands.values()
            for param in command.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        position = 0
        while position < len(args):
            if args[position] == "--":
                return None
            if args[position] == "-" or not args[position].startswith("-"):
                return position
            position += 2 if args[position] in takers else 1
        return None

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each way to call the program."""
        for use, head in zip(_USES, ("Usage: ", *[" " * 7] * (len(_USES) - 1)), strict=True):
            formatter.write(f"{head}{ctx.command_path} {use}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options of `align` in the main help: most calls name no command."""
        self.format_commands(ctx, formatter)
        align = self.commands["align"]
        write_groups([*align.get_params(ctx), *self.get_params(ctx)], ctx, formatter)


def _show_cmake_dir(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - signature required by click
    """Print the folder of TfliteAlign.cmake and exit."""
    if value and not ctx.resilient_parsing:
        # CMake reads a backslash as the start of an escape.
        click.echo(cmake_dir().as_posix())
        ctx.exit()


@click.group(cls=_Commands, context_settings=_SETTINGS, epilog=_EXAMPLES["align"])
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "--cmake-dir",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_cmake_dir,
    help="Print the folder of TfliteAlign.cmake and exit.",
)
def commands() -> None:
    """Make the quantization contract of a finished .tflite file hold, and verify it.

    OUT is written only if verification does not fail. IN and OUT may be the same file; - is stdin,
    stdout. If IN is a folder, every .tflite file below it is written to the same place below OUT.

    Exit status: 0 aligned, or nothing to do; 1 findings remain or the target refuses the file; 2
    the job could not be done.
    """


@commands.command(cls=ConfiguredCommand, epilog=_EXAMPLES["align"])
@click.argument("source", metavar="IN", cls=NeededArgument, shell_complete=file_words)
@click.argument("out", metavar="OUT", cls=NeededArgument, shell_complete=file_words)
@align_options
def align(source: str, out: str, **values: Any) -> int:
    """Align the model IN and write it to OUT.

    If IN is a folder, every .tflite file below it is written to the same place below OUT.
    """
    if values["files_from"] or (source != "-" and is_folder(source)):
        from .align_folder import run_folder  # noqa: PLC0415 - its imports need numpy

        return run_folder(source, out, values)
    if values["shard"] or values["list"] or values["executor"]:
        raise UsageError("--shard, --list and --executor are for a folder of models")
    from .align_command import run_align  # noqa: PLC0415 - its imports need numpy

    return run_align(source, out, values)


@commands.command(cls=ConfiguredCommand, epilog=_EXAMPLES["check"])
@click.argument(
    "sources",
    metavar="IN...",
    nargs=-1,
    cls=NeededArgument,
    shell_complete=file_words,
)
@check_options
def check(sources: tuple[str, ...], **values: Any) -> int:
    """Report every finding; change nothing. IN: files, folders, patterns."""
    from .check_command import run_check  # noqa: PLC0415

    return run_check(sources, values)


@commands.command(
    cls=ConfiguredCommand,
    epilog=_EXAMPLES["explain"],
    short_help="Explain why a tensor gets its parameters.",
)
@click.argument("source", metavar="IN", cls=NeededArgument, shell_complete=file_words)
@click.argument("place", metavar="[SLOT|TENSOR]", required=False)
@explain_options
def explain(source: str, place: str | None, **values: Any) -> int:
    """Explain why a tensor gets its parameters; without a tensor, what is decided for every component.

    SLOT is an address as in reports (the operator's name may be left out). TENSOR is a name, an
    index in the main subgraph, or subgraph[1]/tensor[12]. With a rule id in place of IN, print what
    the rule requires, its severity on each target, and its sources.
    """
    from .explain_command import run_explain  # noqa: PLC0415

    return run_explain(source, place, values)


@commands.command(
    epilog=_EXAMPLES["certify"], short_help="Bound each operator's error for every input."
)
@click.argument("source", metavar="MODEL")
@click.option(
    "--target",
    metavar="NAME",
    multiple=True,
    help="Certify for the runtimes of this target; repeatable.  [default: tflite]",
)
@click.option("--certificate", metavar="FILE", help="Write the certificate as JSON; - is stdout.")
@click.option("--verbose", "-v", is_flag=True, help="List every operator.")
def certify(source: str, target: tuple[str, ...], certificate: str | None, *, verbose: bool) -> int:
    """Bound, for every operator of MODEL and every input, the distance between the kernel's output and
    the declared function, in LSB. Changes nothing.
    """
    from .certify_command import run_certify  # noqa: PLC0415

    return run_certify(source, target, certificate, verbose=verbose)


@commands.command(epilog=_EXAMPLES["verify"], short_help="Check a certificate.")
@click.argument("original", metavar="ORIGINAL")
@click.argument("written", metavar="WRITTEN")
@click.argument("certificate", metavar="CERT")
def verify(original: str, written: str, certificate: str) -> int:
    """Check a certificate of `align --certificate` with an independent checker.

    Exit status: 0 the certificate holds; 1 it does not; 2 a file cannot be read.
    """
    from .certify_command import run_verify  # noqa: PLC0415

    return run_verify(original, written, certificate)


@commands.command(epilog=_EXAMPLES["targets"])
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def targets(as_json: bool) -> None:  # noqa: FBT001 - click passes it by keyword
    """List the targets and which of their judges are installed."""
    from .list_commands import show_targets  # noqa: PLC0415

    show_targets(as_json=as_json)


@commands.command(epilog=_EXAMPLES["rules"], short_help="Print the rules with their sources.")
@click.argument("rule_id", metavar="[RULE_ID]", required=False, shell_complete=words(rule_names))
@click.option(
    "--target",
    metavar="NAME",
    multiple=True,
    callback=some_of(target_names_given),
    shell_complete=words(target_names_given),
    help="Show severities on this target; repeatable.",
)
@click.option(
    "--op", metavar="NAME", multiple=True, help="Print the rules of this operator only; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules(
    rule_id: str | None, target: tuple[str, ...], op: tuple[str, ...], *, as_json: bool
) -> None:
    """Print the table of rules with their sources, or everything about the rules that RULE_ID names.

    RULE_ID is an id, a family (`same`) or a pattern.
    """
    from .list_commands import show_rule, show_rules  # noqa: PLC0415

    if rule_id is None:
        show_rules(target, op, as_json=as_json)
    elif op:
        raise UsageError(
            "--op selects an operator's rules, RULE_ID one rule: give only one of them"
        )
    else:
        show_rule(rule_id, target, as_json=as_json)


@commands.command(epilog=_EXAMPLES["fixes"])
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fixes(*, as_json: bool) -> None:
    """List the repairs and whether each is on by default."""
    from .list_commands import show_fixes  # noqa: PLC0415

    show_fixes(as_json=as_json)


@commands.command(epilog=_EXAMPLES["report"], short_help="Merge or compare reports of many models.")
@click.argument("action", type=click.Choice(["merge", "diff"]))
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@all_of(REPORTING)
def report(action: str, files: tuple[str, ...], **values: Any) -> int:
    """merge: combine reports (.jsonl) of all shards, or of several folders, into one. diff OLD NEW: list
    models and findings that are new, gone or worse; exit status 1 if a model is worse.
    """
    from .report_command import run_report  # noqa: PLC0415

    return run_report(action, files, values)


# The character \b keeps click from joining the lines of the paragraph behind it.
_COMPLETION = """Print a script that lets SHELL complete commands, options, names and files.

\b
bash, in ~/.bashrc:   eval "$(tflite-align completion bash)"
zsh, in ~/.zshrc:     eval "$(tflite-align completion zsh)"
fish:                 tflite-align completion fish > ~/.config/fish/completions/tflite-align.fish
"""


@commands.command(
    epilog=_EXAMPLES["completion"],
    help=_COMPLETION,
    short_help="Print a completion script for a shell.",
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a completion script for a shell."""
    click.echo(completion_script(commands, shell), nl=False)
