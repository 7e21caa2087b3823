"""`align IN_DIR OUT_DIR`: a folder of models."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import tflite_align
from tests.support.model_folder import MODELS, lines, put, recorded, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli
from tflite_align.report.json_schema import report_schema
from tflite_align.store.model_listing import RECORD

CHECKOUT = Path(__file__).resolve().parents[2]
FAST = "--no-verify"


def run(*arguments: str) -> int:
    return cli.main(["zoo", "out", FAST, *arguments])


def test_every_model_is_written_to_its_place(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["align", "zoo", "out", FAST]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == (
        "3 models: 2 aligned, 1 nothing to align; 5 findings before, 0 left -> out"
    )
    assert sorted(tree("out")) == MODELS
    for path, data in tree("out").items():
        single = tflite_align.align(
            Path("zoo", path).read_bytes(), tflite_align.AlignOptions(verify=False)
        )
        assert data == single.data
    assert recorded("out") != []


def test_results_do_not_depend_on_the_number_of_processes(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--report", "one.jsonl", "--report", "one.sarif") == 0
    captured = capsys.readouterr()
    alone = tree("out")
    assert (
        cli.main(["zoo", "two", FAST, "-j2", "--report", "two.jsonl", "--report", "two.sarif"]) == 0
    )
    again = capsys.readouterr()
    assert (again.out, again.err) == (captured.out.replace("-> out", "-> two"), captured.err)
    assert tree("two") == alone
    assert Path("one.sarif").read_bytes() == Path("two.sarif").read_bytes()
    for one, two in zip(lines("one.jsonl"), lines("two.jsonl"), strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_each_line_holds_a_models_result(zoo_folder: Path, sample: bytes) -> None:
    from hashlib import sha256

    put("zoo/bad.tflite", sample[:200])
    assert run("--report", "r.jsonl") == 2
    found = {line["path"]: line for line in lines("r.jsonl")}
    assert list(found) == ["a.tflite", "bad.tflite", "deep/er/c.tflite", "good.tflite"]
    one = found["a.tflite"]
    assert (one["outcome"], one["exit_status"], one["resumed"]) == ("aligned", 0, False)
    assert (one["findings_before"], one["findings_after"], one["quantize"]) == (4, 0, 0)
    assert one["input_sha256"] == sha256(sample).hexdigest()
    assert one["output_sha256"] == sha256(Path("out/a.tflite").read_bytes()).hexdigest()
    assert one["input_bytes"] == len(sample)
    jsonschema.validate(one["report"], report_schema())
    assert one["report"]["name"] == str(Path("zoo", "a.tflite"))
    assert found["good.tflite"]["outcome"] == "nothing to align"
    bad = found["bad.tflite"]
    assert (bad["outcome"], bad["exit_status"], bad["report"]) == ("could not be done", 2, None)
    assert bad["message"].startswith("byte ")


def test_one_bad_file_does_not_stop_the_others(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str], sample: bytes
) -> None:
    put("zoo/bad.tflite", b"no model")
    put("zoo/empty.tflite", b"")
    Path("zoo/gone.tflite").symlink_to("nowhere")
    assert run() == 2
    said = capsys.readouterr()
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [
        "zoo/bad.tflite",
        "zoo/empty.tflite",
        "zoo/gone.tflite",
    ]
    assert said.out.splitlines()[-1].startswith(
        "6 models: 2 aligned, 1 nothing to align, 3 could not be done; "
    )
    assert sorted(tree("out")) == MODELS
    assert said.out.splitlines()[1].split()[:1] == ["bad.tflite"], "models that failed come first"


def test_an_unmet_requirement_gives_exit_status_1(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The requirement `litert` cannot be met, since --no-verify runs no judge."""
    assert run("--require", "litert") == 1
    assert "3 not aligned" in capsys.readouterr().out
    assert not Path("out").exists(), "nothing is written, and no folder for it"
    assert run("--require", "litert", "--keep-going") == 1
    assert sorted(tree("out")) == MODELS
    put("zoo/bad.tflite", b"")
    assert run("--require", "litert", "-q") == 2


