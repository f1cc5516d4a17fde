"""Python code that runs while a statement runs: functions called from SQL, makers of parameters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
