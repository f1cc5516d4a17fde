"""Ctrl-C at bad moments: live values are right afterwards, and nobody goes without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(":memory:" if request.param == "memory" else tmp_path / "t.db") as made:
        made.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2);"
        )
        yield made


COUNT = "SELECT count(*) FROM t WHERE a > 0"


def test_in_a_subscriber(db: ReactiveDatabase) -> None:
    """The others of the same commit get their values with the next delivery."""
    seen: list[int] = []

    def impatient(count: int) -> None:
        if count == 3:
            raise KeyboardInterrupt

    db.query_value(COUNT).subscribe(impatient)
    db.query_value(COUNT).subscribe(seen.append)
    db.query_value("SELECT max(id) FROM t").subscribe(seen.append)
    with pytest.raises(KeyboardInterrupt):
        db.execute("INSERT INTO t(a) VALUES (3)")
    emitted = db.stats.emitted
    db.flush()
    assert seen == [2, 2, 3, 3]
    assert db.stats.emitted == emitted + 2


def test_in_the_first_value(db: ReactiveDatabase) -> None:
    def impatient(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.query_value(COUNT).subscribe(impatient)
    assert repr(db).endswith(" 0 live>"), "who could have unsubscribed?"


def test_while_results_are_refreshed(db: ReactiveDatabase) -> None:
    seen: list[Any] = []
    interrupt = [False]

    def total() -> int:
        found: int = db.query_value(COUNT).get()
        if interrupt and interrupt.pop():
            raise KeyboardInterrupt
        return found

    db.observe(total).subscribe(seen.append)
    db.query_value("SELECT max(id) FROM t").subscribe(seen.append)
    interrupt[:] = [True]
    with pytest.raises(KeyboardInterrupt):
        db.execute("INSERT INTO t VALUES (3, 3)")
    db.flush()
    assert seen == [2, 2, 3, 3]


def test_in_the_hook_that_sees_the_rows(
    db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is written all the same."""
    seen: list[int] = []
    db.query_value(COUNT).subscribe(seen.append)

    def interrupted(*_: str) -> None:
        raise KeyboardInterrupt

    db.execute("CREATE TABLE another(x)")  # the routes are asked for anew
    with monkeypatch.context() as patch:
        patch.setattr(db._engine.recorder, "_route_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            db.execute("INSERT INTO t VALUES (3, 3)")
    db.flush()
    assert seen == [2, db.query_value(COUNT).get()]
