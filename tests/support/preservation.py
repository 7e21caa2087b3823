"""Checks which bytes of a file are preserved, from the two files alone, with its own parser.

The new file must be a prefix followed by the original file, byte for byte except for declared
places. From the new root one may reach only original tables in their original place, and tables in
the prefix whose fields equal the original's, apart from declared changes.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tflite_align.record import Record

__all__ = ["File", "Place", "declared_of", "differences", "places", "unlike"]

# Fields of a table in the order of their ids. A number: bytes inline. `v4`: a vector of 4-byte
# items; `[Name]`, `Name`: tables; `opaque`: a table that is compared by its address only.
TABLES = {
    "Model": "version=4 codes=[Code] graphs=[Graph] description=v1 buffers=[Buffer] old=v4 "
    "metadata=[Metadata] signatures=[Signature] groups=[opaque] externals=[opaque]",
    "Code": "old=1 custom=v1 version=4 builtin=4",
    "Graph": "tensors=[Tensor] inputs=v4 outputs=v4 operators=[Operator] name=v1 debug=4",
    "Tensor": "shape=v4 type=1 buffer=4 name=v1 quant=Quant variable=1 sparsity=opaque "
    "signature=v4 rank=1 variants=[opaque] external=4",
    "Quant": "min=v4 max=v4 scale=v4 zero_point=v8 details_type=1 details=opaque dimension=4",
    "Operator": "code=4 inputs=v4 outputs=v4 options_type=1 options=opaque custom=v1 format=1 "
    "mutating=v1 intermediates=v4 offset=8 size=8 options2_type=1 options2=opaque debug=4",
    "Buffer": "data=v1 offset=8 size=8",
    "Metadata": "name=v1 buffer=4",
    "Signature": "inputs=[Map] outputs=[Map] key=v1 none=v1 graph=4",
    "Map": "name=v1 index=4",
}
FIELDS = {
    table: [tuple(field.split("=")) for field in fields.split()] for table, fields in TABLES.items()
}
# Fields that a declared change of a tensor or operator may change.
OWN = {
    "Tensor": {"quant", "type", "buffer", "name", "shape", "signature"},
    "Operator": {"inputs", "outputs", "code", "options", "options_type", "offset"},
}

Owner = tuple[str, int, int]  # ("tensor" or "operator", subgraph, index), ("border", subgraph, 0)


class Place(Record, frozen=True, kw_only=True):
    """Bytes that may change, and the tensor or operator they belong to."""

    start: int
    length: int
    owner: Owner


class File:
    """A model file; tables are identified by their position."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root = self._number(0, 4)

    def _number(self, at: int, size: int, *, signed: bool = False) -> int:
        assert 0 <= at <= len(self.data) - size
        return int.from_bytes(self.data[at : at + size], "little", signed=signed)

    def slot(self, table: int, field: int) -> int | None:
        """Position of a field's inline bytes."""
        layout = table - self._number(table, 4, signed=True)
        entry = 4 + 2 * field
        if entry + 2 > self._number(layout, 2):
            return None
        return table + found if (found := self._number(layout + entry, 2)) else None

    def inline(self, table: int) -> tuple[int, int]:
        """Start and size of a table's inline bytes."""
        layout = table - self._number(table, 4, signed=True)
        return table + 4, self._number(layout + 2, 2) - 4

    def get(self, kind: str, table: int, name: str) -> Any:
        """Raw bytes of a scalar or a vector, position(s) of tables; None where absent."""
        index = next(i for i, (field, _) in enumerate(FIELDS[kind]) if field == name)
        form, at = FIELDS[kind][index][1], self.slot(table, index)
        if at is None:
            return None
        if form.isdigit():
            return self.data[at : at + int(form)]
        if form.startswith("["):
            start, count = self.vector(at)
            places = range(start, start + 4 * count, 4)
            return [place + self._number(place, 4) for place in places]
        if form.startswith("v"):
            start, count = self.vector(at)
            return self.data[start : start + count * int(form[1:])]
        return at + self._number(at, 4)

    def vector(self, at: int) -> tuple[int, int]:
        start = at + self._number(at, 4)
        return start + 4, self._number(start, 4)

    def body(self, kind: str, table: int, name: str) -> tuple[int, int] | None:
        """Start and length of a field's value: a scalar's bytes or a vector's items."""
        index = next(i for i, (field, _) in enumerate(FIELDS[kind]) if field == name)
        form, at = FIELDS[kind][index][1], self.slot(table, index)
        if at is None:
            return None
        if form.isdigit():
            return at, int(form)
        start, count = self.vector(at)
        return start, count * int(form[1:])

    def number(self, kind: str, table: int, name: str) -> int:
        return int.from_bytes(self.get(kind, table, name) or b"", "little")

    def all(self, kind: str, table: int, name: str) -> list[int]:
        return self.get(kind, table, name) or []

    @cached_property
    def graphs(self) -> list[int]:
        return self.all("Model", self.root, "graphs")

    @cached_property
    def buffers(self) -> list[int]:
        return self.all("Model", self.root, "buffers")

    def operands(self, operator: int) -> set[int]:
        vectors = (self.get("Operator", operator, name) or b"" for name in ("inputs", "outputs"))
        return {i for raw in vectors for (i,) in struct.iter_unpack("<i", raw)}

    def content(self, buffer: int) -> tuple[int, int]:
        """Start and length of a buffer's bytes, wherever they are; (0, 0) without data."""
        inside = self.body("Buffer", buffer, "data")
        if inside is not None and inside[1]:
            return inside
        start = self.number("Buffer", buffer, "offset")
        return (start, self.number("Buffer", buffer, "size")) if start > 1 else (0, 0)


