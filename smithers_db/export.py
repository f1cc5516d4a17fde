"""A run as JSON lines: everything that the database holds of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec

from smithers_db.errors import OutputError
from smithers_db.facade import SmithersDB
from smithers_db.growth import OF_RUN
from smithers_db.rows import ROW_TYPES, Json
from smithers_db.table import Table
from smithers_db.vacuum import number

#: What a run has written, by table: reports on tickets outlive it, and are its own all the same.
_WRITTEN = {"executions": "id = ?", **OF_RUN, "ticket_reports": "execution_id = ?"}


def lines_of(db: SmithersDB, execution_id: str) -> Iterator[bytes]:
    """One line ``{"table": …, "row": {…}}`` for each row of a run, its execution first.

    JSON columns are given as JSON. The row of a tool call has its whole output under ``output``
    (bytes in base64); where the file is missing, ``output_error`` says so.
    """
    for table, condition in _WRITTEN.items():
        row_type = ROW_TYPES[table]
        hints = get_type_hints(row_type, include_extras=True)
        columns = row_type.__struct_fields__
        decoded = {name for name in columns if hints[name] == Json}
        rows = Table(db.db, table, row_type)
        for values in rows.values(", ".join(columns), f"WHERE {condition}", (execution_id,)):
            row: dict[str, Any] = dict(zip(columns, values, strict=True))
            for name in decoded:
                row[name] = _parsed(row[name])
            if table == "tool_calls":
                try:
                    row["output"] = db.tools.get_output(row["id"])
                except OutputError as error:
                    row["output_error"] = str(error)
            yield msgspec.json.encode({"table": table, "row": row})


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
