"""The README shows what its command prints; figures may differ slightly on other processors."""

from __future__ import annotations

import re
from pathlib import Path

import opening

FIGURE = re.compile(r"(?<![\w#.])-?\d[\d,]*(?:\.\d+)*")
APART = 1.0  # dB


def figures(text: str) -> list[float]:
    return [float(figure.replace(",", "")) for figure in FIGURE.findall(text)]


def shape(svg: str) -> str:
    """The SVG's text without numbers and positions."""
    return FIGURE.sub("N", " ".join(re.findall(r">([^<>]+)</text>", svg)))


def test_the_readme_shows_what_the_command_prints(tmp_path: Path) -> None:
    printed, report, written = opening.aligned(tmp_path)
    text = opening.README.read_text(encoding="utf-8")
    shown = text.split(opening.MARKS[0])[1].split(opening.MARKS[1])[0].strip()
    made = opening.block(report, written)
    assert FIGURE.sub("N", shown.replace(opening.onnx2tf_version(), "")) == FIGURE.sub(
        "N", made.replace(opening.onnx2tf_version(), "")
    )
    pairs = zip(
        figures(shown.replace(opening.onnx2tf_version(), "")),
        figures(made.replace(opening.onnx2tf_version(), "")),
        strict=True,
    )
    assert [pair for pair in pairs if abs(pair[0] - pair[1]) > APART] == []
    picture = opening.PICTURE.read_text(encoding="utf-8")
    assert shape(picture) == shape(opening.picture(printed)), "run scripts/opening.py"


def test_the_picture_fetches_nothing() -> None:
    links = re.findall(r'(?:href|url|src)[=(]"?(\w+://[^")]*)', opening.PICTURE.read_text("utf-8"))
    assert links == []
