"""The commands `certify MODEL` and `verify ORIGINAL WRITTEN CERT`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..certify.check_optimum import CheckedOptimum
from ..certify.make import certified_runtimes, certify, operator_rows
from ..certify.verified import CertificateRefutedError, verify_certificate
from ..disk import read_model_file, replace_files
from ..store.named_errors import about
from .failure import reader_may_leave
from .paths import STREAM, prepare
from .streams import write_stdout
from .summary import show_lines, show_table

__all__ = ["run_certify", "run_verify"]

_MOST_LINES = 20


def run_certify(source: str, targets: Sequence[str], out: str | None, *, verbose: bool) -> int:
    """Certify each operator of MODEL and print the certificate, or write it to `out`. Returns the
    exit status 0, also if operators are not certified; an unreadable file raises. `source`: path of
    MODEL, or - for standard input. `targets`: names of the targets whose runtimes are certified;
    `verbose`: list every operator.
    """
    if out is not None:
        prepare([source], [out])
    with about(source):
        runtimes = certified_runtimes(targets or ("tflite",))
        certificate = certify(bytes(read_model_file(source)), runtimes=runtimes)
    text = json.dumps(certificate, indent=1) + "\n"
    if out == STREAM:
        write_stdout([text.encode()])
        return 0
    if out is not None:
        replace_files([(out, (text.encode(),))])
    with reader_may_leave(0):
        _tell(certificate, verbose=verbose)
    return 0


def _tell(certificate: Mapping[str, Any], *, verbose: bool) -> None:
    """Print the table of operators and the totals. `verbose`: all operators. `certificate`: its
    JSON value.
    """
    rows = operator_rows(certificate)
    lines = list(_operators(rows))
    shown = lines if verbose else lines[:_MOST_LINES]
    show_table(("operator", "for every input", "accumulator", "can saturate"), shown)
    if len(shown) < len(lines):
        show_lines([f"and {len(lines) - len(shown)} more (--verbose lists them)"])
    show_lines(["", *_closing(rows, certificate["runtimes"])])


def _operators(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, ...]]:
    """A table row for each operator: address, bound, accumulator, saturation."""
    for slot_address, row in rows:
        if row["status"] != "certified":
            yield slot_address, f"not certified: {row['reason']}", "", ""
            continue
        bounds = row["bounds"]
        each = ", ".join(f"{runtime} {bound:.3f}" for runtime, bound in bounds.items())
        same = len(set(bounds.values())) == 1
        within = f"within {max(bounds.values()):.3f} LSB" if same else f"within {each} LSB"
        summed = row.get("accumulator")
        wraps = f"{summed[0]} to {summed[1]}: cannot wrap" if summed else ""
        yield slot_address, within, wraps, " and ".join(row["saturates"])


def _closing(
    rows: Sequence[tuple[str, Mapping[str, Any]]], runtimes: Sequence[str]
) -> Iterator[str]:
    """Lines with the reasons for operators without a certificate, and the totals. `rows`: (address,
    certificate row) of each operator; `runtimes`: names.
    """
    certified = [row for _, row in rows if row["status"] == "certified"]
    reasons = Counter(row["reason"] for _, row in rows if row["status"] != "certified")
    for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"not certified: {count} x {reason}"
    share = 100 * len(certified) / len(rows) if rows else 100.0
    worst = max((bound for row in certified for bound in row["bounds"].values()), default=0.0)
    yield (
        f"certified for every input: {len(certified)} of {len(rows)} operators ({share:.1f} %),"
        f" within {worst:.3f} LSB, on {', '.join(runtimes)}"
    )


def run_verify(original: str, written: str, certificate: str) -> int:
    """Check a certificate; return 0 if it holds, and 1, with the reason printed, if it does not.
    The arguments are paths. `original`, `written`, `certificate`: paths.
    """
    files = []
    for path in (original, written, certificate):
        with about(path):
            files.append(bytes(read_model_file(path)))
    with about(certificate):
        try:
            checked = verify_certificate(*files)
        except CertificateRefutedError as error:
            refuted = str(error)
        else:
            refuted = ""
    if refuted:
        with reader_may_leave(1):
            show_lines([f"the certificate does not hold: {refuted}"])
        return 1
    share = f"{checked.certified} of {checked.operators} operators certified for every input"
    bound = f"within {checked.worst:.3f} LSB; the other operators are unchanged"
    lines = [f"the certificate holds: {share}, {bound}"]
    lines += _optimum(checked.optimum)
    lines += [f"assumed: {slot} is read by its new parameters" for slot in checked.moved]
    lines += [f"assumed: {assumption}" for assumption in checked.assumed]
    with reader_may_leave(0):
        show_lines(lines)
    return 0


def _optimum(found: CheckedOptimum | None) -> Iterator[str]:
    """Lines on the optimum: how many components are optimal, how far the others are from it, and
    how many have no claim.
    """
    if found is None:
        return
    if found.components:
        least = f"{found.optimal} of {found.components} components"
        gap = f"; the others are within {float(found.gap):.6g} of the optimum"
        yield (
            f"optimal among the candidates, at the certificate's costs (not checked): {least}"
            f"{gap if found.optimal < found.components else ''}"
        )
    if found.left_out:
        yield f"optimum not claimed: {found.left_out} components (`left_out` in the certificate says why)"
