"""Operand types, and versions, that a target's kernels take, held against a model's operators.

In: a model and a target with sets of kernels. Out: a violated constraint for each operator that no
kernel of the target computes rightly, or of which the rows know nothing. Where a target has several
sets of kernels, one that takes an operator is enough, unless another computes wrong values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ...format.model import Model, Operator, Slot, Subgraph
from ...format.type_groups import ACTIVATION_TYPES, READABLE_BIAS_TYPES
from ...format.wiring import quantized
from ...record import Record
from ...rules.kernels import KernelRow, Outcome, load_kernels
from ...rules.operand_types import ABSENT, KNOWN_TYPES, LEFT_OUT, OperandTypes
from ...rules.operator_rows import load_operators
from ...rules.rows import BiasRule, PresentRule
from ...rules.targets import Requirement, Severity, Target
from ..constraints import Supported
from .place import hybrid

__all__ = ["distance", "kernel_breaches", "taken_types", "types_of"]

_CUSTOM = "CUSTOM"
_TO_FLOAT = "DEQUANTIZE"
_INTEGERS = frozenset(ACTIVATION_TYPES)
_PREFERRED = ("int8", "int16", "uint8", "float32", "int32", "int64")


class _Verdict(Record, frozen=True, kw_only=True):
    """What is wrong with one operator: the finding's rule, place and words."""

    rule: str
    slot: Slot
    severity: Severity
    behaviour: str
    expected: str
    actual: str
    sources: tuple[str, ...] = ()
    repair: str = ""
    what: str = "not supported"


class _Asked(Record, frozen=True, kw_only=True):
    """One operator, and the rows of the target's sets of kernels that speak of it."""

    model: Model
    graph: Subgraph
    operator: Operator
    given: OperandTypes
    rows: Mapping[str, KernelRow]
    target: Target

    @property
    def slot(self) -> Slot:
        """Where what concerns the operator as a whole is reported."""
        if self.operator.outputs:
            return Slot(self.graph.index, self.operator.index, "outputs", 0)
        return Slot(self.graph.index, self.operator.index, "inputs", 0)

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s for row in self.rows.values() for s in row.sources))

    def names(self, sets: Iterable[str]) -> str:
        return " and ".join(self.target.kernels[name] for name in sets)


class _Judged(Record, frozen=True, kw_only=True):
    """What each set of kernels makes of operand types, and the nearest that one takes."""

    outcomes: Mapping[str, Outcome]
    nearest: OperandTypes | None

    @property
    def right(self) -> bool:
        return all(outcome == "right" for outcome in self.outcomes.values())


def types_of(graph: Subgraph, operator: Operator) -> OperandTypes:
    """The types of the operator's operands."""
    types = [graph.tensors[i].type if i >= 0 else ABSENT for i in operator.inputs]
    return OperandTypes(tuple(types), tuple(graph.tensors[i].type for i in operator.outputs))


def kernel_breaches(model: Model, target: Target) -> Iterator[Supported]:
    """What the target's kernels do not take, in the order of the file."""
    if not target.kernels:
        return
    sets = {name: load_kernels(name) for name in target.kernels}
    known: dict[tuple[str, OperandTypes], _Judged] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.name == _CUSTOM:
                continue  # told by the rows of custom operators
            rows = {name: row for name in sets if (row := sets[name].get(operator.name))}
            given = types_of(graph, operator)
            key = (operator.name, given)
            if key not in known:
                known[key] = _judged(rows, given)
            asked = _Asked(
                model=model, graph=graph, operator=operator, given=given, rows=rows, target=target
            )
            for verdict in _verdicts(asked, known[key]):
                constraint = _constraint(asked, verdict)
                if constraint is not None:
                    yield constraint


def _judged(rows: Mapping[str, KernelRow], given: OperandTypes) -> _Judged:
    outcomes = {name: row.outcome(given) for name, row in rows.items()}
    if all(outcome == "right" for outcome in outcomes.values()):
        return _Judged(outcomes=outcomes, nearest=given)
    taken = taken_types(rows.values(), given)
    return _Judged(outcomes=outcomes, nearest=taken[0] if taken else None)


def taken_types(rows: Iterable[KernelRow], given: OperandTypes) -> list[OperandTypes]:
    """Types that some row takes for as many operands, the nearest to the given ones first; of
    equally near ones those that differ at an output, which a QUANTIZE behind it gives back.
    """
    found = {wanted for row in rows for pattern in row.takes for wanted in pattern.nearest(given)}
    return sorted(
        found,
        key=lambda wanted: (
            distance(given, wanted),
            distance(OperandTypes(given.inputs, ()), OperandTypes(wanted.inputs, ())),
            [_rank(name) for name in (*wanted.inputs, *wanted.outputs)],
        ),
    )


def _rank(name: str) -> int:
    """Of equally near types those of today's quantized models are named first."""
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)