# --- allowed differences
# ---------------------------------------------------------------------------


def places(old: File) -> Iterator[Place]:
    """Every place of the file that any edit may overwrite."""
    for g, graph in enumerate(old.graphs):
        for t, tensor in enumerate(old.all("Graph", graph, "tensors")):
            yield from _of_tensor(old, tensor, ("tensor", g, t))
        for o, operator in enumerate(old.all("Graph", graph, "operators")):
            owner = ("operator", g, o)
            yield from _bodies(old, "Operator", operator, ("inputs", "outputs", "code"), owner)
            options = old.get("Operator", operator, "options")
            if options is not None:
                start, length = old.inline(options)
                yield Place(start=start, length=length, owner=owner)
        yield from _bodies(old, "Graph", graph, ("inputs", "outputs"), ("border", g, 0))
        index = next(i for i, (name, _) in enumerate(FIELDS["Graph"]) if name == "operators")
        at = old.slot(graph, index)
        if at is not None:
            # With its count, which decreases when operators are removed.
            start, count = old.vector(at)
            yield Place(start=start - 4, length=4 + 4 * count, owner=("list", g, 0))
    for signature in old.all("Model", old.root, "signatures"):
        border = ("border", old.number("Signature", signature, "graph"), 0)
        for kind in ("inputs", "outputs"):
            for entry in old.all("Signature", signature, kind):
                yield from _bodies(old, "Map", entry, ("index",), border)


def _of_tensor(old: File, tensor: int, owner: Owner) -> Iterator[Place]:
    yield from _bodies(
        old, "Tensor", tensor, ("type", "buffer", "name", "shape", "signature"), owner
    )
    quant = old.get("Tensor", tensor, "quant")
    if quant is not None:
        vectors = ("scale", "zero_point", "min", "max", "dimension")
        yield from _bodies(old, "Quant", quant, vectors, owner)
    start, length = old.content(old.buffers[old.number("Tensor", tensor, "buffer")])
    yield Place(start=start, length=length, owner=owner)


def _bodies(
    file: File, kind: str, table: int, names: tuple[str, ...], owner: Owner
) -> Iterator[Place]:
    for name in names:
        found = file.body(kind, table, name)
        if found is not None:
            yield Place(start=found[0], length=found[1], owner=owner)


def _positions(old: File) -> Iterator[tuple[int, int]]:
    """(place, width in bytes) of each field that holds an absolute position in the file."""
    tables = [("Buffer", table) for table in old.buffers]
    tables += [
        ("Operator", table) for g in old.graphs for table in old.all("Graph", g, "operators")
    ]
    for kind, table in tables:
        found = old.body(kind, table, "offset")
        if found is not None and old.number(kind, table, "offset") > 1:
            yield found
    yield from _zip_positions(old.data)


