"""verify_certificate(): runs the independent checker on bytes, with the shipped arithmetic rows."""

from __future__ import annotations

import json
from typing import Any

from ..errors import AlignError
from ..format.flatbuffer import Bytes
from .check import CheckedFile, check
from .check_graph import RefutedError
from .kernel_functions import kernels_of

__all__ = ["CertificateError", "CertificateRefutedError", "verify_certificate"]


class CertificateError(AlignError):
    """A certificate, or one of its two model files, cannot be read."""


class CertificateRefutedError(AlignError):
    """A claim of the certificate is false; the message gives its location."""


def verify_certificate(original: Bytes, written: Bytes, certificate: Bytes) -> CheckedFile:
    """Check a certificate against both files, all three as bytes. The result has the number of
    certified operators and the largest error in steps (LSB).

    Raises CertificateRefutedError for a false claim, CertificateError where one of the three files
    cannot be read.
    """
    try:
        document: Any = json.loads(bytes(certificate))
        return check(bytes(original), bytes(written), document, kernels_of)
    except RefutedError as error:
        raise CertificateRefutedError(str(error)) from error
    except Exception as error:
        description = f"{type(error).__name__}: {error}"
        raise CertificateError(f"the checker cannot read a file: {description}") from error
