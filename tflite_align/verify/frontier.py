"""The tensors at which two files are compared: graph outputs, or the last tensors before
discontinuities.

ARG_MAX, comparisons, NMS and similar operators turn a rounding error into a jump, and a custom
operator without a kernel cannot be run: the real-valued tensors before them are compared instead. A
final LOGISTIC or SOFTMAX hides nearly every difference where it saturates (a wake-word model
outputs 0 for most inputs), so that its input is compared as well.
"""

from __future__ import annotations

from typing import Any

from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import INTEGER_LIMITS
from ..record import Record
from ..rules.operator_rows import load_operators
from .concat_parts import Part, concat_parts
from .object_api import type_name
from .unpacked import is_constant, operator_name, params, real_tensors, tensor_name

__all__ = ["Frontier", "Probe", "cut_copy", "frontier"]

_JUMPS = frozenset(
    [
        "ARG_MAX",
        "ARG_MIN",
        "TOPK_V2",
        "EQUAL",
        "NOT_EQUAL",
        "GREATER",
        "GREATER_EQUAL",
        "LESS",
        "LESS_EQUAL",
        "WHERE",
        "UNIQUE",
        "NON_MAX_SUPPRESSION_V4",
        "NON_MAX_SUPPRESSION_V5",
        "FLOOR",
        "CEIL",
        "ROUND",
        "FLOOR_DIV",
        "FLOOR_MOD",
        "SIGN",
        "CUSTOM:TFLite_Detection_PostProcess",
    ]
)
_SATURATING = frozenset({"LOGISTIC", "SOFTMAX", "TANH", "LOG_SOFTMAX"})
_EIGHT_BITS = frozenset({"int8", "uint8"})
_DEQUANTIZED = frozenset({"QUANTIZE", "DEQUANTIZE"})
_PASSING = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_RUNNABLE_CUSTOM = frozenset(["CUSTOM:TFLite_Detection_PostProcess"])


class Probe(Record, frozen=True, kw_only=True):
    """One tensor of subgraph 0 to compare."""

    tensor: int
    name: str
    output: int | None  # index among the graph outputs; None if it is not a graph output
    behind_jump: bool  # behind a discontinuous operator: compared, but never a reason to fail
    saturates: (
        bool  # its operator saturates; that operator's input is a probe too, and is more sensitive
    )
    feeds: bool  # it is the input of a saturating operator
    limits: tuple[float, float] | None  # the tensor's range, real values; None: float
    own: float  # the tensor's step, real value; 0: float
    step: float  # the coarsest step to which its values are rounded, real value; 0: float
    parts: tuple[Part, ...]  # the operands of the CONCATENATION that writes it, judged one by one
    narrowed: float  # step of the narrower type to which a QUANTIZE converts it; 0: none


class Frontier(Record, frozen=True, kw_only=True):
    """Everything to compare in one file, in an order that does not depend on which QUANTIZE
    operators it has, so that original and aligned file correspond.
    """

    probes: tuple[Probe, ...]
    dropped: frozenset[int]  # operators without a kernel in this process, and their readers
    notes: tuple[str, ...]


def frontier(model: Any) -> Frontier:
    """The tensors to compare: the outputs of subgraph 0 in order, or where one cannot be compared,
    tensors before it. `model`: unpacked.
    """
    graph = model.subgraphs[0]
    real = real_tensors(model, graph)
    unjudged, dropped = _spread(model, graph, real)
    walk = _Walk(model, graph, real, unjudged, dropped)
    for position, tensor in enumerate(graph.outputs):
        walk.output(position, tensor)
    notes = {
        f"operator[{i}] {operator_name(model, graph.operators[i])} has no kernel here"
        for i in dropped
        if _unrunnable(operator_name(model, graph.operators[i]))
    }
    return Frontier(
        probes=tuple(walk.probes), dropped=frozenset(dropped), notes=tuple(sorted(notes))
    )


def _unrunnable(name: str) -> bool:
    """Whether no interpreter here has a kernel for the operator: custom, or unknown to the schema."""
    return name.startswith(("CUSTOM:", "BUILTIN#")) and name not in _RUNNABLE_CUSTOM


