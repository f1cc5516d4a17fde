"""Failures that needed two threads to happen."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase

BULK = (
    "WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 400)"
    " INSERT INTO a SELECT i, i FROM x"
)


@pytest.mark.parametrize("name", [":memory:", "t.db"])
def test_ddl_of_another_thread_before_a_bulk_write(name: str, tmp_path: Path) -> None:
    """What was analysed before the trigger existed must not decide what the write touched."""
    path = name if name == ":memory:" else str(tmp_path / name)
    with ReactiveDatabase(path) as db:
        db.executescript(
            "CREATE TABLE a(id INTEGER PRIMARY KEY, n);"
            "CREATE TABLE b(id INTEGER PRIMARY KEY, n);"
            "INSERT INTO b VALUES (1, 0)"
        )
        seen: list[Any] = []
        db.query_value("SELECT n FROM b").subscribe(seen.append)
        with db.transaction():
            db.execute(
                "CREATE TRIGGER g AFTER INSERT ON a WHEN new.id > 350"
                " BEGIN UPDATE b SET n = n + 1; END"
            )
            other = threading.Thread(target=db.execute, args=(BULK,))
            other.start()
            other.join(0.2)  # long enough to be analysed; it waits for this transaction
        other.join(20)
        db.flush()
        assert seen == [0, db.execute("SELECT n FROM b").rows[0][0]]


def test_a_temporary_table_hides_the_other_also_while_somebody_writes(tmp_path: Path) -> None:
    """What a name means does not depend on whether another thread has a transaction open."""
    seen: list[Any] = []
    with ReactiveDatabase(tmp_path / "t.db") as db:
        db.executescript(
            "CREATE TABLE u(a); INSERT INTO u VALUES ('main'); CREATE TABLE z(a);"
            "CREATE TEMP TABLE u(a); INSERT INTO temp.u VALUES ('temp')"
        )
        sql = "SELECT a FROM u"
        other = threading.Thread(target=lambda: seen.append(db.execute(sql).rows[0][0]))
        with db.transaction():
            db.execute("INSERT INTO z VALUES (1)")
            other.start()
            other.join(0.3)  # it may wait for the end of this transaction
        other.join(20)
        assert seen == ["temp"]
        assert db.execute(sql).rows[0][0] == "temp"
