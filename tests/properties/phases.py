"""Four phases over one table: remove all rows, add them back, edit them at random, edit them back.

A maintained result that drifts shows it by the second or the fourth phase, when the contents are
what they were at the start (the machine compares with a fresh run after each step anyway).
"""

from __future__ import annotations

from random import Random
from typing import Any

import apsw

from . import oracle
from .generate import Generator
from .machine import Machine
from .model import Table
from .program import Op
from .values import value_for
from .watch import Broken

MOST_ROWS = 25


class PhaseRun:
    """Drives the four phases on a machine whose live queries are open already."""

    def __init__(self, machine: Machine, generator: Generator, random: Random) -> None:
        self.machine = machine
        self.random = random
        self.tables = [t for t in generator.model.plain if t.database == "main"]

    def run(self) -> None:
        """All phases on one random table."""
        if not self.tables or self.machine.twin.in_transaction:
            return
        table = self.random.choice(self.tables)
        rows = self._rows(table)
        if not rows or len(rows) > MOST_ROWS:
            return
        self.machine.counts["phases"] += 4
        self._remove(table, rows)
        self._add(table, rows)
        self._returned("added back", table, rows)
        keys = {c.name for c in table.keys}
        columns = [c for c in table.writable if c.name not in keys]
        if columns and keys:
            self._edit(table, columns, rows)
            self._edit_back(table, columns, rows)
            self._returned("edited back", table, rows)

    def _rows(self, table: Table) -> list[tuple[Any, ...]]:
        names = ", ".join(column.sql for column in table.writable)
        return self.machine.twin.run(f"SELECT {names} FROM {table.sql}")

    def _where(self, table: Table, row: tuple[Any, ...]) -> tuple[str, list[Any]]:
        columns = table.keys or table.writable
        names = [column.name for column in table.writable]
        where = " AND ".join(f"{column.sql} IS ?" for column in columns)
        return where, [row[names.index(column.name)] for column in columns if column.name in names]

    def _remove(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        for row in self.random.sample(rows, len(rows)):
            where, values = self._where(table, row)
            self.machine.step(
                Op("execute", f"DELETE FROM {table.sql} WHERE {where}", tuple(values))
            )

    def _add(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        names = ", ".join(column.sql for column in table.writable)
        marks = ", ".join("?" for _ in table.writable)
        for row in self.random.sample(rows, len(rows)):
            self.machine.step(
                Op("execute", f"INSERT OR REPLACE INTO {table.sql}({names}) VALUES ({marks})", row)
            )

    def _edit(self, table: Table, columns: list[Any], rows: list[tuple[Any, ...]]) -> None:
        for row in self.random.sample(rows, len(rows)):
            column = self.random.choice(columns)
            where, values = self._where(table, row)
            new = value_for(self.random, column.declared)
            sql = f"UPDATE OR IGNORE {table.sql} SET {column.sql} = ? WHERE {where}"
            self.machine.step(Op("execute", sql, (new, *values)))

    def _edit_back(self, table: Table, columns: list[Any], rows: list[tuple[Any, ...]]) -> None:
        names = [column.name for column in table.writable]
        sets = ", ".join(f"{column.sql} = ?" for column in columns)
        for row in self.random.sample(rows, len(rows)):
            where, values = self._where(table, row)
            old = [row[names.index(column.name)] for column in columns]
            sql = f"UPDATE OR REPLACE {table.sql} SET {sets} WHERE {where}"
            self.machine.step(Op("execute", sql, (*old, *values)))

    def _returned(self, phase: str, table: Table, rows: list[tuple[Any, ...]]) -> None:
        """When the table is what it was, its own live whole must be what it was."""
        try:
            now = self._rows(table)
        except apsw.Error:
            return
        if sorted(map(repr, now)) == sorted(map(repr, rows)):
            sql = f"SELECT {', '.join(c.sql for c in table.writable)} FROM {table.sql}"
            value = self.machine.db.query(sql).get()
            if oracle.exact(value) != oracle.exact(now):
                raise Broken("I5 phase", f"{phase}: {sql} gives {value}, the engine {now}")
