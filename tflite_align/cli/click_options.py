"""The options of all commands, and their conversion to AlignOptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..format.type_groups import BORDER_TYPES
from ..record import Record
from ..rules.families import FAMILY_POLICIES
from ..verify.budget import MEMORY
from .board_files import BOARD, board_of
from .configured import overrides_of
from .many_options import MANY, RECORD
from .named import file_words, judge_names, rule_names, some_of, target_names_given, words

if TYPE_CHECKING:
    from ..settings.options import AlignOptions

__all__ = [
    "Given",
    "align_options",
    "all_of",
    "check_options",
    "explain_options",
    "given",
    "settings",
]

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Given(Record, frozen=True, kw_only=True):
    """Options that AlignOptions does not hold: paths of other files, and how much is printed."""

    reports: tuple[str, ...]
    quiet: bool
    verbose: bool
    calibration: str | None = None
    dry_run: bool = False
    keep_going: bool = False
    baseline: str | None = None
    write_baseline: str | None = None
    lock: str | None = None
    certificate: str | None = None
    update_lock: bool = False
    emit_resolver: str | None = None

    @property
    def rows(self) -> int | None:
        """The most rows that a table of the summary shows; None for all."""
        return None if self.verbose else 20


def _choice(*names: str, values: tuple[str, ...], default: str, text: str) -> _Decorator:
    return click.option(
        *names, type=click.Choice(values), default=default, show_default=True, help=text
    )


def _many(name: str, metavar: str, text: str, **more: Any) -> _Decorator:
    return click.option(name, multiple=True, metavar=metavar, help=text, **more)


def _names(name: str, metavar: str, text: str, known: Callable[[], list[str]]) -> _Decorator:
    """An option that takes names of a table, repeated or separated by commas."""
    return _many(name, metavar, text, callback=some_of(known), shell_complete=words(known))


def _file(name: str, text: str, **more: Any) -> _Decorator:
    return click.option(name, metavar="FILE", help=text, shell_complete=file_words, **more)


_TARGET = _names(
    "--target",
    "NAME",
    "Runtime or compiler whose rules must hold, such as tflm,ethos-u55; repeatable.  [default: tflite]",
    target_names_given,
)
_RULES = (
    _many(
        "--select",
        "RULE",
        "Check only these rules: ids, families (`same`) or patterns; repeatable.",
        shell_complete=words(rule_names),
    ),
    _many("--ignore", "RULE", "Skip these rules; repeatable.", shell_complete=words(rule_names)),
)
_IO = _choice(
    "--io",
    values=("keep", "free"),
    default="keep",
    text="Whether the parameters of graph inputs and outputs may change.",
)
_REPORT = _file(
    "--report",
    "Write a report: .html .json .me.json (Model Explorer) .sarif .txt .xml (JUnit), of many models .jsonl .parquet .sqlite too;"
    " - is JSON on stdout; repeatable.",
    multiple=True,
)
_REQUIRE = _names(
    "--require",
    "NAME",
    "A judge, `numbers` or `certified`: skipped or inconclusive is a failure; repeatable.",
    judge_names,
)
_ALLOW_REFUSED = _names(
    "--allow-refused",
    "JUDGE",
    "Report a refusal by this judge without exit status 1; repeatable.",
    judge_names,
)
_JUDGE_SECONDS = click.option(
    "--judge-seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="End a judge's process after N seconds.  [default: 300; 1800 to run the inputs]",
)
_MEMORY = click.option(
    "--memory",
    type=click.IntRange(1),
    metavar="MIB",
    default=MEMORY >> 20,
    show_default=True,
    help="Memory for the inputs, for running the model and for `explain`; what is larger is skipped.",
)
_FAIL_ON = _choice(
    "--fail-on",
    values=("error", "warning"),
    default="error",
    text="Least severity of a finding that makes the exit status 1.",
)
_BASELINE = _file("--baseline", "Do not fail for the findings listed in this file.")
_LOCK = (
    _file(
        "--lock", "Lock file: graph inputs and outputs must have its parameters; created if absent."
    ),
    click.option("--update-lock", is_flag=True, help="Write the lock instead of checking it."),
)
_JOBS = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of processes; 0: one per processor.",
)
_QUIET = click.option(
    "--quiet",
    "-q",
    is_flag=True,
    help="Print only findings, refusals and missing verification, one line each.",
)
_VERBOSE = click.option("--verbose", "-v", is_flag=True, help="List everything, with full names.")


def _border(side: str) -> _Decorator:
    return click.option(
        f"--{side}-type",
        type=click.Choice(BORDER_TYPES),
        help=f"Type of the real-valued graph {side}s.  [default: unchanged]",
    )


_FIXES = (
    _many("--fix", "ID", "Switch on a repair: an id of `fixes`, a pattern or `all`; repeatable."),
    _many("--no-fix", "ID", "Switch a repair off; repeatable."),
)
_BIAS = _choice(
    "--bias",
    values=("declared", "as-run"),
    default="declared",
    text="Read a bias by its own scale, or by input scale x weight scale as kernels do.",
)
_CHECK: tuple[_Decorator, ...] = (
    _TARGET,
    *_RULES,
    _IO,
    *_LOCK,
    _REPORT,
    _names(
        "--judge", "NAME", "Load the file with this runtime or compiler; repeatable.", judge_names
    ),
    click.option(
        "--run",
        is_flag=True,
        help="Run the file in the targets' runtimes and compare with its declared parameters.",
    ),
    click.option(
        "--portable",
        is_flag=True,
        help="List operators whose integer results can differ between runtimes.",
    ),
    _REQUIRE,
    _ALLOW_REFUSED,
    _JUDGE_SECONDS,
    _MEMORY,
    *BOARD,
    _FAIL_ON,
    _BASELINE,
    _file("--write-baseline", "List every finding in this file; exit status 0."),
    RECORD,
    _choice(
        "--output-format",
        values=("text", "concise", "json", "sarif", "junit", "github", "gitlab"),
        default="text",
        text="Format of stdout; concise: `path: place: severity: text (rule)`, one per line;"
        " github: workflow commands that annotate the files; gitlab: Code Quality.",
    ),
    *MANY,
    _JOBS,
    _QUIET,
    _VERBOSE,
)
_DECIDE = (
    *(
        _choice(
            f"--{family}",
            values=policies,
            default="auto",
            text=f"Whose parameters tied operands of the {family} family get.",
        )
        for family, policies in FAMILY_POLICIES.items()
    ),
    _choice(
        "--overlap",
        values=("forbid", "force", "auto"),
        default="auto",
        text="Whether the parameters of a tensor shared by several groups may change.",
    ),
    _choice(
        "--prefer",
        values=("precision", "balanced", "speed"),
        default="balanced",
        text="Number of inserted QUANTIZE that cost as much as one lost bit: 16, 4 or 1.",
    ),
    _IO,
    _choice("--only", values=("all", "errors"), default="all", text="Which findings to repair."),
    _many("--keep", "PATTERN", "Tensors, or a slot, that keep their parameters; repeatable."),
    _many("--anchor", "PATTERN", "Tensors whose parameters tied operands get; repeatable."),
    _many("--no-cut", "PATTERN", "Tensors, or a slot, that get no QUANTIZE; repeatable."),
)
_EXPLAIN: tuple[_Decorator, ...] = (
    _TARGET,
    *_RULES,
    *_DECIDE,
    *_FIXES,
    _BIAS,
    _MEMORY,
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    _VERBOSE,
)
_ALIGN: tuple[_Decorator, ...] = (
    _TARGET,
    *_RULES,
    *_DECIDE,
    click.option(
        "--optimize/--no-optimize",
        help="Also remove needless QUANTIZE operators in parts without findings.",
    ),
    *_FIXES,
    _BIAS,
    _many(
        "--allow-metadata",
        "NAME",
        "Unknown metadata that may stay when tensors or operators are added; repeatable.",
    ),
    click.option(
        "--to",
        type=click.Choice(("int8",)),
        help="Convert a uint8 model to int8, which current kernels support.",
    ),
    _border("input"),
    _border("output"),
    *_LOCK,
    _REPORT,
    _file(
        "--calibration",
        "Real inputs: .npz, or a folder of .npy (by name or position), or .npy (one input).",
    ),
    click.option(
        "--samples",
        type=click.IntRange(1),
        metavar="N",
        default=64,
        show_default=True,
        help="Number of inputs to verify with.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        metavar="N",
        default=0,
        show_default=True,
        help="Seed of the random inputs.",
    ),
    click.option(
        "--compare",
        is_flag=True,
        help="Also report the cost of PPQ's strategies on the same model.",
    ),
    _file("--certificate", "Write the error bounds that hold for every input."),
    click.option(
        "--dry-run", is_flag=True, help="Plan and report; write nothing and run no judge."
    ),
    click.option("--no-verify", is_flag=True, help="Run no judge and do not compare outputs."),
    _REQUIRE,
    _ALLOW_REFUSED,
    _JUDGE_SECONDS,
    _MEMORY,
    *BOARD,
    _FAIL_ON,
    _BASELINE,
    click.option("--keep-going", is_flag=True, help="Write OUT even if the exit status is 1."),
    *MANY,
    _JOBS,
    _QUIET,
    _VERBOSE,
)


def all_of(options: tuple[_Decorator, ...]) -> _Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


align_options = all_of(_ALIGN)
check_options = all_of(_CHECK)
explain_options = all_of(_EXPLAIN)


# Options that AlignOptions holds under the same name, with the same default.
_SAME_NAME = (
    "overlap", "prefer", "io", "to", "input_type", "output_type", "only", "optimize", "fail_on",
    "judge_seconds", "samples", "seed", "fix", "no_fix", "bias",
    "allow_metadata", "allow_refused", "run", "select", "ignore", "compare", "portable",
)  # fmt: skip


def settings(values: dict[str, Any]) -> AlignOptions:
    """AlignOptions from the parsed values of any command; missing options keep their defaults."""
    from ..settings.options import AlignOptions  # noqa: PLC0415 - numpy is not needed for --help

    reports, dry_run = values.get("report", ()), values.get("dry_run", False)
    return AlignOptions(
        **{name: values[name] for name in _SAME_NAME if name in values},
        targets=_targets(values),
        policies=_policies(values),
        # A dry run starts no judge, so `--require` does not apply.
        verify=not values.get("no_verify") and not dry_run,
        require=() if dry_run else tuple(dict.fromkeys(values.get("require", ()))),
        judges=tuple(dict.fromkeys(values.get("judge", ()))),
        unasked=values.get("unasked", ()),
        memory=values.get("memory", MEMORY >> 20) << 20,
        certificate=values.get("certificate") is not None,
        board=board_of(values),
        view=any(path.lower().endswith((".html", ".me.json")) for path in reports),
        **_users(values),
    )


def _users(values: dict[str, Any]) -> dict[str, Any]:
    """The user's overrides: severities of rules, and settings of single tensors and slots."""
    config = values.get("config")
    severity = config.severity if config is not None else {}
    return {"severity": severity, "overrides": overrides_of(values)}


def _targets(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values["target"])) or ("tflite",)


def _policies(values: dict[str, Any]) -> dict[str, Any]:
    families = (family for family in FAMILY_POLICIES if values.get(family, "auto") != "auto")
    return {family: values[family] for family in families}


def given(values: dict[str, Any]) -> tuple[AlignOptions, Given]:
    """AlignOptions, and the other options, from the parsed values of `align` or `check`."""
    return settings(values), Given(
        reports=values["report"],
        quiet=values["quiet"],
        verbose=values["verbose"],
        calibration=values.get("calibration"),
        dry_run=values.get("dry_run", False),
        keep_going=values.get("keep_going", False),
        baseline=values.get("baseline"),
        write_baseline=values.get("write_baseline"),
        lock=values["lock"],
        certificate=values.get("certificate"),
        update_lock=values["update_lock"],
        emit_resolver=values.get("emit_resolver"),
    )
