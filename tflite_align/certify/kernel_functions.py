"""Selection of the integer functions that a runtime may run for an operator, from
schema/arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..rules.operand_types import ABSENT, OperandTypes
from .arithmetic import ArithmeticRow, ArithmeticTable, load_arithmetic
from .check_bounds import Kernel, UnshownError

__all__ = ["kernels_of"]

# Classes without bounds in certificates: float32 inputs cannot be enumerated.
_UNSHOWN = ("none", "steps")


def kernels_of(
    runtime: str,
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    facts: Mapping[str, Any],
) -> list[list[Kernel]]:
    """Groups of kernels: any group may run the operator, with its first kernel that accepts the
    parameters.

    `inputs`, `outputs`: schema names of operand types, "" for a left-out one; `facts`: options and
    other properties that rows test. A delegate adds the group of the runtime behind it, which may
    run any operator. Raises UnshownError, with operand types and the row's reason, where no
    function is known.
    """
    types = OperandTypes(
        tuple(name.lower() or ABSENT for name in inputs), tuple(name.lower() for name in outputs)
    )
    groups, asked = [], runtime
    while runtime:
        table = load_arithmetic(runtime)
        if any(not row.when.keys() <= facts.keys() for row in _rows(table, operator)):
            # The row might apply if the option were known.
            raise _unknown(
                asked, operator, types, "a row depends on options that the operator does not have"
            )
        groups.append(list(table.candidates(operator, types, facts)))
        runtime = table.otherwise if table.delegate else ""
    for group in groups:
        if not group:
            raise _unknown(asked, operator, types, "no row matches these types and options")
        if group[0].kind in _UNSHOWN:
            why = group[0].reason or "float32 values are not enumerated"
            raise _unknown(asked, operator, types, why)
    return [[_kernel(row) for row in group if row.kind not in _UNSHOWN] for group in groups]


def _unknown(runtime: str, operator: str, types: OperandTypes, why: str) -> UnshownError:
    """The error for an operator of a runtime without a known integer function. `why`: the reason."""
    return UnshownError(f"no function is known of {runtime}'s {operator} {types}: {why}")


def _rows(table: ArithmeticTable, operator: str) -> Iterator[ArithmeticRow]:
    """The operator's rows of the runtime, then those of the runtimes it falls back to."""
    yield from table.rows.get(operator, ())
    if table.otherwise:
        yield from _rows(load_arithmetic(table.otherwise), operator)


def _kernel(row: ArithmeticRow) -> Kernel:
    """An arithmetic row as the checker's record of a kernel."""
    return Kernel(row.kind, row.functions, row.clamp, row.ties == "even")
