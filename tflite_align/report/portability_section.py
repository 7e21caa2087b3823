"""The section on operators whose integers can differ between runtimes."""

from __future__ import annotations

from collections import Counter

from ..certify.portability_records import OperatorPortability, Portability
from .section import Row, Section
from .terminal_text import plural

__all__ = ["portability_section"]

_HEAD = ("operator", "same integers in", "difference of at most", "share of cases", "for example")


def portability_section(portability: Portability) -> Section:
    """A row for each operator whose integers can differ between runtimes or are unknown, and the
    counts.
    """
    differing = [operator for operator in portability.operators if operator.word != "equal"]
    words = Counter(operator.word for operator in portability.operators)
    head = (
        f"predicted for {', '.join(portability.runtimes)} ({portability.processor}), for every input:"
        f" {words['equal']} of {plural(len(portability.operators), 'operator')} with the same integers"
        f" in all, {words['differs']} that can differ, {words['not known']} not known"
    )
    return Section(
        title="Portability (predicted)",
        head=_HEAD,
        rows=tuple(map(_row, differing)),
        lines=(head,),
    )


def _row(operator_portability: OperatorPortability) -> Row:
    """The table row of one operator whose results differ between runtimes."""
    if operator_portability.word == "not known":
        return (operator_portability.address, "not known", "", "", operator_portability.why)
    groups = " | ".join(", ".join(names) for names in operator_portability.alike)
    share = f"{operator_portability.share:.2g} of {operator_portability.cases:,}" + (
        "" if operator_portability.exact else " tried"
    )
    return (
        operator_portability.address,
        groups,
        f"{operator_portability.largest} LSB",
        share,
        operator_portability.witness,
    )
