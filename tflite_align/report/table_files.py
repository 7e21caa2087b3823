"""Reports of many models as database files: SQLite, and Parquet (extra `parquet`)."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

from ..errors import UsageError
from .batch_lines import BatchLine
from .table_rows import FINDINGS, JUDGES, MODELS, Columns, finding_rows, judge_rows, model_row

__all__ = ["TABLES", "check_table"]

_SQL = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "INTEGER"}
_GROUP = 1000  # models per write


def check_table(name: str) -> None:
    """Raise UsageError if the library for the file's format is not installed."""
    if name.lower().endswith(".parquet"):
        try:
            import pyarrow.parquet  # noqa: F401, PLC0415 - an extra
        except ImportError:
            raise UsageError(
                f"{name}: a .parquet report needs the extra `parquet`:"
                " pip install 'tflite-align[parquet]'"
            ) from None


def sqlite(lines: Iterable[BatchLine]) -> bytes:
    """A SQLite database with the tables `models`, `findings` and `judges`, joined by `path`.
    `lines`: one per model.
    """
    tables: Mapping[str, Columns] = {"models": MODELS, "findings": FINDINGS, "judges": JUDGES}
    with closing(sqlite3.connect(":memory:")) as base:
        for table, columns in tables.items():
            named = ", ".join(
                f"{name} {_SQL[column_type]}" for name, column_type in columns.items()
            )
            base.execute(f"CREATE TABLE {table} ({named})")
        for line in lines:
            _insert(base, "models", MODELS, [model_row(line)])
            _insert(base, "findings", FINDINGS, finding_rows(line))
            _insert(base, "judges", JUDGES, judge_rows(line))
        base.execute("CREATE INDEX findings_by_path ON findings (path)")
        base.commit()
        content: bytes = base.serialize()
        return content


def _insert(
    base: sqlite3.Connection, table: str, columns: Columns, rows: Iterable[dict[str, Any]]
) -> None:
    """Insert rows into a table of the SQLite database `base`."""
    places = ", ".join(f":{name}" for name in columns)
    checked = map(_checked, rows)
    base.executemany(f"INSERT INTO {table} VALUES ({places})", checked)  # noqa: S608 - constant names


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """The row. Raises UsageError for an integer of more than 64 bits, which no column holds."""
    for name, value in row.items():
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise UsageError(f"{row['path']}: {name} has more than 64 bits; use another format")
    return row


def parquet(lines: Iterable[BatchLine]) -> bytes:
    """The bytes of a Parquet file with one table. The column `row` is `model`, `finding` or
    `judge`; columns of other rows are null. `lines`: one per model.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(),
             bool: pa.bool_()}  # fmt: skip
    columns = {"row": str, **MODELS, **FINDINGS, **JUDGES}
    schema = pa.schema([(name, kinds[column_type]) for name, column_type in columns.items()])
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, schema) as writer:
        rows: list[dict[str, Any]] = []
        for row_number, line in enumerate(lines, 1):
            rows += _flat(line)
            if row_number % _GROUP == 0:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return stream.getvalue()


def _flat(line: BatchLine) -> list[dict[str, Any]]:
    """The rows of one model: its own, then those of its findings and judges."""
    rows = [
        {"row": "model", **model_row(line)},
        *({"row": "finding", **row} for row in finding_rows(line)),
        *({"row": "judge", **row} for row in judge_rows(line)),
    ]
    return list(map(_checked, rows))


# File ending -> writer.
TABLES: Mapping[str, Callable[[Iterable[BatchLine]], bytes]] = {
    ".parquet": parquet,
    ".sqlite": sqlite,
}
