"""Records that say why a tensor gets its parameters: the result of explain(), which reports render."""

from __future__ import annotations

from typing import Literal

from ..format.enums import Activation
from ..format.model import TensorId
from ..numerics import Label, Range
from ..record import Record
from .problem_records import Conflict

__all__ = ["Alternative", "Anchor", "AnchorKind", "CutStory", "Explanation", "Link", "Tie"]

AnchorKind = Literal["own", "kept", "fixed", "policy", "anchor", "declared", "window", "cover"]
Status = Literal["solved", "clean", "conflict", "outside", "skipped"]


class Tie(Record, frozen=True, kw_only=True):
    """A rule and the slots it ties, as one text of addresses."""

    rule: str
    slots: str


class Link(Record, frozen=True, kw_only=True):
    """One step from a tensor to the next one that shares its label: `rule` ties the slots `here`
    and `there` (addresses); `key`, `name`: the next tensor.
    """

    rule: str
    here: str  # address
    there: str
    key: TensorId
    name: str


class Anchor(Record, frozen=True, kw_only=True):
    """The origin of a label.

    `kind`: own, declared by the tensor itself; kept, a rigid slot; fixed, a kernel's fixed output;
    policy, set by an alignment policy; anchor, set by an override; declared, declared by another
    tensor; window, the least widening that a multiplier window allows; cover, the finest label that
    covers the needed range.
    """

    kind: AnchorKind
    key: TensorId | None = None
    name: str = ""
    address: str = ""
    rule: str = ""
    reason: str = ""  # kept: why the slot is rigid; anchor: the override


class CutStory(Record, frozen=True, kw_only=True):
    """A QUANTIZE that reads the tensor and writes `label`.

    `operator`, `moved`, `precision`, `clipped`, `unclamped`: parts of its cost in the solver's
    units; `bits`: lost at the readers after it. `without`: the component's cost if these readers
    read the tensor directly; None if that is impossible, or was not computed.
    """

    label: Label
    readers: str
    because: tuple[str, ...]
    operator: float
    moved: float
    precision: float
    bits: float
    clipped: float
    unclamped: float
    without: float | None = None


class Alternative(Record, frozen=True, kw_only=True):
    """Another candidate label of the tensor, and the least cost of its component with it; None if
    impossible.
    """

    label: Label
    cost: float | None


class Explanation(Record, frozen=True, kw_only=True):
    """Why a tensor gets its label. Ranges are in real values (`holds`: of its label; `arrives`,
    `reach`, `told`: see solver/ranges.py); `noise`: root of the noise power accumulated along
    copies, as a step in real units; `more`: number of alternatives left out; `quantize`, `bit`:
    cost of one QUANTIZE and of one lost bit; costs are in the solver's units.
    """

    key: TensorId
    name: str
    type: str
    status: Status
    remark: str = ""  # outside: why the solver does not handle this tensor
    # why the costs of alternatives, or with the status skipped everything, were not computed
    skipped: str = ""
    written_by: str = ""  # address; empty for a constant
    declared: Label | None = None
    label: Label | None = None
    holds: Range | None = None  # at `label`
    arrives: Range | None = None
    reach: Range | None = None
    told: Range | None = None
    noise: float = 0.0
    clamps: bool = (
        False  # its declared range clamps values, and its operator has no fused activation for it
    )
    activation: Activation = Activation.NONE  # the fused activation that replaces that clamp
    snapped: bool = False  # the label differs from the declared one only by float noise
    ties: tuple[Tie, ...] = ()
    anchor: Anchor | None = None
    chain: tuple[Link, ...] = ()
    cuts: tuple[CutStory, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    more: int = 0  # alternatives that are not listed
    tensors: int = 0  # number of tensors of the component
    rules: tuple[str, ...] = ()
    cost: float = 0.0
    bound: float = 0.0
    optimal: bool = True
    quantize: float = 1.0  # cost of one QUANTIZE, without the cost of its elements
    bit: float = 4.0  # cost of one bit of precision lost at one reader
    slot: str = ""  # the requested slot, if any
    sees: Label | None = None
    conflict: Conflict | None = None
