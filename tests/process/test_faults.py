"""Full disks, read-only folders, kills, concurrent runs: afterwards the output is the old one or
the new one, complete.

Each case prints a clear message and leaves no other file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.models import concat_example

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals, links, permissions")

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
FAST = "--no-verify"


def run(
    folder: Path, *arguments: str, before: tuple[str, ...] = (), stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = [*before, sys.executable, "-m", "tflite_align", *arguments]
    return subprocess.run(
        command, cwd=folder, env=BASE, input=stdin, capture_output=True, check=False, timeout=120
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.tflite").write_bytes(concat_example())
    return tmp_path


@pytest.fixture
def aligned(folder: Path) -> bytes:
    """The output of an undisturbed run."""
    assert run(folder, "in.tflite", "expected", FAST, "-q").returncode == 0
    path = folder / "expected"
    data = path.read_bytes()
    path.unlink()
    return data


# --- disks ---------------------------------------------------------------------------------------

MOUNT = ("unshare", "-rm", "sh", "-c")


def _mounts() -> bool:
    try:
        done = subprocess.run(
            [*MOUNT, "mount -t tmpfs none /tmp"], capture_output=True, check=False, timeout=30
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.parametrize("held", [1, 12])
def test_a_full_disk_leaves_the_old_output(folder: Path, held: int) -> None:
    """The file system has `held` bytes of space: none, or enough for a part of the output."""
    if not _mounts():
        pytest.skip("no file system of one's own can be mounted here")
    script = f"""
mkdir small && mount -t tmpfs -o size=64k none small && cd small
printf old > out.tflite && head -c {(14 - held) * 4096} /dev/zero > filler
{sys.executable} -m tflite_align ../big.tflite out.tflite {FAST} -q 2>&1; echo status $?
cat out.tflite; echo; ls -A; df --output=avail . | tail -n 1
"""
    (folder / "big.tflite").write_bytes(concat_example() + bytes(256 << 10))
    done = subprocess.run(
        [*MOUNT, script], cwd=folder, env=BASE, capture_output=True, text=True, check=True
    )
    lines = done.stdout.split("\n")
    assert lines[:5] == [
        "tflite_align: out.tflite: No space left on device",
        "status 2",
        "old",
        "filler",
        "out.tflite",
    ]
    assert int(lines[5]) >= held * 4, "what was taken is given back"


def test_a_full_temporary_disk_is_one_message(folder: Path) -> None:
    if not _mounts():
        pytest.skip("no file system of one's own can be mounted here")
    script = f"""