def _spread(model: Any, graph: Any, real: set[int]) -> tuple[set[int], set[int]]:
    """(tensors that depend on an operator that is discontinuous or has no kernel here, indices of
    the operators that cannot run: those without a kernel, and all that need their results).
    `real`: tensors with real values.
    """
    unjudged: set[int] = set()
    missing: set[int] = set()
    dropped: set[int] = set()
    for index, operator in enumerate(graph.operators):
        name = operator_name(model, operator)
        live = {t for t in operator.inputs if t >= 0 and not is_constant(model, graph.tensors[t])}
        if _unrunnable(name) or live & missing:
            dropped.add(index)
            missing.update(operator.outputs)
        rounds = name == "CAST" and not set(operator.outputs) & real
        if live & unjudged or ((name in _JUMPS or rounds) and live & real):
            unjudged.update(operator.outputs)
    return unjudged | missing, dropped


class _Walk:
    """Walks back from each output to the tensors to compare, in order of first visits, each once.

    A QUANTIZE between integers is skipped, because alignment adds and removes them and both files
    are to be compared at the same values.
    """

    def __init__(
        self, model: Any, graph: Any, real: set[int], unjudged: set[int], dropped: set[int]
    ) -> None:
        self.model, self.graph, self.real, self.behind = model, graph, real, unjudged
        self.missing = {t for i in dropped for t in graph.operators[i].outputs}
        self.writer = {t: op for op in graph.operators for t in op.outputs}
        self.probes: list[Probe] = []
        self.seen: set[int] = set()
        # Tensors that probes refer to, before any QUANTIZE: of all probes, and of those before a
        # jump.
        self.covered: set[int] = set()
        self.fed: set[int] = set()

    def output(self, position: int, tensor: int) -> None:
        """Add the tensors to compare for one output. `position`: index among the graph outputs;
        `tensor`: its index.
        """
        if tensor in self.real and tensor not in self.missing:
            self._probe(tensor, position, is_behind=tensor in self.behind)
        if tensor in self.behind:
            self._back(tensor)

    def _back(self, tensor: int) -> None:
        """Add, for a tensor that depends on a discontinuous operator (ARG_MAX, comparison), the
        last real-valued tensors in front of such operators.
        """
        waiting = [tensor]
        while waiting:
            current = waiting.pop()
            if current in self.seen:
                continue
            if current in self.behind:
                self.seen.add(current)
                waiting.extend(reversed([t for t in self.writer[current].inputs if t >= 0]))
                continue
            current = self._requantized(current)
            if current in self.real and current in self.writer and current not in self.covered:
                self.fed.add(current)
                self._probe(current, None, is_behind=False)

    def _fed(self, tensor: int) -> bool:
        """Whether the tensor, seen before any QUANTIZE, is already a probe as the input of a
        discontinuous operator.
        """
        return self._requantized(tensor) in self.fed

    def _requantized(self, tensor: int) -> int:
        """The first tensor before a chain of QUANTIZE operators between integers."""
        while tensor in self.writer and tensor not in self.behind:
            operator = self.writer[tensor]
            if operator_name(self.model, operator) != "QUANTIZE":
                break
            source = operator.inputs[0]
            if type_name(self.graph.tensors[source].type) not in QUANTIZED_TYPES:
                break
            tensor = source
        return tensor

    def _probe(
        self, tensor: int, output: int | None, *, is_behind: bool, feeds: bool = False
    ) -> None:
        """Add a tensor to compare. `output`: its position among the graph outputs, or None;
        `is_behind`: it depends on a discontinuity; `feeds`: it is the input of a saturating
        operator.
        """
        if not is_behind and (tensor in self.seen or (output is not None and self._fed(tensor))):
            return
        self.covered.add(self._requantized(tensor))
        source = None if is_behind else self._saturated(tensor)
        self.probes.append(
            Probe(
                tensor=tensor,
                name=tensor_name(self.graph.tensors[tensor]),
                output=output,
                behind_jump=is_behind,
                saturates=source is not None,
                feeds=feeds,
                limits=_limits(self.graph.tensors[tensor]),
                own=_scale(self.graph.tensors[tensor]),
                step=self._step(tensor, inner=output is None),
                parts=() if is_behind else concat_parts(self.model, self.writer, tensor),
                narrowed=self._narrowed(tensor),
            )
        )
        if not is_behind:
            self.seen.add(tensor)
        if source is not None:
            self._probe(source, None, is_behind=False, feeds=True)

    def _step(self, tensor: int, *, inner: bool) -> float:
        """The coarsest step (real value) to which the tensor's values are rounded: its own, that of
        an average's input (whose kernel rounds to it), and for an `inner` tensor that of operators
        that copy it.
        """
        steps = [_scale(self.graph.tensors[tensor])]
        operator = self.writer.get(tensor)
        if operator is not None:
            name = operator_name(self.model, operator)
            if name in _DEQUANTIZED or _flow(name) == "average":
                steps += [_scale(self.graph.tensors[t]) for t in operator.inputs if t >= 0]
            if name in _DEQUANTIZED:
                steps.append(self._step(operator.inputs[0], inner=False))
        for reader in self.graph.operators if inner else ():
            if tensor in reader.inputs and _flow(operator_name(self.model, reader)) == "copy":
                steps += [_scale(self.graph.tensors[t]) for t in reader.outputs]
        return max(steps)

    def _narrowed(self, tensor: int) -> float:
        """For a tensor that a QUANTIZE makes from an 8-bit one, the step of the 8-bit tensor, a
        real value; else 0.
        """
        operator = self.writer.get(tensor)
        if operator is None or operator_name(self.model, operator) != "QUANTIZE":
            return 0.0
        source = self.graph.tensors[operator.inputs[0]]
        types = type_name(source.type), type_name(self.graph.tensors[tensor].type)
        return _scale(source) if types[0] in _EIGHT_BITS and types[1] not in _EIGHT_BITS else 0.0

    def _saturated(self, tensor: int) -> int | None:
        """The input of the saturating operator that writes this tensor, directly or through copies;
        None without one.
        """
        while tensor in self.writer:
            operator = self.writer[tensor]
            name = operator_name(self.model, operator)
            source = operator.inputs[0] if operator.inputs else -1
            if name in _SATURATING:
                return source if source in self.real and source in self.writer else None
            if name not in _PASSING:
                return None
            tensor = source
        return None


