"""What the count of commits takes for granted of SQLite; docs/neighbours.md builds on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

NOOP = apsw.SQLITE_CHECKPOINT_NOOP


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[apsw.Connection, apsw.Connection]]:
    one, other = (apsw.Connection(str(tmp_path / "some.db")) for _ in range(2))
    run(one, "PRAGMA journal_mode=WAL")
    run(one, "CREATE TABLE t(x)")
    run(other, "SELECT * FROM t")
    yield one, other
    one.close()
    other.close()


def run(connection: apsw.Connection, sql: str) -> list[tuple[object, ...]]:
    return connection.execute(sql).fetchall()


def version(connection: apsw.Connection) -> object:
    return run(connection, "PRAGMA data_version")[0][0]


Two = tuple[apsw.Connection, apsw.Connection]


def test_asking_for_the_size_of_the_log_does_nothing_else(two: Two) -> None:
    one, other = two
    before, frames = version(other), other.wal_checkpoint(mode=NOOP)[0]
    run(one, "INSERT INTO t VALUES (1)")
    assert other.wal_checkpoint(mode=NOOP) == (frames + 1, 0), "it sees others' commits"
    assert run(other, "SELECT count(*) FROM t") == [(1,)], "and spoils no cache"
    assert version(other) != before


def test_it_is_refused_inside_a_transaction(two: Two) -> None:
    one, _ = two
    run(one, "BEGIN")
    run(one, "SELECT * FROM t")
    with pytest.raises(apsw.LockedError):
        one.wal_checkpoint(mode=NOOP)


def test_what_is_written_but_not_committed_does_not_count(two: Two) -> None:
    one, other = two
    frames = other.wal_checkpoint(mode=NOOP)[0]
    run(one, "PRAGMA cache_size=1")
    run(one, "BEGIN")
    for _ in range(50):
        run(one, "INSERT INTO t VALUES (randomblob(3000))")
    assert os.path.getsize(one.db_filename("main") + "-wal") > (frames + 20) * 4096, "it spills"
    assert other.wal_checkpoint(mode=NOOP)[0] == frames
    run(one, "ROLLBACK")
    assert other.wal_checkpoint(mode=NOOP)[0] == frames


def test_the_hook_is_called_once_for_each_commit_to_the_log(two: Two) -> None:
    one, _ = two
    called: list[int] = []
    one.set_wal_hook(lambda connection, name, pages: called.append(pages) or apsw.SQLITE_OK)
    run(one, "INSERT INTO t VALUES (1)")
    run(one, "BEGIN")
    run(one, "INSERT INTO t VALUES (2)")
    run(one, "SAVEPOINT s")
    run(one, "INSERT INTO t VALUES (3)")
    run(one, "RELEASE s")
    run(one, "COMMIT")
    assert len(called) == 2
    run(one, "BEGIN IMMEDIATE")
    run(one, "COMMIT")
    run(one, "DELETE FROM t WHERE x = 'nothing'")
    run(one, "BEGIN")
    run(one, "INSERT INTO t VALUES (4)")
    run(one, "ROLLBACK")
    assert len(called) == 2, "what changes nothing is no commit to the log"
    assert called[-1] == one.wal_checkpoint(mode=NOOP)[0]


def test_the_hook_is_late_for_a_commit_of_a_statement_that_fails(two: Two) -> None:
    """INSERT OR FAIL commits what it has written; the next statement that ends well is told of."""
    one, other = two
    called: list[int] = []
    one.set_wal_hook(lambda connection, name, pages: called.append(pages) or apsw.SQLITE_OK)
    run(one, "CREATE UNIQUE INDEX i ON t(x)")
    called.clear()
    with pytest.raises(apsw.ConstraintError):
        run(one, "INSERT OR FAIL INTO t VALUES (1), (1)")
    assert run(other, "SELECT x FROM t") == [(1,)]
    run(one, "BEGIN")
    run(one, "SELECT x FROM t")
    assert called == []
    run(one, "COMMIT")
    assert len(called) == 1
    with pytest.raises(apsw.ConstraintError):
        run(one, "INSERT OR FAIL INTO t VALUES (2), (2)")
    run(one, "SELECT 1")
    assert len(called) == 2


def test_rowids_leave_no_gap_after_a_rollback(two: Two) -> None:
    one, _ = two
    run(one, "CREATE TABLE journal(seq INTEGER PRIMARY KEY, change)")
    for end in ("COMMIT", "ROLLBACK", "COMMIT"):
        run(one, "BEGIN")
        run(one, "INSERT INTO journal(change) VALUES ('x')")
        run(one, end)
    assert run(one, "SELECT seq FROM journal") == [(1,), (2,)]
