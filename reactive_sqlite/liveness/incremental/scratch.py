"""Tables in memory into which old rows are put back, so that SQLite evaluates expressions on them.

A commit leaves nothing of a deleted row but its image. What the row was worth to a sum under a
condition, SQLite alone can say, and of a row that lies in a table of the same declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.understanding.catalog import TableInfo
from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.values.change import Image


class Scratch:
    """An empty copy of one table on a connection of its own; without indexes and triggers."""

    def __init__(self, table: TableInfo, setup: Callable[[Connection], None]) -> None:
        if table.database != "main" or table.sql is None:
            raise NotMaintainable("a table of another database")
        connection = self._connection = Connection(":memory:")
        setup(connection)
        # The rows satisfied everything where they come from.
        connection.run("PRAGMA foreign_keys=OFF")
        connection.run("PRAGMA ignore_check_constraints=ON")
        connection.run(table.sql)
        self._places = [n for n, column in enumerate(table.columns) if not column.generated]
        names = [quoted(table.columns[place].name) for place in self._places]
        self._rowid = False
        if not table.without_rowid and table.rowid_column is None:
            free = [n for n in ("rowid", "oid", "_rowid_") if table.position(n) is None]
            names += free[:1]
            self._rowid = bool(free)
        marks = ", ".join("?" * len(names))
        name = quoted(table.name)
        self._insert = f"INSERT INTO {name}({', '.join(names)}) VALUES ({marks})"
        self._clear = f"DELETE FROM {name}"

    def run(
        self, sql: str, params: Sequence[Any], rows: Sequence[tuple[Image, int | None]]
    ) -> list[tuple[Any, ...]]:
        """The result of a query when the table has these rows, given with their rowids."""
        connection, places = self._connection, self._places
        values: list[tuple[Any, ...]] = [tuple(image[p] for p in places) for image, _ in rows]
        if self._rowid:
            values = [(*row, rowid) for row, (_, rowid) in zip(values, rows, strict=True)]
        try:
            if len(values) == 1:
                connection.run(self._insert, values[0])
            else:
                connection.run_many(self._insert, values)
            return connection.run(sql, params)
        finally:
            connection.run(self._clear)

    def calculate(self, sql: str, params: Mapping[str, Any]) -> tuple[Any, ...]:
        """The one row of a query that reads no table."""
        return self._connection.run(sql, params)[0]