mkdir small && mount -t tmpfs -o size=64k none small
TMPDIR=$PWD/small {sys.executable} -m tflite_align big.tflite out.tflite -q 2>&1; echo status $?
ls -A . small
"""
    (folder / "big.tflite").write_bytes(concat_example() + bytes(256 << 10))
    done = subprocess.run(
        [*MOUNT, script], cwd=folder, env=BASE, capture_output=True, text=True, check=True
    )
    said, status, *left = done.stdout.split("\n")
    assert said == f"tflite_align: {folder / 'small'}: No space left on device"
    assert status == "status 2"
    assert [name for name in left if name.endswith((".tmp", "out.tflite"))] == []


def test_a_file_size_limit_leaves_the_old_output(folder: Path) -> None:
    (folder / "out.tflite").write_bytes(b"old")
    done = run(folder, "in.tflite", "out.tflite", FAST, before=("prlimit", "--fsize=1024"))
    assert (done.returncode, done.stderr) == (2, b"tflite_align: out.tflite: File too large\n")
    assert (folder / "out.tflite").read_bytes() == b"old"
    assert names(folder) == ["in.tflite", "out.tflite"]


@pytest.mark.parametrize("read_only", ["the folder", "the file"])
def test_a_read_only_destination_leaves_the_old_output(folder: Path, read_only: str) -> None:
    if os.geteuid() == 0:
        before: tuple[str, ...] = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
            pytest.skip("root may write everywhere, and cannot become somebody else here")
        if not os.access("/", os.X_OK) or run(Path("/"), "--version", before=before).returncode:
            pytest.skip("nobody else may read this checkout")
    else:
        before = ()
    place = folder / "place"
    place.mkdir()
    out = place / "out.tflite"
    out.write_bytes(b"old")
    (folder / "in.tflite").chmod(0o644)
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    (place if read_only == "the folder" else out).chmod(0o555)
    (place if read_only == "the file" else out).chmod(0o777)
    done = run(folder, "in.tflite", "place/out.tflite", FAST, before=before)
    assert done.returncode == 2
    assert done.stderr.startswith(b"tflite_align: place/out.tflite: ")
    assert b"ermission" in done.stderr
    assert out.read_bytes() == b"old"
    assert names(place) == ["out.tflite"]


# --- names ---------------------------------------------------------------------------------------


def test_unicode_and_long_names_are_written(folder: Path, aligned: bytes) -> None:
    for name in ("模型 mô-hình 🙂.tflite", "-", "o" * 248 + ".tflite"):
        out = folder / name
        target = f"./{name}" if name == "-" else name
        assert run(folder, "in.tflite", target, FAST, "-q").returncode == 0
        assert out.read_bytes() == aligned
    surrogate = os.fsdecode(b"\xff\xfe.tflite")
    assert run(folder, "in.tflite", surrogate, FAST).returncode == 0
    assert (folder / surrogate).read_bytes() == aligned
    assert len(names(folder)) == 5


def test_too_long_names_are_refused_and_long_paths_written(folder: Path, aligned: bytes) -> None:
    deep = folder
    for _ in range(15):  # just below the system's limit
        deep = deep / ("d" * 230)
        deep.mkdir()
    assert run(folder, "in.tflite", str(deep / "out.tflite"), FAST, "-q").returncode == 0
    assert (deep / "out.tflite").read_bytes() == aligned
    for name in ("o" * 300, "/".join(["d" * 200] * 30)):
        done = run(folder, "in.tflite", name, FAST)
        assert done.returncode == 2
        assert done.stderr.count(b"\n") == 1
        assert done.stderr.endswith(b": File name too long\n")


def test_directories_and_looping_links_are_refused_and_links_followed(
    folder: Path, aligned: bytes
) -> None:
    (folder / "place").mkdir()
    done = run(folder, "in.tflite", "place", FAST)
    assert done.returncode == 2
    assert done.stderr == b"tflite_align: place: is a directory, not a file to write\n"
    (folder / "link").symlink_to("in.tflite")
    assert run(folder, "in.tflite", "link", FAST).returncode == 0
    assert (folder / "link").is_symlink()
    assert (folder / "in.tflite").read_bytes() == aligned
    (folder / "loop").symlink_to("loop")
    done = run(folder, "in.tflite", "loop", FAST)
    assert done.returncode == 2
    assert done.stderr == b"tflite_align: loop: is part of a loop of symbolic links\n"
    assert names(folder) == ["in.tflite", "link", "loop", "place"]


# --- at any moment -------------------------------------------------------------------------------


@pytest.mark.promise(
    "OUT is written to its folder under another name and then moved: at any moment "
    "there is either the old file or the complete new one."
)
def test_a_run_killed_at_any_moment_leaves_old_or_new_output(folder: Path, aligned: bytes) -> None:
    """50 kills, equally spaced over the time of a run."""
    data = (folder / "in.tflite").read_bytes()
    out = folder / "out.tflite"
    begun = time.monotonic()
    run(folder, "in.tflite", "out.tflite", FAST, "-q")
    whole = time.monotonic() - begun
    seen = set()
    for step in range(25):
        out.write_bytes(b"old")
        child = subprocess.Popen(
            [sys.executable, "-m", "tflite_align", "in.tflite", "out.tflite", FAST, "-q"],
            cwd=folder,
            env=BASE,
        )
        time.sleep(whole * step / 20)
        child.kill()
        child.wait()
        seen.add(out.read_bytes())
        # After SIGKILL while writing, the file still has its temporary name.
        for left in folder.glob(".tflite_align-*.tmp"):
            left.unlink()
        assert names(folder) == ["in.tflite", "out.tflite"]
    assert seen <= {b"old", aligned}
    assert (folder / "in.tflite").read_bytes() == data


WRITES = """
import os, sys, time
from pathlib import Path
from tflite_align.disk import replace_file

def chunks():
    for _ in range(256):
        yield os.urandom(4096)
    print(flush=True)
    for _ in range(4096):
        yield bytes(65536)

