"""A run as JSON lines: everything that the database holds of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

import msgspec

from smithers_db.errors import OutputError
from smithers_db.facade import SmithersDB
from smithers_db.file import number
from smithers_db.growth import OF_RUN
from smithers_db.rows import ROW_TYPES, Json, ToolCall
from smithers_db.table import Table, truth

#: What a run has written, by table: reports on tickets outlive it, and are its own all the same.
_WRITTEN = {"executions": "id = ?", **OF_RUN, "ticket_reports": "execution_id = ?"}


def lines_of(db: SmithersDB, execution_id: str) -> Iterator[bytes]:
    """One line ``{"table": …, "row": {…}}`` for each row of a run, its execution first.

    All rows are of one snapshot, taken when the first line is asked for.
    JSON columns are given as JSON, flags as true or false. The row of a tool call has its whole
    output under ``output`` (bytes in base64); where the file is missing, also because the run has
    been deleted since, ``output_error`` says so.
    """
    # All is read first: a slow reader of the lines holds no snapshot, which would keep the
    # write-ahead log from beginning anew.
    for table, rows in db.observe(_rows_of, db, execution_id).get():
        hints = get_type_hints(table.row_type, include_extras=True)
        decoded = {name for name in table.columns if hints[name] == Json}
        flags = {name for name in table.columns if hints[name] is bool}
        for values in rows:
            row: dict[str, Any] = dict(zip(table.columns, values, strict=True))
            for name in decoded:
                row[name] = _parsed(row[name])
            for name in flags:
                if row[name] in (0, 1, "0", "1"):  # else it stays what another program wrote
                    row[name] = truth(row[name])
            if table.row_type is ToolCall:
                try:
                    row["output"] = db.outputs.of(ToolCall(*values))
                except OutputError as error:
                    row["output_error"] = str(error)
            yield msgspec.json.encode({"table": table.name, "row": row})


def _rows_of(db: SmithersDB, execution_id: str) -> list[tuple[Table[Any], Sequence[Any]]]:
    tables = [(Table(db.db, name, ROW_TYPES[name]), f"WHERE {_WRITTEN[name]}") for name in _WRITTEN]
    return [
        (table, table.values(", ".join(table.columns), tail, (execution_id,)))
        for table, tail in tables
    ]


def count_of(db: SmithersDB, execution_id: str) -> int:
    """How many lines `lines_of` gives."""
    return sum(
        number(db.db, f"SELECT count(*) FROM {table} WHERE {condition}", (execution_id,))
        for table, condition in _WRITTEN.items()
    )


def _parsed(value: Any) -> Any:
    """JSON text as JSON, tags of other types included; text that is no JSON as text."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
