"""Board settings: Vela's options, its estimates by operator, and the header of TFLM operators."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, check
from tflite_align.cli import main as cli
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.reader import read
from tflite_align.report.resolver import render_resolver
from tflite_align.rules.kernels import load_kernels
from tflite_align.verify.board import ACCELERATORS, Board
from tflite_align.verify.judges import available, judge_file

Capture = pytest.CaptureFixture[str]
STAND_IN = Path(__file__).parents[1] / "data" / "tflm_stand_in"
BOARD = ["--vela-config", "Arm/vela.ini", "--system-config", "Ethos_U55_High_End_Embedded",
         "--memory-mode", "Shared_Sram"]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_origin: bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").write_bytes(sample_origin)
    return tmp_path


def need_vela() -> None:
    missing = available("ethos-u55")
    if missing is not None:
        pytest.skip(missing)


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--target", "ethos-u65", "--accelerator-config", "ethos-u55-64"],
            "--accelerator-config ethos-u55-64 contradicts ethos-u65: name --target ethos-u55",
        ),
        (
            ["--target", "tflm", "--accelerator-config", "ethos-u55-64"],
            "options of a board need an Ethos-U target or judge: add --target ethos-u55, ethos-u65 or ethos-u85",
        ),
        (
            ["--target", "ethos-u55", "--accelerator-config", "ethos-u55-65"],
            "Vela does not know the accelerator 'ethos-u55-65'; did you mean ethos-u55-64?",
        ),
        (
            ["--target", "ethos-u55", "--memory-mode", "Shared_Sram"],
            "--memory-mode names a section of a file: give it with --vela-config",
        ),
        (
            ["--target", "ethos-u55", "--vela-config", "board.ini", "--system-config", "Bord"],
            "--vela-config has no [System_Config.Bord]; did you mean Board?",
        ),
        (
            ["--target", "ethos-u55", "--vela-config", "absent.ini"],
            "absent.ini: No such file or directory",
        ),
        (
            ["--target", "ethos-u55", "--vela-config", "net.tflite"],
            "net.tflite: not UTF-8 text",
        ),
    ],
)
def test_an_invalid_board_is_refused(
    options: list[str], message: str, folder: Path, capsys: Capture
) -> None:
    (folder / "board.ini").write_text("[System_Config.Board]\ncore_clock = 5e8\n")
    for arguments in (["check", "net.tflite"], ["net.tflite", "out.tflite"]):
        assert cli.main([*arguments, *options]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", f"tflite_align: {message}\n")


def test_a_board_is_a_setting(folder: Path, capsys: Capture) -> None:
    (folder / "tflite-align.toml").write_text(
        "target = ['ethos-u65']\naccelerator-config = 'ethos-u55-64'\n"
    )
    assert cli.main(["check", "net.tflite"]) == 2
    assert "ethos-u55-64 contradicts ethos-u65" in capsys.readouterr().err
    with pytest.raises(UsageError, match="contradicts"):
        AlignOptions(targets=("ethos-u85",), board=Board(accelerator="ethos-u65-256"))


# --- Vela ----------------------------------------------------------------------------------------


@pytest.mark.backends
def test_the_compiler_gets_the_board(folder: Path, sample_origin: bytes, capsys: Capture) -> None:
    need_vela()
    plain = check(sample_origin, AlignOptions(targets=("ethos-u55",), judges=("ethos-u55",)))
    arguments = ["check", "net.tflite", "--target", "ethos-u55", "--judge", "ethos-u55"]
    small = ["--accelerator-config", "ethos-u55-32", "--report", "r.json"]
    assert cli.main([*arguments, *BOARD, *small]) == 0
    output = capsys.readouterr().out
    (judge,) = json.loads((folder / "r.json").read_text())["verification"]["judges"]
    facts = dict(judge["after"]["facts"])
    assert plain.verification is not None
    usual = dict(plain.verification.judges[0].after.facts)
    assert int(facts["cycles"]) > int(usual["cycles"]), "fewer MACs and a real board's memories"
    operators = judge["after"]["operators"]
    assert {one["unit"] for one in operators} == {"NPU"}
    assert all(isinstance(one["cycles"], int) for one in operators)
    assert "Conv2D" in {one["operator"] for one in operators}
    assert "ethos-u55: estimated cycles of each operator\n  operator " in output
    assert facts["SRAM"].endswith(" KiB")


@pytest.mark.backends
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_every_accelerator_is_known_to_vela(accelerator: str, sample_origin: bytes) -> None:
    need_vela()
    judge = accelerator.rpartition("-")[0]
    assert (
        judge_file(sample_origin, judge, board=Board(accelerator=accelerator)).status == "accepted"
    )


# --- the header of operators ---------------------------------------------------------------------


def compiled(folder: Path, header: str, name: str, count: int) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    (folder / "ops.h").write_text(header)
    (folder / "main.cc").write_text(
        f'#include "ops.h"\n#include "ops.h"\n'
        f"int main() {{\n  tflite::MicroMutableOpResolver<k{name}Operators> resolver;\n"
        f"  if (Register{name}Operators(resolver) != kTfLiteOk) return 1;\n"
        f"  return resolver.GetRegistrationLength() == {count} ? 0 : 2;\n}}\n"
    )
    strict = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", str(STAND_IN)]
    subprocess.run([compiler, *strict, "main.cc", "-o", "ops"], cwd=folder, check=True)
    subprocess.run([str(folder / "ops")], check=True)


def test_the_header_compiles_and_registers_each_operator_once(
    folder: Path, capsys: Capture
) -> None:
    """The header is compiled with a replacement of TFLM's op resolver that has its methods and
    counts, without kernels.
    """
    assert cli.main(["check", "net.tflite", "--emit-resolver", "ops.h", "-q"]) == 0
    assert capsys.readouterr().err == "tflite_align: ops.h: resolver written\n"
    model = read((folder / "net.tflite").read_bytes())
    names = {operator.name for operator in model.subgraphs[0].operators}
    compiled(folder, (folder / "ops.h").read_text(), "Net", len(names))


def test_every_kernel_of_tflm_has_a_method(folder: Path) -> None:
    names = [name for name, row in load_kernels("tflm").items() if row.takes]
    graph = Graph()
    graph.activation("x", 0.05)
    for number, name in enumerate(names):
        graph.activation(f"y{number}", 0.05)
        graph.add(name, ["x"], [f"y{number}"])
    data = graph.bytes(["x"], [f"y{len(names) - 1}"])
    compiled(folder, render_resolver(read(data), "all of them"), "AllOfThem", len(names))


def test_operators_without_a_kernel_are_listed(folder: Path, capsys: Capture) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("GELU", ["x"], ["y"], ("GeluOptions", {}))
    data = graph.bytes(["x"], ["y"])
    with pytest.raises(UnsupportedError, match="TFLM has no kernel for GELU"):
        render_resolver(read(data), "x")
    (folder / "odd.tflite").write_bytes(data)
    assert cli.main(["check", "odd.tflite", "--emit-resolver", "ops.h", "-q"]) == 2
    assert "ops.h: TFLM has no kernel for GELU" in capsys.readouterr().err
    assert not (folder / "ops.h").exists()


def test_no_header_is_written_of_a_file_with_findings(
    folder: Path, sample: bytes, capsys: Capture
) -> None:
    """A failed check writes no header that a build could use by mistake. Findings accepted by a
    baseline do not count.
    """
    (folder / "bad.tflite").write_bytes(sample)
    arguments = ["check", "bad.tflite", "--emit-resolver", "ops.h", "-q"]
    assert cli.main(arguments) == 1
    assert "ops.h: resolver not written: 4 error findings\n" in capsys.readouterr().err
    assert not (folder / "ops.h").exists()
    assert cli.main([*arguments, "--write-baseline", "known.json"]) == 0
    assert cli.main([*arguments, "--baseline", "known.json"]) == 0
    assert "AddConcatenation()" in (folder / "ops.h").read_text()


def test_the_header_is_of_the_file_that_is_written(folder: Path, capsys: Capture) -> None:
    arguments = ["net.tflite", "out.tflite", "--no-verify", "--emit-resolver", "ops.h", "-q"]
    assert cli.main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().err == (
        "tflite_align: ops.h: resolver not written: a dry run writes nothing\n"
    )
    assert cli.main(arguments) == 0
    assert "AddConv2D()" in (folder / "ops.h").read_text()
    shutil.copy("net.tflite", "more.tflite")
    assert cli.main(["check", ".", "--emit-resolver", "x.h"]) == 2
    assert (
        "--emit-resolver is for a single model, and 3 files are named: name one"
        in capsys.readouterr().err
    )


def test_the_report_lists_the_operators(folder: Path, capsys: Capture) -> None:
    assert cli.main(["check", "net.tflite", "-v", "--report", "r.json"]) == 0
    operators = json.loads((folder / "r.json").read_text())["operators"]
    model = read((folder / "net.tflite").read_bytes())
    names = [operator.name for operator in model.subgraphs[0].operators]
    assert operators == [
        {"name": name, "count": names.count(name), "custom": False} for name in sorted(set(names))
    ]
    assert (
        "\nOperators\n  operator         count\n  CONCATENATION    1\n" in capsys.readouterr().out
    )
