"""What all tests share: models made by the real converter, and the corpus of real models.

Fixtures
    fixtures_dir     folder of the files that scripts/make_fixtures.py makes, made once
    fixture_model    one of those files; a test that asks for it runs once for each of them
    sample           bytes of the shipped de-aligned sample
    sample_origin    bytes of the well-made model it comes from
    interruptible    processes that the test starts hear SIGINT
    chromium         a real browser, Debian's, driven by Playwright; one for all tests of a process
    corpus_dir       folder of real models
    corpus_model     one .tflite file of it; a test that asks for it runs once for each of them,
                     or for those of some folders: @pytest.mark.corpus("coral", "violators")

Environment
    TFLITE_ALIGN_CORPUS      the corpus; default ../shared/corpus beside the checkout
    TFLITE_ALIGN_TF_PYTHON   a Python that has TensorFlow; default the one running the tests
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from hypothesis import settings

import make_fixtures
from fixture_nets import NETS

# No time limit for an example: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

CHECKOUT = Path(__file__).resolve().parents[1]
SCRIPTS = CHECKOUT / "scripts"
DATA = CHECKOUT / "tests" / "data"

CORPUS = Path(os.environ.get("TFLITE_ALIGN_CORPUS", CHECKOUT.parent / "shared" / "corpus"))
NO_CORPUS = "no corpus of real models: set TFLITE_ALIGN_CORPUS to its folder"

TF_PYTHON = os.environ.get("TFLITE_ALIGN_TF_PYTHON", sys.executable)
NO_TENSORFLOW = "TensorFlow is not installed: no converter to make the fixtures with"
# The installed version is read from package metadata; importing takes seconds.
TF_VERSION = """
from importlib import metadata
for name in ("tensorflow-cpu", "tensorflow", "tensorflow-macos"):
    try:
        print(name, metadata.version(name), metadata.version("keras"))
        break
    except metadata.PackageNotFoundError:
        pass
"""
# The command line's output must not depend on the environment.
os.environ.pop("FORCE_COLOR", None)
MAKING_TAKES_AT_MOST = 900  # seconds


@pytest.fixture(scope="session")
def fixtures_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of scripts/make_fixtures.py, cached by pytest until their inputs change.

    Built again in each run without a cache (`-p no:cacheprovider`).
    """
    made_by = _fixtures_key()
    if made_by is None:
        pytest.skip(NO_TENSORFLOW)
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    name = f"fixtures-{made_by}"
    folder = cache.mkdir(name) if cache is not None else tmp_path_factory.mktemp(name)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not (folder / "INDEX.json").is_file():
            _make_fixtures(folder)
    return folder


def _fixtures_key() -> str | None:
    """Digest of the converter's version and of the scripts that make the fixtures; None without
    TensorFlow.
    """
    asked = subprocess.run(
        [TF_PYTHON, "-c", TF_VERSION], capture_output=True, text=True, check=False
    )
    if not asked.stdout.strip():
        return None
    digest = hashlib.sha256(asked.stdout.encode())
    for name in ("make_fixtures.py", "fixture_nets.py", "dealign.py"):
        digest.update((SCRIPTS / name).read_bytes())
    return digest.hexdigest()[:16]


def _make_fixtures(folder: Path) -> None:
    command = [TF_PYTHON, str(SCRIPTS / "make_fixtures.py"), "--out", str(folder)]
    run = subprocess.run(
        command,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=MAKING_TAKES_AT_MOST,
    )
    assert run.returncode == 0, f"make_fixtures.py failed\n{run.stderr[-4000:]}"


@pytest.fixture
def fixture_model(request: pytest.FixtureRequest, fixtures_dir: Path) -> Path:
    return fixtures_dir / str(request.param)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that the test starts get SIGINT, even if the tests run in the background of a
    shell, which ignores it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def sample() -> bytes:
    return (DATA / "sample_dealigned.tflite").read_bytes()


@pytest.fixture(scope="session")
def sample_origin() -> bytes:
    return (DATA / "sample_origin.tflite").read_bytes()


@pytest.fixture(scope="session")
def corpus_dir() -> Path:
    if not CORPUS.is_dir():
        pytest.skip(NO_CORPUS)
    return CORPUS


def corpus_models(*folders: str) -> list[Path]:
    """The corpus's .tflite files, sorted; only those of the named folders if any is named."""
    found = [path for folder in folders or ("*",) for path in CORPUS.glob(f"{folder}/*.tflite")]
    return sorted(found)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fixture_model" in metafunc.fixturenames:
        names = [name for net in NETS for name in make_fixtures.file_names(net)]
        metafunc.parametrize("fixture_model", names, indirect=True)
    if "corpus_model" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("corpus")
        models = corpus_models(*(marker.args if marker else ()))
        ids = [path.relative_to(CORPUS).as_posix() for path in models]
        absent = pytest.param(None, marks=pytest.mark.skip(reason=NO_CORPUS), id="absent")
        metafunc.parametrize("corpus_model", models or [absent], ids=ids or None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; without one, tests that need it are skipped."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
