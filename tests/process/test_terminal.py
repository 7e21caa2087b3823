"""Output on terminals of any width and encoding, in pipes, and in --help."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tflite_align.cli.commands import commands

CHECKOUT = Path(__file__).resolve().parents[2]
FAST = "--no-verify"
ALIGN = ("zoo/a.tflite", "out.tflite", FAST)
SHOWN = {
    "align": ALIGN,
    "batch": ("zoo", "out", FAST),
    "check": ("check", "zoo"),
    "targets": ("targets",),
    "rules": ("rules", "--op", "CONCATENATION", "--target", "tflite"),
    "fixes": ("fixes",),
    "explain": ("explain", "zoo/a.tflite"),
    "explain a tensor": ("explain", "zoo/a.tflite", "18"),
}
COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7])[0-9;]*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

needs_pty = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no pseudo-terminals of this kind"
)


def environment(**more: str) -> dict[str, str]:
    """The environment without settings for colours."""
    plain = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LC_ALL", "PYTHONIOENCODING", "COLORTERM")
    base = {key: value for key, value in os.environ.items() if key not in plain}
    return {**base, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm-256color", **more}


def on_terminal(*arguments: str, **more: str) -> str:
    """All that a terminal receives from stdout and stderr of a command."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tflite_align", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**{"COLUMNS": "100", **more}),
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other end of the terminal is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    assert process.returncode in (0, 1)
    return b"".join(parts).decode().replace("\r\n", "\n")


def in_pipe(*arguments: str, **more: str) -> bytes:
    ran = subprocess.run(
        [sys.executable, "-m", "tflite_align", *arguments],
        capture_output=True,
        check=False,
        env=environment(**more),
    )
    assert ran.returncode in (0, 1), ran.stderr
    assert ran.stderr == b""
    return ran.stdout


@needs_pty
@pytest.mark.parametrize("name", SHOWN)
def test_colours_are_for_terminals_that_want_them(zoo_folder: Path, name: str) -> None:
    shown = on_terminal(*SHOWN[name])
    assert "\x1b[1m" in shown, "something stands out"
    assert COLOUR.search(shown) or name not in ("align", "batch", "check")
    assert not COLOUR.search(on_terminal(*SHOWN[name], NO_COLOR="1"))
    assert b"\x1b" not in in_pipe(*SHOWN[name])


def test_colours_can_be_turned_on_without_a_terminal(zoo_folder: Path) -> None:
    """CI systems show colours in logs although those are no terminals: a variable turns them on."""
    assert COLOUR.search(in_pipe(*ALIGN, FORCE_COLOR="1").decode())
    assert not COLOUR.search(in_pipe(*ALIGN, FORCE_COLOR="1", NO_COLOR="1").decode())


@needs_pty
@pytest.mark.parametrize("name", SHOWN)
def test_output_fits_a_narrow_terminal(zoo_folder: Path, name: str) -> None:
    """No line is wider than the terminal, except one that is a single word."""
    shown = ESCAPE.sub("", on_terminal(*SHOWN[name], COLUMNS="60"))
    lines = [line.rpartition("\r")[2] for line in shown.splitlines()]
    assert [line for line in lines if len(line) > 60 and " " in line.strip()] == []


@needs_pty
@pytest.mark.parametrize("name", SHOWN)
def test_output_works_on_ascii_terminals(zoo_folder: Path, name: str) -> None:
    model = zoo_folder / "zoo" / "a.tflite"
    named = model.read_bytes().replace(b"concatenate_1", "concat\u00e9ate_1".encode())
    model.write_bytes(named)
    asked = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    assert on_terminal(*SHOWN[name], **asked).isascii()
    said = in_pipe(*SHOWN[name], **asked).decode()
    assert said.isascii()
    assert r"concat\xe9ate_1" in said or name not in ("align", "explain", "explain a tensor")


@needs_pty
def test_the_progress_bar_is_not_in_the_redirected_output(zoo_folder: Path) -> None:
    """The progress bar goes to stderr, a terminal; the file that stdout writes has the output
    alone.
    """
    import pty

    ours, theirs = pty.openpty()
    with Path("said.txt").open("wb") as said:
        command = [sys.executable, "-m", "tflite_align", "check", "zoo"]
        ran = subprocess.run(
            command, stdout=said, stderr=theirs, env=environment(COLUMNS="80"), check=False
        )
    os.close(theirs)
    os.close(ours)
    assert ran.returncode == 1
    assert Path("said.txt").read_bytes() == in_pipe("check", "zoo")


# --- before and after --------------------------------------------------------------------------


def test_the_table_before_and_after_has_findings_size_and_judges(zoo_folder: Path) -> None:
    table = in_pipe(*ALIGN).decode().partition("Before and after\n")[2].splitlines()
    assert [line.split("  ", 3) for line in (" ".join(row.split()) for row in table[:3])] == [
        ["before after"],
        ["findings 4 errors no findings"],
        ["size 7,672 bytes the same"],
    ]
    verified = in_pipe(*ALIGN[:2]).decode().partition("Before and after\n")[2]
    assert re.search(r"litert +refused +accepted", verified)
    assert re.search(r"litert: SQNR +did not run +\d+\.\d dB", verified)
    assert "Before and after" not in in_pipe("zoo/good.tflite", "good.tflite", FAST).decode()


# --- help --------------------------------------------------------------------------------------


def examples(help_text: str) -> list[list[str]]:
    start = "python -m tflite_align "
    lines = help_text.partition("Examples:\n")[2].splitlines()
    return [shlex.split(line.strip().removeprefix(start)) for line in lines if start in line]


@pytest.mark.parametrize("name", [None, *commands.commands])
def test_the_examples_of_every_help_name_existing_options(name: str | None) -> None:
    help_text = in_pipe(*([name] if name else []), "--help").decode()
    found = examples(help_text)
    assert len(found) > 1
    for words in found:
        named = words[0] if words[0] in commands.commands else "align"
        command = commands.commands[named]
        given = words[1:] if words[0] == named else words
        context = click.Context(command)
        values, left, _ = command.make_parser(context).parse_args(args=list(given))
        assert left == []
        for param in command.params:
            if param.name in values and values[param.name] is not None:
                param.type_cast_value(context, values[param.name])


@pytest.mark.parametrize("name", commands.commands)
def test_every_option_is_explained(name: str) -> None:
    options = [p for p in commands.commands[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_help_fits_a_narrow_terminal() -> None:
    help_text = in_pipe("--help", COLUMNS="60").decode().partition("Examples:")[0]
    assert max(map(len, help_text.splitlines())) <= 60
