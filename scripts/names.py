#!/usr/bin/env python3
"""How many variables are named by a participle or a filler word instead of a noun for their
content.

scripts/names.py [PATH ...]      the share for each file, largest first; default: tflite_align
scripts/names.py --most 3        exit status 1 if the share over all files is above 3 %

A variable is a function's parameter, or a name bound by an assignment, a loop, a `with` or a
pattern. It counts once for each function, class or module that binds it. A name is a filler if it
is in FILLERS, a leading underscore ignored.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Participles, and words that fit anything. A noun of the field says more: `finding`, `slot`, `scale`.
_WORDS = """
found told asked said held known kept given here there place one other others wanted drawn made taken
lost apart alike beside shut tried own thing way look looks learnt idle seen behind entry number kind
"""
FILLERS = frozenset(_WORDS.split())

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def scopes(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, and each class, function and comprehension in it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *_SCOPES, *_COMPREHENSIONS)):
            yield node


def _bound(scope: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, line) of each name that a scope binds itself."""
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        for node in ast.walk(scope.args):
            if isinstance(node, ast.arg):
                yield node.arg, node.lineno
    queue = list(ast.iter_child_nodes(scope))
    while queue:
        node = queue.pop()
        if isinstance(node, (*_SCOPES, *_COMPREHENSIONS)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name, node.lineno
        queue += ast.iter_child_nodes(node)


def variables(path: Path) -> Iterator[tuple[str, int]]:
    """(name, line) of each variable of a file, once for each scope."""
    for scope in scopes(ast.parse(path.read_text(encoding="utf-8"))):
        yield from dict(sorted(_bound(scope), key=lambda pair: -pair[1])).items()


def is_filler(name: str) -> bool:
    """Whether the name, a leading underscore aside, is a filler."""
    return name.removeprefix("_") in FILLERS


def count(paths: list[Path]) -> tuple[int, Counter[str], Counter[Path]]:
    """(number of variables, fillers by name, fillers by file). `paths`: Python files."""
    total, names, files = 0, Counter[str](), Counter[Path]()
    for path in paths:
        for name, _ in variables(path):
            total += 1
            if is_filler(name):
                names[name] += 1
                files[path] += 1
    return total, names, files


def share(paths: list[Path]) -> float:
    """The share of fillers among the variables of these files, in percent. `paths`: Python files."""
    total, names, _ = count(paths)
    return 100 * names.total() / max(total, 1)


def python_files(paths: list[Path]) -> list[Path]:
    """The Python files below these paths, sorted."""
    return sorted(
        file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(
        description="Count variables named by participles and fillers."
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        default=[ROOT / "tflite_align"],
        help="files or folders; default tflite_align",
    )
    parser.add_argument("--most", type=float, help="exit status 1 above this share, in percent")
    options = parser.parse_args(arguments)
    paths = python_files(options.paths)
    total, names, files = count(paths)
    for path, fillers in files.most_common(20):
        lines = [f"{line} {name}" for name, line in variables(path) if is_filler(name)]
        print(f"{path}: {fillers}: {', '.join(lines)}")
    for name, times in names.most_common(15):
        print(f"{times:5} {name}")
    print(f"{names.total()} of {total} variables, {share(paths):.1f} %")
    return int(options.most is not None and share(paths) > options.most)


if __name__ == "__main__":
    sys.exit(main())
