"""Promises of docs/security.md on reading, checking and aligning untrusted files; each test runs
the command in a process.
"""

from __future__ import annotations

import ast
import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.damage import damaged
from tests.support.model_rings import ring
from tests.support.models import concat_example
from tests.support.object_api import load, pack
from tflite_align.cli import main as cli

CHECKOUT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def run(code: str, folder: Path, *arguments: str) -> Any:
    """The last line that the script prints, parsed as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    return json.loads(done.stdout.splitlines()[-1])


# --- offsets ------------------------------------------------------------------------------------


@pytest.mark.promise(
    "Pure Python over the bytes: every offset is checked before it is used, and a bad file is"
    " refused in one line with the byte offset, exit status 2."
)
def test_a_bad_file_is_one_line_with_its_byte(
    sample: bytes, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refused = 0
    for seed in range(120):
        Path("bad.tflite").write_bytes(damaged(sample, seed))
        for command in (["check", "bad.tflite", "-q"], ["bad.tflite", "o", "--no-verify", "-q"]):
            status = cli.main(command)
            errors = capfd.readouterr().err
            assert status in (0, 1, 2)
            if status == 2:
                assert errors.startswith("tflite_align: bad.tflite: byte ")
                assert errors.count("\n") == 1
                refused += 1
    assert refused > 50


# --- nothing in a file is executed --------------------------------------------------------------

LOADED = """
import json, sys
from tflite_align import AlignOptions, align, check
data = [open(name, "rb").read() for name in sys.argv[1:]]
plain = AlignOptions(verify=False)

def both(one):
    check(one)
    return align(one, plain).report.outcome

seen = []
both(data[0])  # whatever it needs is imported by now
sys.addaudithook(lambda event, arguments: seen.append([event, repr(arguments)[:80]]))
outcome = both(data[1])
kinds = ("compile", "exec", "import", "open", "os.", "socket.", "subprocess.", "ctypes.", "shutil.")
print(json.dumps([outcome, [one for one in seen if one[0].startswith(kinds)]]))
"""


def loaded_with_everything() -> bytes:
    """A model with a finding, a custom operator, an external buffer and an appended zip."""
    made = load(concat_example())
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
    code.version, code.customCode = 1, "os.system"
    made.operatorCodes.append(code)
    graph = made.subgraphs[0]
    custom = schema.OperatorT()
    custom.opcodeIndex = len(made.operatorCodes) - 1
    custom.inputs, custom.outputs = [graph.outputs[0]], [len(graph.tensors)]
    custom.customOptions = list(b"import os")
    last = schema.TensorT()
    last.name, last.shape, last.type = "own", [1], schema.TensorType.FLOAT32
    outside = schema.TensorT()
    outside.name, outside.shape, outside.type = "weights", [1], schema.TensorType.FLOAT32
    outside.externalBuffer = 1
    graph.tensors += [last, outside]
    graph.operators.append(custom)
    group, external = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
    group.name = "file:///etc/passwd"
    external.id, external.group, external.offset, external.length = 1, 0, 0, 4
    made.externalBufferGroups, made.externalBuffers = [group], [external]
    stream = io.BytesIO(pack(made))
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("../../outside.py", "raise SystemExit")
    return stream.getvalue()


@pytest.mark.promise(
    "Nothing in a file is executed or imported; a zip of associated files behind a model"
    " (TFLITE_METADATA) is moved with the model and never unpacked; external data is never fetched"
    " or opened."
)
def test_nothing_of_a_file_is_run_opened_or_fetched(folder: Path) -> None:
    """Python's audit hooks see no execution, no further file, no process and no network during a
    check and an alignment.
    """
    (folder / "strange.tflite").write_bytes(loaded_with_everything())
    (folder / "first.tflite").write_bytes(loaded_with_everything())
    outcome, seen = run(LOADED, folder, "first.tflite", "strange.tflite")
    assert outcome == "aligned"
    assert seen == []


# --- work and memory ----------------------------------------------------------------------------

MEASURED = """
import json, resource, sys
from tflite_align import AlignError, AlignOptions, align, check
align(open(sys.argv[1], "rb").read(), AlignOptions(verify=False))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[2:]:
    data = open(name, "rb").read()
    for job in (lambda: check(data), lambda: align(data, AlignOptions(verify=False))):
        try:
            job()
        except AlignError:
            pass
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


