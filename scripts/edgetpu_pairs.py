#!/usr/bin/env python3
"""Compares the operators that the Edge TPU's compiler is predicted to map with those that it
mapped.

scripts/edgetpu_pairs.py DIR...    every X.tflite with an X_edgetpu.tflite in the same folder

A compiled file has the mapped part as an `edgetpu-custom-op`. An operator that is still in the
compiled file, with outputs of the same names, was left to the CPU. Exit status 1 if a prediction
differs from the compiler's result, 2 if there was no pair to compare.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tflite_align.record import Record

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tflite_align.checks.partition import predict  # noqa: E402
from tflite_align.errors import AlignError  # noqa: E402 - needs the path
from tflite_align.format.model import Model, Operator  # noqa: E402
from tflite_align.format.reader import read  # noqa: E402
from tflite_align.report.text import text_table  # noqa: E402
from tflite_align.rules.targets import load_target  # noqa: E402

COMPILED = "_edgetpu"
CUSTOM = "edgetpu-custom-op"
HEAD = ("model", "operators", "mapped", "really", "first unmapped", "really", "explained")

Name = tuple[str, tuple[str, ...]]  # (operator, names of its outputs)


class Comparison(Record, frozen=True, kw_only=True):
    """Operators of the original that stay on the CPU, predicted and actual, by index.

    `unmatched`: operators of the compiled file that the original does not have.
    """

    name: str
    operators: int
    predicted: frozenset[int]
    real: frozenset[int]
    unmatched: int
    first: tuple[str, str]

    @property
    def explained(self) -> bool:
        """Whether prediction and compiled file have the same operators on the CPU."""
        return self.predicted == self.real and not self.unmatched

    @property
    def row(self) -> tuple[str, ...]:
        """The table row of the pair."""
        return (
            self.name,
            str(self.operators),
            str(self.operators - len(self.predicted)),
            str(self.operators - len(self.real)),
            *self.first,
            "yes" if self.explained else "no",
        )


def pairs(folders: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """(original, compiled) of each folder and the folders in it, sorted."""
    for folder in folders:
        for compiled in sorted(folder.rglob(f"*{COMPILED}.tflite")):
            original = compiled.with_name(compiled.name.replace(f"{COMPILED}.tflite", ".tflite"))
            if original.is_file():
                yield original, compiled


def compare(name: str, original: Model, compiled: Model) -> Comparison:
    """Compare one pair. Operators correspond if their type and the names of their outputs are
    equal, in order.
    """
    predicted = predict(original, load_target("edgetpu"))
    graph = original.subgraphs[0]
    left = Counter(
        _name(compiled, operator)
        for operator in compiled.subgraphs[0].operators
        if operator.custom_code != CUSTOM
    )
    real = set()
    for operator in reversed(
        graph.operators
    ):  # of several operators of this name the last one stayed
        key = _name(original, operator)
        if left[key]:
            left[key] -= 1
            real.add(operator.index)
    before = {one.operator for one in predicted.before}
    return Comparison(
        name=name,
        operators=len(graph.operators),
        predicted=frozenset(one.operator for one in predicted.left if one.subgraph == 0),
        real=frozenset(real),
        unmatched=left.total(),
        first=(
            _operator_text(
                graph.operators, None if predicted.first is None else predicted.first.operator
            ),
            _operator_text(graph.operators, _first(graph.operators, real, before)),
        ),
    )


def _name(model: Model, operator: Operator) -> Name:
    """The operator's type and the names of its outputs."""
    tensors = model.subgraphs[0].tensors
    return operator.name, tuple(tensors[i].name for i in operator.outputs if i >= 0)


def _first(operators: Sequence[Operator], real: set[int], before: set[int]) -> int | None:
    """The first operator on the CPU, except those before the mapped part. `real`: indices of
    operators on the CPU; `before`: those before the mapped part.
    """
    mapped = [one.index for one in operators if one.index not in real]
    behind = [i for i in sorted(real) if i not in before or (mapped and i > mapped[0])]
    return behind[0] if behind else None


def _operator_text(operators: Sequence[Operator], index: int | None) -> str:
    """The operator with its index as text; `-` for None."""
    return "-" if index is None else f"[{index}] {operators[index].name}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Compare predictions with compiled models.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders with pairs")
    given = parser.parse_args(arguments)
    found, unreadable = [], 0
    for original, compiled in pairs(given.folders):
        try:
            models = read(original.read_bytes()), read(compiled.read_bytes())
        except (AlignError, OSError) as error:
            print(f"{original}: {error}", file=sys.stderr)
            unreadable += 1
            continue
        found.append(compare(original.stem, *models))
    if not found:
        print("no pair of X.tflite and X_edgetpu.tflite that can be compared", file=sys.stderr)
        return 2
    print("\n".join(text_table(HEAD, [one.row for one in found])))
    explained = sum(one.explained for one in found)
    print(f"\n{explained} of {len(found)} explained")
    return 0 if explained == len(found) and not unreadable else 1


if __name__ == "__main__":
    sys.exit(main())
