#!/usr/bin/env python3
"""Draws docs/pictures/rooms.svg, and the table of rooms in docs/architecture.md, from the imports.

scripts/architecture.py            write both
scripts/architecture.py --check    write nothing; exit status 1 when one is not up to date

A room is a folder or a module directly below tflite_align/. An edge of the picture is an import
that does not follow from others: where A imports B and B imports C, no edge joins A and C.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tflite_align"
PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"
PAGE = ROOT / "docs" / "architecture.md"
MARKS = ("<!-- made by scripts/architecture.py -->\n", "<!-- end -->\n")

Imports = Mapping[str, frozenset[str]]

BOX = (128, 30)  # width and height, pixels
GAP = (22, 34)
MARGIN = 20


def room_of(path: Path) -> str:
    """The room of a module: `checks` for every module below that folder, `numerics` for
    numerics.py.
    """
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> Iterator[str]:
    """The other rooms that a module imports, also inside functions."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            parents = package[: len(package) + 1 - node.level]
            dotted = [*parents[1:], *filter(None, (node.module or "").split("."))]
            names = [dotted[0]] if dotted else [alias.name for alias in node.names]
            for name in names:
                known = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
                yield name if known else "__init__"


def read_imports() -> Imports:
    """Each room with the rooms that it imports."""
    rooms: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        rooms.setdefault(room_of(path), set()).update(imported_rooms(path))
    return {room: frozenset(imported - {room}) for room, imported in rooms.items()}


def layers(imports: Imports) -> list[list[str]]:
    """Rooms by the longest chain of imports below them; those that import nothing come first."""

    @cache
    def depth(room: str) -> int:
        """The number of imports in the longest chain below a room."""
        return 1 + max(map(depth, imports[room]), default=-1)

    result: list[list[str]] = [[] for _ in range(1 + max(map(depth, imports)))]
    for room in sorted(imports):
        result[depth(room)].append(room)
    return result


def direct_edges(imports: Imports) -> Iterator[tuple[str, str]]:
    """(importing room, imported room) of the imports that do not follow from other imports."""

    @cache
    def below(room: str) -> frozenset[str]:
        """All rooms that a room imports, directly or not."""
        return imports[room].union(*map(below, imports[room]))

    for room, imported in sorted(imports.items()):
        implied = frozenset[str]().union(*map(below, imported))
        yield from ((room, other) for other in sorted(imported - implied))


def summary(room: str) -> str:
    """The first paragraph of the room's docstring, on one line, without code marks."""
    folder = PACKAGE / room / "__init__.py"
    path = folder if folder.is_file() else PACKAGE / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def picture(imports: Imports) -> str:
    """The rooms as an SVG with its own background, by layer; importing rooms are above."""
    rows = layers(imports)[::-1]
    width = 2 * MARGIN + max(len(row) for row in rows) * (BOX[0] + GAP[0]) - GAP[0]
    height = 2 * MARGIN + len(rows) * (BOX[1] + GAP[1]) - GAP[1]
    corners: dict[str, tuple[int, int]] = {}
    for level, row in enumerate(rows):
        left = (width - len(row) * (BOX[0] + GAP[0]) + GAP[0]) // 2
        for place, room in enumerate(row):
            corner = left + place * (BOX[0] + GAP[0]), MARGIN + level * (BOX[1] + GAP[1])
            corners[room] = corner
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="system-ui, sans-serif" font-size="14" role="img"'
        ' aria-label="The rooms of tflite_align and their imports">'
    )
    lines = [head, f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>']
    lines += [_edge(corners[room], corners[other]) for room, other in direct_edges(imports)]
    for room, (x, y) in corners.items():
        lines.append(
            f'<g><title>{escape(summary(room))}</title><rect x="{x}" y="{y}" width="{BOX[0]}"'
            f' height="{BOX[1]}" rx="5" fill="#eef3fb" stroke="#4a6fa5"/>'
            f'<text x="{x + BOX[0] // 2}" y="{y + 20}" text-anchor="middle" fill="#1a2733">'
            f"{escape(room)}</text></g>"
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _edge(above: tuple[int, int], below: tuple[int, int]) -> str:
    """A line from the lower edge of one box to the upper edge of another. `above`, `below`: (x, y)
    of the boxes in the picture.
    """
    x, y = above[0] + BOX[0] // 2, above[1] + BOX[1]
    end_x, end_y = below[0] + BOX[0] // 2, below[1]
    bend = GAP[1]
    curve = f"M{x} {y} C{x} {y + bend} {end_x} {end_y - bend} {end_x} {end_y}"
    return f'<path d="{curve}" fill="none" stroke="#9aa8b8"/>'


def table(imports: Imports) -> str:
    """A Markdown table of each room, its summary and its direct imports; importing rooms are above."""
    direct = list(direct_edges(imports))
    lines = ["| room | holds | imports |", "|---|---|---|"]
    for row in layers(imports)[::-1]:
        for room in row:
            names = ", ".join(f"`{other}`" for above, other in direct if above == room) or "nothing"
            lines.append(f"| `{room}` | {summary(room).replace('|', chr(92) + '|')} | {names} |")
    return "\n".join(lines) + "\n"


def page(imports: Imports) -> str:
    """The text of docs/architecture.md with the table replaced."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n{table(imports)}\n{MARKS[1]}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Write or compare the picture and the page; returns the exit status."""
    parser = argparse.ArgumentParser(description="Draw the rooms of the package.")
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    imports = read_imports()
    stale = 0
    for path, text in ((PICTURE, picture(imports)), (PAGE, page(imports))):
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale = 1
        if options.check:
            print(f"{path.relative_to(ROOT)} is not up to date: run scripts/architecture.py")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    return stale if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
