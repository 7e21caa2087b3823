"""From constraints, the components: nodes and values (tensors) that have to be decided together.

A node is a set of slots (operand positions) that share a label (scale, zero point): the slots tied
by constraints, or a single slot. All free readers of one tensor make one node: their kernels
compute their own multipliers, so that any label suits them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..checks.binder.bound import Bound
from ..checks.constraints import Anchored, Fixed, Same, Uncut, ZeroPoint
from ..checks.disjoint import DisjointSets
from ..format.model import OperatorId, Slot, TensorId
from ..numerics import Label, close_scale
from ..record import replace
from .alignment import assign_policies
from .policies import near, policies_of, policy_inputs
from .problem_records import Demand, Node, Problem, SolverOptions, Value
from .ranges import Values

__all__ = ["build_problems", "contradictory"]


class _Builder:
    """Builds nodes and values from a bound model. `tied`: slot -> rules that tie it; `sets`: which
    slots are tied to each other.
    """

    def __init__(self, bound: Bound, values: Values, options: SolverOptions) -> None:
        self.bound = bound
        self.model = bound.model
        self.flow = values
        self.options = options
        self.policies = policies_of(bound, options)
        self.sets = DisjointSets[Slot](lambda slot: slot.sort_key)
        self.tied: dict[Slot, set[str]] = {}
        self.nodes: list[Node] = []
        self.node_of: dict[Slot, int] = {}
        self.values: list[Value] = []

    def label(self, slot: Slot) -> Label | None:
        """The declared label of a slot's tensor; None without one."""
        return self.flow.labels.get(slot.tensor_id(self.model))

    def tie(self) -> None:
        """Join slots that constraints, policies or --overlap force require to share a label."""
        for constraint in self.bound.of(Same):
            if any(self.label(slot) is None for slot in constraint.slots):
                continue
            for slot in constraint.slots:
                self.tied.setdefault(slot, set()).add(constraint.rule)
                self.sets.union(constraint.slots[0], slot)
        self._tie_policies()
        if self.options.overlap == "force":
            ties = (dict(self.sets.parent), {slot: set(rules) for slot, rules in self.tied.items()})
            self._force(frozenset())
            if impossible := self._impossible():
                # Where --overlap force is impossible, the slots are separated by a QUANTIZE instead.
                self.sets.parent, self.tied = ties
                self._force(impossible)

    def _tie_policies(self) -> None:
        """Join the inputs that a policy aligns, of operators whose inputs no rule ties."""
        aligned = [
            (operator_id, family, policy)
            for operator_id, (family, policy) in self.policies.items()
            if policy in ("input", "output", "large")
        ]
        operands = policy_inputs(
            self.bound, self.flow, [operator_id for operator_id, _, _ in aligned]
        )
        for (_, family, policy), slots in zip(aligned, operands, strict=True):
            # A single operand gets another label only if the output determines it.
            if len(slots) < (1 if policy == "output" else 2):
                continue
            if any(slot in self.tied for slot in slots):
                continue
            for slot in slots:
                self.tied.setdefault(slot, set()).add(f"policy/{family}")
                self.sets.union(slots[0], slot)

    def _demands(self) -> dict[Slot, Demand]:
        """By slot: the labels that a fixed or rigid slot may have, whatever other slots have."""
        demands: dict[Slot, Demand] = {}
        for constraint in self.bound.of(Fixed):
            legal = constraint.legal(self.label(constraint.slot))
            both = tuple(label for label in demands.get(constraint.slot, legal) if label in legal)
            demands[constraint.slot] = both or legal
        for slot in self.bound.rigid:
            label = self.label(slot)
            if label is not None:
                demands[slot] = (label,)
        return demands

    def _impossible(self) -> frozenset[Slot]:
        """All slots of each set of tied slots that contains fixed or rigid slots without a common
        label.
        """
        demands = self._demands()
        by_root: dict[Slot, list[Demand]] = {}
        for slot in self.tied:
            if slot in demands:
                by_root.setdefault(self.sets.find(slot), []).append(demands[slot])
        roots = {root for root, requirements in by_root.items() if _exclusive(requirements)}
        return frozenset(slot for slot in self.tied if self.sets.find(slot) in roots)

    def _force(self, separate: frozenset[Slot]) -> None:
        """--overlap force: join the readers of a tensor to the slot that writes it.

        Not joined: the slots in `separate`, tied slots of operators whose policy is `none`, and
        readers of a tensor that a rigid slot writes.
        """
        still = {
            operator_id for operator_id, (_, policy) in self.policies.items() if policy == "none"
        }
        for subgraph, wiring in self.flow.wiring.items():
            for tensor, readers in wiring.readers.items():
                producer = wiring.producer.get(tensor)
                if TensorId(subgraph, tensor) not in self.flow.labels or producer is None:
                    continue
                slots = [producer, *readers]
                free = [
                    s
                    for s in slots
                    if OperatorId(subgraph, s.operator) not in still or s not in self.tied
                ]
                free = [s for s in free if s not in self.bound.rigid]
                if producer not in free or not separate.isdisjoint(slots):
                    continue
                if any(slot in self.tied for slot in free):
                    for slot in free:
                        self.sets.union(free[0], slot)
                        self.tied.setdefault(slot, set()).add("overlap/force")

    def _node(self, slot: Slot) -> int:
        """The index of the slot's node, which is added if it is new."""
        root = self.sets.find(slot) if slot in self.tied else slot
        if root not in self.node_of:
            self.node_of[root] = len(self.nodes)
            self.nodes.append(Node(slots=[]))
        node_index = self.node_of[root]
        node = self.nodes[node_index]
        if slot not in node.slots:
            node.slots.append(slot)
            rules = self.tied.get(slot, set())
            node.rules |= rules
            if rules and all(rule.startswith(("policy/", "overlap/")) for rule in rules):
                node.loose.add(slot)
        label = self.label(slot)
        if slot in self.bound.rigid and label is not None:
            node.held = node.held or label
            node.demands.append((label,))
            node.rules.add("rigid")
        return node_index

    def connect(self) -> None:
        """Add a `Value` (a tensor with the nodes that write and read it) for each tensor with a
        label. Its readers that no rule ties get one node together.
        """
        for key in self.flow.labels:
            tensor = self.model.subgraphs[key.subgraph].tensors[key.tensor]
            wiring = self.flow.wiring[key.subgraph]
            self._value(key, wiring.producer.get(key.tensor), tensor.elements)

    def _value(self, key: TensorId, producer: Slot | None, elements: int) -> None:
        """Add the value of one tensor. `producer`: the slot that writes it; None for a constant or
        variable. `elements`: its number of elements.
        """
        readers = self.flow.wiring[key[0]].readers.get(key[1], [])
        if producer is None and self.model.subgraphs[key[0]].tensors[key[1]].is_variable:
            # A state: only the operator itself writes it, with the declared parameters.
            for slot in readers:
                if slot in self.tied:
                    node = self.nodes[self._node(slot)]
                    node.held = node.held or self.label(slot)
            return
        if producer is None:
            readers = [slot for slot in readers if slot in self.tied]
            if not readers or self.model.constant(*key) is None:
                return
        grouped: dict[int, list[Slot]] = {}
        free: list[Slot] = []
        for slot in readers:
            if slot in self.tied or slot in self.bound.rigid:
                grouped.setdefault(self._node(slot), []).append(slot)
            else:
                free.append(slot)
        source = None
        if producer is not None:
            source = self._node(producer)
            node = self.nodes[source]
            node.free = node.free or (producer not in self.tied and node.held is None)
        if free:
            grouped[len(self.nodes)] = free
            self.nodes.append(Node(slots=free, free=True))
        self.values.append(
            Value(
                key=key,
                source=source,
                readers=tuple((node_index, tuple(slots)) for node_index, slots in grouped.items()),
                elements=elements,
                shared=len(readers) > 1,
            )
        )

    def suggest(self, labels: Mapping[Slot, Label]) -> None:
        """Add candidate labels to nodes: `labels` maps slots to the label that their window
        requires.
        """
        for node_index, node in enumerate(self.nodes):
            node.extra = tuple(
                labels[slot] for slot in self.nodes[node_index].slots if slot in labels
            )

    def restrict(self) -> None:
        """Add to each node what fixed, zero-point, anchor and no-QUANTIZE constraints require of
        it.
        """
        where = {
            slot: node_index for node_index, node in enumerate(self.nodes) for slot in node.slots
        }
        for constraint in self.bound.constraints:
            if isinstance(constraint, Anchored):
                self._anchor(constraint, where)
            if not isinstance(constraint, (Fixed, Uncut, ZeroPoint)):
                continue
            node_index = where.get(constraint.slot)
            if node_index is None:
                continue
            node = self.nodes[node_index]
            node.rules.add(constraint.rule)
            if isinstance(constraint, Uncut):
                node.uncut.add(constraint.slot)
            elif isinstance(constraint, Fixed):
                legal = constraint.legal(self.label(constraint.slot))
                both = tuple(label for label in node.legal if label in legal)
                node.legal = both or legal
                if constraint.slot not in self.bound.rigid or constraint.slot in self.bound.held_by:
                    node.demands.append(legal)
            else:
                node.zero = True

    def _anchor(self, anchor: Anchored, where: Mapping[Slot, int]) -> None:
        """Give an anchor's label to the nodes of its tied slots, or if it has none to the nodes
        that write its tensors. `where`: node index by slot.
        """
        tied = [slot for slot in anchor.slots if slot in self.tied]
        written = [slot for slot in anchor.slots if (slot.kind == "inputs") == (slot.operator < 0)]
        for node_index in {where[slot] for slot in tied or written if slot in where}:
            node = self.nodes[node_index]
            node.held = node.held or anchor.label
            node.demands.append((anchor.label,))
            node.rules.add(anchor.rule)


