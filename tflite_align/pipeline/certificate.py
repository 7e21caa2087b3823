"""The certificate of an alignment, and what the independent checker makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..verdicts import CertificateSummary
from .decision import Decision
from .execution import Executed
from .preparation import Prepared

__all__ = ["certificate_of"]

Found = tuple[Mapping[str, Any] | None, CertificateSummary | None]


def certificate_of(prepared: Prepared, decision: Decision, executed: Executed) -> Found:
    """(the certificate, its summary); (None, None) where none was asked for."""
    options = prepared.session.options
    if not options.certificate and "certified" not in options.require:
        return None, None
    # A run without a certificate needs none of it.
    from ..certify.make import NotCertifiedError, certified_runtimes, make_certificate  # noqa: PLC0415
    from ..certify.optimum import with_optimum  # noqa: PLC0415
    from ..certify.verified import CertificateRefutedError, verify_certificate  # noqa: PLC0415

    original, written = bytes(prepared.original), b"".join(executed.chunks)
    try:
        runtimes = certified_runtimes(options.targets)
        certificate = make_certificate(original, written, runtimes=runtimes, bias=options.bias)
        if decision.solved is not None and decision.plan is not None:
            certificate = with_optimum(certificate, original, written, decision.solved)
        checked = verify_certificate(original, written, json.dumps(certificate).encode())
    except (NotCertifiedError, CertificateRefutedError, UsageError) as error:
        return None, CertificateSummary(word="none", why=str(error))
    rows = _rows(certificate)
    left = [(place, row) for place, row in rows if row["status"] != "certified"]
    bounds = [row for _, row in rows if row["status"] == "certified"]
    summary = CertificateSummary(
        word="in part" if left else "certified",
        why=f"{left[0][0]}: {left[0][1]['reason']}" if left else "",
        operators=checked.operators,
        certified=checked.certified,
        worst_lsb=_worst(bounds, "bounds"),
        worst_original_lsb=_worst(bounds, "bounds_in_original_steps"),
        runtimes=runtimes,
        assumed=(
            *(f"{slot} is read in its new parameters" for slot in checked.moved),
            *checked.assumed,
        ),
    )
    return certificate, summary


def _rows(certificate: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (f"subgraph[{number}]/operator[{row['operator']}] {row['name']}", row)
        for number, graph in enumerate(certificate["subgraphs"])
        for row in graph["operators"]
    ]


def _worst(rows: list[Mapping[str, Any]], key: str) -> float | None:
    return max((max(row[key].values()) for row in rows), default=None)