def claims() -> list[bytes]:
    """Small files that state large shapes or long vectors."""
    made = load(concat_example())
    for tensor in made.subgraphs[0].tensors:
        tensor.shape = [1, 40_000, 40_000, *tensor.shape[3:]]
    data = concat_example()
    found = [pack(made)]
    for at in range(8, len(data) - 4, 4):
        (number,) = struct.unpack_from("<I", data, at)
        if 0 < number < 64:  # most probably a length
            large = (0x0FFFFFFF, 0x7FFFFFFF)[at // 4 % 2]
            found.append(data[:at] + struct.pack("<I", large) + data[at + 4 :])
    return found


@pytest.mark.promise(
    "Work and memory depend on the size of the file, not on numbers in it: element "
    "counts of shapes and lengths of vectors are compared with the bytes that are "
    "there."
)
def test_memory_follows_the_size_of_the_file(folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("ru_maxrss is in other units elsewhere")
    made = claims()
    assert len(made) > 50
    for number, data in enumerate(made):
        (folder / f"{number}.tflite").write_bytes(data)
    names = [f"{number}.tflite" for number in range(len(made))]
    assert run(MEASURED, folder, "in.tflite", *names) * 1024 < 100 * MIB


@pytest.mark.promise(
    "Choosing parameters takes at most 600 MB of memory on top of what reading the file takes,"
    " however its tensors depend on each other: beyond that the parameters are valid, but not"
    " proven to be the best."
)
def test_memory_of_the_solver_is_limited(folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("ru_maxrss is in other units elsewhere")
    for count in (70, 100):  # solved by the integer program, and by descent
        (folder / f"{count}.tflite").write_bytes(ring(count, 8))
    assert run(MEASURED, folder, "in.tflite", "70.tflite", "100.tflite") * 1024 < 600 * MIB


# --- answers of judges --------------------------------------------------------------------------


@pytest.mark.promise("The answer of a judge's process is read as JSON and arrays without pickle.")
def test_no_module_can_read_a_pickle() -> None:
    """No module imports pickle or a similar library, turns allow_pickle on, or calls eval or exec.

    Two modules read pickles, but only those that the tool itself made: tasks and results that a run
    exchanges with its workers, and a copy of an unpacked file within one process.
    """
    banned = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    for path in (CHECKOUT / "tflite_align").rglob("*.py"):
        own = path.match("store/worker_call.py") or path.match("verify/object_api.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert own or banned.isdisjoint(name.split(".")[0] for name in names), path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path


# --- files beside the model ---------------------------------------------------------------------

DEEP, LONG = (
    "[" * 100_000,
    "9" * 5000,
)  # nested deeper than Python's limit; more digits than Python converts
BESIDE = {
    "configuration": (("check", "in.tflite"), "tflite-align.toml", "jobs = {}\n"),
    "pyproject.toml": (
        ("check", "in.tflite"),
        "pyproject.toml",
        "[tool.tflite-align]\njobs = {}\n",
    ),
    "baseline": (("check", "in.tflite", "--baseline", "b.json"), "b.json", '{{"format": {}'),
    "lock": (("check", "in.tflite", "--lock", "l.json"), "l.json", '{{"format": {}'),
    "certificate": (("verify", "in.tflite", "in.tflite", "c.json"), "c.json", '{{"format": {}'),
    "report to merge": (("report", "merge", "r.jsonl"), "r.jsonl", '{{"format": {}\n'),
    "report to compare": (("report", "diff", "r.jsonl", "r.jsonl"), "r.jsonl", '{{"format": {}\n'),
}


@pytest.mark.parametrize("value", [DEEP, LONG], ids=["nested", "long integer"])
@pytest.mark.parametrize("kind", BESIDE)
def test_files_beside_the_model_are_refused_in_one_line(
    kind: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, name, form = BESIDE[kind]
    (folder / name).write_text(form.format(value))
    assert cli.main([*command, "-q"] if command[0] == "check" else [*command]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"tflite_align: {name}: ")
    assert errors.count("\n") == 1
    assert "internal error" not in errors


@pytest.mark.parametrize(
    "line", [DEEP, f'{{"path": {LONG}}}', '{"path": "in.tflite", "exit_status": 0}']
)
def test_an_unreadable_record_is_ignored(line: str, folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "in.tflite").rename(folder / "models" / "in.tflite")
    (folder / "out" / ".tflite_align").mkdir(parents=True)
    (folder / "out" / ".tflite_align" / "0-all-0000001.jsonl").write_text(f"{line}\n")
    assert cli.main(["models", "out", "--no-verify", "-q"]) == 0
    assert (folder / "out" / "in.tflite").exists()


WITHOUT_END = (8000 * "[", 4097 * "*", "**/" * 5 + "a", 65 * "?")
SETTINGS = {
    "list": (("check", "--files-from", "list"), "list", "{}\n"),
    "select": (("check", "in.tflite"), "tflite-align.toml", "select = ['{}']\n"),
    "fix": (("in.tflite", "o", "--no-verify"), "tflite-align.toml", "fix = ['{}']\n"),
    "severity": (("check", "in.tflite"), "tflite-align.toml", "[severity]\n'{}' = 'off'\n"),
    "override": (
        ("check", "in.tflite"),
        "tflite-align.toml",
        "[[override]]\ntensor = '{}'\nkeep = true\n",
    ),
    "URL": (("check", "--files-from", "list"), "list", "memory://zoo/{}\n"),
}


@pytest.mark.promise(
    "A pattern of names, from a list of models or a configuration file, has at most 4,096"
    " characters, 64 wildcards and four `**`; another one is refused."
)
@pytest.mark.parametrize("pattern", WITHOUT_END, ids=["brackets", "stars", "depths", "characters"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_patterns_beyond_the_limits_are_refused(
    kind: str, pattern: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python takes minutes to translate 8,000 brackets, and each `**` multiplies what glob visits."""
    command, name, form = SETTINGS[kind]
    (folder / name).write_text(form.format(pattern))
    assert cli.main([*command, "-q"]) == 2
    errors = capsys.readouterr().err
    assert "the pattern has" in errors
    assert len(errors) < 400
    assert not (folder / "o").exists()


def test_patterns_within_the_limits_select_models(folder: Path) -> None:
    deep = folder / "a" / "[b]" / "c"
    deep.mkdir(parents=True)
    (folder / "in.tflite").rename(deep / "in.tflite")
    (folder / "list").write_text("**/[[]b]/**/*.tflite\n")
    assert cli.main(["check", "--files-from", "list", "-q"]) == 1


@pytest.mark.parametrize("form", ["{}", "tensor[{}]", "operator[{}]/inputs[0]", "inputs[{}]"])
def test_an_index_of_5000_digits_is_unknown(
    form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = form.format(LONG)
    assert cli.main(["explain", "in.tflite", place]) == 2
    assert "internal error" not in capsys.readouterr().err
    command = ["in.tflite", "o", "--no-verify", "-q", "--keep", f"subgraph[0]/{place}"]
    assert cli.main(command) == 2
    assert "internal error" not in capsys.readouterr().err


def test_a_list_of_impossible_names_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "list").write_text("in.tflite\na\0b.tflite\n")
    assert cli.main(["check", "--files-from", "list", "-q"]) == 2
    assert "internal error" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 elsewhere")
@pytest.mark.parametrize("ending", ["sqlite", "parquet", "jsonl", "html", "sarif", "xml", "json"])
def test_a_name_that_is_no_utf8_is_reported_in_every_form(
    ending: str, sample: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path(os.fsdecode(b"models/a\n\xff.tflite")).write_bytes(sample)
    assert cli.main(["check", "models", "-q", "--report", f"r.{ending}"]) == 1
    assert Path(f"r.{ending}").stat().st_size
