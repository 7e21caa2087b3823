"""Comparison of operand types and versions with the kernels of a target.

Input: a model and a target with kernel sets. Output: a violated constraint for each operator that
no kernel of the target computes correctly, or for which the target has no row. With several kernel
sets one that supports the operator is enough, unless another computes wrong values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ...format.model import Model, Operator, Slot, Subgraph
from ...format.type_groups import ACTIVATION_TYPES
from ...format.wiring import quantized
from ...record import Record
from ...rules.kernels import KernelRow, Outcome, load_kernels, measured_types
from ...rules.operand_types import ABSENT, OperandTypes
from ...rules.operator_rows import load_operators
from ...rules.targets import Requirement, Severity, Target
from ..binder.bound import Sound
from ..constraints import Supported
from .bias_types import of_the_bias
from .known_limits import KnownLimits, signatures_of
from .subject import hybrid
from .taken_types import taken_types, types_of

__all__ = ["kernel_breaches"]

_NOTHING = Sound()
_CUSTOM = "CUSTOM"
_TO_FLOAT = "DEQUANTIZE"
_INTEGERS = frozenset(ACTIVATION_TYPES)


class _Verdict(Record, frozen=True, kw_only=True):
    """The violation of one operator. `rule`, `slot`, expected and found as text; `repair`: kind of
    fault for the table of repairs, "" for none; `what`: the first words of the message.
    """

    rule: str
    slot: Slot
    severity: Severity
    behaviour: str
    expected: str
    actual: str
    sources: tuple[str, ...] = ()
    repair: str = ""
    what: str = "not supported"


class _CheckedOperator(Record, frozen=True, kw_only=True):
    """One operator to check: its operand types (`given`), and its kernel rows by kernel set of the
    target.
    """

    model: Model
    graph: Subgraph
    operator: Operator
    given: OperandTypes
    rows: Mapping[str, KernelRow]
    target: Target

    @property
    def slot(self) -> Slot:
        """The slot at which violations of the whole operator are reported."""
        if self.operator.outputs:
            return Slot(self.graph.index, self.operator.index, "outputs", 0)
        return Slot(self.graph.index, self.operator.index, "inputs", 0)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all rows, each once."""
        return tuple(dict.fromkeys(s for row in self.rows.values() for s in row.sources))

    def names(self, sets: Iterable[str]) -> str:
        """The titles of these kernel sets, joined by `and`."""
        return " and ".join(self.target.kernels[name] for name in sets)


class _Judged(Record, frozen=True, kw_only=True):
    """The outcome (right, wrong, refused) of the operand types by kernel set, and the nearest types
    that all of them support; None without any.
    """

    outcomes: Mapping[str, Outcome]
    nearest: OperandTypes | None

    @property
    def right(self) -> bool:
        """Whether every kernel set computes these types correctly."""
        return all(outcome == "right" for outcome in self.outcomes.values())


def kernel_breaches(
    model: Model,
    target: Target,
    sound: Sound = _NOTHING,
    known: KnownLimits | None = None,
) -> Iterator[Supported]:
    """A constraint for each violation of the target's kernel rows, in file order. `sound`: what is not
    checked.

    `known`: cached results for the same target, extended here.
    """
    if not target.kernels:
        return
    known = known or KnownLimits()
    sets = {name: load_kernels(name) for name in target.kernels}
    judgements: dict[tuple[str, OperandTypes], _Judged] = {}
    for graph in model.subgraphs:
        signature_of = signatures_of(graph)
        for operator in sound.operators_left(graph):
            name = operator.name
            if name == _CUSTOM:
                continue  # custom operators have rows of their own
            signature = signature_of(operator)
            if signature in known.fitting:
                continue
            operand_types = types_of(graph, operator)
            key = (name, operand_types)
            rows = {
                name_of_set: row for name_of_set in sets if (row := sets[name_of_set].get(name))
            }
            if key not in judgements:
                judgements[key] = _judged(rows, operand_types)
            case = _CheckedOperator(
                model=model,
                graph=graph,
                operator=operator,
                given=operand_types,
                rows=rows,
                target=target,
            )
            verdicts = tuple(_verdicts(case, judgements[key]))
            if not verdicts and judgements[key].right and not known.full:
                known.fitting.add(signature)
            for verdict in verdicts:
                constraint = _constraint(case, verdict)
                if constraint is not None:
                    yield constraint


