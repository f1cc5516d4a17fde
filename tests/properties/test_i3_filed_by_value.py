"""I3 where every live query of a table is filed by value: rows of other values are not recorded.

Of a row that comes and goes between values that somebody reads and values that nobody reads, the
recorder hears only in part; what the queries show must be right all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.driver.errors import SQLError
from reactive_sqlite.understanding.filing import Equalities

SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, owner INTEGER, status TEXT COLLATE NOCASE, n INTEGER)"
)
QUERIES = (
    ("SELECT id, n FROM t WHERE id = ?", 4),
    ("SELECT id, owner, n FROM t WHERE owner = ? ORDER BY n, id", 3),
    ("SELECT count(*), sum(n) FROM t WHERE owner = ?", 3),
    ("SELECT * FROM t WHERE status IN (?, 'b') ORDER BY id LIMIT 2", 2),
    ("SELECT id FROM t WHERE owner = ? AND n > 2", 3),
    ("SELECT id, status FROM t WHERE owner IS ?", 3),
)
OWNERS = st.sampled_from([None, 1, 2, 3, 4, 1.0, "1", "x"])
STATUSES = st.sampled_from([None, "a", "A", "B", "c", 1])
KEYS = st.integers(1, 6)
NUMBERS = st.integers(0, 5)
WRITES = st.one_of(
    st.tuples(st.just("INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?)"),
              st.tuples(KEYS, OWNERS, STATUSES, NUMBERS)),
    st.tuples(st.just("UPDATE t SET owner = ? WHERE id = ?"), st.tuples(OWNERS, KEYS)),
    st.tuples(st.just("UPDATE t SET status = ?, n = ? WHERE id = ?"),
              st.tuples(STATUSES, NUMBERS, KEYS)),
    st.tuples(st.just("UPDATE t SET n = n + 1 WHERE owner = ?"), st.tuples(OWNERS)),
    st.tuples(st.just("UPDATE OR REPLACE t SET id = ? WHERE id = ?"), st.tuples(KEYS, KEYS)),
    st.tuples(st.just("DELETE FROM t WHERE id = ?"), st.tuples(KEYS)),
    st.tuples(st.sampled_from(["SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"]), st.just(())),
)  # fmt: skip
OPENED = st.lists(st.tuples(st.sampled_from(range(len(QUERIES))), st.integers(1, 4)), max_size=4)
TRANSACTIONS = st.lists(st.tuples(st.lists(WRITES, min_size=1, max_size=6), OPENED), max_size=6)


@contextmanager
def transaction(db: ReactiveDatabase) -> Iterator[None]:
    with db.transaction():
        db.execute("SAVEPOINT s")
        yield
        db.execute("SAVEPOINT s")  # whatever has become of the first
        db.execute("RELEASE s")


class Watched:
    """A database with live queries, and what each has delivered last."""

    def __init__(self, maintain: Any) -> None:
        self.db = ReactiveDatabase(maintain=maintain)
        self.db.execute(SCHEMA)
        self.latest: dict[tuple[int, int], Sequence[Any]] = {}

    def open(self, number: int, value: int) -> None:
        sql, _ = QUERIES[number]
        params = ("abcd"[value - 1],) if "status IN" in sql else (value,)

        def take(rows: Sequence[Any]) -> None:
            self.latest[number, value] = rows

        if (number, value) not in self.latest:
            self.latest[number, value] = ()
            self.db.query(sql, params).subscribe(take)

    def check(self) -> None:
        for (number, value), rows in self.latest.items():
            sql, _ = QUERIES[number]
            params = ("abcd"[value - 1],) if "status IN" in sql else (value,)
            fresh = self.db.execute(sql, params).rows
            assert list(map(repr, rows)) == list(map(repr, fresh)), sql


@pytest.mark.parametrize("maintain", ["auto", "always", "never"])
@given(first=OPENED, transactions=TRANSACTIONS)
@settings(deadline=None)
def test_values_are_fresh(maintain: Any, first: Any, transactions: Any) -> None:
    watched = Watched(maintain)
    for number, value in first:
        watched.open(number, value)
    for writes, opened in transactions:
        with transaction(watched.db):
            for at, (sql, params) in enumerate(writes):
                with suppress(SQLError):  # no such savepoint
                    watched.db.execute(sql, params)
                if at == 0:
                    for number, value in opened:
                        watched.open(number, value)
        watched.check()
    watched.db.close()


def test_rows_of_other_values_are_not_recorded() -> None:
    """What the property is about does happen: an update of another owner's row is not kept."""
    watched = Watched("auto")
    watched.open(1, 1)
    watched.open(0, 1)
    readers = watched.db._engine.recorder._watched["t"]
    assert readers.by_value is not None
    assert all(isinstance(drawer, Equalities) for drawer in readers.by_value)
    watched.db.execute("INSERT INTO t VALUES (5, 2, 'a', 0), (1, 1, 'a', 0)")
    with watched.db.transaction():
        watched.db.execute("UPDATE t SET n = 7 WHERE id = 5")
        assert watched.db._engine.recorder._rows == 0
        watched.db.execute("UPDATE t SET n = 7 WHERE id = 1")
        assert watched.db._engine.recorder._rows == 1
    watched.check()


def test_a_query_opened_by_another_thread_before_the_commit(tmp_path: Path) -> None:
    """It has read the state before; what was not recorded before it was there concerns it."""
    db = ReactiveDatabase(tmp_path / "t.db")
    db.execute(SCHEMA)
    db.execute("INSERT INTO t VALUES (5, 2, 'a', 0)")
    db.query(QUERIES[1][0], (1,)).subscribe(lambda rows: None)
    latest: list[Any] = []
    with db.transaction():
        db.execute("UPDATE t SET n = 7 WHERE id = 5")
        live = db.query(QUERIES[1][0], (2,))
        thread = Thread(target=live.subscribe, args=(latest.append,))
        thread.start()
        thread.join()
        assert [tuple(row) for row in latest[-1]] == [(5, 2, 0)]
    assert [tuple(row) for row in latest[-1]] == [(5, 2, 7)]
    db.close()
