"""Every command in the documentation is run, or is listed in a table with the reason why not."""

from __future__ import annotations

import doctest
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.pages import (
    BASH,
    CHECKOUT,
    NOT_RUN,
    PAGES,
    Block,
    all_blocks,
    blocks,
    project_copy,
    run,
    spans,
)
from tests.support.registry import registry_missing
from tflite_align.cli.commands import commands

ALL = all_blocks()

# (page, language) -> the file of the test that runs or reads these blocks.
ELSEWHERE = {
    ("adding.md", "toml"): "docs/test_adding.py",
    ("adding.md", "python"): "docs/test_adding.py",
    ("adding.md", "diff"): "docs/test_adding.py",
    ("adding.md", "sh"): "docs/test_adding.py",
    ("api.md", "{eval-rst}"): "docs/test_site.py",
    ("cli.md", "{eval-rst}"): "docs/test_site.py",
    ("configuration.md", "toml"): "unit/test_config.py",
    ("gate.md", "yaml"): "docs/test_gate_page.py",
    ("gate.md", "cmake"): "docs/test_gate_page.py",
    ("gate.md", "make"): "docs/test_gate_page.py",
    ("recipes.md", "python"): "pipelines/test_converters.py",
    ("recipes.md", "sh"): "pipelines/test_converters.py",
    ("store.md", "python"): "docs/test_store_page.py",
    ("store.md", "sql"): "docs/test_store_page.py",
    ("store.md", "sh"): "docs/test_store_page.py",
    ("store.md", "yaml"): "docs/test_store_page.py",
    ("targets.md", "toml"): "docs/test_gate_page.py",
}
# Language -> how its blocks are run here. Blocks of `text`, or of no language, are output.
RUN_HERE = {"sh", "pycon", "python"}
SHOWN = {"text", ""}
COMMAND = re.compile(r"^(\$ |\.?/?\.venv|\.ci/|scripts/|pip |python|tflite-align|cmake |git )")

# Names that the Python examples assume to be defined.
PREAMBLE = """
import shutil
from pathlib import Path
shutil.copy("model.tflite", "m.tflite")
"""
WITH_TENSORFLOW = """
import numpy as np
import tensorflow as tf
model = tf.keras.Sequential([
    tf.keras.Input((8, 8, 3)), tf.keras.layers.Conv2D(4, 3), tf.keras.layers.Flatten(),
    tf.keras.layers.Dense(3, activation="softmax"),
])
def representative():
    for _ in range(8):
        yield [np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)]
"""


def is_run(block: Block) -> bool:
    if block.key in NOT_RUN or (block.page, block.language) in ELSEWHERE:
        return False
    return block.language in RUN_HERE


def test_every_block_is_run_by_a_test_or_excused() -> None:
    known = [(b.page, b.language) in ELSEWHERE or b.language in RUN_HERE | SHOWN for b in ALL]
    unknown = [b.key for b, ok in zip(ALL, known, strict=True) if not ok and b.key not in NOT_RUN]
    assert unknown == []


def test_no_excuse_is_unneeded() -> None:
    keys = [block.key for block in ALL]
    assert [key for key in NOT_RUN if keys.count(key) != 1] == []
    used = {(b.page, b.language) for b in ALL if b.key not in NOT_RUN}
    assert sorted(set(ELSEWHERE) - used) == []
    assert [n for n in ELSEWHERE.values() if not (CHECKOUT / "tests" / n).is_file()] == []


def test_blocks_of_output_contain_no_commands() -> None:
    """A command has to stand in a block whose language makes it run. The usage text is an
    exception.
    """
    shown = [line for b in ALL if b.language in SHOWN for line in b.text.splitlines()]
    usage = [line for line in shown if line.startswith("python -m tflite_align ")]
    # `align` has a usage line for files and one for folders.
    assert len(usage) == len(commands.commands) + 1
    assert [line for line in shown if COMMAND.match(line) and line not in usage] == []
    lines = [line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()]
    indented = [line[4:] for line in lines if line.startswith("    ")]
    inside = {line[4:] for b in ALL for line in b.text.splitlines()}
    assert [one for one in indented if COMMAND.match(one) and one not in inside] == []


