"""Shell completion in real bash, zsh and fish processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
# Typed text -> (words that the shell must offer, words that it must not offer).
CASES = {
    "tflite-align che": (["check"], ["explain"]),
    "tflite-align check --tar": (["--target"], ["--judge"]),
    "tflite-align check --target tfl": (["tflite", "tflm"], ["xnnpack"]),
    "tflite-align check --target tflm,ethos-u5": (["tflm,ethos-u55"], ["tflm,ethos-u65"]),
    "tflite-align check --output-format gi": (["github", "gitlab"], ["json"]),
    "tflite-align rules same/CONC": (["same/CONCATENATION"], ["same/PAD"]),
    "tflite-align check mod": (["model.tflite"], ["notes.txt"]),
    "tflite-align mod": (["model.tflite"], ["notes.txt"]),
    "tflite-align model.tflite ou": (["out.tflite"], ["notes.txt"]),
    "tflite-align model.tflite out.tflite --conc": (["--concat"], ["--check"]),
}
# A terminal session is slow, so only some of the cases run in one.
TYPED = [case for case in CASES if case.endswith((" che", " tfl", "ethos-u5", " mod"))]


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


@pytest.fixture
def shell_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models and a text file; `tflite-align` runs this checkout."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "tflite-align"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m tflite_align "$@"\n'
    )
    program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    for name in ("model.tflite", "out.tflite", "notes.txt"):
        (work / name).touch()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(work)
    return work


def offered(output: str, case: str) -> None:
    wanted, unwanted = CASES[case]
    words = set(output.split())
    assert [word for word in wanted if word not in words] == [], output
    assert [word for word in unwanted if word in words] == [], output


def said(command: list[str], text: str = "") -> str:
    ran = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


BASH = r"""
eval "$(tflite-align completion bash)"
compopt() { files=yes; }
for line in "$@"; do
    read -ra COMP_WORDS <<< "$line"
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    COMPREPLY=() files=
    _tflite_align_completion tflite-align
    printf '%s\n' "${COMPREPLY[@]}"
    if [ "$files" = yes ] && [ ${#COMPREPLY[@]} = 0 ]; then
        compgen -f -- "${COMP_WORDS[COMP_CWORD]}"
    fi
    echo ==
done
"""
FISH = """
tflite-align completion fish | source
for line in $argv
    complete -C $line
    echo ==
end
"""


def each(output: str) -> None:
    """Compare the printed completions, case by case, with `CASES`."""
    for case, part in zip(CASES, output.split("==\n"), strict=False):
        offered("\n".join(line.partition("\t")[0] for line in part.splitlines()), case)


@needs("bash")
def test_bash_completes_commands_options_and_names(shell_folder: Path) -> None:
    """As bash does: the function's COMPREPLY, or file names if it requests them."""
    each(said(["bash", "--norc", "-c", BASH, "bash", *CASES]))


@needs("fish")
def test_fish_completes_commands_options_and_names(shell_folder: Path) -> None:
    each(said(["fish", "--no-config", "-c", FISH, *CASES]))


@needs("zsh")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize("case", TYPED)
def test_zsh_completes_commands_options_and_names(case: str, shell_folder: Path) -> None:
    """Typed into a terminal, followed by TAB."""
    import pty

    setup = 'PS1=; PROMPT_EOL_MARK=; LISTMAX=0; setopt no_list_ambiguous; autoload -U compinit; compinit -u -D; eval "$(tflite-align completion zsh)"'
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("zsh", ["zsh", "-f", "-i"])  # noqa: S606 - a shell is what is tested
    try:
        os.write(terminal, f"stty -echo; {setup}; print -r READY$((1))\n".encode())
        read_until(terminal, "READY1")
        os.write(terminal, f"{case}\t".encode())
        output = read_until(terminal, None)
    finally:
        os.write(terminal, b"\x03")
        os.write(terminal, b"exit\n")
        os.close(terminal)
        os.waitpid(pid, 0)
    offered(output, case)


def read_until(terminal: int, mark: str | None) -> str:
    """Output up to a marker, or until it pauses."""
    import select

    parts, quiet = "", 0
    while quiet < (200 if mark else 6):
        ready, _, _ = select.select([terminal], [], [], 0.5)
        if not ready:
            quiet += 1
            continue
        quiet = 0
        parts += os.read(terminal, 65536).decode(errors="replace")
        if mark and mark in parts:
            break
    return ESCAPE.sub(" ", parts)


def test_an_unknown_shell_is_refused(shell_folder: Path) -> None:
    ran = subprocess.run(
        ["tflite-align", "completion", "csh"], capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == 2
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in ran.stderr


@needs("bash")
def test_completion_errors_print_nothing(shell_folder: Path) -> None:
    """Completion ignores a broken configuration and prints no error."""
    (shell_folder / "tflite-align.toml").write_text("no toml")
    ran = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", "tflite-align check --tar"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ran.stdout.split(), ran.stderr) == (["--target", "=="], "")
