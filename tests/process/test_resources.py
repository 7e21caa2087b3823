"""data_root finds schema/ in a checkout and in an installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tflite_align import resources

CHECKOUT = Path(__file__).resolve().parents[2]
ASK = "from tflite_align.resources import data_root; print(data_root())"


def _package_in(folder: Path) -> Path:
    """A package with the module under test as its only one, in the layout of an installation."""
    package = folder / "tflite_align"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(CHECKOUT / "tflite_align" / "resources.py", package)
    return package


def _root_seen_from(folder: Path) -> Path:
    run = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, capture_output=True, text=True, check=True
    )
    return Path(run.stdout.strip())


def test_the_checkout_uses_its_own_schema_folder() -> None:
    assert resources.data_root() == CHECKOUT / "schema"
    assert (resources.data_root() / "operators.toml").is_file()


def test_a_bare_package_looks_beside_itself(tmp_path: Path) -> None:
    _package_in(tmp_path)
    assert _root_seen_from(tmp_path) == tmp_path.resolve() / "schema"


def test_the_shipped_folder_comes_first(tmp_path: Path) -> None:
    package = _package_in(tmp_path)
    (package / "schema").mkdir()
    (tmp_path / "schema").mkdir()
    assert _root_seen_from(tmp_path) == package.resolve() / "schema"


def test_a_file_of_that_name_is_not_a_folder(tmp_path: Path) -> None:
    package = _package_in(tmp_path)
    (package / "schema").touch()
    assert _root_seen_from(tmp_path) == tmp_path.resolve() / "schema"
