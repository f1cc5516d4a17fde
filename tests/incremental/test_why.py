"""Why a commit wakes what it wakes; what a mutation would wake; whether held values are true."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import apsw
import pytest

from reactive_sqlite import Difference, NotAMutation, ReactiveDatabase, Trace, TransactionError
from reactive_sqlite.liveness.incremental.ordered import OrderedRows


def made(**options: Any) -> ReactiveDatabase:
    db = ReactiveDatabase(**options)
    db.executescript(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, g TEXT, n INTEGER);"
        "CREATE TABLE o(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TRIGGER log AFTER DELETE ON t BEGIN INSERT INTO o(name) VALUES (old.g); END;"
    )
    db.executemany("INSERT INTO t VALUES (?, ?, ?)", [(k, f"g{k % 3}", k) for k in range(1, 21)])
    return db


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with made(maintain="always") as database:
        yield database


def watch(db: ReactiveDatabase, sql: str, params: Any = ()) -> list[Any]:
    values: list[Any] = []
    db.query(sql, params).subscribe(values.append)
    return values


BY_ID, ALL, OTHER = (
    "SELECT n FROM t WHERE id = ?",
    "SELECT id, n FROM t ORDER BY n",
    "SELECT name FROM o",
)


def test_a_mutation_is_rehearsed(db: ReactiveDatabase) -> None:
    values = [watch(db, BY_ID, (5,)), watch(db, ALL), watch(db, OTHER)]
    before, rows = db.stats, db.query(ALL).get()
    wakes = db.would_wake("DELETE FROM t WHERE id = 5")
    assert [(wake.query, wake.how, wake.outcome) for wake in wakes] == [
        (f"{BY_ID} (5,)", "run again", ""),
        (ALL, "run again", ""),
        (OTHER, "run again", ""),
    ]
    assert wakes[0].why == ("t(id, n)[id=5]: row 5 deleted",)
    assert wakes[2].why == ("o(name): row 1 inserted",)
    assert db.would_wake("UPDATE t SET g = 'x'") == ()
    assert len(db.would_wake("UPDATE t SET n = 0 WHERE id = 6")) == 1
    # Nothing has happened.
    assert db.stats == before
    assert db.query(ALL).get() == rows
    assert [len(each) for each in values] == [1, 1, 1]
    assert db.version == before.commits


def test_what_is_followed_is_told(db: ReactiveDatabase) -> None:
    watch(db, ALL)
    db.execute("UPDATE t SET n = 100 WHERE id = 1")
    (wake,) = db.would_wake("UPDATE t SET n = 200 WHERE id = 1")
    assert wake.how == "maintained"
    (wake,) = db.would_wake("DROP TABLE o")
    assert wake.how == "run again"
    assert wake.why == ("the schema changed",)
    # The rehearsal of DDL is undone as well.
    db.execute("INSERT INTO o(name) VALUES ('still there')")


def test_a_rehearsal_agrees_with_what_happens(db: ReactiveDatabase) -> None:
    for query, params in ((BY_ID, (5,)), (BY_ID, (6,)), (ALL, ()), (OTHER, ())):
        watch(db, query, params)
    traces: list[Trace] = []
    db.traces.subscribe(traces.append)
    for sql in (
        "UPDATE t SET n = n + 1 WHERE id = 5",
        "DELETE FROM t WHERE id > 5",
        "INSERT INTO t(n) VALUES (1), (2)",
        "UPDATE t SET g = 'new'",
    ):
        told = db.would_wake(sql)
        db.execute(sql)
        assert [(w.query, w.how, w.why) for w in told] == [
            (w.query, w.how, w.why) for w in traces[-1].wakes
        ]


@pytest.mark.parametrize("sql", ["SELECT 1", "BEGIN", "VACUUM", "PRAGMA user_version = 1"])
def test_only_mutations_are_rehearsed(db: ReactiveDatabase, sql: str) -> None:
    with pytest.raises(NotAMutation):
        db.would_wake(sql)


def test_a_rehearsal_fails_as_the_statement_does(db: ReactiveDatabase) -> None:
    watch(db, ALL)
    with pytest.raises(apsw.ConstraintError):
        db.would_wake("INSERT INTO t(id) VALUES (1)")
    with db.transaction(), pytest.raises(TransactionError):
        db.would_wake("DELETE FROM t")
    db.execute("UPDATE t SET n = 77 WHERE id = 1")
    assert db.query_value(BY_ID, (1,)).get() == 77


def test_each_commit_is_traced(db: ReactiveDatabase) -> None:
    traces: list[Trace] = []
    subscription = db.traces.subscribe(traces.append)
    watch(db, ALL)
    db.execute("UPDATE t SET n = 100 WHERE id = 1")
    db.execute("UPDATE t SET n = 101 WHERE id = 1")
    db.execute("INSERT INTO o(name) VALUES ('a')")
    assert [[(w.how, w.outcome, w.why) for w in trace.wakes] for trace in traces] == [
        [("run again", "changed", ("t(id, n): row 1 updated",))],
        [("maintained", "changed", ("t(id, n): row 1 updated",))],
        [],
    ]
    assert str(traces[2]).startswith(f"#{db.version} o×1")
    subscription.dispose()
    db.execute("UPDATE t SET n = 102 WHERE id = 1")
    assert len(traces) == 3


def test_true_values_are_verified_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    with made(maintain="always", verify=1.0) as db:
        watch(db, ALL)
        watch(db, "SELECT g, sum(n) FROM t GROUP BY g")
        watch(db, "SELECT random()")
        for key in range(1, 15):
            db.execute("UPDATE t SET n = n + 7 WHERE id = ?", (key,))
        db.execute("INSERT INTO o(name) VALUES ('a')")
        assert db.stats.verified >= 28
        assert db.stats.differences == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_wrong_value_is_found_told_and_put_right(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    differences: list[Difference] = []
    with made(maintain="always", verify=1.0, on_difference=differences.append) as db:
        values = watch(db, ALL)
        db.execute("UPDATE t SET n = 100 WHERE id = 1")
        real = OrderedRows.changed
        with monkeypatch.context() as patch:
            patch.setattr(OrderedRows, "changed", lambda self, gone, come: real(self, gone, ()))
            db.execute("UPDATE t SET n = 200 WHERE id = 1")
        assert values[-1] == db.query(ALL).get()
        assert [difference.query for difference in differences] == [ALL]
        assert len(differences[0].held) == 19
        assert len(differences[0].fresh) == 20
        assert db.stats.differences == 1
        assert "put right" in caplog.text
        db.execute("UPDATE t SET n = 300 WHERE id = 1")
        assert values[-1] == db.query(ALL).get()
        assert db.stats.differences == 1


def test_verify_is_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ReactiveDatabase(verify=5)
