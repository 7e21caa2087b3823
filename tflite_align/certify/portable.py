"""Prediction of which operators give different integers on different runtimes, by how much, and how
often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..format.model import Model, Operator, Subgraph
from ..record import replace
from ..rules.kernels import load_kernels
from .arithmetic import ArithmeticRow, load_arithmetic
from .functions.affine import DomainError
from .operator_cases import OperatorCase, UnknownHereError
from .operator_distances import Measured, measured, taken
from .portability_records import OperatorPortability, Portability, RuntimePair

__all__ = ["RUNTIMES", "portability"]

RUNTIMES = ("litert-ref", "litert", "xnnpack", "tflm")
_KERNELS = {"litert-ref": "litert"}  # runtime -> the runtime whose kernel types apply


def portability(model: Model, runtimes: Sequence[str] = RUNTIMES) -> Portability:
    """Compare every operator with a quantized output, in file order. `runtimes`: names of the
    runtimes to compare.
    """
    operators = [
        _operator(OperatorCase(model=model, graph=graph, operator=operator), runtimes)
        for graph in model.subgraphs
        for operator in graph.operators
        if _quantized(graph, operator)
    ]
    processors = dict.fromkeys(load_arithmetic(name).processor for name in runtimes)
    return Portability(
        runtimes=tuple(runtimes), processor=", ".join(processors), operators=tuple(operators)
    )


def _quantized(graph: Subgraph, operator: Operator) -> bool:
    """Whether an output of the operator has a scale."""
    outputs = [graph.tensors[index] for index in operator.outputs if index >= 0]
    return any(tensor.quant is not None and tensor.quant.scale for tensor in outputs)


def _operator(case: OperatorCase, runtimes: Sequence[str]) -> OperatorPortability:
    """The comparison of one operator between the runtimes; `not known` with the reason where a
    runtime's integer function is unknown.
    """
    refusing = tuple(name for name in runtimes if _refuses(case, name))
    taking = [name for name in runtimes if name not in refusing]
    base = OperatorPortability(address=case.address, word="equal", refusing=refusing)
    try:
        return _compared(case, {name: _row(case, name) for name in taking}, base)
    except (UnknownHereError, DomainError) as error:
        return replace(base, word="not known", why=str(error))


def _refuses(case: OperatorCase, runtime: str) -> bool:
    """Whether the runtime's kernels do not take the operator's types."""
    row = load_kernels(_KERNELS.get(runtime, runtime)).get(case.operator.name)
    return row is None or row.outcome(case.types) == "refused"


def _row(case: OperatorCase, runtime: str) -> ArithmeticRow:
    """The first arithmetic row of the runtime whose function accepts the operator's parameters.
    Raises UnknownHereError without one.
    """
    table = load_arithmetic(runtime)
    for row in table.candidates(case.operator.name, case.types, case.facts):
        if row.kind == "none":
            raise UnknownHereError(f"{runtime}: {row.reason}")
        if taken(case, row):
            return row
    raise UnknownHereError(f"{runtime}: no integer function is known of these types and options")


def _compared(
    case: OperatorCase, rows: Mapping[str, ArithmeticRow], base: OperatorPortability
) -> OperatorPortability:
    """The comparison of the runtimes' functions. `rows`: by runtime; `base`: the record to
    complete.
    """
    kernels: dict[tuple[object, ...], ArithmeticRow] = {}
    kernel_index = {}
    for name, row in rows.items():
        key = (row.functions, row.block, row.ties, row.clamp)
        kernels.setdefault(key, row)
        kernel_index[name] = list(kernels).index(key)
    distances = measured(case, list(kernels.values())) if len(kernels) > 1 else Measured()
    pairs = [
        RuntimePair(
            first=first,
            second=second,
            largest=difference.largest,
            share=difference.differing / distances.cases,
        )
        for i, first in enumerate(rows)
        for second in list(rows)[i + 1 :]
        if kernel_index[first] != kernel_index[second]
        for difference in [distances.pairs[_ordered(kernel_index[first], kernel_index[second])]]
        if difference.largest
    ]
    return replace(
        base,
        word="differs" if pairs else "equal",
        alike=_alike(list(rows), pairs),
        pairs=tuple(pairs),
        largest=distances.every.largest,
        share=distances.every.differing / distances.cases if distances.cases else 0.0,
        cases=distances.cases,
        witness=distances.witness,
        exact=distances.exact,
    )


def _ordered(first: int, second: int) -> tuple[int, int]:
    """Both numbers, the smaller first."""
    return min(first, second), max(first, second)


def _alike(names: Sequence[str], pairs: Sequence[RuntimePair]) -> tuple[tuple[str, ...], ...]:
    """Groups of runtimes in which no two differ; each runtime joins the first group that it fits.
    `names`: of the runtimes; `pairs`: their comparisons two by two.
    """
    unequal = {frozenset((pair.first, pair.second)) for pair in pairs}
    lists: list[list[str]] = []
    for name in names:
        for group in lists:
            if not any(frozenset((name, member)) in unequal for member in group):
                group.append(name)
                break
        else:
            lists.append([name])
    return tuple(map(tuple, lists))
