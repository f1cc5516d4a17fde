"""Somebody else has the write lock: who writes waits for it, and says who has it in the end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase
from smithers_db import create_smithers_db
from tests.neighbours.processes import participant, stranger


def in_a_block(db: ReactiveDatabase) -> None:
    with db.transaction():
        db.execute("UPDATE t SET x = 1")


def in_a_savepoint(db: ReactiveDatabase) -> None:
    db.execute("SAVEPOINT s")
    db.execute("UPDATE t SET x = 1")
    db.execute("RELEASE s")


def by_begin(db: ReactiveDatabase) -> None:
    db.execute("BEGIN")
    db.query_value("SELECT x FROM t").get()
    db.execute("UPDATE t SET x = 1")
    db.execute("COMMIT")


WRITES: dict[str, Callable[[ReactiveDatabase], object]] = {
    "execute": lambda db: db.execute("UPDATE t SET x = 1"),
    "RETURNING": lambda db: db.execute("UPDATE t SET x = 1 RETURNING x"),
    "executemany": lambda db: db.executemany("UPDATE t SET x = ?", [(1,), (2,)]),
    "executescript": lambda db: db.executescript("UPDATE t SET x = 1; UPDATE t SET x = 2"),
    "mutation": lambda db: db.mutation("UPDATE t SET x = ?")(1),
    "transaction": in_a_block,
    "SAVEPOINT": in_a_savepoint,
    "BEGIN": by_begin,
    "CREATE": lambda db: db.execute("CREATE TABLE u(x)"),
    "ANALYZE": lambda db: db.execute("ANALYZE"),
    "REINDEX": lambda db: db.execute("REINDEX"),
    "VACUUM": lambda db: db.execute("VACUUM"),
    "PRAGMA": lambda db: db.execute("PRAGMA user_version = 7"),
    "would_wake": lambda db: db.would_wake("UPDATE t SET x = 1"),
    "changes_since": lambda db: db.changes_since(),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.db"
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0);")
        db.execute("CREATE INDEX i ON t(x)")
    return path


HOLD_FOR_A_WHILE = "import time\ntime.sleep(0.15)\nrun('COMMIT')"


@pytest.mark.parametrize("journal", [None, True])
@pytest.mark.parametrize("name", WRITES)
def test_it_waits(path: Path, name: str, journal: bool | None) -> None:
    with stranger(path) as other, ReactiveDatabase(path, journal=journal) as db:
        other.runs("BEGIN IMMEDIATE")
        other.start(HOLD_FOR_A_WHILE)
        WRITES[name](db)
        other.answer("done")
        other.runs("UPDATE t SET x = -1")  # no lock is left behind


@pytest.mark.parametrize("name", WRITES)
def test_it_says_who_has_the_lock(path: Path, name: str) -> None:
    with stranger(path) as other, ReactiveDatabase(path, busy_timeout=0.01) as db:
        other.runs("BEGIN IMMEDIATE")
        with pytest.raises(apsw.BusyError) as caught:
            WRITES[name](db)
        notes = "\n".join(caught.value.__notes__)
        assert f"the write lock is held by process {other.process.pid} " in notes
        other.runs("COMMIT")
        WRITES[name](db)


def test_opening_waits(path: Path) -> None:
    with stranger(path) as other:
        other.runs("BEGIN IMMEDIATE")
        other.start(HOLD_FOR_A_WHILE)
        ReactiveDatabase(path).close()
        other.answer("done")


def test_migrating_and_pruning_wait(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with stranger(path) as other:
        other.runs("PRAGMA journal_mode=WAL")
        other.runs("BEGIN IMMEDIATE")
        other.start(HOLD_FOR_A_WHILE)
        with create_smithers_db(path) as db:  # which makes its tables
            other.answer("done")
            db.execution.complete(db.execution.start("run", "run.py"))
            other.runs("BEGIN IMMEDIATE")
            other.start(HOLD_FOR_A_WHILE)
            db.prune(keep=0)
            other.answer("done")
            assert db.execution.list() == []


def test_a_holder_that_is_stopped_is_named_and_nothing_is_lost(path: Path) -> None:
    with participant(path) as other, ReactiveDatabase(path, busy_timeout=0.05) as db:
        other.does("db.execute('BEGIN')")
        other.runs("UPDATE t SET x = 5")
        other.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(apsw.BusyError) as caught:
                db.execute("UPDATE t SET x = 6")
        finally:
            other.process.send_signal(signal.SIGCONT)
        assert f"process {other.process.pid} " in "\n".join(caught.value.__notes__)
        other.runs("COMMIT")
        assert db.query_value("SELECT x FROM t").get() == 5


def test_a_watcher_that_is_stopped_holds_nobody_up_and_catches_up(path: Path) -> None:
    with participant(path) as other, ReactiveDatabase(path, busy_timeout=0.05) as db:
        other.does("seen = []; db.query_value('SELECT x FROM t').subscribe(seen.append)")
        other.process.send_signal(signal.SIGSTOP)
        try:
            for n in range(2000):  # more than a socket's queue and a log take
                db.execute("UPDATE t SET x = ?", (n,))
        finally:
            other.process.send_signal(signal.SIGCONT)
        other.does("import time\nwhile seen[-1] != 1999: time.sleep(0.002)")
        other.does("assert seen == sorted(seen)")
