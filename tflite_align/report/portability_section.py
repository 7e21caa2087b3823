"""Which operators can give different integers in which runtimes, for a person to read."""

from __future__ import annotations

from collections import Counter

from ..certify.portable import OperatorPortability, Portability
from .section import Row, Section
from .terminal_text import plural

__all__ = ["portability_section"]

_HEAD = ("operator", "integers alike in", "by at most", "share of cases", "for example")


def portability_section(found: Portability) -> Section:
    """A row for each operator that differs or of which nothing is known; counts below."""
    told = [one for one in found.operators if one.word != "equal"]
    words = Counter(one.word for one in found.operators)
    head = (
        f"predicted for {', '.join(found.runtimes)} ({found.processor}), for every input:"
        f" {words['equal']} of {plural(len(found.operators), 'operator')} with the same integers"
        f" in all, {words['differs']} that can differ, {words['not known']} not known"
    )
    return Section(
        title="Portability (predicted)",
        head=_HEAD,
        rows=tuple(map(_row, told)),
        lines=(head,),
    )


def _row(one: OperatorPortability) -> Row:
    if one.word == "not known":
        return (one.address, "not known", "", "", one.why)
    alike = " | ".join(", ".join(names) for names in one.alike)
    share = f"{one.share:.2g} of {one.cases:,}" + ("" if one.exact else " tried")
    return (one.address, alike, f"{one.largest} LSB", share, one.witness)