def build_problems(
    bound: Bound,
    values: Values,
    options: SolverOptions,
    broken: Iterable[Slot],
    suggested: Mapping[Slot, Label],
) -> list[Problem]:
    """A problem for each component that holds a slot (an operand of an operator) with a violated
    constraint (`broken`), in the order of their first slot. `suggested`: by slot, scale and zero
    point to be tried in addition.
    """
    builder = _Builder(bound, values, options)
    builder.tie()
    builder.connect()
    builder.restrict()
    builder.suggest(suggested)
    assign_policies(bound, values, options, builder.nodes)
    roots = _components(len(builder.nodes), builder.values)
    faulty = set(broken)
    hit = {
        roots[node_index]
        for node_index, node in enumerate(builder.nodes)
        if not faulty.isdisjoint(node.slots) or _disagrees(builder, node)
    }
    members: dict[int, list[int]] = {root: [] for root in sorted(hit)}
    for node_index, root in enumerate(roots):
        if root in hit:
            members[root].append(node_index)
    inside: dict[int, list[Value]] = {root: [] for root in members}
    for value in builder.values:
        root = roots[value.readers[0][0] if value.readers else value.source or 0]
        if root in hit:
            inside[root].append(value)
    return [_problem(builder, members[root], inside[root]) for root in members if inside[root]]


