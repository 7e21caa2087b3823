#!/usr/bin/env python3
"""Quantizes float .tflite files with each recipe of ai-edge-quantizer.

    scripts/quantizer_files.py FOLDER        every FOLDER/NET-float32.tflite

Runs in that quantizer's environment. Writes NET-aeq_RECIPE.tflite, or NET-aeq_RECIPE.refused with
its message. Existing files are kept.
"""

from __future__ import annotations

import os
import pathlib
import sys
import zlib
from typing import Any

import numpy as np

RECIPES = (
    "static_wi8_ai8",
    "static_wi8_ai16",
    "dynamic_wi8_afp32",
    "dynamic_wi4_afp32",
    "dynamic_wi4b32_afp32",
    "weight_only_wi8_afp32",
    "weight_only_wi4_afp32",
)
CALIBRATION = 8  # number of calibration inputs
_STATIC = "static_"


def _samples(data: bytes, seed: int) -> dict[str, Any]:
    """Calibration inputs for the file's only signature: signature name -> list of {input name:
    array}.
    """
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=data).get_signature_list()
    (name,) = signatures
    inputs = Interpreter(model_content=data).get_signature_runner(name).get_input_details()
    random = np.random.default_rng(seed)
    samples = []
    for _ in range(CALIBRATION):
        sample = {}
        for key, detail in inputs.items():
            shape = tuple(detail["shape"])
            if detail["dtype"] == np.float32:
                sample[key] = random.normal(size=shape).astype(np.float32)
            else:
                sample[key] = random.integers(0, 10, shape).astype(detail["dtype"])
        samples.append(sample)
    return {name: samples}


def _quantize(path: pathlib.Path, recipe_name: str) -> bytes:
    """The file quantized with one recipe. Raises the quantizer's error."""
    from ai_edge_quantizer import quantizer, recipe

    data = path.read_bytes()
    made = quantizer.Quantizer(str(path), getattr(recipe, recipe_name)())
    observed = None
    if recipe_name.startswith(_STATIC):
        observed = made.calibrate(_samples(data, zlib.crc32(path.name.encode())))
    return bytes(made.quantize(observed).quantized_model)


def _make(path: pathlib.Path) -> None:
    """Quantize a float file with every recipe of which no file exists yet; an error is written to a
    .refused file.
    """
    for name in RECIPES:
        stem = path.name.removesuffix("float32.tflite") + f"aeq_{name}"
        if any(path.parent.glob(f"{stem}.*")):
            continue
        try:
            data = _quantize(path, name)
        except Exception as error:  # noqa: BLE001 - whatever the quantizer raises is its refusal
            words = " ".join(str(error).split())[:300]
            (path.parent / f"{stem}.refused").write_text(words, encoding="utf-8")
        else:
            (path.parent / f"{stem}.tflite").write_bytes(data)


def main() -> int:
    """Quantize the folder's files, each in a process of its own; returns the exit status."""
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*-float32.tflite")):
        child = os.fork()  # the quantizer may crash the process
        if child == 0:
            _make(path)
            os._exit(0)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
