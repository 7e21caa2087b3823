"""Shapes that LiteRT allocates, from a separate process, compared with inferred shapes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tflite_align.checks.shapes.inference import inferred
from tflite_align.format.reader import read

__all__ = ["asked", "unlike"]

RUNNER = Path(__file__).with_name("shape_runner.py")
_MOST_ENDED = 20  # number of crashes after which a model is given up


def asked(paths: Iterable[Path], folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Path -> what shape_runner.py wrote for the file."""
    names = [str(path) for path in paths]
    result = folder / "shapes.json"
    for _ in range(_MOST_ENDED):
        run = subprocess.run(
            [sys.executable, str(RUNNER), str(result), *names],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 0:
            break
        assert result.exists(), run.stderr
    else:
        raise AssertionError("too many models end the process")
    found: dict[str, dict[str, Any]] = json.loads(result.read_text(encoding="utf-8"))
    return found


def unlike(data: bytes, answer: Mapping[str, Any]) -> list[str]:
    """A text for each tensor of the first subgraph whose inferred shape differs from LiteRT's.
    `answer`: the runner's result; its `shapes` are by tensor index, as text.
    """
    model = read(data)
    wrong = []
    for operator in model.subgraphs[0].operators:
        for index in operator.outputs:
            shape = inferred(model, 0).shapes.get(index)
            real = answer["shapes"].get(str(index))
            if shape is not None and real is not None and list(shape) != real:
                wrong.append(f"{operator.name} [{index}]: {list(shape)} inferred, LiteRT {real}")
    return wrong
