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
from .changed_functions import match_operators
from .object_api import pack, parse
from .process import Ended, acceptance, call_worker
from .samples import Samples
from .twin import FloatGraph, float_graph
from .unpacked import is_constant, operator_name
from .variants import RUN_SECONDS, THREADS

__all__ = ["PreparedSteps", "Steps", "check_steps", "prepare_steps", "score_steps"]

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


class PreparedSteps(Record, frozen=True, kw_only=True):
    """The request for a worker process, whose files are written; None where nothing is compared."""

    plan: _Plan
    job: dict[str, Any] | None

    def read(self, ended: Ended | None) -> Steps:
        """What the worker's end says."""
        plan = self.plan
        if ended is None:
            return Steps(lsb={}, tolerance={}, names=plan.names, not_judged=plan.not_judged)
        found = acceptance(ended)
        if found.status != "accepted":
            why = f"{found.status}: {found.reason}"
            return Steps(
                lsb={}, tolerance={}, names=plan.names, not_judged=plan.not_judged, why=why
            )
        lsb: dict[int, float] = {}
        for check, worst in zip(plan.checks, ended.answer["worst"], strict=True):
            operator = check["operator"]
            lsb[operator] = max(lsb.get(operator, 0.0), float(worst))
        return Steps(
            lsb=lsb, tolerance=plan.tolerance, names=plan.names, not_judged=plan.not_judged
        )


def prepare_steps(
    data: bytes | memoryview,
    records: list[dict[str, Any]],
    samples: Samples,
    folder: Path,
    *,
    only: frozenset[int] | None = None,
) -> PreparedSteps:
    """The comparison of the file's operators, or of `only` some of them, with their recompute on a
    few samples of each kind. Raises UnsupportedError.
    """
    plan = _plan(data, only)
    if not plan.checks:
        return PreparedSteps(plan=plan, job=None)
    folder.mkdir()
    (folder / "model.tflite").write_bytes(data)
    (folder / "recompute.tflite").write_bytes(plan.recompute)
    job = {
        "task": "stepwise",
        "model": str(folder / "model.tflite"),
        "recompute": str(folder / "recompute.tflite"),
        "kernels": "litert",
        "threads": THREADS,
        "inputs": records,
        "sequences": _few(samples),
        "sources": plan.sources,
        "checks": plan.checks,
    }
    return PreparedSteps(plan=plan, job=job)


def _few(samples: Samples) -> list[tuple[int, int]]:
    """The first sequence of a model with variables; else some samples of each kind."""
    if samples.stateful:
        return [samples.sequences[0]]
    each = -(-_SAMPLES // len(samples.kinds))
    return [(kind.first, min(kind.first + each, kind.last)) for kind in samples.kinds]


def check_steps(prepared: PreparedSteps, folder: Path, *, seconds: float | None = None) -> Steps:
    """What is prepared, run in a process of its own; `folder` must not exist."""
    if prepared.job is None:
        return prepared.read(None)
    folder.mkdir()
    return prepared.read(call_worker(prepared.job, folder, seconds=seconds or RUN_SECONDS))


class _Plan(Record, frozen=True, kw_only=True):
    recompute: bytes
    sources: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    tolerance: dict[int, float]
    names: tuple[str, ...]
    not_judged: tuple[int, ...]


def _plan(data: bytes | memoryview, only: frozenset[int] | None) -> _Plan:
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
        if only is not None and index not in only:
            continue
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
