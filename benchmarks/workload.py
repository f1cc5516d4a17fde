"""What a benchmark asks, as data: tables, live views, and the writes that are timed.

A workload is built once, in Python, from a seeded generator, and handed to every engine, those of
other languages included, as one JSON document. So all of them see the same rows and the same
writes in the same order, and the digests of their final views can be compared.

Each write stores a value that was not there before: SQLite skips the page write when the new
content equals the old, and an engine that drops equal results would otherwise be timed doing
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Cell = int | str | None
Row = Sequence[Any]
Mode = Literal["value", "delta"]
Size = Literal["smoke", "quick", "full"]
Column = tuple[str, Literal["int", "text"]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column is the key. `indexes` are tuples of column names."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, the key first."""
        return tuple(name for name, _ in self.columns)

    def schema(self) -> list[str]:
        """CREATE statements, the indexes last."""
        types = {"int": "INTEGER", "text": "TEXT"}
        key, *rest = self.columns
        columns = [f"{key[0]} INTEGER PRIMARY KEY"]
        columns += [f"{name} {types[kind]} NOT NULL" for name, kind in rest]
        return [f"CREATE TABLE {self.name} ({', '.join(columns)})"] + [
            f"CREATE INDEX {self.name}_{'_'.join(index)} ON {self.name} ({', '.join(index)})"
            for index in self.indexes
        ]

    def insert(self) -> str:
        """The INSERT statement for one row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.column_names)}) VALUES ({marks})"


@dataclass(frozen=True, slots=True)
class View:
    """A live query. `name` says to engines without SQL which one it is, `args` with what values.

    `nested` names the columns that hold a JSON document (SQLite's way to nest rows): they are
    compared by what they hold.
    """

    name: str
    sql: str
    args: tuple[Cell, ...] = ()
    nested: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Set columns of the row with this key."""

    table: str
    key: int
    values: Mapping[str, Cell]

    def to_json(self) -> list[Any]:
        return ["update", self.table, self.key, dict(self.values)]

    def statement(self, tables: Mapping[str, Table]) -> tuple[str, tuple[Cell, ...]]:
        """The SQL text and its parameters."""
        key = tables[self.table].columns[0][0]
        assignments = ", ".join(f"{name} = ?" for name in self.values)
        sql = f"UPDATE {self.table} SET {assignments} WHERE {key} = ?"
        return sql, (*self.values.values(), self.key)


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    table: str
    row: Row

    def to_json(self) -> list[Any]:
        return ["insert", self.table, list(self.row)]

    def statement(self, tables: Mapping[str, Table]) -> tuple[str, tuple[Cell, ...]]:
        """The SQL text and its parameters."""
        return tables[self.table].insert(), tuple(self.row)


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the row with this key."""

    table: str
    key: int

    def to_json(self) -> list[Any]:
        return ["delete", self.table, self.key]

    def statement(self, tables: Mapping[str, Table]) -> tuple[str, tuple[Cell, ...]]:
        """The SQL text and its parameters."""
        return f"DELETE FROM {self.table} WHERE {tables[self.table].columns[0][0]} = ?", (self.key,)


Change = Update | Insert | Delete


@dataclass(frozen=True, slots=True)
class Write:
    """One transaction. `wakes` lists the views (by position) whose result it changes."""

    changes: tuple[Change, ...]
    wakes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """A question with all that is needed to ask it of any engine.

    `group` consecutive writes are timed as one (an add and its removal); `rate` is in writes per
    second, None for "as fast as it goes".
    """

    name: str
    question: str
    tables: tuple[Table, ...]
    views: tuple[View, ...]
    writes: tuple[Write, ...]
    mode: Mode = "value"
    group: int = 1
    rate: float | None = None
    warmup: int = 3

    @property
    def expected_emissions(self) -> int:
        """How many values a precise engine delivers: one per write and view that it changes."""
        return sum(len(write.wakes) for write in self.writes)

    def to_json(self) -> str:
        """The document that engines of other languages read."""
        return json.dumps(
            {
                "name": self.name,
                "mode": self.mode,
                "group": self.group,
                "rate": self.rate,
                "warmup": self.warmup,
                "tables": {
                    table.name: {
                        "columns": [list(column) for column in table.columns],
                        "indexes": [list(index) for index in table.indexes],
                        "rows": [list(row) for row in table.rows],
                    }
                    for table in self.tables
                },
                "views": [
                    {"name": view.name, "sql": view.sql, "args": list(view.args)}
                    for view in self.views
                ],
                "writes": [
                    {
                        "changes": [change.to_json() for change in write.changes],
                        "wakes": list(write.wakes),
                    }
                    for write in self.writes
                ],
            },
            separators=(",", ":"),
        )


def digest(views: Sequence[View], values: Iterable[Iterable[Row]]) -> str:
    """A short digest of the final rows of all views, equal for equal contents in equal order.

    The peers compute the same from `JSON.stringify` (benchmarks/peers/driver.mjs), so rows hold
    integers, ASCII strings and, for nested rows, arrays.
    """
    total = hashlib.sha256()
    for view, rows in zip(views, values, strict=True):
        plain = [
            [json.loads(cell) if at in view.nested else cell for at, cell in enumerate(row)]
            for row in rows
        ]
        total.update(json.dumps(plain, separators=(",", ":")).encode())
        total.update(b"\n")
    return total.hexdigest()[:16]
