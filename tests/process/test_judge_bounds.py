"""Limits of a judge's process: memory, time and files that it may use, and its environment.

Processes, limits and command line are real. A package `tflite_micro` that stands first on the path
plays a misbehaving judge.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import concat_example
from tflite_align.cli import main as cli
from tflite_align.verify.process import run_tool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits, descriptors, /proc")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux: address space, death signal")

CHECKOUT = Path(__file__).resolve().parents[2]
LIMITS = """
import json, os, resource
names = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_FSIZE")
limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in names}
print(json.dumps({"limits": limits, "environment": dict(os.environ)}))
"""


def ask(script: str, folder: Path, seconds: float = 60) -> Any:
    """The JSON that `script` prints when run as a judge's process, for at most `seconds`."""
    ended = run_tool([sys.executable, "-P", "-c", script], folder, seconds=seconds)
    assert ended.code == 0, ended.errors
    return json.loads(ended.errors)


@pytest.mark.promise(
    "address space: 8 GiB and eight times the file (Linux; macOS where it allows it)"
)
@pytest.mark.promise("one written file: 1 GiB and eight times the file")
@pytest.mark.promise("core files: none")
@pytest.mark.promise(
    "processor time: the same, times the number of cores: it ends a judge whose caller no longer waits"
)
def test_limits_grow_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(bytes(1 << 20))
    seen = ask(LIMITS, tmp_path)["limits"]
    assert seen["RLIMIT_CORE"] == 0
    assert seen["RLIMIT_CPU"] == 60 * (os.cpu_count() or 1)
    assert seen["RLIMIT_FSIZE"] == (1 << 30) + (8 << 20)
    if sys.platform == "linux":
        assert seen["RLIMIT_AS"] == (8 << 30) + (8 << 20)


@pytest.mark.promise("A limit that the caller has set tighter (`ulimit`) stays.")
def test_a_lower_limit_of_the_caller_is_kept(tmp_path: Path) -> None:
    script = f"""
import resource, sys
from pathlib import Path
from tflite_align.verify.process import run_tool
resource.setrlimit(resource.RLIMIT_CPU, (17, 17))
ended = run_tool([sys.executable, "-c", {LIMITS!r}], Path({str(tmp_path)!r}), seconds=60)
print(ended.errors)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    assert json.loads(run.stdout)["limits"]["RLIMIT_CPU"] == 17


@pytest.mark.promise("descriptors: none but the judge's log; standard input is empty")
@pytest.mark.promise(
    "environment: search paths, home folder and language; no tokens, no preloaded libraries"
)
@pytest.mark.promise("temporary files: in a folder for this judge alone, which is removed")
def test_a_judge_inherits_no_environment_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "not for judges")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    opened, other = os.pipe()
    os.set_inheritable(opened, True)
    os.set_inheritable(other, True)
    try:
        seen = ask(LIMITS, tmp_path)["environment"]
        listing = "import json, os; print(json.dumps(sorted(os.listdir('/dev/fd'), key=int)))"
        descriptors = ask(listing, tmp_path)
    finally:
        os.close(opened)
        os.close(other)
    assert {"SECRET_TOKEN", "LD_PRELOAD"} & set(seen) == set()
    assert (seen["LC_ALL"], seen["PATH"]) == ("C.UTF-8", os.environ["PATH"])
    assert seen["TMPDIR"] == str(tmp_path)
    # stdin, stdout, stderr, and the descriptor with which they are listed.
    assert len(descriptors) == 4
    assert descriptors[:3] == ["0", "1", "2"]


def test_endless_output_is_truncated_to_its_end(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('x' * (9 << 20)); print(); print('the end')"
    ended = run_tool([sys.executable, "-c", script], tmp_path, seconds=60)
    assert len(ended.errors) == 4 << 20
    assert ended.errors.endswith("x\nthe end\n")


ORPHAN = """
import sys
from pathlib import Path
from tflite_align.verify.process import run_tool
child = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"
run_tool([sys.executable, "-c", child], Path(sys.argv[1]), seconds=600)
"""


@pytest.mark.promise("end: on Linux the judge is killed when tflite_align is killed")
@LINUX
def test_a_judge_does_not_outlive_a_caller_that_is_killed(tmp_path: Path) -> None:
    caller = subprocess.Popen([sys.executable, "-c", ORPHAN, str(tmp_path)], cwd=CHECKOUT)
    pid_file = tmp_path / "pid"
    for _ in range(600):
        if pid_file.is_file() and pid_file.read_text():
            break
        time.sleep(0.05)
    judge = Path("/proc", pid_file.read_text())
    assert judge.is_dir()
    caller.kill()
    caller.wait()
    for _ in range(200):
        if not judge.is_dir() or judge.joinpath("stat").read_text().split(") ")[1][0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the judge is still there")


GREEDY = "held = bytearray(64 << 30)"  # only allocated, if the limit fails
NATIVE = "raise MemoryError('std::bad_alloc')"
KILLED = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
CRASHED = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"


@pytest.mark.promise(
    "A judge that crashes, is killed, hangs or runs out of memory is an answer in the report (*crashed*, *timeout*, *skipped: out of memory*), and never counts as verification."
)
@pytest.mark.parametrize(
    ("judge", "message"),
    [
        pytest.param(GREEDY, "skipped: out of memory:", marks=LINUX, id="out of memory"),
        pytest.param(NATIVE, "skipped: out of memory: std::bad_alloc", id="bad_alloc"),
        pytest.param(KILLED, "crashed: SIGKILL", id="killed"),
        pytest.param(CRASHED, "crashed: SIGSEGV", id="crashed"),
    ],
)
def test_a_crashing_judge_is_reported(
    judge: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in = tmp_path / "path" / "tflite_micro" / "python" / "tflite_micro"
    stand_in.mkdir(parents=True)
    (tmp_path / "path" / "tflite_micro" / "__init__.py").write_text(judge)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.syspath_prepend(tmp_path / "path")
    model = tmp_path / "model.tflite"
    model.write_bytes(concat_example())
    arguments = ["check", str(model), "--judge", "tflm", "--report", "-"]
    assert cli.main(arguments) == 1
    report = json.loads(capsys.readouterr().out)
    (verdict,) = report["verification"]["judges"]
    after = verdict["after"]
    assert f"{after['status']}: {after['reason']}".startswith(message)


WATCHED = """
import sys
STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn",
          "os.system", "os.startfile", "pty.spawn")
