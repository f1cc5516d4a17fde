"""Python code that runs while a statement runs: functions called from SQL, makers of parameters."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactive_sqlite import ReactiveDatabase, TransactionError


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(":memory:" if request.param == "memory" else tmp_path / "t.db") as made:
        made.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE log(x);"
            "CREATE TABLE source(v); INSERT INTO source VALUES (1), (2), (3);"
        )
        yield made


def test_a_function_reads_in_the_middle_of_a_write(db: ReactiveDatabase) -> None:
    db.create_function("n", lambda: db.query_value("SELECT count(*) FROM source").get(), 0)
    assert db.execute("INSERT INTO t(a) SELECT n() FROM source RETURNING a").rows == ((3,),) * 3


def test_a_function_that_writes_is_refused_and_publishes_nothing(db: ReactiveDatabase) -> None:
    """What it wrote would be seen although the statement may yet fail."""
    seen: list[Any] = []
    db.query("SELECT x FROM log").subscribe(seen.append)
    db.query("SELECT a FROM t").subscribe(seen.append)
    db.create_function("noted", lambda x: db.execute("INSERT INTO log VALUES (?)", (x,)), 1)
    db.create_function("more", lambda x: db.executemany("INSERT INTO log VALUES (?)", [(x,)]), 1)
    for name in ("noted", "more"):
        with pytest.raises(TransactionError, match="may only read"):
            db.execute(f"INSERT INTO t(a) SELECT {name}(v) FROM source")
    assert seen == [(), ()]
    db.execute("INSERT INTO t(a) VALUES (5)")
    assert [tuple(row) for row in seen[-1]] == [(5,)]


def test_what_makes_the_parameters_may_write(db: ReactiveDatabase) -> None:
    """Also where the statement around it has changed too many rows to be seen one by one."""
    counts: list[int] = []
    progress: list[int] = []
    last: list[Any] = []
    db.query_value("SELECT count(*) FROM t").subscribe(counts.append)
    db.query_value("SELECT max(x) FROM log").subscribe(progress.append)
    db.query_value("SELECT a FROM t WHERE id = 250").subscribe(last.append)

    def made() -> Iterator[tuple[int, int]]:
        for number in range(1, 501):
            yield number, number
            if number in (300, 480):
                db.execute("INSERT INTO log VALUES (?)", (number,))

    db.executemany("INSERT INTO t VALUES (?, ?)", made())
    assert counts == [0, 500]
    assert progress == [None, 480]
    assert last == [None, 250]


def test_a_function_outlasts_a_rollback(db: ReactiveDatabase) -> None:
    db.create_function("answer", lambda: 1, 0, deterministic=True)
    seen: list[int] = []
    db.query_value("SELECT answer() FROM source").subscribe(seen.append)
    with pytest.raises(KeyError), db.transaction():
        db.create_function("answer", lambda: 2, 0, deterministic=True)
        raise KeyError
    assert seen == [1, 2]
    with db.transaction():
        with pytest.raises(KeyError), db.transaction():
            db.create_function("answer", lambda: 3, 0, deterministic=True)
            raise KeyError
    assert seen == [1, 2, 3]


def test_free_pages_are_given_back_and_that_is_seen(tmp_path: Path) -> None:
    """The pragma gives a row without columns for each page: left undrained it frees one only."""
    with ReactiveDatabase(tmp_path / "pages.db") as db:
        db.executescript(
            "CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT"
            " i + 1 FROM s WHERE i < 50) SELECT zeroblob(5000) FROM s; DELETE FROM t"
        )
        free: list[int] = []
        db.query_value("SELECT freelist_count FROM pragma_freelist_count").subscribe(free.append)
        assert free[0] > 50
        db.execute("PRAGMA incremental_vacuum")
        assert free[1:] == [0]


def test_what_connections_are_given_late_reaches_those_that_read(db: ReactiveDatabase) -> None:
    assert db.query_value("SELECT 'a' LIKE 'A'").get() == 1  # a reading connection is open
    db.create_function("twice", lambda x: 2 * x, 1)
    db.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    db.execute("PRAGMA case_sensitive_like = ON")
    assert db.query_value("SELECT twice(21)").get() == 42
    assert db.query_value("SELECT max(v COLLATE backwards) FROM source").get() == 3
    assert db.query_value("SELECT 'b' < 'a' COLLATE backwards FROM source").get() == 1
    assert db.query_value("SELECT 'a' LIKE 'A'").get() == 0


def test_a_function_that_observes_reads_what_its_functions_read(db: ReactiveDatabase) -> None:
    """A live function inside another one: what the inner one reads wakes the outer one, too."""
    inner = db.observe(lambda: db.query_value("SELECT count(*) FROM log").get())
    seen: list[Any] = []
    db.observe(lambda: (inner.get(), db.query_value("SELECT count(*) FROM t").get())).subscribe(
        seen.append
    )
    db.execute("INSERT INTO log VALUES (1)")
    db.execute("INSERT INTO t(a) VALUES (1)")
    db.execute("INSERT INTO source VALUES (4)")
    assert seen == [(0, 0), (1, 0), (1, 1)]


def test_parameters_of_another_type_are_another_query(db: ReactiveDatabase) -> None:
    """In Python 1 == 1.0 == True and 0.0 == -0.0; to SQLite they are not all the same."""
    seen: list[Any] = []
    for value in (1, 1.0, "1", b"1", 0.0, -0.0, None):
        db.query_value("SELECT ? FROM source", (value,)).subscribe(seen.append)
    assert list(map(repr, seen)) == ["1", "1.0", "'1'", "b'1'", "0.0", "-0.0", "None"]


@dataclass
class Held:
    a: Any


class HeldToo(msgspec.Struct):
    a: Any


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a,
        lambda a: [a],
        lambda a: {"a": [a]},
        Held,
        HeldToo,
        lambda a: (HeldToo(Held(a)),),
    ],
)
def test_an_observed_value_of_another_type_is_another(
    db: ReactiveDatabase, make: Callable[[Any], Any]
) -> None:
    seen: list[str] = []
    db.execute("INSERT INTO t VALUES (1, 1)")
    live = db.observe(lambda: make(db.query_value("SELECT a FROM t").get()))
    live.subscribe(lambda value: seen.append(repr(value)))
    for value in (1.0, 1.0, 0.0, -0.0):
        db.execute("UPDATE t SET a = ?", (value,))
    assert seen == [repr(make(value)) for value in (1, 1.0, 0.0, -0.0)]


class Tenfold:
    def __call__(self, x: int) -> int:
        return 10 * x

    def compare(self, a: str, b: str) -> int:
        return len(a) - len(b)


def test_what_is_registered_again_replaces_what_was(tmp_path: Path) -> None:
    """Nothing is kept of the functions, collations and pragmas of before, on no connection."""
    with ReactiveDatabase(tmp_path / "f.db") as db:
        known = []
        for number in range(5):
            function = Tenfold()
            known.append(weakref.ref(function))
            db.create_function("tenfold" if number % 2 else "TenFold", function, 1)
            db.create_function("tenfold", lambda *x: -1)
            db.create_collation("length", function.compare)
            db.execute(f"PRAGMA case_sensitive_like = {number % 2}")
            del function
            found = db.query_one(
                "SELECT tenfold(4), tenfold(4, 4), 'ab' = 'cd' COLLATE Length"
            ).get()
            assert tuple(found or ()) == (40, -1, 1)
            assert db.query_value("SELECT 'a' LIKE 'A'").get() == 1 - number % 2
        gc.collect()
        assert [ref() is not None for ref in known] == [False] * 4 + [True]
        assert len(db._engine._setup) == 4
