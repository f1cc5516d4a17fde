"""I3 while the schema changes: views, triggers, columns and indexes come and go in one thread.

Others open queries that nobody has asked before. The oracle is a plain connection at rest.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from reactive_sqlite import LiveQuery, ReactiveDatabase, Row, State

SCHEMA = """
CREATE TABLE t(id INTEGER PRIMARY KEY, x);
CREATE TABLE u(id INTEGER PRIMARY KEY, x);
CREATE TABLE log(x);
CREATE VIEW v AS SELECT id, x FROM t;
"""
#: Their numbers make texts of them that were never analysed.
QUERIES = (
    "SELECT x, count(*) FROM v GROUP BY x ORDER BY x /* {} */",
    "SELECT * FROM v ORDER BY id /* {} */",
    "SELECT count(*) FROM log /* {} */",
    "SELECT t.id, u.x FROM t JOIN u ON t.id = u.id ORDER BY 1, 2 /* {} */",
    "SELECT * FROM t ORDER BY id LIMIT 3 /* {} */",
    "SELECT x FROM u WHERE id = 2 /* {} */",
)
SECONDS = 0.5


class _Undone(Exception):
    pass


class Build:
    """One thread changes the schema and rows, two open queries and leave some."""

    def __init__(self, db: ReactiveDatabase, seed: int) -> None:
        self.db = db
        self.seed = seed
        self.over = threading.Event()
        self.errors: list[Exception] = []
        self.opened: list[tuple[str, list[State[tuple[Row, ...]]], Any]] = []
        self.numbers = iter(range(1_000_000))

    def run(self) -> None:
        works = (self.change, self.open, self.open)
        threads = [
            threading.Thread(
                target=self._until_over, args=(work, random.Random(self.seed * 10 + n))
            )
            for n, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join()

    def _until_over(self, work: Callable[[random.Random], None], rng: random.Random) -> None:
        try:
            while not self.over.is_set():
                work(rng)
        except Exception as error:  # noqa: BLE001  the test says which
            self.errors.append(error)

    def change(self, rng: random.Random) -> None:
        with suppress(_Undone), self.db.transaction():
            for _ in range(2):
                for sql in self._statements(rng, rng.choice("tu")):
                    self.db.execute(sql)
            time.sleep(rng.random() * 0.002)
            if rng.random() < 0.2:
                raise _Undone

    def _statements(self, rng: random.Random, table: str) -> Iterator[str]:
        kind = rng.choice(["view", "trigger", "column", "index", "no index", "rows", "rows"])
        if kind == "view":
            yield "DROP VIEW v"
            yield f"CREATE VIEW v AS SELECT id, x FROM {table}"
        elif kind == "trigger":
            yield "DROP TRIGGER IF EXISTS g"
            yield (
                f"CREATE TRIGGER g AFTER UPDATE ON {table} "
                "BEGIN INSERT INTO log VALUES (new.x); END"
            )
        elif kind == "column":
            yield f"ALTER TABLE {table} ADD COLUMN c{next(self.numbers)}"
        elif kind == "index":
            yield f"CREATE INDEX IF NOT EXISTS i{table} ON {table}(x)"
        elif kind == "no index":
            yield f"DROP INDEX IF EXISTS i{table}"
        else:
            row = rng.randrange(5), rng.random()
            yield f"INSERT OR REPLACE INTO {table}(id, x) VALUES {row}"

    def open(self, rng: random.Random) -> None:
        sql = rng.choice(QUERIES).format(next(self.numbers))
        seen: list[State[tuple[Row, ...]]] = []
        query: LiveQuery[tuple[Row, ...]] = self.db.query(sql)
        self.opened.append((sql, seen, query.states().subscribe(seen.append)))
        if len(self.opened) > 20:
            self.opened.pop(rng.randrange(10))[2].dispose()


@pytest.mark.usefixtures("races")
@pytest.mark.parametrize("seed", range(4))
def test_queries_opened_while_the_schema_changes(tmp_path: Path, seed: int) -> None:
    with ReactiveDatabase(tmp_path / "a.db") as db:
        db.executescript(SCHEMA)
        build = Build(db, seed)
        build.run()
        assert not build.errors
        for table in "tu":
            db.execute(f"INSERT OR REPLACE INTO {table}(id, x) VALUES (2, 77)")
            db.execute(f"UPDATE {table} SET x = 78 WHERE id = 2")
        plain = apsw.Connection(str(tmp_path / "a.db"))
        for sql, seen, _ in build.opened:
            assert seen[-1].error is None
            assert list(map(tuple, seen[-1].value or ())) == plain.execute(sql).fetchall(), sql
