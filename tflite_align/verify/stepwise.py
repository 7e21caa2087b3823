"""Operator by operator: whether an output is what a float kernel makes of its own inputs.

No error adds up here, so it finds a kernel that ignores declared parameters even where the
numbers at the outputs say nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..format.model import OperatorId
from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import INTEGER_LIMITS
from ..record import Record
from ..verdicts import StepCheck, StepDeviation
from .object_api import pack, parse
from .process import acceptance, call_worker
from .twin import FloatGraph, float_graph
from .unpacked import is_constant, operator_name
from .variants import RUN_SECONDS

__all__ = ["Steps", "check_steps", "match_operators", "score_steps"]

_SAMPLES = 4
# LSB of the output, 99.9th percentile. Rounding is 0.5, fixed-point multipliers add up to 1.
_TOLERANCE = 2.5
# Kernels that approximate a function by tables or a few Newton steps.
_APPROXIMATE = frozenset(
    ["SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION", "HARD_SWISH", "DIV", "RSQRT", "EXP"]
)
_APPROXIMATE_TOLERANCE = 4.0
_WORSE = 1.5  # times the original's deviation: 2.4 LSB before and 2.6 now is no new fault
_WIDE_TOLERANCE = 16.0  # int16: the same approximations, in steps 256 times finer
_NOT_RECOMPUTED = frozenset(
    [
        "IF",
        "WHILE",
        "CALL",
        "CALL_ONCE",
        "VAR_HANDLE",
        "READ_VARIABLE",
        "ASSIGN_VARIABLE",
        "STABLEHLO_COMPOSITE",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "LSTM",
        "SVDF",
        "RNN",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_RNN",
    ]
)


class Steps(Record, frozen=True, kw_only=True):
    """`lsb[i]`: deviation of operator i of subgraph 0; absent when it cannot be recomputed."""

    lsb: dict[int, float]
    tolerance: dict[int, float]
    names: tuple[str, ...]
    not_judged: tuple[int, ...]
    why: str = ""

    @property
    def within(self) -> bool:
        """No operator is beyond its tolerance."""
        return all(lsb <= self.tolerance[operator] for operator, lsb in self.lsb.items())


def check_steps(
    data: bytes | memoryview,
    records: list[dict[str, Any]],
    sequences: tuple[tuple[int, int], ...],
    folder: Path,
    *,
    seconds: float | None = None,
) -> Steps:
    """Run the file and its operator-wise recompute on a few samples. Raises UnsupportedError."""
    plan = _plan(data)
    folder.mkdir()
    (folder / "model.tflite").write_bytes(data)
    (folder / "recompute.tflite").write_bytes(plan.recompute)
    first, last = sequences[0]
    count = last - first if last - first > 1 else _SAMPLES
    request = {
        "task": "stepwise",
        "model": str(folder / "model.tflite"),
        "recompute": str(folder / "recompute.tflite"),
        "kernels": "litert",
        "threads": 2,
        "inputs": records,
        "sequences": [[0, min(count, sequences[-1][1])]],
        "sources": plan.sources,
        "checks": plan.checks,
    }
    ended = call_worker(request, folder, seconds=seconds or RUN_SECONDS)
    lsb: dict[int, float] = {}
    if acceptance(ended).status != "accepted":
        found = acceptance(ended)
        why = f"{found.status}: {found.reason}"
        return Steps(lsb={}, tolerance={}, names=plan.names, not_judged=plan.not_judged, why=why)
    for check, worst in zip(plan.checks, ended.answer["worst"], strict=True):
        operator = check["operator"]
        lsb[operator] = max(lsb.get(operator, 0.0), float(worst))
    return Steps(lsb=lsb, tolerance=plan.tolerance, names=plan.names, not_judged=plan.not_judged)


class _Plan(Record, frozen=True, kw_only=True):
    recompute: bytes
    sources: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    tolerance: dict[int, float]
    names: tuple[str, ...]
    not_judged: tuple[int, ...]


def _plan(data: bytes | memoryview) -> _Plan:
    """A float model in which every activation is an input and every operator writes outputs."""
    model = parse(data)
    graph = model.subgraphs[0]
    names = tuple(operator_name(model, operator) for operator in graph.operators)
    before = [list(operator.outputs) for operator in graph.operators]
    floats = float_graph(model, graph)
    checks: list[dict[str, Any]] = []
    tolerance: dict[int, float] = {}
    not_judged: list[int] = []
    used: list[int] = []
    outputs: list[int] = []
    for index, operator in enumerate(floats.take_operators()):
        checked = [t for t in before[index] if t in floats.declared]
        if names[index] in _NOT_RECOMPUTED or names[index].startswith("CUSTOM:"):
            not_judged += [index] if checked else []
            continue
        if not checked:
            continue  # integer bookkeeping and float operators: nothing was quantized here
        floats.add(operator)
        used += [t for t in operator.inputs if t >= 0]
        for tensor in checked:
            _, fresh = floats.rename_output(operator, tensor)
            checks.append(_check(floats, index, tensor, len(outputs)))
            outputs.append(fresh)
        tolerance[index] = _tolerance(names[index], checks[-1]["kind"])
    graph.inputs = _activations(floats, used)
    graph.outputs = outputs
    model.subgraphs = model.subgraphs[:1]
    model.signatureDefs = []
    return _Plan(
        recompute=pack(model),
        sources=[_record(floats, tensor) for tensor in graph.inputs],
        checks=checks,
        tolerance=tolerance,
        names=names,
        not_judged=tuple(not_judged),
    )


def _tolerance(name: str, kind: str) -> float:
    if kind == "int16":
        return _WIDE_TOLERANCE
    return _APPROXIMATE_TOLERANCE if name in _APPROXIMATE else _TOLERANCE


def _activations(floats: FloatGraph, used: list[int]) -> list[int]:
    """What the recompute must be fed: every used tensor that nothing in it provides."""
    graph = floats.graph
    written = {t for operator in floats.prologue for t in operator.outputs}
    return [
        tensor
        for tensor in dict.fromkeys(used)
        if tensor not in written and not is_constant(floats.model, graph.tensors[tensor])
    ]


def _record(floats: FloatGraph, tensor: int) -> dict[str, Any]:
    record: dict[str, Any] = {"tensor": tensor, "scale": None, "zero_point": 0}
    if tensor in floats.declared:
        kind, scale, zero_point = floats.label(tensor)
        record |= {"scale": scale, "zero_point": zero_point, "kind": kind}
    return record


def _check(floats: FloatGraph, operator: int, tensor: int, output: int) -> dict[str, Any]:
    record = _record(floats, tensor)
    kind = record["kind"] if record["kind"] in QUANTIZED_TYPES else "int32"
    lowest, highest = INTEGER_LIMITS[kind]
    return record | {"operator": operator, "output": output, "lowest": lowest, "highest": highest}


# --- original and aligned ----------------------------------------------------------------------


def match_operators(before: tuple[str, ...], after: tuple[str, ...]) -> dict[int, int]:
    """Aligned operator -> original operator, by order; only QUANTIZE comes and goes."""
    matched: dict[int, int] = {}
    old = 0
    for new, name in enumerate(after):
        if name != "QUANTIZE":
            while old < len(before) and before[old] == "QUANTIZE":
                old += 1
        if old < len(before) and before[old] == name:
            matched[new] = old
            old += 1
    return matched


def score_steps(original: Steps, aligned: Steps, edited: frozenset[OperatorId] | None) -> StepCheck:
    """Which operators of the aligned file are beyond tolerance, and which of them are ours.

    `edited` None: not known, so that an operator nothing is known of counts as edited.
    """
    pairs = match_operators(original.names, aligned.names)
    beyond = []
    for operator, lsb in sorted(aligned.lsb.items()):
        limit = aligned.tolerance[operator]
        if lsb <= limit:
            continue
        earlier = original.lsb.get(pairs[operator]) if operator in pairs else None
        beyond.append(
            StepDeviation(
                address=_address(aligned, operator),
                subgraph=0,
                operator=operator,
                lsb=lsb,
                tolerance_lsb=limit,
                original_lsb=earlier,
                ours=_is_ours(operator, lsb, limit, (original, pairs, edited)),
            )
        )
    return StepCheck(
        checked=len(aligned.lsb),
        beyond=tuple(beyond),
        not_judged=tuple(_address(aligned, operator) for operator in aligned.not_judged),
    )


def _is_ours(
    operator: int,
    lsb: float,
    limit: float,
    known: tuple[Steps, dict[int, int], frozenset[OperatorId] | None],
) -> bool:
    original, pairs, edited = known
    if operator not in pairs or (0, operator) in (edited or ()):
        return True
    earlier = original.lsb.get(pairs[operator])
    if earlier is not None:
        return earlier <= limit and lsb > _WORSE * earlier
    return edited is None or not original.why


def _address(steps: Steps, operator: int) -> str:
    return f"subgraph[0]/operator[{operator}] {steps.names[operator]}"
