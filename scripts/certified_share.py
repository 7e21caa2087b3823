#!/usr/bin/env python3
"""How many operators are certified for every input: in each model of a corpus, and over all
certifiable operators.

    scripts/certified_share.py CORPUS [PART...]

A row for each .tflite file below CORPUS/PART with the counts certified, missed, without a class.
*Missed*: an operator of a certifiable class without a bound; *without a class*: its output is not
quantized, or it is of class none (docs/certificates.md). Float files have no row.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tflite_align.certify.make import NotCertifiedError, certify, operator_rows  # noqa: E402

_NO_CLASS = ("its output is not quantized", "no function is known of ")
_NO_ROW = "no row matches these types and options"
_PARTS = ("mlperf_tiny", "coral", "litert", "microwakeword", "tflite_support", "tflm")


def _words(data: bytes) -> Iterator[tuple[str, str]]:
    """For each operator: ("certified", "missed" or "without a class"; the operator's name with the
    reason).
    """
    for _, row in operator_rows(certify(data)):
        reason = row.get("reason", "")
        word = "certified"
        if reason:
            none = reason.startswith(_NO_CLASS) and not reason.endswith(_NO_ROW)
            word = "without a class" if none or row["name"] == "CUSTOM" else "missed"
        yield word, f"{row['name']}: {reason}"


def main(corpus: Path, parts: tuple[str, ...]) -> None:
    """Print the share of certified operators for each file of these parts of the corpus, and in
    total.
    """
    total, reasons = Counter[str](), Counter[str]()
    for path in sorted(path for part in parts for path in (corpus / part).rglob("*.tflite")):
        try:
            words = list(_words(path.read_bytes()))
        except NotCertifiedError as error:
            print(f"{path.name}: {error}")
            continue
        counted = Counter(word for word, _ in words)
        if not counted["certified"] + counted["missed"]:
            continue
        total += counted
        reasons += Counter(reason for word, reason in words if word == "missed")
        print(_line(path.name, counted), flush=True)
    for reason, count in reasons.most_common():
        print(f"missed: {count} x {reason}")
    print(_line("all", total))


def _line(name: str, counted: Counter[str]) -> str:
    """The printed line of one file or of the total. `counted`: number of operators by that word."""
    certifiable = counted["certified"] + counted["missed"]
    share = 100 * counted["certified"] / certifiable
    return (
        f"{name}: {counted['certified']} of {certifiable} certifiable ({share:.1f} %),"
        f" {counted['without a class']} without a class"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or _PARTS)
