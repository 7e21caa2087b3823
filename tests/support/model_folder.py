"""A folder of models for batch tests; paths are relative to the current directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.support.models import concat_example
from tflite_align.report.json_schema import batch_schema
from tflite_align.store.model_listing import RECORD

MODELS = ["a.tflite", "deep/er/c.tflite", "good.tflite"]


def fill(sample: bytes, sample_origin: bytes) -> None:
    """Create the folder `zoo` with three models, one of them without findings, and a file that is
    no model. `sample`, `sample_origin`: bytes with and without findings.
    """
    put("zoo/a.tflite", sample)
    put("zoo/deep/er/c.tflite", concat_example())
    put("zoo/good.tflite", sample_origin)
    put("zoo/notes.txt", b"no model")


def put(path: str, data: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)


def tree(folder: str) -> dict[str, bytes]:
    """Every file below a folder, except the record."""
    found = (path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
    return {
        path.as_posix(): Path(folder, path).read_bytes()
        for path in found
        if RECORD not in path.parts
    }


def recorded(folder: str) -> list[dict[str, Any]]:
    """Every line of the folder's record, file by file."""
    files = sorted(Path(folder, RECORD).iterdir())
    return [line for file in files for line in lines(str(file))]


def lines(path: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in Path(path).read_text().splitlines()]
    for line in found:
        jsonschema.validate(line, batch_schema())
    return found


def comparable(path: str) -> list[dict[str, Any]]:
    """The lines of a report without the fields that differ between runs: time and whether it was
    resumed.
    """
    return [{**line, "seconds": 0, "resumed": False} for line in lines(path)]
