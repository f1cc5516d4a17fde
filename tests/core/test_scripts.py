"""`executescript`: what a script does is what SQLite makes of it, in a transaction and without."""

from __future__ import annotations

from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_sqlite import ReactiveDatabase

PIECES = (
    "CREATE TABLE a(id INTEGER PRIMARY KEY, x, y UNIQUE)",
    "CREATE TABLE IF NOT EXISTS a(z)",
    "CREATE TABLE b(k REFERENCES a ON DELETE CASCADE, z DEFAULT 'a;b')",
    "CREATE INDEX a_x ON a(x) WHERE x > 1",
    "CREATE UNIQUE INDEX a_xx ON a(x, lower(y))",
    "CREATE VIEW v AS SELECT x FROM a",
    "CREATE TRIGGER g AFTER INSERT ON a BEGIN INSERT INTO b VALUES (new.id, ';'); END",
    "CREATE TABLE c AS SELECT 1 AS one, 'x' AS two",
    "CREATE TEMP TABLE a(hidden)",
    "CREATE TABLE temp.d(x)",
    "CREATE VIRTUAL TABLE f USING fts5(words)",
    "CREATE TABLE broken(",
    "CREATE TABLE",
    "INSERT INTO a(x, y) VALUES (2, 'q')",
    "INSERT INTO f VALUES ('some words')",
    "DROP TABLE a",
    "ALTER TABLE b ADD COLUMN more",
    "/* only; a comment */",
    "-- CREATE TABLE commented(x);\n",
    "  \n",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "SELECT * FROM a",
    "EXPLAIN CREATE TABLE e(x)",
    "PRAGMA user_version = 7",
    "create table\tE(x)",
    "INSERT INTO z VALUES (1, 2)",
    "CREATE TEMP TABLE z(other)",
    "CREATE INDEX z_q ON z(q, p)",
    "CREATE TRIGGER zz AFTER INSERT ON z BEGIN UPDATE z SET q = q + 1; END",
)
LIVE = ("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name", "SELECT * FROM z")
WATCHED = (
    *LIVE,
    "SELECT * FROM a",
    "SELECT * FROM b ORDER BY rowid",
    "SELECT count(*) FROM v",
    "SELECT * FROM f",
)


def of(run: Any, sql: str) -> Any:
    try:
        return list(map(tuple, run(sql)))
    except apsw.Error as error:
        return str(error)


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.booleans(), st.booleans())
@settings(deadline=None)
def test_as_sqlite_does(pieces: list[str], in_transaction: bool, rolls_back: bool) -> None:
    script = ";\n".join(pieces)
    db, plain = ReactiveDatabase(), apsw.Connection(":memory:")
    db.execute("CREATE TABLE z(p, q)")
    plain.execute("PRAGMA foreign_keys=ON; CREATE TABLE z(p, q)")
    latest: dict[str, Any] = {}
    for sql in LIVE:
        db.query(sql).subscribe(
            lambda rows, sql=sql: latest.__setitem__(sql, list(map(tuple, rows)))
        )
    if in_transaction:
        db.execute("BEGIN IMMEDIATE")
        plain.execute("BEGIN IMMEDIATE")
    ours = theirs = None
    try:
        plain.execute(script).fetchall()
    except apsw.Error as error:
        theirs = str(error)
        if plain.in_transaction and not in_transaction:
            plain.execute("ROLLBACK")  # as is documented
    try:
        db.executescript(script)
    except apsw.Error as error:
        ours = str(error)
    assert ours == theirs
    open_now = plain.in_transaction
    if open_now:
        end = "ROLLBACK" if rolls_back else "COMMIT"
        plain.execute(end)
        db.execute(end)
    for sql in WATCHED:
        truth = of(plain.execute, sql)
        assert of(lambda sql: db.execute(sql).rows, sql) == truth, sql
    for sql in LIVE:
        assert latest[sql] == of(plain.execute, sql), sql
    db.close()


def test_a_schema_in_one_transaction_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    db = ReactiveDatabase()
    prepared: list[str] = []
    prepare = db._engine._writer.prepare

    def counted(sql: str) -> Any:
        prepared.append(sql)
        return prepare(sql)

    monkeypatch.setattr(db._engine._writer, "prepare", counted)
    with db.transaction():
        prepared.clear()
        db.executescript("\n".join(f"CREATE TABLE t{n}(x); -- {n}" for n in range(50)))
        assert len(prepared) <= 1
        db.executescript("CREATE TABLE u(x); CREATE INDEX i ON u(x); INSERT INTO u VALUES (1)")
    assert db.query_value("SELECT count(*) FROM sqlite_schema").get() == 52
    assert db.query_value("SELECT x FROM u").get() == 1


def test_a_script_ends_with_the_transaction_that_it_ran_in() -> None:
    """An interrupt undoes the whole transaction: nothing of the script may come after that.

    https://sqlite.org/c3ref/interrupt.html
    """
    db = ReactiveDatabase()
    db.execute("CREATE TABLE t(x)")
    values: list[Any] = []
    db.query_value("SELECT count(*) FROM t").subscribe(values.append)
    steps = iter([False] * 200 + [True])  # once
    writer = db._engine._writer._apsw
    script = ";\n".join(f"CREATE TABLE made{number}(x)" for number in range(9))
    with pytest.raises(apsw.InterruptError), db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
        writer.set_progress_handler(lambda: next(steps, False), 1)
        try:
            db.executescript(script)
        finally:
            writer.set_progress_handler(None)
            assert not writer.in_transaction
    assert db.query_value("SELECT group_concat(name) FROM sqlite_schema").get() == "t"
    db.execute("INSERT INTO t VALUES (2)")
    assert values == [0, 1]


def test_a_script_that_creates_nothing_wakes_nobody() -> None:
    db = ReactiveDatabase()
    db.execute("CREATE TABLE t(x)")
    db.query("SELECT x FROM t").subscribe(lambda rows: None)
    before = db.stats.refetched
    with pytest.raises(apsw.SQLError), db.transaction():
        db.executescript("CREATE TABLE t(x)")
    with db.transaction(), pytest.raises(apsw.SQLError):
        db.executescript("CREATE TABLE t(x)")
    assert db.stats.refetched == before
