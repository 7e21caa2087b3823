"""Records of the comparison of runtimes: reports hold them, also where nothing was compared."""

from __future__ import annotations

from typing import Literal

from ..record import Record

__all__ = ["OperatorPortability", "Portability", "PortabilityWord", "RuntimePair"]

PortabilityWord = Literal["equal", "differs", "not known"]


class RuntimePair(Record, frozen=True, kw_only=True):
    """Two runtimes with different integers: by at most `largest` LSB, in `share` of the cases."""

    first: str
    second: str
    largest: int
    share: float


class OperatorPortability(Record, frozen=True, kw_only=True):
    """One operator's integers compared between runtimes.

    `alike`: groups of runtimes with equal integers for every input; `refusing`: runtimes that
    refuse the operator. `largest`: largest difference between any two, LSB; `share`: part of the
    `cases` (accumulators of all channels, integers, pairs) that differ. `witness`: a case that
    differs. `exact`: whether all cases were compared. `why`: the reason, if portability is `not known`.
    """

    address: str
    word: PortabilityWord
    alike: tuple[tuple[str, ...], ...] = ()
    refusing: tuple[str, ...] = ()
    pairs: tuple[RuntimePair, ...] = ()
    largest: int = 0
    share: float = 0.0
    cases: int = 0
    witness: str = ""
    exact: bool = True
    why: str = ""


class Portability(Record, frozen=True, kw_only=True):
    """The comparison of a file's operators between `runtimes`, on the processors that the
    arithmetic rows name (`processor`). Operators without quantized outputs are left out.
    """

    runtimes: tuple[str, ...]
    processor: str
    operators: tuple[OperatorPortability, ...]
