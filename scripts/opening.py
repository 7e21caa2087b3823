#!/usr/bin/env python3
"""The case that the README opens with: a real converter's broken file, before and after.

Trains the U-Net of torch_nets.py, converts it by docs/recipes.md's recipe for onnx2tf, runs the file
in each runtime against the float network, and prints the README's block.

    scripts/opening.py --out DIR [--environments DIR]      --ship also renews the shipped sample

Needs what that recipe needs (scripts/converters.py makes the environments): minutes and some 3 GB
the first time.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
from collections import Counter

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import converters
import torch_nets
from as_it_runs import Ran, run
from recipes import run_recipe
from tflite_align import check
from tflite_align.format.reader import read

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "tests/data/unet_onnx2tf.tflite"
MARKS = ("<!-- made by scripts/opening.py -->", "<!-- end -->")
RUNTIMES = {
    "xnnpack": "LiteRT, default delegate (XNNPACK)",
    "litert": "LiteRT, builtin kernels",
    "tflm": "TensorFlow Lite Micro",
}


def block(folder: pathlib.Path) -> str:
    """Markdown, made from the files that the recipe left in `folder`."""
    files = folder / "model.tflite", folder / "aligned.tflite"
    inputs, reference = np.load(folder / "inputs.npy"), np.load(folder / "float.npy")
    _, disks = torch_nets.scenes(len(inputs), 2)
    masks = torch_nets.masks(disks).reshape(len(inputs), -1) > 0
    rows = [
        f"| {name} | "
        + " | ".join(_cell(run(f, k, inputs), reference, masks) for f in files)
        + " |"
        for k, name in RUNTIMES.items()
    ]
    above, below = _words(folder, len(inputs), _overlap(reference, masks))
    return "\n".join([above, *rows, below])


def _cell(ran: Ran, reference: np.ndarray, masks: np.ndarray) -> str:
    if ran.absent:
        raise SystemExit(f"the README shows every runtime: {ran.absent}")
    if ran.values is None:
        said = ran.refused.split("Node number")[0].strip()
        return f"**refuses**: {said}"
    return f"{ran.sqnr(reference):.1f} dB, overlap {_overlap(ran.values, masks):.2f}"


def _overlap(logits: np.ndarray, masks: np.ndarray) -> float:
    """Intersection over union of the disks found and the disks drawn."""
    found = logits > 0
    return float((found & masks).sum() / (found | masks).sum())


def _words(folder: pathlib.Path, count: int, overlap: float) -> tuple[str, str]:
    """What stands above the table's rows, and below."""
    given, aligned = ((folder / f"{name}.tflite").read_bytes() for name in ("model", "aligned"))
    before, after = (read(data).subgraphs[0] for data in (given, aligned))
    pairs = zip(before.tensors, after.tensors, strict=False)
    moved = sum(a.quant != b.quant for a, b in pairs)
    added = len(after.operators) - len(before.operators)
    changed = sum(a != b for a, b in zip(given, aligned, strict=True))
    wrong = Counter(finding.rule.partition("/")[2] for finding in check(given).findings)
    named = " and ".join(f"{number} {operator}" for operator, number in sorted(wrong.items()))
    above = (
        f"A U-Net, trained in PyTorch to find a disk in a picture, exported to ONNX and written as int8 by onnx2tf {_version()}\n"
        f"([the recipe](docs/recipes.md#onnx2tf)): exit status 0, a file of {len(given):,} bytes. In it {named} copy\n"
        f"integers between tensors whose scales differ. Signal-to-noise ratio against the float network, on {count} pictures that it\n"
        f"has not seen, and how well the disks found overlap the disks drawn (the float network: {overlap:.2f}):\n"
        "\n"
        "| runtime | as onnx2tf wrote it | after `tflite_align` |\n"
        "|---|---|---|"
    )
    below = (
        f"\nThe cure was the scales of {moved} tensors: {changed} bytes differ, {added or 'no'} operators were"
        " added, nothing else moved."
    )
    return above, below


def _version() -> str:
    wanted = (converters.REQUIREMENTS / "onnx2tf.txt").read_text(encoding="utf-8")
    return wanted.split("onnx2tf==", 1)[1].split()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to work in")
    parser.add_argument("--environments", type=pathlib.Path, help="default: OUT/converters")
    parser.add_argument("--ship", action="store_true", help=f"write {SHIPPED.name} too")
    given = parser.parse_args()
    folder = given.out / "opening"
    run_recipe("onnx2tf", "unet", folder, given.environments or given.out / "converters")
    print(block(folder))
    if given.ship:
        shutil.copy(folder / "model.tflite", SHIPPED)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