def distance(given: OperandTypes, wanted: OperandTypes) -> int:
    """How many operands differ in their type."""
    padded = (*given.inputs, *(LEFT_OUT,) * (len(wanted.inputs) - len(given.inputs)))
    inputs = sum(a != b for a, b in zip(padded, wanted.inputs, strict=False))
    return inputs + sum(a != b for a, b in zip(given.outputs, wanted.outputs, strict=True))


def _verdicts(asked: _Asked, judged: _Judged) -> Iterator[_Verdict]:
    name = asked.operator.name
    if len(asked.rows) < len(asked.target.kernels):
        yield _unknown(asked, "the operator is not known to this target", name)
        return
    version = _version(asked, right=judged.right)
    if version is not None:
        yield version
    types = {*asked.given.inputs, *asked.given.outputs}
    if judged.right:
        return
    if not any(row.takes for row in asked.rows.values()):
        yield _Verdict(
            rule=f"support/{name}/kernel",
            slot=asked.slot,
            severity="error",
            behaviour=f"no kernel of this operator in {asked.names(asked.rows)}: the model is refused",
            expected="an operator that there is a kernel for",
            actual=name,
            sources=asked.sources,
        )
    elif _of_the_bias(asked, judged.nearest):
        return  # its own rule says so, and repairs it
    elif "wrong" not in judged.outcomes.values() and not KNOWN_TYPES.issuperset(types):
        words = "whether a kernel takes these operand types is not known to this target"
        yield _unknown(asked, words, str(asked.given))
    else:
        yield _types(asked, judged)


def _of_the_bias(asked: _Asked, wanted: OperandTypes | None) -> bool:
    """Whether only a bias has an odd type, or lacks, and a rule of this target speaks of that."""
    row = load_operators().get(asked.operator.name)
    if row is None or wanted is None or wanted.outputs != asked.given.outputs:
        return False
    given = asked.given.inputs
    odd = [i for i, name in enumerate(wanted.inputs) if i >= len(given) or given[i] != name]
    rules = [
        rule
        for rule in row.rules
        if isinstance(rule, BiasRule | PresentRule) and odd == [rule.slot.start]
    ]
    return any(_speaks(asked, rule, rule.factors[0].start, rule.slot.start) for rule in rules)


def _speaks(asked: _Asked, rule: BiasRule | PresentRule, factor: int, bias: int) -> bool:
    """Whether the rule holds for these types; `factor` and `bias` are places of inputs."""
    given = asked.given.inputs
    activation = given[factor] if factor < len(given) else ABSENT
    found = given[bias] if bias < len(given) else ABSENT
    concerned = found in READABLE_BIAS_TYPES if isinstance(rule, BiasRule) else found == ABSENT
    if not concerned or activation not in rule.bias_types:
        return False
    return asked.target.requirement(rule.id, activation).severity != "off"


def _unknown(asked: _Asked, behaviour: str, actual: str) -> _Verdict:
    return _Verdict(
        rule=f"support/{asked.operator.name}/unknown",
        slot=asked.slot,
        severity="warning",
        behaviour=behaviour,
        expected="an operator, and operand types, that the rows of this target know",
        actual=actual,
    )


def _version(asked: _Asked, *, right: bool) -> _Verdict | None:
    """A version that no set of kernels registers; `right`: its operand types are taken."""
    ranges = [row.versions for row in asked.rows.values()]
    version = asked.operator.version
    if any(not r or r[0] <= version <= r[1] for r in ranges):
        return None
    low, high = ranges[0]
    return _Verdict(
        rule=f"support/{asked.operator.name}/version",
        slot=asked.slot,
        severity="error",
        behaviour=f"not registered in {asked.names(asked.rows)}: the model is refused",
        expected=f"version {low}" if low == high else f"version {low} to {high}",
        actual=f"version {version}",
        sources=asked.sources,
        repair="version" if right and version > high else "",
    )


def _types(asked: _Asked, judged: _Judged) -> _Verdict:
    outcomes = judged.outcomes
    wrong = [name for name, outcome in outcomes.items() if outcome == "wrong"]
    refused = [name for name, outcome in outcomes.items() if outcome == "refused"]
    words = [f"wrong values in {asked.names(wrong)}"] if wrong else []
    if refused:
        words.append(f"refused, or stopped when it runs, by {asked.names(refused)}")
    words += dict.fromkeys(row.note for row in asked.rows.values() if row.note)
    serious = wrong or len(refused) == len(outcomes)
    return _Verdict(
        rule=f"types/{asked.operator.name}",
        slot=_odd_slot(asked, judged.nearest),
        severity="error" if serious else "warning",
        behaviour="; ".join(words),
        expected=" or ".join(_expected(asked, judged.nearest)),
        actual=str(asked.given),
        sources=asked.sources,
        repair="types" if _reachable(asked, judged.nearest) else "",
        what=_what(asked),
    )


def _what(asked: _Asked) -> str:
    """Float activations that meet quantized weights are what people know by another name."""
    if not _half_quantized(asked):
        return "no kernel takes these operand types"
    return "not fully quantized: float activations with quantized weights"