def in_order(page: Path, language: str) -> Iterator[tuple[Block, str | None]]:
    """The page's blocks of a language that are run here, in order, each with its expected output
    (None: not checked).
    """
    for block, after in itertools.pairwise([*blocks(page), None]):
        if block is not None and block.language == language and is_run(block):
            says = after is not None and after.words == ("output",)
            yield block, after.text if says and after is not None else None


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(in_order(page, language))]


@BASH
@pytest.mark.parametrize("page", pages_with("sh"), ids=lambda page: page.name)
def test_commands_run(page: Path, tmp_path: Path) -> None:
    """Blocks run one after the other in a copy of the project; later ones may use files of earlier
    ones.
    """
    folder = project_copy(tmp_path)
    checker = doctest.OutputChecker()
    missing = ""
    for block, output in in_order(page, "sh"):
        if "pip install" in block.text and (missing := registry_missing()):
            continue
        status = int(block.words[1]) if block.words[:1] == ("exits",) else 0
        ran = run(["bash", "-eu", "-c", block.text], folder, status=status)
        if output is not None:
            same = checker.check_output(output, ran.stdout, doctest.ELLIPSIS)
            assert same, f"{block.text}\nis said to print\n{output}\nand prints\n{ran.stdout}"
    if missing:
        pytest.skip(f"all commands but those that install were run: {missing}")


def test_every_output_stands_below_a_command() -> None:
    for page in PAGES:
        outputs = sum(block.words == ("output",) for block in blocks(page))
        assert outputs == sum(output is not None for _, output in in_order(page, "sh")), page.name


@pytest.mark.parametrize("page", pages_with("pycon"), ids=lambda page: page.name)
def test_sessions_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    flags = doctest.ELLIPSIS | doctest.REPORT_NDIFF
    ran = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert ran.attempted > 10
    assert ran.failed == 0


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.name)
def test_programs_run(page: Path, tmp_path: Path) -> None:
    texts = [block.text for block, _ in in_order(page, "python")]
    program = PREAMBLE + "from tflite_align import align\n"
    if any("tensorflow" in text for text in texts):
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
        program += WITH_TENSORFLOW
    run(["python", "-c", "\n".join([program, *texts])], project_copy(tmp_path))


# --- options named in sentences ----------------------------------------------------------------


def options_of(words: list[str]) -> set[str]:
    """The options of a command of tflite_align or of a script; `words`: the command's words."""
    if words[0].startswith("scripts/"):
        path = CHECKOUT / words[0]
        assert path.is_file(), words[0]
        source = path.read_text(encoding="utf-8")
        return set(re.findall(r'"(--[\w-]+)"', source))
    name = next((word for word in words if word in commands.commands), "align")
    params = [*commands.params, *commands.commands[name].params]
    found = {n for p in params if isinstance(p, click.Option) for n in p.opts + p.secondary_opts}
    return found | {"--help", "-h"}


OURS = ("python -m tflite_align ", "tflite_align ", "tflite-align ", "scripts/", *(
    f"{name} " for name in commands.commands
))  # fmt: skip
MENTIONED = [
    pytest.param(span, id=f"{page.name}: {span}")
    for page in PAGES
    for span in dict.fromkeys(spans(page))
    if span.startswith((*OURS, "-")) and "`" not in span
]


@pytest.mark.parametrize("span", MENTIONED)
def test_options_that_are_mentioned_exist(span: str) -> None:
    try:
        words = shlex.split(span)
    except ValueError:
        words = span.split()
    asked = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    if span.startswith("-"):
        known = set.union(*(options_of([name]) for name in commands.commands))
        known |= {
            "--check",
            "--build-arg",
        }  # options of scripts/vendor_js.py and of docker, in sentences about these
    else:
        known = options_of(words)
    assert asked <= known


def test_the_page_of_options_has_every_option() -> None:
    text = (CHECKOUT / "docs" / "options.md").read_text(encoding="utf-8")
    options = {o for command in commands.commands.values() for p in command.params for o in p.opts}
    long = sorted(option for option in options if option.startswith("--"))
    assert [option for option in long if not re.search(rf"{option}(?![\w-])", text)] == []
