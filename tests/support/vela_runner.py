"""Compiles a folder of models in this process: `python vela_runner.py ACCELERATOR FOLDER`.

For each NAME.tflite it writes NAME.vela.json: Vela's reason for each operator that it leaves to the
CPU (operator, name of its first output, reason), the numbers of operators on CPU and NPU, a digest
of the compiled program (command stream, encoded constants), and the error. The name of each model
is written to `current` before it is compiled, so that a crash can be attributed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

_WARNING = re.compile(
    r"Warning \(supported operators\) operator: (\S+), ofm: '([^\n]*)'\nReason: (.*?)(?=\n\n|\nWarning|\Z)",
    re.DOTALL,
)


def _settings(accelerator: str) -> dict[str, str]:
    """The arguments that Vela's command line passes to its compiler for this accelerator."""
    from ethosu.vela import vela

    held: dict[str, str] = {}

    def keep(_arch: Any, _name: Any, core: str, system: str, options: str, *_rest: Any) -> None:
        held.update(core=core, system=system, options=options)

    vela.process_regor = keep
    with tempfile.NamedTemporaryFile(suffix=".tflite") as stream:
        vela.main([stream.name, "--accelerator-config", accelerator])
    return held


def _program(model: bytes) -> str:
    from ethosu.vela.tflite.Model import Model

    compiled = Model.GetRootAs(model, 0)
    digest = hashlib.sha256()
    for index in range(compiled.BuffersLength()):
        buffer = compiled.Buffers(index)
        if buffer.DataLength():
            digest.update(bytes(buffer.DataAsNumpy()))
    return digest.hexdigest()


def _compile(settings: dict[str, str], data: bytes) -> dict[str, Any]:
    from ethosu import regor

    found: dict[str, Any] = {"error": "", "npu": 0, "program": ""}
    sys.stdout.flush()
    with tempfile.TemporaryFile() as stream:
        kept = [os.dup(1), os.dup(2)]
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        try:
            core, system, options = (settings[key] for key in ("core", "system", "options"))
            made = regor.compile(core, data, "TFLITE", system, options=options, verbose=True)
            found.update(npu=made.perf_report.npuOps, program=_program(bytes(made.model)))
        except RuntimeError as error:
            found["error"] = str(error) or "refused"
        finally:
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)
        stream.seek(0)
        text = stream.read().decode(errors="replace")
    found["cpu"] = _WARNING.findall(text)
    return found


def main(accelerator: str, folder: Path) -> None:
    settings = _settings(accelerator)
    for path in sorted(folder.glob("*.tflite")):
        result = folder / f"{path.stem}.vela.json"
        if not result.exists():
            (folder / "current").write_text(path.stem, encoding="utf-8")
            found = _compile(settings, path.read_bytes())
            result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
