"""The examples of docs/gate.md and docs/targets.md for other tools are valid for those tools."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import BASH, CHECKOUT, Block, blocks, project_copy, run, spans
from tflite_align.rules.targets import parse_target

PAGE = CHECKOUT / "docs" / "gate.md"
BLOCKS = list(blocks(PAGE))

CMAKE_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(firmware C)
add_library(firmware STATIC main.c)
set(Python3_EXECUTABLE "{python}")
{page}"""
MAIN = '#include "g_net.h"\nunsigned net_size(void) {{ return g_net_len + (g_net[0] != 0); }}\n'


def written_in(language: str, beginning: str) -> Block:
    (found,) = (b for b in BLOCKS if b.language == language and b.text.startswith(beginning))
    return found


def loaded(block: Block) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(block.text)


def test_every_block_has_a_test() -> None:
    languages = [b.language for b in BLOCKS]
    assert {k: languages.count(k) for k in ("yaml", "cmake", "make", "starlark")} == {
        "yaml": 4, "cmake": 2, "make": 1, "starlark": 1,
    }  # fmt: skip


def test_the_github_example_uses_inputs_of_the_action() -> None:
    steps = loaded(written_in("yaml", "permissions:"))["steps"]
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    action = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
    assert set(steps[-1]["with"]) <= set(action["inputs"])
    section = PAGE.read_text(encoding="utf-8").partition("## GitHub")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (?:`(.*?)`)? ?\|", section, re.MULTILINE)
    assert rows == [(name, str(one.get("default", ""))) for name, one in action["inputs"].items()]


@BASH
def test_the_gitlab_and_jenkins_commands_run(tmp_path: Path) -> None:
    install, *script = loaded(written_in("yaml", "tflite:"))["tflite"]["script"]
    assert install.startswith("python -m pip install")  # installing is left to the packaging tests
    (jenkins,) = (re.findall(r"sh '(.*)'", span)[0] for span in spans(PAGE) if span[:4] == "sh '")
    folder = project_copy(tmp_path)
    for command in (*script, jenkins):
        run(["bash", "-eu", "-c", command], folder)
        assert (folder / "findings.xml").is_file()
        (folder / "findings.xml").unlink()
    quality = loaded(written_in("yaml", "  script:"))
    for command in quality["script"]:
        run(["bash", "-eu", "-c", command], folder)
    assert (folder / quality["artifacts"]["reports"]["codequality"]).is_file()


def test_the_pre_commit_example_names_an_existing_hook() -> None:
    (repository,) = loaded(written_in("yaml", "repos:"))["repos"]
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    manifest = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {h["id"] for h in repository["hooks"]} == {h["id"] for h in manifest}


def locked(folder: Path, model: str, lock: str) -> None:
    check = ["python", "-m", "tflite_align", "check", model, "--lock", lock, "--update-lock"]
    run(check, folder)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not on the path")
def test_the_cmake_example_builds(tmp_path: Path) -> None:
    folder = project_copy(tmp_path)
    shutil.copy(folder / "model.tflite", folder / "models" / "net.tflite")
    locked(folder, "models/net.tflite", "models/net.io.json")
    page = written_in("cmake", "find_package").text
    listed = CMAKE_PROJECT.format(python=Path(sys.executable).as_posix(), page=page)
    (folder / "CMakeLists.txt").write_text(listed, encoding="utf-8")
    (folder / "main.c").write_text(MAIN.format(), encoding="utf-8")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    run(["cmake", "-S", ".", "-B", "out", *generator], folder)
    run(["cmake", "--build", "out"], folder)
    assert (folder / "out" / "net_aligned.tflite").is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on the path")
def test_the_make_example_builds(tmp_path: Path) -> None:
    folder = project_copy(tmp_path)
    shutil.copy(folder / "model.tflite", folder / "net.tflite")
    locked(folder, "net.tflite", "net.io.json")
    text = next(b.text for b in BLOCKS if b.language == "make")
    (folder / "Makefile").write_text(text, encoding="utf-8")
    run(["make", "net_aligned.tflite"], folder)
    assert (folder / "net_aligned.tflite").is_file()


def test_the_example_row_of_the_targets_page_is_valid() -> None:
    shown = [b.text for b in blocks(CHECKOUT / "docs" / "targets.md") if b.language == "toml"]
    (row,) = (text for text in shown if text.startswith("[[support]]"))
    head = 'format = 1\nname = "x"\ntitle = "x"\njudges = []\nsources = []\nquantize = {}\n'
    level = '[[level]]\nrules = ["*"]\nseverity = "error"\nbehaviour = "x"\n'
    (read,) = parse_target(head + level + row, "targets.md").support
    assert read.part == "activation"
