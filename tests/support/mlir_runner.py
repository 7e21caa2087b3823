"""Loads a folder of models into the MLIR dialect in this process: `python mlir_runner.py FOLDER`.

For each NAME.tflite writes NAME.said: what the tool's command line prints, and its exit status on
the last line. Before a model is touched its name goes to `current`, so that the caller knows which
one ended the process; what was printed by then is in `printed`.
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
    os.chdir(folder)
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
        printed = Path("printed").read_text(encoding="utf-8", errors="replace")
        said.write_text(f"{printed}\n{end}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
