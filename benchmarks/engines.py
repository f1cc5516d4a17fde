"""The engines of this language: reactive_sqlite, and raw APSW re-running what a write touched.

The raw engine is the yardstick, and a generous one: it is told which views a write changes and
re-runs exactly those, statements prepared, no hooks installed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import apsw

from benchmarks.workload import Mode, Row, Table, View, Write
from reactive_sqlite import ReactiveDatabase

Emit = Callable[[], None]


class Engine(Protocol):
    """What a workload is run on."""

    def load(self, tables: Sequence[Table]) -> None:
        """Make the tables and fill them."""

    def watch(self, index: int, view: View, mode: Mode, emit: Emit) -> None:
        """Open a live view; `emit` is called for each value or delta that it delivers."""

    def prepare(self, write: Write) -> Callable[[], object]:
        """What to call for that write; the work of preparing is not timed."""

    def rows(self, index: int) -> Sequence[Row]:
        """The rows that the view delivered last."""

    def fresh(self, view: View) -> Sequence[Row]:
        """The rows of a fresh run of the view's statement."""

    def counters(self) -> Mapping[str, int]:
        """What was done since the start: queries run and the like."""

    def close(self) -> None:
        """Give everything back."""


class Ours:
    """reactive_sqlite, in memory or in a file of its own on disk (WAL, synchronous=NORMAL)."""

    def __init__(self, *, disk: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-") if disk else None
        path = Path(self._folder.name) / "ours.db" if self._folder else ":memory:"
        self.db = self._open(str(path))
        self._tables: dict[str, Table] = {}
        self._values: dict[int, Sequence[Row]] = {}
        self._live: dict[int, Any] = {}

    def _open(self, path: str) -> ReactiveDatabase:
        return ReactiveDatabase(path)

    def load(self, tables: Sequence[Table]) -> None:
        for table in tables:
            self._tables[table.name] = replace(table, rows=())
            for statement in table.schema():
                self.db.execute(statement)
            self.db.executemany(table.insert(), table.rows)

    def watch(self, index: int, view: View, mode: Mode, emit: Emit) -> None:
        live = self._live[index] = self.db.query(view.sql, view.args)
        if mode == "delta":
            live.changes().subscribe(lambda _: emit())
            return
        values = self._values

        def on_next(rows: Sequence[Row]) -> None:
            values[index] = tuple(rows)  # the whole value in hand, not a promise of it
            emit()

        live.subscribe(on_next)

    def prepare(self, write: Write) -> Callable[[], object]:
        statements = [change.statement(self._tables) for change in write.changes]
        execute = self.db.execute
        if len(statements) == 1:
            [(sql, params)] = statements
            return lambda: execute(sql, params)
        if len({sql for sql, _ in statements}) == 1:
            many = [params for _, params in statements]
            return lambda: self.db.executemany(statements[0][0], many)

        def transaction() -> None:
            with self.db.transaction():
                for sql, params in statements:
                    execute(sql, params)

        return transaction

    def rows(self, index: int) -> Sequence[Row]:
        value = self._values.get(index)
        return [tuple(row) for row in (self._live[index].get() if value is None else value)]

    def fresh(self, view: View) -> Sequence[Row]:
        return [tuple(row) for row in self.db.execute(view.sql, view.args).rows]

    def counters(self) -> Mapping[str, int]:
        stats = self.db.stats
        names = ("commits", "skipped", "maintained", "refetched", "unchanged", "emitted", "failed")
        return {name: getattr(stats, name) for name in names}

    def close(self) -> None:
        self.db.close()
        if self._folder:
            self._folder.cleanup()


class Raw:
    """APSW by itself, and SELECTs re-run by a program that knows which ones it must."""

    def __init__(self, *, disk: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-") if disk else None
        self.connection = raw_connection(
            Path(self._folder.name) / "raw.db" if self._folder else None
        )
        self._tables: dict[str, Table] = {}
        self._views: dict[int, tuple[View, Emit]] = {}
        self._values: dict[int, Sequence[Row]] = {}
        self._queries = 0

    def load(self, tables: Sequence[Table]) -> None:
        for table in tables:
            self._tables[table.name] = replace(table, rows=())
            for statement in table.schema():
                self.connection.execute(statement)
            with self.connection:
                self.connection.executemany(table.insert(), table.rows)

    def watch(self, index: int, view: View, mode: Mode, emit: Emit) -> None:
        self._views[index] = (view, emit)
        self._values[index] = self.fresh(view)

    def prepare(self, write: Write) -> Callable[[], object]:
        statements = [change.statement(self._tables) for change in write.changes]
        execute = self.connection.execute

        def run() -> None:
            if len(statements) == 1:
                execute(*statements[0])
            else:
                with self.connection:
                    for statement in statements:
                        execute(*statement)
            for index in write.wakes:
                view, emit = self._views[index]
                self._values[index] = execute(view.sql, view.args).fetchall()
                self._queries += 1
                emit()

        return run

    def rows(self, index: int) -> Sequence[Row]:
        return self._values[index]

    def fresh(self, view: View) -> Sequence[Row]:
        return self.connection.execute(view.sql, view.args).fetchall()

    def counters(self) -> Mapping[str, int]:
        return {"refetched": self._queries}

    def close(self) -> None:
        self.connection.close()
        if self._folder:
            self._folder.cleanup()


def raw_connection(path: Path | None = None) -> apsw.Connection:
    """A bare APSW connection as reactive_sqlite would set one up: WAL, NORMAL, foreign keys."""
    connection = apsw.Connection(str(path) if path else ":memory:")
    if path:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
