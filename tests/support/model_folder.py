"""A folder of models for the tests of batches; paths are from the current directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.support.models import concat_example
from tflite_align.cli.batch_folders import RECORD
from tflite_align.report.json_schema import batch_schema

MODELS = ["a.tflite", "deep/er/c.tflite", "good.tflite"]


def fill(sample: bytes, sample_origin: bytes) -> None:
    """`zoo` holds three models, one of them without findings, and something else."""
    put("zoo/a.tflite", sample)
    put("zoo/deep/er/c.tflite", concat_example())
    put("zoo/good.tflite", sample_origin)
    put("zoo/notes.txt", b"no model")


def put(path: str, data: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)


def tree(folder: str) -> dict[str, bytes]:
    """Every file below a folder but the record."""
    found = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def lines(path: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in Path(path).read_text().splitlines()]
    for line in found:
        jsonschema.validate(line, batch_schema())
    return found