def _judged(rows: Mapping[str, KernelRow], operand_types: OperandTypes) -> _Judged:
    """The outcome of these operand types under the rows, by kernel set."""
    outcomes = {name: row.outcome(operand_types) for name, row in rows.items()}
    if all(outcome == "right" for outcome in outcomes.values()):
        return _Judged(outcomes=outcomes, nearest=operand_types)
    nearest_types = taken_types(rows.values(), operand_types)
    return _Judged(outcomes=outcomes, nearest=nearest_types[0] if nearest_types else None)


def _verdicts(case: _CheckedOperator, judged: _Judged) -> Iterator[_Verdict]:
    """The violations of one operator: unknown, version, or types."""
    name = case.operator.name
    if len(case.rows) < len(case.target.kernels):
        yield _unknown(case, "support of the operator by this target is unknown", name)
        return
    version = _version(case, right=judged.right)
    if version is not None:
        yield version
    types = {*case.given.inputs, *case.given.outputs}
    if judged.right:
        return
    if not any(row.takes for row in case.rows.values()):
        yield _Verdict(
            rule=f"support/{name}/kernel",
            slot=case.slot,
            severity="error",
            behaviour=f"no kernel of this operator in {case.names(case.rows)}: the model is refused",
            expected="an operator with a kernel",
            actual=name,
            sources=case.sources,
        )
    elif of_the_bias(case.target, case.graph, case.operator, judged.nearest):
        return  # reported and repaired by another rule
    elif (
        judged.nearest is not None
        and "wrong" not in judged.outcomes.values()
        and not types <= measured_types(name)
    ):
        words = "support of these operand types by this target is unknown"
        yield _unknown(case, words, str(case.given))
    else:
        yield _types(case, judged)


def _unknown(case: _CheckedOperator, behaviour: str, actual: str) -> _Verdict:
    """The violation of an operator without a row; `actual`: text of what was found. `behaviour`:
    what the runtime does, as text.
    """
    return _Verdict(
        rule=f"support/{case.operator.name}/unknown",
        slot=case.slot,
        severity="warning",
        behaviour=behaviour,
        expected="an operator and operand types listed for this target",
        actual=actual,
    )


def _version(case: _CheckedOperator, *, right: bool) -> _Verdict | None:
    """The violation of a version that no kernel set registers. `right`: all take its types."""
    ranges = [row.versions for row in case.rows.values()]
    version = case.operator.version
    if any(not r or r[0] <= version <= r[1] for r in ranges):
        return None
    low, high = ranges[0]
    return _Verdict(
        rule=f"support/{case.operator.name}/version",
        slot=case.slot,
        severity="error",
        behaviour=f"not registered in {case.names(case.rows)}: the model is refused",
        expected=f"version {low}" if low == high else f"version {low} to {high}",
        actual=f"version {version}",
        sources=case.sources,
        repair="version" if right and version > high else "",
    )


def _types(case: _CheckedOperator, judged: _Judged) -> _Verdict:
    """The violation of operand types that a kernel set refuses or computes wrongly."""
    outcomes = judged.outcomes
    wrong = [name for name, outcome in outcomes.items() if outcome == "wrong"]
    refused = [name for name, outcome in outcomes.items() if outcome == "refused"]
    words = [f"wrong values in {case.names(wrong)}"] if wrong else []
    if refused:
        words.append(f"refused, or stopped when it runs, by {case.names(refused)}")
    words += dict.fromkeys(row.note for row in case.rows.values() if row.note)
    serious = wrong or len(refused) == len(outcomes)
    return _Verdict(
        rule=f"types/{case.operator.name}",
        slot=_odd_slot(case, judged.nearest),
        severity="error" if serious else "warning",
        behaviour="; ".join(words),
        expected=" or ".join(_expected(case, judged.nearest)),
        actual=str(case.given),
        sources=case.sources,
        repair="types" if _reachable(case, judged.nearest) else "",
        what=_what(case),
    )


def _what(case: _CheckedOperator) -> str:
    """The beginning of the message about operand types."""
    if not _half_quantized(case):
        return "no kernel supports these operand types"
    return "not fully quantized: float activations with quantized weights"


def _half_quantized(case: _CheckedOperator) -> bool:
    """Whether the operator has float activations and quantized weights."""
    operand_types = case.given
    floats = {*operand_types.inputs[:1], *operand_types.outputs} == {"float32"}
    return floats and hybrid(case.model, case.graph, case.operator)


def _expected(case: _CheckedOperator, nearest: OperandTypes | None) -> list[str]:
    """Operand types to use instead, as texts, the best first; with quantized weights, those with
    integer activations first.
    """
    texts = [] if nearest is None else [str(nearest)]
    if _half_quantized(case):
        with_int8 = OperandTypes(case.given.inputs, ("int8",))
        taken = taken_types(case.rows.values(), with_int8)
        whole = [types for types in taken if types.inputs[0] == types.outputs[0] == "int8"]
        texts = [*(str(signature) for signature in whole[:1]), *texts]
    return texts or ["another number of operands"]


