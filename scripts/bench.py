#!/usr/bin/env python3
"""Benchmarks: figures of this project and of alternatives, measured in one run.

scripts/bench.py optimum [MODEL...]: QUANTIZE operators, bits and SQNR of our alignment, of PPQ's
strategies, and of a QUANTIZE at every mismatched operand, on de-aligned models.

scripts/bench.py speed [MODEL...]: time of align without judges, compared with the generated object
API and ai-edge-quantizer; of the command, compared with its imports; growth with the number of
operators and the size of constants; peak memory. With goals.

scripts/bench.py verification [MODEL...]: time of a verification, compared with the bare runs of the
same file. With goals; without models those of the corpus (--corpus).

scripts/bench.py store: many small files checked: files a second, memory over time; and models
aligned by two Dask workers, each pinned to a core, compared with one. With goals.

Without models: the fixtures' folder given by --fixtures; optimum: else the shipped sample.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]  # runs from a bare checkout, installed or not

import bench_speed  # noqa: E402 - needs the path
import bench_store  # noqa: E402 - needs the path
import bench_verification  # noqa: E402 - needs the path
import dealign  # noqa: E402 - needs the path
from tflite_align import AlignError, AlignOptions, align  # noqa: E402 - needs the path
from tflite_align.report.report import Report  # noqa: E402 - needs the path


def ports(report: Report) -> int:
    """The number of mismatched operands: the simplest repair inserts a QUANTIZE at each of them."""
    return sum(f.rule.split("/")[0] in {"same", "fixed", "boundary"} for f in report.findings)


def loss_db(report: Report) -> float | None:
    """The largest alignment loss over the outputs in dB: SQNR of the declared reading before
    alignment minus that after; None if outputs were not compared.
    """
    scores = [
        o.declared_aligned_db - o.declared_original_db
        for o in (report.verification.outputs if report.verification else ())
        if o.index >= 0 and o.declared_aligned_db is not None and o.declared_original_db is not None
    ]
    return min(scores) if scores else None


def optimum(path: Path, seed: int, *, numbers: bool) -> dict[str, Any] | None:
    """One row of the table for a model de-aligned with this seed; None if there is nothing to
    align. `numbers`: with the loss in dB.
    """
    try:
        broken = dealign.dealign(path.read_bytes(), seed)
        report = align(broken, AlignOptions(verify=numbers, compare=True)).report
    except (AlignError, ValueError) as error:
        return {"model": path.name, "error": str(error)}
    if not report.changes:
        return None
    return {
        "model": path.name,
        "crude QUANTIZE": ports(report),
        "optimal": all(component.optimal for component in report.components),
        "left": len([f for f in report.remaining if f.severity == "error"]),
        "SQNR against declared, dB": loss_db(report),
        "strategies": {
            s.name: {"QUANTIZE": s.cuts, "bits": round(s.bits_lost, 3), "cost": round(s.cost, 3)}
            for s in report.strategies
            if s.holds
        },
    }


def show(rows: Iterable[dict[str, Any]]) -> None:
    """Print the rows as JSON lines."""
    for row in rows:
        flat = {k: v for k, v in row.items() if k != "strategies"}
        for name, found in row.get("strategies", {}).items():
            flat[name] = f"{found['QUANTIZE']} ({found['cost']})"
        print(json.dumps(flat))


def broken_model(path: Path, seed: int) -> bytes:
    """The de-aligned model; the model itself if nothing can be broken."""
    try:
        return dealign.dealign(path.read_bytes(), seed)
    except ValueError:
        return path.read_bytes()


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Totals of the optimum table. `rows`: one per model."""
    good = [row for row in rows if "strategies" in row]
    losses = [
        row["SQNR against declared, dB"]
        for row in good
        if row["SQNR against declared, dB"] is not None
    ]
    ours = sum(row["strategies"]["as aligned"]["QUANTIZE"] for row in good)
    return {
        "models": len(good),
        "QUANTIZE, ours": ours,
        "QUANTIZE, crude": sum(row["crude QUANTIZE"] for row in good),
        "all optimal": all(row["optimal"] for row in good),
        "median SQNR against declared, dB": round(statistics.median(losses), 2) if losses else None,
    }


def _verifications(models: list[Path], corpus: Path | None) -> list[dict[str, Any]]:
    """Rows for these models, or for the corpus models that the table names."""
    named = [(path.name, path) for path in models]
    if not named and corpus is not None:
        named = [(name, Path(corpus) / file) for name, file in bench_verification.MODELS.items()]
    rows = []
    for row in bench_verification.verification_rows(named):
        bench_verification.show(row)
        rows.append(row)
    return rows


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=("optimum", "speed", "store", "verification"))
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--fixtures", type=Path, help="a folder of .tflite files")
    parser.add_argument("--corpus", type=Path, default=os.environ.get("TFLITE_ALIGN_CORPUS"))
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--numbers", action="store_true", help="judge the numbers too (slow)")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--operators", type=int, default=100_000, help="speed: at most so many")
    parser.add_argument("--constant", type=int, default=1_900_000_000, help="speed: bytes at most")
    parser.add_argument("--files", type=int, default=100_000, help="store: files checked")
    parser.add_argument("--aligned", type=int, default=200, help="store: models aligned")
    parser.add_argument("--folder", type=Path, help="speed, store: where files of gigabytes may go")
    given = parser.parse_intermixed_args()
    models = given.models or sorted(given.fixtures.glob("*.tflite") if given.fixtures else ())
    if given.table == "optimum":
        models = models or [ROOT / "tests" / "data" / "sample_origin.tflite"]
        found = (optimum(path, given.seed, numbers=given.numbers) for path in models)
        rows = [row for row in found if row is not None]
        show(rows)
        print(json.dumps(summary(rows)))
    elif given.table == "store":
        rows = bench_store.store_rows(given.files, given.aligned, given.folder)
        show(rows)
    elif given.table == "verification":
        rows = _verifications(models, given.corpus)
    else:
        rows = []
        for row in bench_speed.speed_rows(
            [(path.name, broken_model(path, given.seed)) for path in models],
            operators=given.operators,
            constant=given.constant,
            folder=given.folder,
        ):
            bench_speed.show(row)
            rows.append(row)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
