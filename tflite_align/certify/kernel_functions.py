"""Which integer functions may run for an operator in a runtime: the rows of schema/arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from ..rules.operand_types import ABSENT, OperandTypes
from .arithmetic import SEVERAL, ArithmeticRow, load_arithmetic
from .check_bounds import Kernel
from .check_read import ReadOperator

__all__ = ["kernels_of"]

# Classes of rows that certificates show nothing of: float32 operands are no finite enumeration.
_UNSHOWN = ("none", "steps")


def kernels_of(
    runtime: str,
    operator: ReadOperator,
    inputs: Sequence[str],
    outputs: Sequence[str],
    several: bool,  # noqa: FBT001 - as the checker calls it
) -> list[list[Kernel]]:
    """Groups of kernels, one of each may run: the first that takes the parameters. Empty where
    nothing is known. A delegate may leave any operator to the kernels behind it.
    """
    types = OperandTypes(
        tuple(name.lower() or ABSENT for name in inputs), tuple(name.lower() for name in outputs)
    )
    facts = {**operator.options, SEVERAL: several}
    table = load_arithmetic(runtime)
    groups = [list(table.candidates(operator.name, types, facts))]
    while table.delegate:
        table = load_arithmetic(table.otherwise)
        groups.append(list(table.candidates(operator.name, types, facts)))
    if any(not group or group[0].kind in _UNSHOWN for group in groups):
        return []
    return [[_kernel(row) for row in group if row.kind not in _UNSHOWN] for group in groups]


def _kernel(row: ArithmeticRow) -> Kernel:
    return Kernel(row.kind, row.functions, row.clamp, row.ties == "even")
