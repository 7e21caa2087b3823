"""Which packages' runtimes a verification used, and on which processor they ran."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

__all__ = ["processor", "runtimes"]

_LITERT = ("ai-edge-litert", "tensorflow")  # the first installed package is used
_PACKAGES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("litert", "litert-ref", "xnnpack"), _LITERT),
    "tflm": ("tflite-micro",),
    **dict.fromkeys(("ethos-u55", "ethos-u65", "ethos-u85"), ("ethos-u-vela",)),
    "mlir": ("tosa-converter-for-tflite",),
}


def runtimes(judges: Iterable[str]) -> tuple[str, ...]:
    """`ai-edge-litert==1.4.0` for each installed package that provides one of these judges, in
    their order.

    The version number alone is ambiguous: 2.3.0 is TensorFlow of 2020 and LiteRT of 2026.
    """
    versions = (_installed(_PACKAGES.get(judge, ())) for judge in judges)
    return tuple(dict.fromkeys(name for name in versions if name))


def _installed(packages: tuple[str, ...]) -> str:
    """`package==version` of the first of these packages that is installed; "" without one."""
    for package in packages:
        try:
            return f"{package}=={version(package)}"
        except PackageNotFoundError:
            continue
    return ""


def processor() -> str:
    """The processor's architecture, such as `x86_64`: kernels and their rounding depend on it."""
    return platform.machine()
