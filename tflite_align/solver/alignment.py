"""PPQ's alignment policies: the label (scale and zero point) of each node (operand positions that
share a label), determined operator by operator.

The same steps as QuantAlignmentPass (esp-ppq 1.3.12, esp_ppq/quantization/optim/refine.py), on
nodes tied by TFLite's rules. Operators are visited in file order:

* `large`: the operands get the cover of their ranges (the finest label whose range contains them
all); `output`: the label of the operator's output, also when a later operator changes the output's
label; `input`: the label of the first operand. If a rule ties the output to the inputs, the output
is one of the operands.
* The operator that writes an aligned operand then writes the new label, unless other operators read
the tensor too or the writing operator only passes integers on; with `--overlap force` always.
* `none` aligns nothing: a tied operator works at its output's label, and the operators that write
its inputs keep their labels.

Input: the nodes of all components. Output: `wanted` and `policy` of the nodes that a policy
decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..checks.binder.bound import Bound
from ..checks.constraints import Same
from ..format.model import OperatorId, Slot, TensorId
from ..numerics import Label, Range, covering_label, hull, label_range
from ..rules.families import Policy
from .policies import as_ppq, policies_of, policy_inputs
from .problem_records import Node, SolverOptions
from .ranges import Values

__all__ = ["assign_policies"]

# Policies that align an operator's operands.
_ALIGNING = ("input", "output", "large")


def assign_policies(
    bound: Bound, values: Values, options: SolverOptions, nodes: Sequence[Node]
) -> None:
    """Set `wanted` (labels that a policy allows), `policy` (family and policy, as text) and `keeps`
    (policy `none`) of the nodes whose label a policy decides. Other nodes, and all nodes if no
    policy is set, stay as they are.
    """
    named = policies_of(bound, options)
    if named or as_ppq(options):
        _Alignment(bound, values, options, nodes, named).assign()


class _Alignment:
    """The state while policies are applied. `label`: label by node index, of nodes that do not
    follow another node; `master`: node index -> the node whose label it follows; `fixed`: nodes
    whose label no policy may change; `aligned`: label by node index, as its own operator's policy
    chose it.
    """

    def __init__(
        self,
        bound: Bound,
        values: Values,
        options: SolverOptions,
        nodes: Sequence[Node],
        named: Mapping[OperatorId, tuple[str, Policy]],
    ) -> None:
        self.bound = bound
        self.model = bound.model
        self.values = values
        self.nodes = nodes
        self.named = named
        self.force = options.overlap == "force"
        self.whole = as_ppq(options)
        self.where = {
            slot: node_index for node_index, node in enumerate(nodes) for slot in node.slots
        }
        self.label: dict[int, Label] = {}
        self.master: dict[int, int] = {}
        # node -> label from the operator's own alignment, before a later operator changes it
        self.aligned: dict[int, Label] = {}
        self.passive: dict[int, list[TensorId]] = {}  # node -> tensors that its operator writes
        self.decided: set[TensorId] = set()  # operands of the operators aligned so far
        self.fixed: set[int] = set()
        for node_index, node in enumerate(nodes):
            label = node.held or self._legal(node)
            if label is not None:
                self.label[node_index] = label
                self.fixed.add(node_index)

    def assign(self) -> None:
        """Apply the policy of each operator, in file order, and write the resulting labels to the
        nodes.
        """
        if self.whole:
            self._follow_inputs()
        places = sorted(self.named)
        for operator_id, slots in zip(
            places, policy_inputs(self.bound, self.values, places), strict=True
        ):
            family, policy = self.named[operator_id]
            operands = [slot for slot in slots if slot in self.where]
            if policy == "none":
                self._keep(operator_id, family)
            elif policy in _ALIGNING and operands:
                self._align(operator_id, operands, policy, family)
        for node_index, node in enumerate(self.nodes):
            if node_index not in self.fixed:
                node.wanted = self._wanted(node_index)

    def _wanted(self, node_index: int) -> tuple[Label, ...]:
        """The labels that policies allow for a node, that of its operator's policy first;
        empty if no policy decides it.
        """
        if node_index not in self.label and node_index not in self.master:
            return ()
        label = self._resolve(node_index)
        if self._undoes_clamp(node_index, label):
            return ()
        forced = () if self.whole or node_index not in self.aligned else (self.aligned[node_index],)
        return tuple(dict.fromkeys([*forced, label]))

    def _undoes_clamp(self, node_index: int, label: Label) -> bool:
        """Whether the label would undo a clamp (folded ReLU) that the declared range of a passive
        operator's output implies. Always False for a node that its own operator's policy decided.
        """
        if node_index in self.aligned:
            return False
        for key in self.passive.get(node_index, ()):
            clamp = self.values.clamps.get(key)
            span = label_range(label, self._type(key))
            if clamp is not None and clamp.undone_by(span, label.scale):
                return True
        return False

    # --- labels of nodes ----------------------------------------------------------------------

    def _legal(self, node: Node) -> Label | None:
        """The label of a node whose kernel can write only a few labels: the declared one if the
        kernel can write it, else the first of them. None for another node.
        """
        declared = [self._declared(slot) for slot in node.slots]
        return next((label for label in declared if label in node.legal), None) or next(
            iter(node.legal), None
        )

    def _declared(self, slot: Slot) -> Label | None:
        """The declared label of a slot's tensor; None without one."""
        return self.values.labels.get(self._key(slot))

    def _label(self, slot: Slot) -> Label:
        """The declared label of a slot's tensor; KeyError without one."""
        return self.values.labels[self._key(slot)]

    def _key(self, slot: Slot) -> TensorId:
        """(subgraph, tensor) of a slot."""
        return slot.tensor_id(self.model)

    def _type(self, key: TensorId) -> str:
        """The type of a tensor."""
        return self.model.subgraphs[key[0]].tensors[key[1]].type

    def _root(self, node_index: int) -> int:
        """The node at the end of the chain of nodes that this one follows."""
        while node_index in self.master:
            node_index = self.master[node_index]
        return node_index

    def _resolve(self, node_index: int) -> Label:
        """The present label of a node: that of the node it follows, or the declared one."""
        root = self._root(node_index)
        label = self.label.get(root)
        if label is not None:
            return label
        slots = self.nodes[root].slots
        writing = [slot for slot in slots if slot.kind == "outputs" or slot.operator < 0]
        return self._label((writing or slots)[0])

    def _producer(self, slot: Slot) -> Slot | None:
        """The slot that writes the tensor of an input slot; None if it belongs to no node."""
        producer = self.values.wiring[slot.subgraph].producer.get(slot.tensor(self.model))
        return producer if producer in self.where else None

    def _written(self, slot: Slot) -> Label:
        """The label with which the tensor of an input slot is written at present."""
        producer = self._producer(slot)
        return self._label(slot) if producer is None else self._resolve(self.where[producer])

    def _follow(self, node_index: int, master: int) -> None:
        """Let a node get the final label of the node `master`, unless its own is fixed."""
        if node_index not in self.fixed and self._root(master) != self._root(node_index):
            self.label.pop(node_index, None)
            self.master[node_index] = master

    def _take(self, node_index: int, label: Label) -> None:
        """Fix a node's label, so that it no longer follows another node. If the node needs zero
        point 0 and `label` has another, take the symmetric label that covers its range instead.
        """
        type_name = self._type(self._key(self.nodes[node_index].slots[0]))
        if self.nodes[node_index].zero and label.zero_point:
            label = covering_label(label_range(label, type_name), type_name, symmetric=True)
        self.master.pop(node_index, None)
        self.label[node_index] = label

    # --- operators that copy integers ---------------------------------------------------------

    def _follow_inputs(self) -> None:
        """Let passive operators write their outputs at their input's label, as in PPQ's
        QuantizeFusionPass. An operator is passive if a rule ties its only input to its outputs and
        it belongs to no family.
        """
        for constraint in self.bound.of(Same):
            inputs = [slot for slot in constraint.slots if slot.kind == "inputs"]
            outputs = [slot for slot in constraint.slots if slot.kind == "outputs"]
            places = {slot.operator_id for slot in constraint.slots}
            if len(inputs) != 1 or not outputs or len(places) != 1:
                continue
            operator_id, node_index = places.pop(), self.where.get(inputs[0])
            alone = operator_id[1] >= 0 and self.bound.families.get(operator_id, "other") == "other"
            if (
                node_index is None
                or node_index in self.fixed
                or operator_id in self.named
                or not alone
            ):
                continue
            self.passive.setdefault(node_index, []).extend(self._key(slot) for slot in outputs)
            if node_index in self.label or node_index in self.master:
                continue
            producer = self._producer(inputs[0])
            if producer is not None and self.where[producer] != node_index:
                self._follow(node_index, self.where[producer])
            else:
                self.label[node_index] = self._written(inputs[0])

    # --- operators with a policy --------------------------------------------------------------

    def _outputs(self, operator_id: OperatorId) -> list[Slot]:
        """The operator's output slots that belong to a node."""
        operator = self.model.subgraphs[operator_id[0]].operators[operator_id[1]]
        slots = [Slot(*operator_id, "outputs", output) for output in range(len(operator.outputs))]
        return [slot for slot in slots if slot in self.where]

    def _keep(self, operator_id: OperatorId, family: str) -> None:
        """Policy `none`: an operator with tied operands works at its output's label, and no other
        label changes. `family`: the operator's family.
        """
        for slot in self._outputs(operator_id)[:1]:
            node_index = self.where[slot]
            tied = any(s.kind == "inputs" and s.operator >= 0 for s in self.nodes[node_index].slots)
            declared = self._declared(slot)
            if tied and node_index not in self.fixed and declared is not None:
                self._take(node_index, declared)
                self.nodes[node_index].keeps = True
                self.nodes[node_index].policy = f"{family} none"

    def _align(
        self, operator_id: OperatorId, slots: Sequence[Slot], policy: Policy, family: str
    ) -> None:
        """Apply a policy to one operator. `slots`: its inputs that the policy aligns. `family`: the
        operator's family.
        """
        node_index, outputs = self.where[slots[0]], self._outputs(operator_id)
        tied = [slot for slot in outputs if self.where[slot] == node_index]
        if policy == "input" and len(slots) == 1 and not tied:
            self._align_outputs(slots[0], outputs, f"{family} {policy}")
            return
        if policy == "output" and not outputs:
            return
        if node_index not in self.fixed:
            self._align_inputs(node_index, slots, tied or outputs[:1], policy, together=bool(tied))
            self.nodes[node_index].policy = f"{family} {policy}"
        self.aligned[node_index] = self._resolve(node_index)
        self.decided.update(self._key(slot) for slot in (*slots, *tied))
        for slot in slots:
            self._pass_on(slot, node_index)

    def _align_outputs(self, slot: Slot, outputs: Sequence[Slot], policy: str) -> None:
        """Policy `input` for an operator with one aligned operand, `slot`, that no rule ties to the
        output: the outputs get the operand's label.
        """
        producer = self._producer(slot)
        for output in outputs:
            node_index = self.where[output]
            if node_index in self.fixed:
                continue
            if producer is None:
                self.label[node_index] = self._written(slot)
            else:
                self._follow(node_index, self.where[producer])
            self.aligned[node_index] = self._resolve(node_index)
            self.nodes[node_index].policy = policy

    def _align_inputs(
        self,
        node_index: int,
        slots: Sequence[Slot],
        outputs: Sequence[Slot],
        policy: Policy,
        *,
        together: bool,
    ) -> None:
        """Give the node of an operator's operands (`slots`) the label that the policy chooses.
        `together`: a rule ties the output to them.
        """
        if policy == "large":
            self._take(node_index, self._large(node_index, slots))
            return
        if policy == "output" and not together:
            source = self.where[outputs[0]]
            if self._root(source) == node_index:  # the output currently follows these operands
                self._take(source, self._label(outputs[0]))
            self._follow(node_index, source)
            return
        first = outputs[0] if policy == "output" else slots[0]
        producer = self._producer(first) if policy == "input" else None
        if producer is not None and self.where[producer] != node_index:
            self._follow(node_index, self.where[producer])
            return
        # In the same node the operand may already have a new label: then that is the input's label.
        label = self._written(first) if policy == "input" else self._label(first)
        self._take(node_index, label)

    def _large(self, node_index: int, slots: Sequence[Slot]) -> Label:
        """The finest label that covers the ranges of the node's tensors and of the operator's
        inputs. `slots`: inputs of the operator.
        """
        node = self.nodes[node_index]
        type_name = self._type(self._key(slots[0]))
        total = Range(0.0, 0.0)
        for slot in dict.fromkeys([*slots, *node.slots]):
            total = hull(total, label_range(self._arriving(slot, node_index), type_name))
        return covering_label(total, type_name, symmetric=type_name == "int16" or node.zero)

    def _arriving(self, slot: Slot, node_index: int) -> Label:
        """The label of a slot's tensor at the moment when the slot's operator is aligned: for an
        input of another node the present label of the node that writes it.
        """
        producer = self._producer(slot) if slot.kind == "inputs" else None
        if producer is not None and self.where[producer] != node_index:
            return self._resolve(self.where[producer])
        return self._resolve(node_index) if self._key(slot) in self.decided else self._label(slot)

    def _pass_on(self, slot: Slot, node_index: int) -> None:
        """Let the operator that writes an aligned operand write it at the node's label, if the
        policies allow it.
        """
        producer = self._producer(slot)
        if producer is None or producer.operator < 0:
            return
        operator_id, source = producer.operator_id, self.where[producer]
        if self.nodes[source].keeps:
            return
        free = self.nodes[source].free
        if not self.whole and source not in self.aligned:
            return
        if not self.force and (self._shared(operator_id) or not (free or source in self.aligned)):
            return
        self._follow(source, node_index)

    def _shared(self, operator_id: OperatorId) -> bool:
        """Whether an output of the operator has several readers; a kept graph output counts as one."""
        operator = self.model.subgraphs[operator_id[0]].operators[operator_id[1]]
        readers = [
            slot
            for tensor in operator.outputs
            for slot in self.values.wiring[operator_id[0]].readers.get(tensor, ())
        ]
        return sum(slot.operator >= 0 or slot in self.bound.rigid for slot in readers) > 1
