"""I6: an unrelated commit runs zero SELECTs. SQLite's own trace counts what really ran."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given

from reactive_sqlite import ReactiveDatabase

from .drive import SEEDS, Statements, fixed


@pytest.fixture(params=["memory", "file"])
def counted(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[ReactiveDatabase, Statements]]:
    with Statements() as statements:
        path = ":memory:" if request.param == "memory" else str(tmp_path / "t.db")
        with ReactiveDatabase(path) as db:
            db.executescript(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, owner, n, note);"
                "CREATE TABLE u(id INTEGER PRIMARY KEY, n);"
                "CREATE TABLE k(id TEXT PRIMARY KEY, n) WITHOUT ROWID"
            )
            db.executemany(
                "INSERT INTO t VALUES (?, ?, ?, 'x')", [(n, n % 10, n) for n in range(1000)]
            )
            db.executemany("INSERT INTO k VALUES (?, ?)", [(f"k{n}", n) for n in range(50)])
            db.flush()
            yield db, statements


def ran_by(
    statements: Statements, db: ReactiveDatabase, sql: str, params: tuple[object, ...] = ()
) -> list[str]:
    """The SELECTs that one write causes."""
    statements.taken()
    db.execute(sql, params)
    db.flush()
    return statements.taken()


UNRELATED = (
    ("SELECT * FROM t", "INSERT INTO u VALUES (1, 1)"),
    ("SELECT * FROM t WHERE id = 5", "UPDATE t SET n = -1 WHERE id = 6"),
    ("SELECT n FROM t WHERE id = 5", "UPDATE t SET note = 'new' WHERE id = 5"),
    ("SELECT n FROM t WHERE id IN (5, 7)", "UPDATE t SET n = -1 WHERE id = 6"),
    ("SELECT n FROM t WHERE id = '5'", "DELETE FROM t WHERE id = 6"),
    ("SELECT n FROM t WHERE owner = 3", "UPDATE t SET n = -1 WHERE id = 4"),
    ("SELECT n FROM t WHERE rowid = 5", "INSERT INTO t VALUES (5000, 1, 1, 'y')"),
    ("SELECT n FROM k WHERE id = 'k1'", "UPDATE k SET n = -1 WHERE id = 'k2'"),
    ("SELECT * FROM t", "UPDATE t SET n = n WHERE id < 50"),
    ("SELECT * FROM t", "UPDATE t SET n = 1 WHERE id = 99999"),
    ("SELECT * FROM t", "INSERT OR IGNORE INTO t(id) VALUES (5)"),
    ("SELECT t.n FROM t JOIN u ON u.id = t.id", "INSERT INTO k VALUES ('new', 1)"),
    ("SELECT (SELECT count(*) FROM u)", "UPDATE t SET n = -1 WHERE id = 1"),
)


@pytest.mark.parametrize(("query", "write"), UNRELATED, ids=[f"{q} | {w}" for q, w in UNRELATED])
def test_unrelated(counted: tuple[ReactiveDatabase, Statements], query: str, write: str) -> None:
    db, statements = counted
    seen: list[object] = []
    db.query(query).subscribe(seen.append)
    assert len(seen) == 1
    assert ran_by(statements, db, write) == []
    assert len(seen) == 1


def test_a_rollback_runs_nothing(counted: tuple[ReactiveDatabase, Statements]) -> None:
    db, statements = counted
    db.query("SELECT * FROM t").subscribe(lambda _: None)
    statements.taken()
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("DELETE FROM t")
        raise ZeroDivisionError
    db.flush()
    assert statements.taken() == []


def test_one_of_a_thousand_keys_runs_one(counted: tuple[ReactiveDatabase, Statements]) -> None:
    db, statements = counted
    seen: list[object] = []
    for n in range(1000):
        db.query("SELECT n FROM t WHERE id = ?", (n,)).subscribe(seen.append)
    assert len(seen) == 1000
    ran = ran_by(statements, db, "UPDATE t SET n = -7 WHERE id = 400")
    assert len(ran) <= 1
    assert len(seen) == 1001
    assert tuple(seen[-1][0]) == (-7,)  # type: ignore[index]


def test_a_thousand_subscribers_run_one(counted: tuple[ReactiveDatabase, Statements]) -> None:
    db, statements = counted
    seen: list[object] = []
    statements.taken()
    for _ in range(1000):
        db.query("SELECT count(*) FROM t WHERE n > ?", (5,)).subscribe(seen.append)
    assert len(statements.taken()) == 1
    ran = ran_by(statements, db, "DELETE FROM t WHERE id = 999")
    assert len(ran) <= 1
    assert len(seen) == 2000


def test_types_of_parameters_are_kept_apart(counted: tuple[ReactiveDatabase, Statements]) -> None:
    """In Python 1 == 1.0 == True; as parameters they are different queries."""
    db, _ = counted
    values = [db.query_value("SELECT typeof(?)", (p,)).get() for p in (1, 1.0, "1", b"1", None)]
    assert values == ["integer", "real", "text", "blob", "null"]
    assert db.query_value("SELECT ?", (1.0,)).get() != db.query_value("SELECT ?", ("1",)).get()


@fixed(25)
@given(SEEDS)
def test_the_number_run_is_the_number_touched(seed: int) -> None:
    """Random keys watched, random keys written: no more SELECTs than watched keys that were hit."""
    random = Random(seed)
    with Statements() as statements, ReactiveDatabase() as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, owner INTEGER, n)")
        db.executemany("INSERT INTO t VALUES (?, ?, 0)", [(n, n % 5) for n in range(40)])
        watched = random.sample(range(40), 15)
        for key in watched:
            db.query("SELECT n FROM t WHERE id = :id", {"id": key}).subscribe(lambda _: None)
        for version in range(1, 6):
            keys = random.sample(range(40), random.randint(1, 6))
            statements.taken()
            with db.transaction():
                for key in keys:
                    db.execute("UPDATE t SET n = ? WHERE id = ?", (version, key))
            db.flush()
            assert len(statements.taken()) <= len(set(keys) & set(watched))


def test_unsubscribing_frees(counted: tuple[ReactiveDatabase, Statements]) -> None:
    db, statements = counted
    subscriptions = [db.query("SELECT * FROM t").subscribe(lambda _: None) for _ in range(3)]
    for subscription in subscriptions:
        subscription.dispose()
    assert ran_by(statements, db, "UPDATE t SET n = -3 WHERE id = 1") == []


def test_waking_everything_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail: routing that wakes all is found out by the count."""
    from reactive_sqlite.understanding.routing import RegionIndex
    from reactive_sqlite.values.region import Region

    owners: list[object] = []
    honest = RegionIndex.add

    def remembers(self: RegionIndex[object], owner: object, region: Region) -> None:
        owners.append(owner)
        honest(self, owner, region)

    monkeypatch.setattr(RegionIndex, "add", remembers)
    monkeypatch.setattr(RegionIndex, "touched", lambda *_: list(owners))
    with Statements() as statements, ReactiveDatabase() as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        db.query("SELECT * FROM t WHERE a > 5").subscribe(lambda _: None)
        assert len(ran_by(statements, db, "INSERT INTO t VALUES (2, 2)")) > 0
