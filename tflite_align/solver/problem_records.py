"""Records of the solver's input and output. They contain no operator names. A label is a pair (scale,
zero point); a slot is an operand position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..format.enums import Activation
from ..format.model import Slot, TensorId
from ..numerics import Label, Range
from ..record import Record, field
from ..rules.families import Policy

__all__ = [
    "PREFERENCES",
    "Component",
    "Conflict",
    "Cut",
    "Demand",
    "Node",
    "Problem",
    "Solution",
    "SolverOptions",
    "Strategy",
    "Value",
    "Weights",
]

Overlap = Literal["forbid", "force", "auto"]
Demand = tuple[Label, ...]  # allowed labels of one slot, independent of the node's other slots


class Weights(Record, frozen=True, kw_only=True):
    """Weights of the cost function.

    One inserted QUANTIZE costs `cut`, plus `move` times its number of elements / that of the
    component's largest tensor. One bit of precision lost at one reader costs `bit`. Clipping costs
    `clip` for the whole representable range, or `blur` for each bit lost in an average. Undoing a
    clamp that only a range implies costs `clamp`, or `state` if the operator can have it as fused
    activation. `finer`, `change`: small costs that decide between otherwise equal solutions.
    """

    cut: float = 1.0
    move: float = 0.1
    bit: float = 4.0
    clip: float = 400.0
    blur: float = 4.0
    clamp: float = 100.0
    state: float = 0.05  # cost of a fused activation that replaces such a clamp
    finer: float = 0.02  # tie-break: of solutions of equal cost the one with finer steps
    change: float = 0.001  # tie-break: then the one that changes fewer tensors


# --prefer -> cost of one bit of precision lost at one reader, in QUANTIZE operators.
PREFERENCES: Mapping[str, Weights] = {
    "precision": Weights(bit=16.0, blur=16.0),
    "balanced": Weights(),
    "speed": Weights(bit=1.0),
}


class Strategy(Record, frozen=True, kw_only=True):
    """The result of one strategy (a set of policies), over all components that it decides.

    `bits_lost`: summed over readers, half the log2 of their noise power relative to the original's.
    `cost`: in the solver's units; comparable only if `holds`.
    """

    name: str
    cuts: int
    elements_moved: int
    bits_lost: float
    cost: float
    holds: bool


class SolverOptions(Record, frozen=True, kw_only=True):
    """User options of the solver. `policies`: alignment policy by operator family; `observed`:
    (least, greatest) real value of a tensor over calibration inputs.
    """

    policies: Mapping[str, Policy] = field(default_factory=dict)  # by family
    overlap: Overlap = "auto"
    weights: Weights = field(default_factory=Weights)
    observed: Mapping[TensorId, Range] = field(default_factory=dict)


class Node(Record, kw_only=True):
    """Slots that get one label. `domain`: its candidates; `held`: the label of a rigid slot or an
    anchor; `legal`: labels that a kernel with fixed output can write; `demands`: for each
    requirement, the labels that satisfy it; `wanted`: labels that a policy chose; `free`: no rule
    ties its slots; `loose`: slots that only a policy or --overlap ties; `zero`: zero point 0 is
    required; `uncut`: slots before which no QUANTIZE is allowed; `extra`: candidates that a window
    suggests.
    """

    slots: list[Slot]
    rules: set[str] = field(default_factory=set)
    held: Label | None = None  # rigid slot: its declared label
    legal: tuple[Label, ...] = ()  # fixed rule: the labels that its kernel can write
    # allowed labels of each rigid and each fixed slot
    demands: list[Demand] = field(default_factory=list)
    policy: str = ""  # "concat large": the family and policy that name its label
    wanted: tuple[Label, ...] = ()  # labels that a policy allows
    keeps: bool = False  # policy none: the operators that write its operands keep their parameters
    free: bool = False  # its operator rescales each operand, so labels may differ
    # slots tied only by a policy: their operators rescale each operand
    loose: set[Slot] = field(default_factory=set)
    zero: bool = False  # zero point must be 0
    # slots in front of which no QUANTIZE may be inserted
    uncut: set[Slot] = field(default_factory=set)
    extra: tuple[Label, ...] = ()  # labels that a multiplier window suggests
    domain: tuple[Label, ...] = ()


class Value(Record, frozen=True, kw_only=True):
    """One tensor: `source`, the node that writes it (None: a constant), and `readers`, (node, its
    reading slots). `shared`: whether several slots read it.
    """

    key: TensorId
    source: int | None
    readers: tuple[tuple[int, tuple[Slot, ...]], ...]  # (node, the slots of this tensor in it)
    elements: int
    shared: bool  # more than one reader


class Problem(Record, kw_only=True):
    """One component: nodes joined by values, all of one integer type."""

    type: str
    nodes: list[Node]
    values: list[Value]


class Cut(Record, frozen=True, kw_only=True):
    """A QUANTIZE to insert: `slots` read the tensor `key` with `label`, which differs from the one
    it is written with. `because`: the rules that require it.
    """

    key: TensorId
    label: Label
    slots: tuple[Slot, ...]
    because: tuple[str, ...]  # rules of the node after the cut


class Conflict(Record, frozen=True, kw_only=True):
    """Requirements at these slots that no choice of labels satisfies together, with their rules."""

    slots: tuple[Slot, ...]
    rules: tuple[str, ...]
    message: str


class Component(Record, frozen=True, kw_only=True):
    """The decision for one component: its tensors and rules, cost, lower bound of the cost
    (`bound`), number of inserted QUANTIZE (`cuts`) and of candidate labels.
    """

    index: int
    type: str
    tensors: tuple[TensorId, ...]
    rules: tuple[str, ...]
    cost: float
    bound: float
    optimal: bool
    cuts: int
    candidates: int


class Solution(Record, frozen=True, kw_only=True):
    """The decisions for a model. `source`: the label with which each decided tensor is written.
    `seen`: the label with which each slot reads a decided tensor; slots that are not listed are
    unchanged. `why`: the reason for a tensor's label, as text. `activations`: new fused activations
    by output slot.
    """

    source: Mapping[TensorId, Label]
    seen: Mapping[Slot, Label]
    cuts: tuple[Cut, ...]
    components: tuple[Component, ...]
    conflicts: tuple[Conflict, ...]
    why: Mapping[TensorId, str]
    activations: Mapping[Slot, Activation] = field(default_factory=dict)
