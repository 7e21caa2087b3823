"""docs/adding.md is executed: its blocks are applied to a copy of the project and then have to
work.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import Graph, Quant, concat_example
from tests.support.pages import BASH, CHECKOUT, NOT_RUN, Block, blocks, project_copy, run
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators

BLOCKS = [b for b in blocks(CHECKOUT / "docs" / "adding.md") if b.key not in NOT_RUN]
CHANGES = [b for b in BLOCKS if b.words[:1] in (("add",), ("new",)) or b.language == "diff"]
SHELL = [b for b in BLOCKS if b.language == "sh"]
ALIGN = ["python", "-m", "tflite_align"]

# Runs one operator in LiteRT in every way that violates its rules, as tests/rules does for all.
CONFORMS = """
import pathlib
from tests.support.kernel_batch import run_batch
from tests.rules.operators.cases import case_types, satisfied
from tests.rules.operators.mutations import violated
from tflite_align.rules.operator_rows import load_operators
row = load_operators()["DILATE"]
kinds = case_types("DILATE")
good = [satisfied(row, kind) for kind in kinds]
bad = [case for kind in kinds for rule in row.rules for case in violated(row, rule, kind)]
folder = pathlib.Path("cases")
folder.mkdir()
ran = run_batch(good + bad, "litert", folder)
wrong = [c.name for c in good if ran[c.name].error or c.faults(ran[c.name].outputs)]
right = [c.name for c in bad if not ran[c.name].error and not c.faults(ran[c.name].outputs)]
assert len(good) == 3 and len(bad) > len(good), (len(good), len(bad))
assert not wrong and not right, (wrong, right)
"""


def test_every_block_is_of_a_known_kind() -> None:
    shown = [b for b in BLOCKS if b.language == "text" or b.words[:1] == ("in",)]
    assert [b.key for b in BLOCKS if b not in (*CHANGES, *SHELL, *shown)] == []


def test_blocks_that_show_a_file_are_in_it() -> None:
    shown = [b for b in BLOCKS if b.words[:1] == ("in",)]
    files = {b.words[1]: (CHECKOUT / b.words[1]).read_text(encoding="utf-8") for b in shown}
    assert shown
    assert [b.words for b in shown if b.text not in files[b.words[1]]] == []


def test_the_text_names_the_file_of_every_block() -> None:
    """A rendered page does not show which file a block belongs to."""
    text = (CHECKOUT / "docs" / "adding.md").read_text(encoding="utf-8")
    unnamed = []
    for block in CHANGES:
        place = block.words[1] if block.words else block.text.split()[1].removeprefix("a/")
        before = text[: text.index(block.text)].rpartition("```")[0]
        if f"`{place}`" not in before.rpartition("```")[2]:
            unnamed.append(place)
    assert unnamed == []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project_copy(tmp_path_factory.mktemp("project"))
    if shutil.which("git") is None:
        pytest.skip("git is not on the path: it applies the page's changes")
    for block in CHANGES:
        if block.language == "diff":
            apply(block, folder)
        elif block.words[0] == "new":
            place = folder / block.words[1]
            assert not place.exists(), block.words
            place.write_text(block.text, encoding="utf-8")
        else:
            add(block, folder / block.words[1])
    return folder


def apply(block: Block, folder: Path) -> None:
    """Apply a patch block with git, which finds the place by the context lines."""
    subprocess.run(
        ["git", "apply", "--recount", "-"],
        cwd=folder,
        input=block.text.encode(),
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        check=True,
    )


def add(block: Block, place: Path) -> None:
    """Add a block to a file: at its end or, for operators.toml, at the end of a section."""
    text = place.read_text(encoding="utf-8")
    section = "# --- data movement"
    end = text.find("\n# --- ", text.index(section) + 1) if section in text else len(text)
    place.write_text(f"{text[:end].rstrip()}\n\n\n{block.text}{text[end:]}", encoding="utf-8")


def dilated(first: float, second: float) -> bytes:
    graph = Graph()
    graph.activation("x", first, shape=(3, 4))
    graph.constant("sizes", np.array([2, 1]), "int32")
    graph.constant("fill", np.array([0]), "int8", first)
    graph.activation("y", second, shape=(5, 4))
    graph.add("DILATE", ["x", "sizes", "fill"], ["y"])
    return graph.bytes(["x"], ["y"])


def test_the_added_rule_is_checked_and_repaired(project: Path) -> None:
    assert "DILATE" not in load_operators()
    listed = run([*ALIGN, "rules", "--op", "DILATE"], project).stdout
    assert "same/DILATE: inputs[0], inputs[2], outputs[0] share scale and zero point" in listed
    (project / "dilate.tflite").write_bytes(dilated(0.5, 0.25))
    found = run([*ALIGN, "check", "dilate.tflite", "-v"], project, status=1).stdout
    (promised,) = (b.text.strip() for b in BLOCKS if b.language == "text")
    assert promised in found
    run([*ALIGN, "dilate.tflite", "out.tflite"], project)
    run([*ALIGN, "check", "out.tflite"], project)


def test_the_added_row_agrees_with_its_kernel(project: Path) -> None:
    run(["python", "-c", CONFORMS], project)


@BASH
@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.key[1])
def test_the_commands_of_the_page_run(project: Path, block: Block) -> None:
    status = int(block.words[1]) if block.words else 0
    run(["bash", "-eu", "-c", block.text], project, status=status)


def test_the_generated_pages_contain_the_rule(project: Path) -> None:
    run(["python", "scripts/gen_rules_doc.py"], project)
    text = (project / "docs" / "rules.md").read_text(encoding="utf-8")
    assert "- `npu9`: NPU9, a made-up accelerator for int8" in text
    assert '| <a id="same-dilate"></a>`same/DILATE` |' in text


def test_the_added_target_has_severities_and_types(project: Path) -> None:
    sample = "tests/data/sample_dealigned.tflite"
    found = run([*ALIGN, "check", sample, "--target", "npu9"], project, status=1).stdout
    assert "the NPU9 computes wrong values" in found
    assert "support/CONCATENATION/inputs" in found
    tables = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "npu9"]
    run([*tables, "tests/rules/test_tables.py"], project)


ARITHMETIC = """
import numpy as np
from tflite_align.certify.arithmetic import load_arithmetic
from tflite_align.certify.functions.affine import Affine
from tflite_align.certify.functions.registry import FUNCTIONS
(row,) = load_arithmetic("npu9").rows["ABS"]
x, operand = np.arange(-128, 128), Affine(0.1, 0, -128, 127)
assert (FUNCTIONS[row.function](x, operand, operand) == np.where(x < 0, -x - 1, x)).all()
"""


def test_the_added_constraint_kind_is_listed_and_checked(project: Path) -> None:
    listed = run([*ALIGN, "rules", "--op", "DILATE"], project).stdout
    assert "least/DILATE: outputs[0]: the scale is at least 0.001 (int8)" in listed
    (project / "fine.tflite").write_bytes(dilated(0.0001, 0.0001))
    found = run([*ALIGN, "check", "fine.tflite", "-v"], project, status=1).stdout
    assert "scale 9.99999975e-05 is below 0.001 (rule least/DILATE)" in found


def test_the_kernel_rows_say_what_is_unknown_and_what_is_wrong(project: Path) -> None:
    sample = "tests/data/sample_dealigned.tflite"
    found = run([*ALIGN, "check", sample, "--target", "npu9", "-v"], project, status=1).stdout
    assert "support/CONV_2D/unknown" in found
    assert "MAX_POOL_2D/unknown" not in found


def test_the_arithmetic_row_names_a_function_that_computes(project: Path) -> None:
    run(["python", "-c", ARITHMETIC], project)


@pytest.mark.skipif(os.name == "nt", reason="the compiler of this test is a script for a shell")
def test_the_added_judge_runs(project: Path, tmp_path: Path) -> None:
    """The added judge is a script that plays a compiler and accepts only the aligned sample."""
    sample = ["tests/data/sample_dealigned.tflite"]
    without = run([*ALIGN, "check", *sample, "--judge", "npu9"], project, status=1).stdout
    assert "npu9c is not on the PATH" in without
    good = project / "model.tflite"
    compiler = tmp_path / "npu9c"
    compiler.write_text(
        f"#!/bin/sh\ncmp -s model.tflite {good} || {{ echo 'no: scales'; exit 1; }}\n"
    )
    compiler.chmod(0o755)
    asked = [*ALIGN, "check", "--judge", "npu9", "--target", "npu9"]
    said = run([*asked, *sample], project, path=str(tmp_path), status=1).stdout
    assert "refused" in said
    assert "no: scales" in said
    said = run([*asked, "model.tflite", "--require", "npu9"], project, path=str(tmp_path)).stdout
    assert "accepted" in said


def test_the_added_report_format_has_a_row_per_finding(project: Path) -> None:
    sample = "tests/data/sample_dealigned.tflite"
    run([*ALIGN, "check", sample, "--report", "rows.csv"], project, status=1)
    with (project / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rule"] for row in rows] == ["same/MAX_POOL_2D", *["same/CONCATENATION"] * 3]


def test_the_added_repair_works_if_switched_on(project: Path) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    wild = graph.tensors["c"]
    graph.tensors["c"] = replace(wild, quant=Quant(scale=(0.1,), zero_point=(200,)))
    (project / "wild.tflite").write_bytes(graph.bytes(["x"], ["c"]))
    off = [*ALIGN, "wild.tflite", "out.tflite", "--no-verify"]
    assert "zero-point-range" in run(off, project, status=1).stdout
    said = run([*off, "--fix", "zero-point-range", "--io", "free"], project).stdout
    assert "the nearest zero point that the type can hold" in said
    run([*ALIGN, "check", "out.tflite"], project)


def test_other_operators_are_aligned_as_before(project: Path) -> None:
    (project / "concat.tflite").write_bytes(concat_example())
    run([*ALIGN, "concat.tflite", "out.tflite", "--no-verify"], project)