def _reachable(case: _CheckedOperator, nearest: OperandTypes | None) -> bool:
    """Whether inserted QUANTIZE and requantized constants can give every operand its type in
    `nearest`.

    False if all computed operands have one type that no kernel supports: then the kernel is
    missing.
    """
    constants = [
        index >= 0 and case.model.is_constant(case.graph.index, index)
        for index in case.operator.inputs
    ]
    if case.operator.name == _TO_FLOAT and all(constants):
        return True
    operand_types = case.given
    if nearest is None or len(nearest.inputs) != len(operand_types.inputs):
        return False
    if any(a != b == "int4" for a, b in zip(operand_types.inputs, nearest.inputs, strict=True)):
        return False  # int4 has too few steps for the constant
    outputs = [
        (a, b) for a, b in zip(operand_types.outputs, nearest.outputs, strict=True) if a != b
    ]
    inputs = [
        (a, b)
        for a, b, constant in zip(operand_types.inputs, nearest.inputs, constants, strict=True)
        if a != b and not constant
    ]
    computed = {
        name
        for name, constant in zip(operand_types.inputs, constants, strict=True)
        if not constant and name != ABSENT
    }
    if (inputs or outputs) and len({*computed, *operand_types.outputs}) < 2:
        return False
    if not all(_stands_for_reals(case, slot) for slot in _odd_slots(case, nearest)):
        return False
    return all({a, b} <= _INTEGERS for a, b in inputs) and all(
        {a, b} <= {*_INTEGERS, "float32"} for a, b in outputs
    )


def _odd_slots(case: _CheckedOperator, nearest: OperandTypes) -> Iterator[Slot]:
    """The slots whose type differs from `nearest`."""
    graph, operator = case.graph.index, case.operator.index
    for index, (actual, name) in enumerate(zip(case.given.inputs, nearest.inputs, strict=False)):
        if actual != name:
            yield Slot(graph, operator, "inputs", index)
    for index, (actual, name) in enumerate(zip(case.given.outputs, nearest.outputs, strict=True)):
        if actual != name:
            yield Slot(graph, operator, "outputs", index)


def _stands_for_reals(case: _CheckedOperator, slot: Slot) -> bool:
    """Whether the operand holds real values, so that a QUANTIZE keeps its meaning: it has
    parameters, and the operator does not work on raw integers.
    """
    row = load_operators().get(case.operator.name)
    count = len(case.operator.operands(slot.kind))
    rigid = row is None or any(
        pattern.kind == slot.kind and slot.index in pattern.select(count) for pattern in row.rigid
    )
    index = case.operator.operands(slot.kind)[slot.index]
    tensor = case.graph.tensors[index]
    plain = tensor.type in _INTEGERS and not quantized(tensor)
    return not rigid and index >= 0 and not plain


def _odd_slot(case: _CheckedOperator, nearest: OperandTypes | None) -> Slot:
    """The first slot whose type differs from `nearest`, or the operator's own slot without it."""
    graph, operator, operand_types = case.graph.index, case.operator.index, case.given
    if nearest is None:
        return case.slot
    for index, name in enumerate(nearest.inputs):
        if index >= len(operand_types.inputs) or operand_types.inputs[index] != name:
            return Slot(graph, operator, "inputs", index)
    for index, name in enumerate(nearest.outputs):
        if operand_types.outputs[index] != name:
            return Slot(graph, operator, "outputs", index)
    return case.slot


def _constraint(case: _CheckedOperator, verdict: _Verdict) -> Supported | None:
    """The violated constraint for a verdict; None if the user switched its rule off."""
    stated = Requirement(
        rules=(verdict.rule,),
        types=(),
        severity=verdict.severity,
        behaviour=verdict.behaviour,
        sources=verdict.sources,
    )
    level = case.target.graded(verdict.rule, stated)
    if level.severity == "off":
        return None
    operands = case.operator.operands(verdict.slot.kind)
    index = operands[verdict.slot.index] if verdict.slot.index < len(operands) else -1
    return Supported(
        rule=verdict.rule,
        type=case.graph.tensors[index].type if index >= 0 else "",
        requirements=((case.target.name, level),),
        slot=verdict.slot,
        expected=verdict.expected,
        actual=verdict.actual,
        sentence=f"{verdict.what}: found {verdict.actual}, expected {verdict.expected}",
        repair=verdict.repair,
    )
