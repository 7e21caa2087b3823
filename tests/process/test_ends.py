"""SIGINT and SIGTERM at any moment: no traceback, no exit status 1, no temporary files left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals"),
    pytest.mark.usefixtures("interruptible"),
]

CHECKOUT = Path(__file__).resolve().parents[2]
TAKES_AT_MOST = 120  # seconds
# Exit status: 128 + signal where the run chose it, -signal where the system ended the process.
ENDS = {signal.SIGINT: (130, -signal.SIGINT), signal.SIGTERM: (143, -signal.SIGTERM)}

# --- while modules are imported -----------------------------------------------------------------

# Python imports sitecustomize first. It records the name of every module that is imported and,
# at a chosen one, sends the signal.
AT = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        with open(os.environ["NAMES"], "a") as file:
            print(name, file=file)
        if name == os.environ.get("AT"):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

sys.meta_path.insert(0, Watch())
"""
FAMILIES = ("tflite_align.cli.main", "click", "numpy", "msgspec", "tflite_align.pipeline")


def watched(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(AT)
    path = os.pathsep.join([str(folder / "site"), str(CHECKOUT)])
    return subprocess.run(
        [sys.executable, "-m", "tflite_align", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TAKES_AT_MOST,
        env={**os.environ, "PYTHONPATH": path, "NAMES": str(folder / "names"), **more},
    )


def imported(folder: Path, *arguments: str) -> list[str]:
    """The modules that a command imports, in order, after cli/entry.py."""
    assert watched(folder, *arguments).returncode == 0
    names = (folder / "names").read_text().split()
    return names[names.index("tflite_align.cli.hook") :]


@pytest.mark.promise(
    "The first SIGINT or SIGTERM ends the run with exit status 130 or 143; no signal "
    "makes the exit status 1, also not during imports."
)
@pytest.mark.parametrize("number", list(ENDS))
def test_a_signal_during_imports_ends_the_run_without_a_traceback(
    number: signal.Signals, folder: Path
) -> None:
    command = ("in.tflite", "out.tflite", "--no-verify", "-q", "--report", "r.html")
    names = imported(folder, *command)
    (folder / "out.tflite").unlink()
    first = [next(name for name in names if name.startswith(family)) for family in FAMILIES]
    for name in dict.fromkeys([*first, *names[:: len(names) // 8]]):
        done = watched(folder, *command, AT=name, SIGNAL=str(int(number)))
        assert done.returncode in ENDS[number], (name, done.stderr)
        assert "Traceback" not in done.stderr, name
        assert done.stderr.count("\n") <= 1, (name, done.stderr)
        assert not (folder / "out.tflite").exists(), name


# --- in batches ---------------------------------------------------------------------------------


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes whose temporary folder is `folder` or below it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes()
            command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if b"TMPDIR=" + os.fsencode(folder) in environment and command:
            found.append(command)
    return found


BATCH = ("models", "out", "-q")
CHECK = ("check", "models", "--judge", "litert", "-q")


def stopped(
    folder: Path, command: tuple[str, ...], after: float, number: signal.Signals, *, group: bool
) -> int:
    """The exit status of a run over many files that gets signal `number` after `after` seconds;
    `group`: the whole process group gets it. Fails if temporary files remain.
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "tflite_align", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(temporary)},
    ) as run:
        time.sleep(after)
        if group:
            os.killpg(run.pid, number)
        else:
            run.send_signal(number)
        said = run.communicate(timeout=TAKES_AT_MOST)[1]
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    end = time.monotonic() + TAKES_AT_MOST
    while left := processes_of(temporary):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert list(temporary.iterdir()) == []
    assert list((folder / "out").rglob("*.tmp")) == []
    return run.returncode


def many(folder: Path, times: int, begin: float) -> None:
    (folder / "models").mkdir()
    for number in range(8):
        model = (folder / "in.tflite").read_bytes()
        (folder / "models" / f"{number}.tflite").write_bytes(model)
    ends = list(ENDS)
    for turn in range(times):
        number = ends[turn % 2]
        after = begin + 4 * turn / times
        command = (*(BATCH, CHECK)[turn // 4 % 2], "--jobs", str(1 + turn % 3 % 2))
        status = stopped(folder, command, after, number, group=turn % 4 > 1)
        # 0 and 1: the run was finished before the signal arrived.
        done = (1,) if command[0] == "check" else (0,)
        assert status in (*ENDS[number], *done), (turn, status)


@pytest.mark.promise(
    "A failed, interrupted or terminated run leaves no temporary folder and no process."
)
def test_batches_leave_no_folder_and_no_process(folder: Path) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc here to find processes in")
    many(folder, 6, 0.8)


@pytest.mark.fuzz
def test_a_hundred_interrupted_batches_leave_nothing(folder: Path) -> None:
    """50 by SIGINT, 50 by SIGTERM."""
    many(folder, 100, 0.3)


# --- after the first signal ---------------------------------------------------------------------

SECOND = """
import os, signal, sys, time
from tflite_align.cli import main as cli
from tflite_align.interruption import whole

def work(_context):
    try:
        with whole():
            os.kill(os.getpid(), signal.SIGTERM)
            sum(range(10_000))
            print("begun and noted", flush=True)
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(10_000))
        print("cleaned up", flush=True)

cli.commands.invoke = work
sys.exit(cli.main(["rules"]))
"""


def test_the_first_signal_is_deferred_inside_an_uninterruptible_block() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SECOND],
        capture_output=True,
        text=True,
        check=False,
        timeout=TAKES_AT_MOST,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert run.stdout.splitlines() == ["begun and noted", "cleaned up"], run.stderr
    assert run.stderr == "tflite_align: terminated; nothing is written\n"
    assert run.returncode == 143


LOST = """
import os, signal, sys, time
from tflite_align.cli import main as cli

class Loud:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def work(_context):
    Loud()
    time.sleep(60)

cli.commands.invoke = work
sys.exit(cli.main(["rules"]))
"""


def test_a_signal_in_a_destructor_is_not_lost() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOST],
        capture_output=True,
        text=True,
        check=False,
        timeout=TAKES_AT_MOST,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert run.stderr == "tflite_align: interrupted; nothing is written\n"
    assert run.returncode == 130


def test_ignored_signals_stay_ignored() -> None:
    """Signals that nohup or a shell's & made ignored do not end the run."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "from tflite_align.cli import main as cli;"
        "cli.commands.invoke = lambda _: signal.raise_signal(signal.SIGINT);"
        "sys.exit(cli.main(['rules']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.run([sys.executable, "-c", code], check=False, env=environment)
    assert run.returncode == 0