# --- folders -----------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = tree(".")
    assert cli.main([*arguments, FAST]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert tree(".") == before
    return said.err.removeprefix("tflite_align: ").rstrip("\n")


def test_contradictory_arguments_are_refused(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    put("file", b"")
    Path("loop").symlink_to("loop")
    messages = {
        (
            "zoo",
            "zoo",
        ): "zoo: IN and OUT are the same folder; choose another OUT, so that the originals stay",
        ("zoo", "-"): "zoo is a folder: its models go to a folder, not to standard output",
        ("zoo", "file"): "file: is a file, not a folder to write models in",
        ("zoo", "file/out"): "file/out: file is a file: no folder can be made below it",
        ("zoo", "loop"): "loop: is part of a loop of symbolic links",
        ("empty", "out"): "empty: no .tflite file in the folder",
        ("-", "empty"): "empty: is a directory, not a file to write",
        ("zoo/a.tflite", "empty"): "empty: is a directory, not a file to write",
        ("missing", "out"): "missing: No such file or directory",
        (
            "zoo",
            "out",
            "--lock",
            "l.json",
        ): "--lock is for a single model, and zoo is a folder: name a file",
        (
            "zoo",
            "out",
            "--update-lock",
        ): "--lock is for a single model, and zoo is a folder: name a file",
        ("zoo", "out", "--calibration", "c.npz"): (
            "--calibration is for a single model, and zoo is a folder: name a file"
        ),
        ("zoo", "out", "--report", "zoo/a.tflite"): None,
        ("zoo", "out", "--report", f"out/{RECORD}/r.jsonl"): (
            f"out/{RECORD}/r.jsonl: this folder records finished models; choose a path outside of it"
        ),
        ("zoo", "out", "--report", "no/r.jsonl"): (
            "no/r.jsonl: its folder does not exist; create it first"
        ),
        ("zoo/a.tflite", "o.tflite", "--report", "r.jsonl"): (
            "unknown report format '.jsonl': expected one of .html, .json, .me.json, .sarif, .txt, .xml;"
            " .jsonl, .parquet, .sqlite are for many models"
        ),
    }
    for arguments, sentence in messages.items():
        said = refused(capsys, *arguments)
        assert sentence is None or said == sentence


def test_an_output_folder_inside_the_input_is_not_read(zoo_folder: Path) -> None:
    """After `align . aligned`, a second run does not take the files in `aligned` as inputs."""
    assert cli.main(["zoo", "zoo/aligned", FAST, "-q"]) == 0
    assert sorted(tree("zoo/aligned")) == MODELS
    assert cli.main(["zoo", "zoo/aligned", FAST, "-q"]) == 0
    assert sorted(tree("zoo/aligned")) == MODELS


def test_an_input_folder_inside_the_output_is_not_overwritten(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo/deep", ".", FAST, "-q"]) == 0
    assert Path("er/c.tflite").exists()
    put("zoo/deep/zoo/deep/er/c.tflite", concat_example())
    message = refused(capsys, "zoo/deep", ".")
    assert message == "zoo/deep/er/c.tflite: would overwrite zoo/deep/er/c.tflite, which is read"


def test_links_to_files_are_followed_and_links_to_folders_are_not(
    zoo_folder: Path, sample: bytes
) -> None:
    """A link to a file is a model of its own. Links to folders are skipped, since they can form a
    circle.
    """
    Path("zoo/circle").symlink_to(Path("zoo").resolve(), target_is_directory=True)
    Path("zoo/self.tflite").symlink_to("self.tflite")
    put("elsewhere/x.tflite", sample)
    Path("zoo/link.tflite").symlink_to(Path("elsewhere/x.tflite").resolve())
    assert run("-q") == 2
    assert sorted(tree("out")) == [*MODELS, "link.tflite"]
    assert not Path("out/link.tflite").is_symlink()
    assert Path("elsewhere/x.tflite").read_bytes() == sample
    Path("there").mkdir()
    Path("to").symlink_to("there", target_is_directory=True)
    assert cli.main(["zoo", "to", FAST, "-q"]) == 2
    assert sorted(tree("there")) == sorted(tree("out"))


def test_two_models_with_one_destination_are_refused(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    Path("out/a.tflite").symlink_to(Path("out/good.tflite").absolute())
    message = refused(capsys, "zoo", "out")
    first, second = Path("out", "a.tflite"), Path("out", "good.tflite")
    assert message == f"{second}: two models would be written to one path: {first} too"


@pytest.mark.promise("No model of a folder is written through a link that leads out of OUT.")
@pytest.mark.parametrize("link", ["a.tflite", ".tflite_align", "below"])
def test_a_link_out_of_the_folder_is_refused(
    link: str, zoo_folder: Path, sample: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    put("zoo/below/b.tflite", sample)
    put("elsewhere/victim", b"precious")
    put("elsewhere/folder/b.tflite", b"precious")
    Path("out").mkdir()
    end = Path("elsewhere/folder" if link == "below" else "elsewhere/victim").resolve()
    Path("out", link).symlink_to(end)
    message = refused(capsys, "zoo", "out")
    assert message.endswith(": a symbolic link leads outside out; remove the link")
    assert {name: data for name, data in tree("elsewhere").items() if data != b"precious"} == {}
    assert [path.name for path in Path("out").iterdir()] == [link]


def test_dry_run_writes_nothing(zoo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["zoo", "out", "--dry-run", "--report", "r.jsonl"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" (dry run: nothing written)")
    assert not Path("out").exists()
    assert [line["output_sha256"] for line in lines("r.jsonl")] == ["", "", ""]


def test_json_on_stdout_stands_alone(zoo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--report", "-") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    jsonschema.validate(document, report_schema())
    assert len(document["reports"]) == 3
    assert said.err.splitlines()[-1].endswith(" -> out")


def test_an_output_that_cannot_be_written_is_that_models_error(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out/a.tflite").mkdir(parents=True)
    assert run() == 2
    said = capsys.readouterr()
    assert said.err.endswith("out/a.tflite: is a directory, not a file to write\n")
    assert sorted(tree("out")) == MODELS[1:]


def test_the_report_may_be_in_the_output_folder(zoo_folder: Path) -> None:
    assert run("-q", "--report", "out/report.jsonl") == 0
    assert len(lines("out/report.jsonl")) == 3
    assert run("-q", "--report", "out/report.jsonl") == 0
    assert sorted(tree("out")) == sorted([*MODELS, "report.jsonl"])


def test_quiet_batches_print_nothing(zoo_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("--quiet") == 0
    assert capfd.readouterr() == ("", "")


def test_the_table_of_many_models_is_shortened(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count in range(30):
        put(f"zoo/{count:03}.tflite", concat_example())
    put("zoo/z.tflite", b"")
    assert run() == 2
    printed_lines = capsys.readouterr().out.splitlines()
    assert printed_lines[1].split()[0] == "z.tflite"
    assert printed_lines[-3] == "  ... and 14 more (-v shows them)"
    assert run("-v") == 2
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-2]]
    assert shown == sorted(shown)
    assert len(shown) == 34
