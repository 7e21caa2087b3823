"""nbmake runs docs/notebook.ipynb from the first to the last cell."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import CHECKOUT

NOTEBOOK = CHECKOUT / "docs" / "notebook.ipynb"


def test_the_notebook_runs() -> None:
    for library in ("nbmake", "ipykernel", "pandas", "tflite_micro"):
        pytest.importorskip(library, reason=f"{library} is not installed: the extra `test` has it")
    command = [sys.executable, "-m", "pytest", "--nbmake", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, "-p", "no:xdist", str(NOTEBOOK)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_notebook_holds_no_outputs() -> None:
    """Outputs would become wrong after a change, and contain paths of the author's machine."""
    nbformat = pytest.importorskip("nbformat", reason="nbmake is not installed: `test` has it")
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count] == []