def contradictory(node: Node) -> bool:
    """Whether the requirements of the node's slots leave no common label."""
    return _exclusive(node.demands)


def _exclusive(demands: Sequence[Demand]) -> bool:
    """Whether no label, up to float rounding, is in every one of the demands."""

    def among(label: Label, demand: Demand) -> bool:
        """Whether the demand contains the label, up to float rounding."""
        return any(
            label.zero_point == legal.zero_point and close_scale(label.scale, legal.scale)
            for legal in demand
        )

    first = demands[0] if demands else ()
    return bool(first) and not any(
        all(among(label, demand) for demand in demands[1:]) for label in first
    )


def _disagrees(builder: _Builder, node: Node) -> bool:
    """Whether a policy or an anchor requires a label that a slot of the node does not have at
    present.
    """
    if "override/anchor" in node.rules and any(builder.label(s) != node.held for s in node.slots):
        return True
    if not node.policy or not node.wanted:
        return False
    declared = [label for slot in node.slots if (label := builder.label(slot)) is not None]
    return any(
        not any(near(label, wanted_label) for wanted_label in node.wanted) for label in declared
    )


def _components(count: int, values: list[Value]) -> list[int]:
    """The component of each node, named by its lowest node that values connect."""
    sets = DisjointSets[int](lambda node_index: node_index)
    for value in values:
        joined = [node_index for node_index, _ in value.readers]
        if value.source is not None:
            joined.append(value.source)
        for neighbour in joined[1:]:
            sets.union(joined[0], neighbour)
    return [sets.find(node_index) for node_index in range(count)]


def _problem(builder: _Builder, members: list[int], inside: list[Value]) -> Problem:
    """One component, with its nodes numbered from 0. `members`: their indices in the builder;
    `inside`: its values.
    """
    renumber: Mapping[int, int] = {node_index: i for i, node_index in enumerate(members)}
    values = [
        replace(
            value,
            source=None if value.source is None else renumber[value.source],
            readers=tuple((renumber[node_index], slots) for node_index, slots in value.readers),
        )
        for value in inside
    ]
    first = values[0].key
    type_name = builder.model.subgraphs[first[0]].tensors[first[1]].type
    return Problem(type=type_name, nodes=[builder.nodes[n] for n in members], values=values)