def _flow(name: str) -> str:
    """How an operator passes real values on: "copy", "average", or "" if it computes."""
    row = load_operators().get(name)
    return row.flow.kind if row is not None and row.flow is not None else ""


def _scale(tensor: Any) -> float:
    """The scale of a per-tensor quantized tensor; 0 for another."""
    quant = params(tensor)
    quantized = quant is not None and quant.per_tensor and type_name(tensor.type) in QUANTIZED_TYPES
    return quant.label.scale if quant is not None and quantized else 0.0


def _limits(tensor: Any) -> tuple[float, float] | None:
    """(least, greatest) real value of a per-tensor quantized tensor; None for another."""
    quant, tensor_type = params(tensor), type_name(tensor.type)
    if quant is None or not quant.per_tensor or tensor_type not in QUANTIZED_TYPES:
        return None
    scale, zero_point = quant.label
    lowest, highest = INTEGER_LIMITS[tensor_type]
    return (lowest - zero_point) * scale, (highest - zero_point) * scale


def cut_copy(model: Any, frontier: Frontier) -> Any:
    """Change `model` (freshly parsed) in place so that its outputs are the tensors to compare;
    returns it.
    """
    graph = model.subgraphs[0]
    graph.outputs = [probe.tensor for probe in frontier.probes]
    graph.operators = [op for i, op in enumerate(graph.operators) if i not in frontier.dropped]
    for definition in model.signatureDefs or []:
        definition.outputs = [] if definition.subgraphIndex == 0 else definition.outputs
    return model