replace_file("out.tflite", chunks())
print("whole", flush=True)
"""


@pytest.mark.promise(
    "If the file system supports it (Linux: ext4, xfs, btrfs, tmpfs), the new file "
    "has no name until it is complete, so that even a run killed with SIGKILL leaves "
    "no partly written file."
)
def test_a_kill_while_writing_leaves_no_partial_file(tmp_path: Path) -> None:
    """The half-written file has no name in its folder, so that the system removes it."""
    if sys.platform != "linux":
        pytest.skip("files without a name are Linux's")
    (tmp_path / "out.tflite").write_bytes(b"old")
    for step in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITES], cwd=tmp_path, env=BASE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(step / 1000)
        child.kill()
        rest = child.communicate()[0]
        if not rest:
            assert (tmp_path / "out.tflite").read_bytes() == b"old"
        assert names(tmp_path) == ["out.tflite"]
        (tmp_path / "out.tflite").write_bytes(b"old")


def test_concurrent_runs_leave_one_whole_output(folder: Path, aligned: bytes) -> None:
    command = [sys.executable, "-m", "tflite_align", "in.tflite", "out.tflite", FAST, "-q"]
    other = [sys.executable, "-m", "tflite_align", "in.tflite", "out.tflite", FAST, "-q"]
    other += ["--io", "free", "--concat", "none", "--overlap", "forbid"]
    children = [subprocess.Popen(one, cwd=folder, env=BASE) for one in (command, other) * 3]
    seen = set()
    while any(child.poll() is None for child in children):
        if (folder / "out.tflite").exists():
            seen.add((folder / "out.tflite").read_bytes())
        time.sleep(0.01)
    assert [child.returncode for child in children] == [0] * 6
    seen.add((folder / "out.tflite").read_bytes())
    assert run(folder, "in.tflite", "second", *other[5:]).returncode == 0
    assert seen <= {aligned, (folder / "second").read_bytes()}
    assert names(folder) == ["in.tflite", "out.tflite", "second"]


# --- streams -------------------------------------------------------------------------------------


def test_standard_streams_carry_the_model_and_write_no_file(folder: Path, aligned: bytes) -> None:
    data = (folder / "in.tflite").read_bytes()
    assert run(folder, "-", "-", FAST, stdin=data).stdout == aligned
    empty = run(folder, "-", "-", FAST)
    assert (empty.returncode, empty.stdout) == (2, b"")
    assert empty.stderr.count(b"\n") == 1
    assert names(folder) == ["in.tflite"]


@pytest.mark.parametrize(
    ("closing", "arguments", "status", "errors"),
    [
        ("<&-", "- out.tflite", 2, "tflite_align: standard input: Bad file descriptor\n"),
        (">&-", "in.tflite -", 2, "tflite_align: standard output: Bad file descriptor\n"),
        (">&-", "in.tflite out.tflite", 0, ""),
        (
            ">&-",
            "check in.tflite -q --ignore same --report -",
            2,
            "tflite_align: standard output: Bad file descriptor\n",
        ),
        ("2>&-", "missing out.tflite", 2, ""),
        ("<&- >&- 2>&-", "in.tflite out.tflite", 0, ""),
    ],
)
def test_closed_standard_streams_are_handled(
    closing: str, arguments: str, status: int, errors: str, folder: Path
) -> None:
    """A service manager or shell may close standard streams. Files that are opened then must not
    get their descriptors.
    """
    command = f"exec {closing}; exec {sys.executable} -m tflite_align {arguments} {FAST}"
    command = command.replace(FAST, "") if arguments.startswith("check") else command
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=BASE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (status, errors)
    assert (folder / "out.tflite").exists() == (status == 0)


def test_sigterm_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """SIGTERM is raised as an exception, which removes the half-written file."""
    out = tmp_path / "out"
    out.write_bytes(b"old")
    script = f"""
import os, signal
from tflite_align.cli.main import _terminable
from tflite_align.disk import replace_file

def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGTERM)
    yield b"more"

with _terminable():
    replace_file({str(out)!r}, chunks())
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode != -signal.SIGTERM
    assert "_Terminated" in run.stderr
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == ["out"]