def _zip_positions(data: bytes) -> Iterator[tuple[int, int]]:
    """Positions of each member in the central directory, and of the directory in the end record."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        return
    at = archive.start_dir
    for _ in archive.infolist():
        assert data[at : at + 4] == b"PK\x01\x02"
        yield at + 42, 4
        at += 46 + sum(struct.unpack_from("<HHH", data, at + 28))
    assert data[at : at + 4] == b"PK\x05\x06"
    yield at + 16, 4


def differences(old: bytes, new: bytes, declared: set[Owner]) -> list[str]:
    """Differences outside the declared places; empty if there are none."""
    shift = len(new) - len(old)
    if shift < 0 or shift % 64:
        return [f"{shift} bytes longer: no prefix of whole lines"]
    was, now = np.frombuffer(old, np.uint8), np.frombuffer(new, np.uint8)[shift:]
    left = was != now
    file = File(old)
    for place in places(file):
        if place.owner in declared:
            left[place.start : place.start + place.length] = False
    wrong = []
    for at, width in _positions(file):
        before, after = (int.from_bytes(raw[at : at + width], "little") for raw in (was, now))
        if after not in (before, before + shift):
            wrong.append(f"the position at byte {at} was {before} and is {after}")
        left[at : at + width] = False
    return wrong + [f"byte {at} was {was[at]} and is {now[at]}" for at in np.flatnonzero(left)[:9]]


def declared_of(old: bytes, report: Any) -> set[Owner]:
    """Tensors that a report declares as changed, their operators, and the graph inputs and outputs
    concerned.
    """
    file = File(old)
    found: set[Owner] = {("tensor", change.subgraph, change.tensor) for change in report.changes}
    removing = {"removed", "composed", "converted", "retyped"}
    found |= {("list", one.subgraph, 0) for one in report.changes if one.kind in removing}
    for g, graph in enumerate(file.graphs):
        changed = {tensor for kind, at, tensor in found if (kind, at) == ("tensor", g)}
        for o, operator in enumerate(file.all("Graph", graph, "operators")):
            if changed & file.operands(operator):
                found.add(("operator", g, o))
        border = (file.get("Graph", graph, name) or b"" for name in ("inputs", "outputs"))
        if changed & {i for raw in border for (i,) in struct.iter_unpack("<i", raw)}:
            found.add(("border", g, 0))
    return found


# --- tables reached by the new root
# ----------------------------------------------------------------


def unlike(old: bytes, new: bytes, declared: set[Owner]) -> list[str]:
    """Rebuilt tables that differ beyond the declared changes."""
    return list(_Compared(File(old), File(new), declared).run())


class _Compared:
    def __init__(self, old: File, new: File, declared: set[Owner]) -> None:
        self.old, self.new, self.declared = old, new, declared
        self.shift = len(new.data) - len(old.data)

    def run(self) -> Iterator[str]:
        skipped = {"codes", "graphs", "buffers", "signatures", "metadata"}
        yield from self._fields("Model", self.old.root, self.new.root, skipped, "the model")
        for name, kind in (("codes", "Code"), ("metadata", "Metadata")):
            yield from self._list(name, kind, self.old.root, self.new.root)
        yield from self._buffers()
        pairs = zip(self.old.graphs, self.new.graphs, strict=True)
        for g, (before, after) in enumerate(pairs):
            yield from self._graph(g, before, after)
        yield from self._signatures()

    def _fields(
        self, kind: str, before: int, after: int, skipped: set[str], address: str
    ) -> Iterator[str]:
        """Differences of the fields of two tables, apart from bytes that `differences` compares."""
        if after == before + self.shift:
            return
        if after >= self.shift:
            yield f"{address} is another of the old tables"
        for name, form in FIELDS[kind]:
            was, now = self.old.get(kind, before, name), self.new.get(kind, after, name)
            if name in skipped:
                continue
            if isinstance(was, list):
                was = [table + self.shift for table in was]
            elif isinstance(was, int):
                was += self.shift
            if form.isdigit():  # default values may be omitted
                was, now = (int.from_bytes(raw or b"", "little") for raw in (was, now))
            if was != now:
                yield f"{address}: {name} is not what it was"

    def _list(self, name: str, kind: str, before: int, after: int) -> Iterator[str]:
        """Differences of two vectors: the original entries must come first, new ones may follow."""
        was, now = self.old.all("Model", before, name), self.new.all("Model", after, name)
        if len(now) < len(was):
            yield f"{name}: {len(was)} became {len(now)}"
        for index, (one, other) in enumerate(zip(was, now, strict=False)):
            yield from self._fields(kind, one, other, set(), f"{name}[{index}]")

    def _buffers(self) -> Iterator[str]:
        """Differences of undeclared tensors' constants. A shared buffer table must be
        split first.
        """
        for index, (was, now) in enumerate(zip(self.old.buffers, self.new.buffers, strict=False)):
            if now == was + self.shift:
                start, length = self.old.content(was)
                if self.new.content(now) != ((start + self.shift) if length else 0, length):
                    yield f"buffers[{index}] is elsewhere"
            elif self._bytes(self.old, was) != self._bytes(self.new, now):
                users = self._users(index)
                if not users or users - self.declared:
                    yield f"buffers[{index}] holds something else"

    @staticmethod
    def _bytes(file: File, buffer: int) -> bytes:
        start, length = file.content(buffer)
        return file.data[start : start + length]

    def _users(self, buffer: int) -> set[Owner]:
        return {
            ("tensor", g, t)
            for g, graph in enumerate(self.old.graphs)
            for t, tensor in enumerate(self.old.all("Graph", graph, "tensors"))
            if self.old.number("Tensor", tensor, "buffer") == buffer
        }

    def _graph(self, g: int, before: int, after: int) -> Iterator[str]:
        skipped = {"tensors", "operators"}
        if ("border", g, 0) in self.declared:
            skipped |= {"inputs", "outputs"}
        yield from self._fields("Graph", before, after, skipped, f"subgraph[{g}]")
        was = self.old.all("Graph", before, "tensors")
        now = self.new.all("Graph", after, "tensors")
        if len(now) < len(was):
            yield f"subgraph[{g}]: {len(was)} tensors became {len(now)}"
        for t, (one, other) in enumerate(zip(was, now, strict=False)):
            own = OWN["Tensor"] if ("tensor", g, t) in self.declared else set()
            address = f"subgraph[{g}]/tensor[{t}]"
            yield from self._fields("Tensor", one, other, own, address)
        yield from self._operators(g, before, after)

    def _operators(self, g: int, before: int, after: int) -> Iterator[str]:
        """Missing or exchanged operators among those that are not declared as changed."""
        was = self.old.all("Graph", before, "operators")
        now = self.new.all("Graph", after, "operators")
        kept = [table - self.shift for table in now if table >= self.shift]
        fixed = [t for o, t in enumerate(was) if ("operator", g, o) not in self.declared]
        if [table for table in was if table in set(kept)] != kept:
            yield f"subgraph[{g}]: operators changed places"
        for table in kept:
            yield from self._moved(table, table + self.shift, f"an operator at byte {table}")
        for table in sorted(set(fixed) - set(kept)):
            address = f"subgraph[{g}]/operator[{was.index(table)}]"
            yield from self._remade(table, now, address)

    def _remade(self, table: int, now: list[int], address: str) -> Iterator[str]:
        """Differences of a rebuilt operator table without a declared change: only a position in the
        file may differ.
        """
        found = [
            other
            for other in now
            if other < self.shift
            and not list(self._fields("Operator", table, other, {"offset"}, address))
            and not list(self._moved(table, other, address))
        ]
        if not found:
            yield f"{address} is gone"

    def _moved(self, before: int, after: int, address: str) -> Iterator[str]:
        """Differences of large custom options, which are stored behind the tables at an absolute
        position.
        """
        was = self.old.number("Operator", before, "offset")
        if self.new.number("Operator", after, "offset") != (was + self.shift if was else 0):
            yield f"{address}: its custom options are elsewhere"

    def _signatures(self) -> Iterator[str]:
        was = self.old.all("Model", self.old.root, "signatures")
        now = self.new.all("Model", self.new.root, "signatures")
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            border = ("border", self.old.number("Signature", one, "graph"), 0)
            skipped = {"inputs", "outputs"} if border in self.declared else set()
            yield from self._fields("Signature", one, other, skipped, f"signature[{index}]")