def _half_quantized(asked: _Asked) -> bool:
    given = asked.given
    floats = {*given.inputs[:1], *given.outputs} == {"float32"}
    return floats and hybrid(asked.model, asked.graph, asked.operator)


def _expected(asked: _Asked, nearest: OperandTypes | None) -> list[str]:
    """Types to have in place of the given ones: beside weights that are quantized, first those with
    activations in integers.
    """
    found = [] if nearest is None else [str(nearest)]
    if _half_quantized(asked):
        given = asked.given
        taken = taken_types(asked.rows.values(), OperandTypes(given.inputs, ("int8",)))
        whole = [one for one in taken if one.inputs[0] == one.outputs[0] == "int8"]
        found = [*(str(one) for one in whole[:1]), *found]
    return found or ["other types"]


def _reachable(asked: _Asked, wanted: OperandTypes | None) -> bool:
    """Whether inserted QUANTIZE operators and re-expressed constants can give every operand the
    wanted type. Never where all computed operands have one type that no kernel takes: that is a
    missing kernel, not an odd operand.
    """
    constants = [
        index >= 0 and asked.model.is_constant(asked.graph.index, index)
        for index in asked.operator.inputs
    ]
    if asked.operator.name == _TO_FLOAT and all(constants):
        return True
    given = asked.given
    if wanted is None or len(wanted.inputs) != len(given.inputs):
        return False
    if any(a != b == "int4" for a, b in zip(given.inputs, wanted.inputs, strict=True)):
        return False  # 16 steps hold no constant that had more
    outputs = [(a, b) for a, b in zip(given.outputs, wanted.outputs, strict=True) if a != b]
    inputs = [
        (a, b)
        for a, b, constant in zip(given.inputs, wanted.inputs, constants, strict=True)
        if a != b and not constant
    ]
    computed = {
        name
        for name, constant in zip(given.inputs, constants, strict=True)
        if not constant and name != ABSENT
    }
    if (inputs or outputs) and len({*computed, *given.outputs}) < 2:
        return False
    if not all(_stands_for_reals(asked, slot) for slot in _odd_slots(asked, wanted)):
        return False
    return all({a, b} <= _INTEGERS for a, b in inputs) and all(
        {a, b} <= {*_INTEGERS, "float32"} for a, b in outputs
    )


def _odd_slots(asked: _Asked, wanted: OperandTypes) -> Iterator[Slot]:
    graph, operator = asked.graph.index, asked.operator.index
    for index, (found, name) in enumerate(zip(asked.given.inputs, wanted.inputs, strict=False)):
        if found != name:
            yield Slot(graph, operator, "inputs", index)
    for index, (found, name) in enumerate(zip(asked.given.outputs, wanted.outputs, strict=True)):
        if found != name:
            yield Slot(graph, operator, "outputs", index)


def _stands_for_reals(asked: _Asked, slot: Slot) -> bool:
    """Whether the operand's values are real ones, so that a QUANTIZE keeps what they mean: it is no
    plain integer, and the operator is none that works on raw integers.
    """
    row = load_operators().get(asked.operator.name)
    count = len(asked.operator.operands(slot.kind))
    rigid = row is None or any(
        one.kind == slot.kind and slot.index in one.select(count) for one in row.rigid
    )
    index = asked.operator.operands(slot.kind)[slot.index]
    tensor = asked.graph.tensors[index]
    plain = tensor.type in _INTEGERS and not quantized(tensor)
    return not rigid and index >= 0 and not plain


def _odd_slot(asked: _Asked, wanted: OperandTypes | None) -> Slot:
    """The first operand whose type is not the wanted one; one that is left out counts."""
    graph, operator, given = asked.graph.index, asked.operator.index, asked.given
    if wanted is None:
        return asked.slot
    for index, name in enumerate(wanted.inputs):
        if index >= len(given.inputs) or given.inputs[index] != name:
            return Slot(graph, operator, "inputs", index)
    for index, name in enumerate(wanted.outputs):
        if given.outputs[index] != name:
            return Slot(graph, operator, "outputs", index)
    return asked.slot


def _constraint(asked: _Asked, verdict: _Verdict) -> Supported | None:
    stated = Requirement(
        rules=(verdict.rule,),
        types=(),
        severity=verdict.severity,
        behaviour=verdict.behaviour,
        sources=verdict.sources,
    )
    level = asked.target.graded(verdict.rule, stated)
    if level.severity == "off":
        return None
    operands = asked.operator.operands(verdict.slot.kind)
    index = operands[verdict.slot.index] if verdict.slot.index < len(operands) else -1
    return Supported(
        rule=verdict.rule,
        type=asked.graph.tensors[index].type if index >= 0 else "",
        requirements=((asked.target.name, level),),
        slot=verdict.slot,
        expected=verdict.expected,
        actual=verdict.actual,
        sentence=f"{verdict.what}: found {verdict.actual}, expected {verdict.expected}",
        repair=verdict.repair,
    )
