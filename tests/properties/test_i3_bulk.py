"""I3 and I4 for bulk writes: no row is looked at, yet only who reads their columns wakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.recording import bulk, recorder

PARENT = "CREATE TABLE p(k INTEGER PRIMARY KEY, m)"
TABLES = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b UNIQUE ON CONFLICT REPLACE, c)",
    "CREATE TABLE t(id INT, a, b, c, PRIMARY KEY(b, id)) WITHOUT ROWID",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b UNIQUE, c)",
    "CREATE TABLE t(id, a, b, c AS (a || b) STORED)",
    "CREATE TABLE t(id, a, b, c AS (a || b))",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b REFERENCES p ON UPDATE CASCADE, c)",
)
EXTRAS = (
    "CREATE INDEX i ON t(a, c)",
    "CREATE INDEX i ON t(b) WHERE a > 1",
    "CREATE INDEX i ON t(a + 1, c)",
    "CREATE TRIGGER g AFTER UPDATE OF a ON t BEGIN UPDATE t SET b = -new.a WHERE id = new.id; END",
    "CREATE TRIGGER g AFTER UPDATE ON t BEGIN DELETE FROM t WHERE id = new.id - 1; END",
    "CREATE TRIGGER g AFTER UPDATE OF a ON t BEGIN UPDATE OR REPLACE t SET b = 1; END",
    "SELECT 1",
)
QUERIES = (
    "SELECT count(*) FROM t",
    "SELECT a FROM t",
    "SELECT b FROM t",
    "SELECT c FROM t",
    "SELECT id, c FROM t WHERE b > 1",
    "SELECT id FROM t WHERE id = 2",
    "SELECT rowid FROM p ORDER BY m",
    "SELECT p.k FROM p JOIN t ON t.b = p.k",
    "SELECT a, count(*) FROM t GROUP BY a",
    "SELECT id, b FROM t ORDER BY a LIMIT 2",
)
WRITES = (
    "UPDATE t SET a = a + 1 + ?",
    "UPDATE t SET a = ?",
    "UPDATE t SET b = b + ?",
    "UPDATE OR REPLACE t SET b = ?",
    "UPDATE OR IGNORE t SET b = ?",
    "UPDATE t SET c = c + ?, b = b",
    "UPDATE OR REPLACE t SET id = id + ?",
    "UPDATE OR IGNORE t SET id = -id - 9 - ?",
    "UPDATE OR IGNORE t SET b = -b - 9 - ?",
    "UPDATE t SET rowid = rowid + 10 + ?",
    "UPDATE p SET k = k + 10 + ?",
    "UPDATE p SET m = m + ?",
    "DELETE FROM t WHERE id > ?",
    "INSERT OR REPLACE INTO t(id, a, b) SELECT id + 1, a, b FROM t WHERE id > ?",
    "INSERT INTO t(id, a, b) VALUES (?, 1, 1)",
    "UPDATE t SET c = 7 WHERE id = ?",
)
STEPS = st.tuples(st.sampled_from(WRITES), st.integers(0, 3))
PROGRAMS = st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def _one_row_is_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ROWS_AT_LEAST", 1)
    monkeypatch.setattr(bulk, "ROWS_AT_LEAST", 1)
    monkeypatch.setattr(bulk, "ROWS_PER_QUERY", 0)


def fresh(db: ReactiveDatabase, sql: str) -> list[str]:
    return [repr(tuple(row)) for row in db.execute(sql).rows]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("extra", EXTRAS)
def test_each_write_alone(table: str, extra: str) -> None:
    for write in WRITES:
        run(table, extra, [[(write, 2)]])


@given(st.sampled_from(TABLES), st.sampled_from(EXTRAS), PROGRAMS)
@settings(deadline=None)
def test_programs(table: str, extra: str, program: Any) -> None:
    run(table, extra, program)


def run(table: str, extra: str, program: Sequence[Sequence[tuple[str, int]]]) -> None:
    """Each inner list is a transaction; after it every live value is that of a fresh run."""
    db = ReactiveDatabase()
    db.executescript(f"{PARENT}; {table}; {extra}")
    db.execute("INSERT INTO p VALUES (0, 0), (1, 5), (2, 3), (3, 0)")
    for number in range(4):
        db.execute("INSERT INTO t(id, a, b) VALUES (?, ?, ?)", (number, number % 2, number))
    latest: dict[str, Sequence[Any]] = {}
    for sql in QUERIES:
        db.query(sql).subscribe(lambda rows, sql=sql: latest.__setitem__(sql, rows))
    for writes in program:
        try:
            with db.transaction():
                for sql, number in writes:
                    db.execute(sql, (number,))
        except DatabaseError:
            continue  # a constraint, a column that cannot be written
        for sql in QUERIES:
            assert [repr(tuple(row)) for row in latest[sql]] == fresh(db, sql), sql
    db.close()


def woken(db: ReactiveDatabase, sql: str, *params: Any) -> int:
    before = db.stats.refetched + db.stats.maintained
    db.execute(sql, params)
    return db.stats.refetched + db.stats.maintained - before


def test_who_reads_other_columns_sleeps() -> None:
    db = ReactiveDatabase()
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
    db.execute("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)")
    for key in range(50):
        db.query("SELECT id, a FROM t WHERE id = ?", (key,)).subscribe(lambda rows: None)
    db.query("SELECT count(*) FROM t").subscribe(lambda rows: None)
    db.query("SELECT sum(b) FROM t").subscribe(lambda rows: None)
    assert woken(db, "UPDATE t SET b = b + 1") == 1
    assert woken(db, "UPDATE t SET a = a + 1") == 50
    assert woken(db, "UPDATE t SET a = a + 1, b = b + 1") == 51
    assert woken(db, "DELETE FROM t WHERE id > 1") == 52


def test_rows_are_looked_at_for_as_long_as_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many queries would have to be run again: better look at some more rows."""
    monkeypatch.setattr(bulk, "ROWS_PER_QUERY", 2)
    db = ReactiveDatabase()
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
    db.executemany("INSERT INTO t VALUES (?, 0)", [(key,) for key in range(100)])
    for key in range(50, 70):
        db.query("SELECT a FROM t WHERE id = ?", (key,)).subscribe(lambda rows: None)
    assert woken(db, "UPDATE t SET a = a + 1 WHERE id < 39") == 0
    assert woken(db, "UPDATE t SET a = a + 1 WHERE id < 45") == 20
    assert woken(db, "UPDATE t SET a = a + 1 WHERE id BETWEEN 60 AND 61") == 2


def test_what_a_transaction_did_before_is_not_forgotten() -> None:
    db = ReactiveDatabase()
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
    db.execute("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)")
    values: list[Any] = []
    db.query_value("SELECT count(*) FROM t").subscribe(values.append)
    for around in ("UPDATE t SET b = b + 1", "INSERT INTO t(a) VALUES (1)"):
        with db.transaction():
            db.execute(around)
            db.execute("UPDATE t SET b = b + 1")
            db.execute("INSERT INTO t(a) VALUES (1)")
    assert values == [3, 4, 6]
    with db.transaction():
        db.execute("UPDATE t SET b = b + 1")
        db.execute("SAVEPOINT s")
        db.execute("DELETE FROM t")
        db.execute("ROLLBACK TO s")
    assert values[-1] == db.query_value("SELECT count(*) FROM t").get() == 6
