"""Variables that are read before anything was assigned to them.

LiteRT then has no tensor to read from and stops. TFLM starts every variable at its zero point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..format.model import Operator, Slot
from ..rules.rows import OperatorRow
from .binder.bound import Collector
from .constraints import WellFormed
from .subgraph_calls import resource_names

__all__ = ["first_values"]

_RULE = "variable/first_value"


def first_values(collector: Collector, rows: Mapping[str, OperatorRow]) -> Iterator[WellFormed]:
    """A violated constraint for each first read of a variable that has no value yet.

    In a model with several signatures, the application may run any of them first: a variable that
    one signature assigns counts as assigned when another reads it. `rows`: rules by operator name.
    """
    names = resource_names(collector.model, rows)
    if not names:
        return
    running = _Running(collector, rows, names)
    entries = sorted(collector.model.named_subgraphs)
    for point in entries:
        running.assigned = {
            name for sibling in entries if sibling != point for name in running.writes(sibling)
        }
        for slot in running.reads(point):
            yield from collector.faults(
                _RULE,
                slot,
                collector.operand(slot).type,
                expected="a value assigned before it is read",
                actual="none",
            )


class _Running:
    """A walk over operators in the order in which they run. `assigned`: variables that have a value
    so far.
    """

    def __init__(
        self,
        collector: Collector,
        rows: Mapping[str, OperatorRow],
        names: Mapping[Slot, str | None],
    ) -> None:
        self.found = collector
        self.rows = rows
        self.names = names
        self.assigned: set[str | None] = set()
        self.lost = any(name is None for name in names.values())

    def writes(self, subgraph: int) -> set[str | None]:
        """The names of the variables that a subgraph, or one that it calls, assigns; None among
        them for a handle that cannot be followed.
        """
        slots = (slot for _, slot, row in self._values(subgraph, ()) if row.resource == "write")
        return {self.names.get(slot) for slot in slots}

    def reads(self, subgraph: int) -> Iterator[Slot]:
        """The slots that read a variable which has no value yet, the first for each variable. Empty
        if some handle cannot be followed, since it may belong to any variable. `subgraph`: its
        index.
        """
        if self.lost:
            return
        for _, slot, row in self._values(subgraph, ()):
            name = self.names.get(slot)
            if row.resource == "read" and name not in self.assigned:
                yield slot
            self.assigned.add(name)

    def _values(
        self, subgraph: int, callers: tuple[int, ...]
    ) -> Iterator[tuple[Operator, Slot, OperatorRow]]:
        """(operator, slot, row) of each slot that reads or writes a variable, in the order in which
        they run, also in called subgraphs. `callers`: subgraphs on the call stack.
        """
        if subgraph in callers:
            return
        for operator in self.found.model.subgraphs[subgraph].operators:
            row = self.rows.get(operator.name)
            if row is None:
                continue
            read = Slot(subgraph, operator.index, "outputs", 0)
            written = Slot(subgraph, operator.index, "inputs", 1)
            for slot in (read, written):
                if slot in self.names:
                    yield operator, slot, row
            for call in row.calls:
                callee = operator.options.get(call.option)
                if isinstance(callee, int) and 0 <= callee < len(self.found.model.subgraphs):
                    yield from self._values(callee, (*callers, subgraph))
