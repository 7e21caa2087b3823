"""Scores from comparing operators one by one, for the aligned file and the original."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..format.model import OperatorId
from ..record import Record, field, replace
from ..verdicts import Histogram, OperatorFigure, StepCheck, StepDeviation
from .changed_functions import match_operators

__all__ = ["OutputFigure", "Steps", "score_steps"]

_WORSE = 1.5  # a deviation up to this multiple of the original's is not a new fault


class OutputFigure(Record, frozen=True, kw_only=True):
    """One output of an operator compared with its recomputation in float: index of the tensor,
    largest deviation in steps (`lsb`) and as real value, signal and noise powers, and histograms of
    the values that arrive at it.
    """

    tensor: int
    name: str
    lsb: float
    signal: float
    noise: float
    largest: float
    arrives: tuple[Histogram, ...]  # histogram over its previous range, if its parameters changed

    @property
    def sqnr_db(self) -> float | None:
        """The SQNR in dB; None without a signal, infinite without noise."""
        if self.signal <= 0.0:
            return None
        if self.noise <= 0.0:
            return math.inf
        return 10.0 * math.log10(self.signal / self.noise)


class Steps(Record, frozen=True, kw_only=True):
    """The deviations of a file's operators. `lsb[i]`: deviation of operator i of subgraph 0 in
    steps; absent if it cannot be recomputed. `tolerance[i]`: the accepted one. `figures[i]`: for
    each of its compared outputs. `places[i]`: its index in the file, of which only a part may have
    been run. `not_judged`: operators without a comparison; `why`: the reason if nothing was
    compared.
    """

    lsb: dict[int, float]
    tolerance: dict[int, float]
    names: tuple[str, ...]
    places: tuple[int, ...]
    not_judged: tuple[int, ...]
    figures: dict[int, tuple[OutputFigure, ...]] = field(default_factory=dict)
    why: str = ""

    def some(self, operators: frozenset[int]) -> Steps:
        """The results of only these operators (indices)."""
        return replace(
            self,
            lsb={operator: lsb for operator, lsb in self.lsb.items() if operator in operators},
            not_judged=tuple([one for one in self.not_judged if one in operators]),
        )

    @property
    def within(self) -> bool:
        """Whether no operator is beyond its tolerance."""
        return all(lsb <= self.tolerance[operator] for operator, lsb in self.lsb.items())


def score_steps(
    original: Steps,
    aligned: Steps,
    edited: frozenset[OperatorId] | None,
    only: frozenset[int] | None = None,
) -> StepCheck:
    """Which operators of the aligned file are beyond tolerance, and which of these alignment
    changed. `only`: the operators that count; figures are given for all.

    `edited`: (subgraph, operator) of changed operators; None if unknown, so that an operator
    without a counterpart counts as changed.
    """
    pairs = match_operators(original.names, aligned.names)
    counted = aligned if only is None else aligned.some(only)
    beyond = []
    for operator, lsb in sorted(counted.lsb.items()):
        limit = aligned.tolerance[operator]
        if lsb <= limit:
            continue
        earlier = original.lsb.get(pairs[operator]) if operator in pairs else None
        beyond.append(
            StepDeviation(
                address=_address(aligned, operator),
                subgraph=0,
                operator=aligned.places[operator],
                lsb=lsb,
                tolerance_lsb=limit,
                original_lsb=earlier,
                ours=_is_ours(aligned, operator, (original, pairs, edited)),
            )
        )
    return StepCheck(
        checked=len(counted.lsb),
        beyond=tuple(beyond),
        not_judged=tuple(_address(aligned, operator) for operator in counted.not_judged),
        operators=tuple(_figures(original, aligned, pairs)),
    )


def _figures(original: Steps, aligned: Steps, pairs: dict[int, int]) -> Iterator[OperatorFigure]:
    """The figures of every compared output. `pairs`: aligned operator -> original operator."""
    for operator, outputs in sorted(aligned.figures.items()):
        earlier = original.figures.get(pairs[operator], ()) if operator in pairs else ()
        for at, one in enumerate(outputs):
            was = earlier[at] if original is not aligned and at < len(earlier) else None
            arrives = one.arrives if len(one.arrives) == 2 else (None, None)
            yield OperatorFigure(
                address=_address(aligned, operator),
                subgraph=0,
                operator=aligned.places[operator],
                tensor=one.tensor,
                name=one.name,
                lsb=one.lsb,
                largest_lsb=one.largest,
                tolerance_lsb=aligned.tolerance[operator],
                sqnr_db=one.sqnr_db,
                original_lsb=was.lsb if was else None,
                original_sqnr_db=was.sqnr_db if was else None,
                arrives=arrives[0],
                original_arrives=arrives[1],
            )


def _is_ours(
    aligned: Steps,
    operator: int,
    known: tuple[Steps, dict[int, int], frozenset[OperatorId] | None],
) -> bool:
    """Whether alignment caused the operator's deviation: the operator is new or changed, or the
    original's deviates clearly less. `known`: (the original's results, aligned operator -> original
    operator, edited operators or None).
    """
    original, pairs, edited = known
    if operator not in pairs or (0, aligned.places[operator]) in (edited or ()):
        return True
    earlier = original.lsb.get(pairs[operator])
    if earlier is not None:
        lsb = aligned.lsb[operator]
        return earlier <= aligned.tolerance[operator] and lsb > _WORSE * earlier
    return edited is None or not original.why


def _address(steps: Steps, operator: int) -> str:
    """The operator's address in the file."""
    return f"subgraph[0]/operator[{steps.places[operator]}] {steps.names[operator]}"
