#!/usr/bin/env python3
"""The README's example: a real converter's broken file, before and after alignment.

    scripts/opening.py              align the shipped sample; write the README's block and its picture
    scripts/opening.py --renew DIR  first make the sample again in DIR, by the onnx2tf recipe of docs/recipes.md

The picture shows the command's terminal output. Making the sample needs the recipe's environments
(scripts/converters.py creates them): minutes and some 3 GB the first time.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

import converters  # noqa: E402 - needs the path
from recipes import run_recipe  # noqa: E402
from tflite_align.format.reader import read  # noqa: E402

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "pictures" / "terminal.svg"
SHIPPED = ROOT / "tests" / "data" / "unet_onnx2tf.tflite"
COMMAND = ("python", "-m", "tflite_align", "tests/data/unet_onnx2tf.tflite", "out.tflite")
MARKS = ("<!-- made by scripts/opening.py -->\n", "<!-- end -->\n")
COLUMNS = 120
RUNTIMES = {
    "xnnpack": "LiteRT, default delegate (XNNPACK)",
    "litert": "LiteRT, builtin kernels",
}
# Rich's SVG loads a font from another host, and needs explicit widths for some characters.
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def aligned(folder: pathlib.Path) -> tuple[str, Mapping[str, Any], bytes]:
    """(the command's output with colours, its JSON report, the written file)."""
    model = folder / COMMAND[-2]
    model.parent.mkdir(parents=True)
    shutil.copy(SHIPPED, model)
    command = [sys.executable, *COMMAND[1:]]
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
    }
    runs = [
        subprocess.run(
            arguments, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        for arguments in (command, [*command, "--report", "report.json"])
    ]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return runs[0].stdout, report, (folder / COMMAND[-1]).read_bytes()


def shortened(printed: str) -> str:
    """The output with the changes and the summary; other tables are replaced by an ellipsis.
    `printed`: the output.
    """
    first, _, rest = printed.partition("\n\n")
    done = rest.partition("\n\n")[0]
    _, start, summary = rest.rpartition("\n\n\x1b[1mBefore and after")
    assert start, "the summary has another title"
    return "\n\n".join([first, done, f"...{start}{summary}"]).rstrip()


def picture(printed: str) -> str:
    """The command and its output as an SVG without external resources. `printed`: the output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(f"$ {' '.join(COMMAND)}", highlight=False)
    console.print(Text.from_ansi(shortened(printed)))
    svg = _FONTS.sub("", console.export_svg(title="tflite_align"))
    return "\n".join(line.rstrip() for line in svg.splitlines()).rstrip() + "\n"


def block(report: Mapping[str, Any], written: bytes) -> str:
    """The README's block: the example, the picture, and the figures that the command prints.
    `report`: the JSON report; `written`: the aligned file.
    """
    original = SHIPPED.read_bytes()
    before, after = (read(data).subgraphs[0] for data in (original, written))
    added = len(after.operators) - len(before.operators)
    moved = sum(a.quant != b.quant for a, b in zip(before.tensors, after.tensors, strict=False))
    differing = sum(a != b for a, b in zip(original, written, strict=True))
    operators = Counter(entry["rule"].partition("/")[2] for entry in report["findings"])
    named = " and ".join(f"{count} {name}" for name, count in sorted(operators.items()))
    samples = report["verification"]["samples"]
    rows = [
        f"| {title} | {' | '.join(_cells(report, judge))} |" for judge, title in RUNTIMES.items()
    ]
    head = (
        f"A U-Net, exported from PyTorch to ONNX and written as int8 by onnx2tf {onnx2tf_version()}:"
        f" exit status 0, {len(original):,} bytes. In it {named}\n"
        "copy integers between tensors whose scales differ.\n\n"
        f"![What tflite_align prints of it: {moved} tensors moved, verified](docs/pictures/terminal.svg)\n\n"
        f"| SQNR against the same network in float, {samples} random inputs | as onnx2tf wrote it | aligned |\n"
        "|---|---|---|"
    )
    foot = (
        f"\nThe cure was the scales of {moved} tensors: {differing} bytes differ, {added or 'no'} operators were"
        " added, nothing else moved. On pictures that the network was trained for\n"
        "it is 8.9 dB before and 44.6 dB after ([the recipe](docs/recipes.md#onnx2tf))."
    )
    return "\n".join([head, *rows, foot])


def _cells(report: Mapping[str, Any], judge: str) -> tuple[str, str]:
    """Table cells: a runtime's result on the file before and after. `report`: the JSON report;
    `judge`: the runtime.
    """
    verification = report["verification"]
    (verdict,) = (entry for entry in verification["judges"] if entry["judge"] == judge)
    (score,) = (run for run in verification["outputs"][0]["runs"] if run["judge"] == judge)
    after = f"{score['sqnr_db']:.1f} dB"
    if score["original_db"] is not None:
        return f"{score['original_db']:.1f} dB", after
    reason = re.split(r"\n|Node number", verdict["before"]["reason"])[0].strip()
    return f"**refuses**: `{reason}`", after


def onnx2tf_version() -> str:
    """The version of onnx2tf that the recipe pins."""
    pins = (converters.REQUIREMENTS / "onnx2tf.txt").read_text(encoding="utf-8")
    return pins.split("onnx2tf==", 1)[1].split()[0]


def page(text: str, shown: str) -> str:
    """The README with its block replaced. `text`: the README; `shown`: the new block."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}{shown}\n{MARKS[1]}{after}"


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--renew", type=pathlib.Path, metavar="DIR", help="first make the sample again"
    )
    parser.add_argument("--environments", type=pathlib.Path, help="default: DIR/converters")
    options = parser.parse_args()
    if options.renew:
        folder = options.renew / "opening"
        run_recipe("onnx2tf", "unet", folder, options.environments or options.renew / "converters")
        shutil.copy(folder / "model.tflite", SHIPPED)
    with tempfile.TemporaryDirectory() as folder_name:
        printed, report, written = aligned(pathlib.Path(folder_name))
    PICTURE.write_text(picture(printed), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(page(text, block(report, written)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
