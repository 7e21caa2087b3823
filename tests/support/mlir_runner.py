"""Loads a folder of models into the MLIR dialect in this process: `python mlir_runner.py FOLDER`.

For each NAME.tflite it writes NAME.said: the output of the tool's command line, and its exit status
on the last line. The name of each model is written to `current` before it is loaded, so that a
crash can be attributed; the output up to the crash is in `printed`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tosa_converter_for_tflite import tflite_flatbuffer_to_tosa_mlir


def _end(path: Path) -> str:
    try:
        tflite_flatbuffer_to_tosa_mlir(path.name, os.devnull)
    except Exception as error:  # noqa: BLE001 - as its command line does
        return f"[ERROR] Conversion failed: {error}\n1"
    return "0"


def main(folder: Path) -> None:
    """Run the verifiers in a forked child process; if it crashes, another child continues."""
    os.chdir(folder)
    while True:
        child = os.fork()
        if child == 0:
            _run_all()
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return
        culprit = Path(Path("current").read_text(encoding="utf-8")).with_suffix(".said")
        assert not culprit.exists(), f"{culprit}: ended with {code} behind a model"
        culprit.write_text(f"{_printed()}\n{code}", encoding="utf-8")


def _run_all() -> None:
    stream = os.open("printed", os.O_WRONLY | os.O_CREAT)
    os.dup2(stream, sys.stderr.fileno())  # the tool writes its output there
    for path in sorted(Path().glob("*.tflite")):
        said = path.with_suffix(".said")
        if said.exists():
            continue
        Path("current").write_text(path.stem, encoding="utf-8")
        os.ftruncate(stream, 0)
        os.lseek(stream, 0, os.SEEK_SET)
        end = _end(path)
        said.write_text(f"{_printed()}\n{end}", encoding="utf-8")


def _printed() -> str:
    return Path("printed").read_text(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
