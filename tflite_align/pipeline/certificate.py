"""The certificate of an alignment, made and verified by the independent checker."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UsageError
from ..verdicts import CertificateSummary
from .decision import Decision
from .preparation import Prepared

__all__ = ["Found", "certificate_of", "shown_runtimes"]

# platform.machine() -> processor names in arithmetic rows.
_PROCESSORS = {"x86_64": "x86-64", "amd64": "x86-64"}
Found = tuple[Mapping[str, Any] | None, CertificateSummary | None]


def certificate_of(
    prepared: Prepared, decision: Decision, chunks: Iterable[bytes | memoryview]
) -> Found:
    """(certificate of the written file, summary), or (None, None) if none was requested. `chunks`:
    the written file's bytes in pieces.
    """
    options = prepared.session.options
    if not options.certificate and "certified" not in options.require:
        return None, None
    # imported here: needed for certificates only
    from ..certify.make import (  # noqa: PLC0415
        NotCertifiedError,
        certified_runtimes,
        make_certificate,
        operator_rows,
    )
    from ..certify.optimum import with_optimum  # noqa: PLC0415
    from ..certify.verified import (  # noqa: PLC0415
        CertificateError,
        CertificateRefutedError,
        verify_certificate,
    )

    original, written = bytes(prepared.original), b"".join(chunks)
    try:
        runtimes = certified_runtimes(options.targets)
        certificate = make_certificate(original, written, runtimes=runtimes, bias=options.bias)
        if decision.solved is not None and decision.plan is not None:
            certificate = with_optimum(certificate, original, written, decision.solved)
        checked = verify_certificate(original, written, json.dumps(certificate).encode())
    except (NotCertifiedError, CertificateRefutedError, CertificateError, UsageError) as error:
        return None, CertificateSummary(word="none", why=str(error))
    rows = operator_rows(certificate)
    left = [(location, row) for location, row in rows if row["status"] != "certified"]
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
            *(f"{slot} is read by its new parameters" for slot in checked.moved),
            *checked.assumed,
        ),
    )
    return certificate, summary


def shown_runtimes(summary: CertificateSummary | None) -> frozenset[str]:
    """Runtimes whose kernels need no comparison on samples, as all operators are certified for
    them.

    Empty if an operator is not certified; contains only runtimes certified for this processor.
    """
    if summary is None or summary.word != "certified":
        return frozenset()
    from ..certify.arithmetic import load_arithmetic  # noqa: PLC0415 - only with a certificate

    here = _PROCESSORS.get(platform.machine().lower(), "")
    return frozenset(name for name in summary.runtimes if load_arithmetic(name).processor == here)


def _worst(rows: list[Mapping[str, Any]], key: str) -> float | None:
    """The largest value under `key` over all rows and runtimes, LSB; None without rows."""
    return max((max(row[key].values()) for row in rows), default=None)