NATIVE = ("ai_edge_litert", "tensorflow", "tflite_micro", "ethosu", "tosa_converter_for_tflite")
seen = []
def watch(event, arguments):
    if event in STARTS:
        seen.append(event)
    if event == "import" and arguments[0].partition(".")[0] in NATIVE:
        seen.append("import " + arguments[0])
sys.addaudithook(watch)
from tflite_align.cli.main import main
status = main(sys.argv[1:])
print(status, *sorted(set(seen)), file=sys.stderr)
"""


def watched(folder: Path, *arguments: str) -> str:
    """The command's exit status, the processes that it started and the modules that it imported."""
    (folder / "in.tflite").write_bytes(concat_example())
    run = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    return run.stderr.splitlines()[-1]


@pytest.mark.promise(
    "`--no-verify`, `--dry-run`, and `check` without `--run`, `--judge` or `--require` start no judge and load no runtime: **with a file you do not trust, use those, or run inside a container.**"
)
@pytest.mark.parametrize(
    ("arguments", "status_and_modules"),
    [
        (("in.tflite", "out.tflite", "--no-verify"), "0"),
        (("in.tflite", "out.tflite", "--no-verify", "--target", "tflm", "--io", "free"), "0"),
        (("in.tflite", "out.tflite", "--dry-run"), "0"),
        (("check", "in.tflite", "--report", "r.json", "--report", "r.sarif"), "1"),
        (("explain", "in.tflite"), "0"),
    ],
)
def test_no_process_is_started_without_judges(
    arguments: tuple[str, ...], status_and_modules: str, tmp_path: Path
) -> None:
    assert watched(tmp_path, *arguments) == status_and_modules


def test_the_process_monitor_detects_a_judge(tmp_path: Path) -> None:
    assert "subprocess.Popen" in watched(tmp_path, "in.tflite", "out.tflite")
