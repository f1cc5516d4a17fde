"""Commits told from the wal-index and the write-ahead log, against the number that was made."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from reactive_sqlite.files import wal
from reactive_sqlite.files.walindex import Position, mapped, position


class Log:
    """Two connections that write, and a count of what they have committed."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.writers = [apsw.Connection(self.path) for _ in range(2)]
        self.commits = 0
        for writer in self.writers:
            self.run(writer, "PRAGMA journal_mode=WAL")
            self.run(writer, "PRAGMA wal_autocheckpoint=0")
        self.run(self.writers[0], "CREATE TABLE t(x)")
        self.header = mapped(self.writers[1].file_control, apsw.SQLITE_FCNTL_FILE_POINTER)
        self.base = self.place()
        self.commits = 0

    def run(self, writer: apsw.Connection, sql: str) -> None:
        writer.execute(sql).fetchall()

    def write(self, which: int = 0, *, rows: int = 1, commit: bool = True) -> None:
        writer = self.writers[which]
        self.run(writer, "BEGIN IMMEDIATE")
        for _ in range(rows):
            self.run(writer, "INSERT INTO t VALUES (randomblob(900))")
        self.run(writer, "COMMIT" if commit else "ROLLBACK")
        self.commits += commit

    def checkpoint(self, mode: int = apsw.SQLITE_CHECKPOINT_PASSIVE) -> None:
        self.writers[0].wal_checkpoint(mode=mode)

    def place(self) -> Position:
        self.run(self.writers[1], "SELECT 1 FROM t")
        place = position(self.header())
        assert place is not None
        return place

    def counted(self) -> int | None:
        made, self.commits = self.commits, 0
        base, self.base = self.base, self.place()
        found = wal.commits(self.path, base, self.base)
        assert found in (made, None), f"{found} counted, {made} made"
        return found


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log.db")


def test_nothing_is_no_commit(log: Log) -> None:
    assert log.counted() == 0


def test_rollbacks_are_not_counted(log: Log) -> None:
    for which in (0, 1, 0, 1):
        log.write(which, rows=30)
        log.write(which, rows=30, commit=False)
    assert log.counted() == 4


def test_a_log_that_was_started_over_is_followed(log: Log) -> None:
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    log.checkpoint()
    log.write()  # starts over, from the front
    assert log.counted() == 1


def test_commits_on_both_sides_of_a_new_start_are_counted(log: Log) -> None:
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    log.write()
    log.write()
    log.checkpoint()
    log.write()
    assert log.counted() == 3


def test_what_was_written_over_is_counted(log: Log) -> None:
    log.write()
    assert log.counted() == 1
    log.write()
    log.checkpoint()
    for _ in range(5):
        log.write()  # over the frames of before
    assert log.counted() == 6


def test_many_new_starts_are_counted(log: Log) -> None:
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    for _ in range(7):
        log.checkpoint()
        log.write()
        log.write()
    assert log.counted() == 14


def test_an_emptied_log_is_counted(log: Log) -> None:
    log.write()
    assert log.counted() == 1
    log.write()
    log.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
    assert log.counted() == 1
    log.write()
    assert log.counted() == 1


def test_a_log_that_was_cut_short_is_not_guessed(log: Log) -> None:
    """Cut at the end of a frame, it looks whole; the counter knows better."""
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    frames = log.base.frames
    for _ in range(20):
        log.write(rows=9)
    log.run(log.writers[0], f"PRAGMA journal_size_limit={32 + (frames + 2) * (24 + 4096)}")
    log.checkpoint()
    log.write()
    assert log.counted() is None
    log.write()
    assert log.counted() == 1


def test_spilled_pages_and_savepoints_are_one_commit(log: Log) -> None:
    log.run(log.writers[0], "PRAGMA cache_size=1")
    log.run(log.writers[0], "BEGIN IMMEDIATE")
    for n in range(60):
        log.run(log.writers[0], "SAVEPOINT s")
        log.run(log.writers[0], "INSERT INTO t VALUES (randomblob(3000))")
        log.run(log.writers[0], "ROLLBACK TO s" if n % 3 else "RELEASE s")
    log.run(log.writers[0], "COMMIT")
    log.commits += 1
    log.run(log.writers[1], "VACUUM")
    log.commits += 1
    assert log.counted() == 2


def test_no_commit_is_seen_before_it_is_made(log: Log) -> None:
    log.run(log.writers[0], "PRAGMA cache_size=1")
    log.run(log.writers[0], "BEGIN")
    for _ in range(60):
        log.run(log.writers[0], "INSERT INTO t VALUES (randomblob(3000))")
    assert log.place() == log.base
    log.run(log.writers[0], "ROLLBACK")
    assert log.place() == log.base


def test_a_header_that_a_crash_left_torn(log: Log) -> None:
    """SQLite mends it at the next read, and counts from nought: then the log contradicts it."""
    for _ in range(5):
        log.write()
    assert log.counted() == 5
    log.write()
    # In a process of its own: closing the file would drop the locks of this one.
    tear = "import sys; f = open(sys.argv[1], 'r+b'); f.write(bytes(range(48)))"
    subprocess.run([sys.executable, "-c", tear, f"{log.path}-shm"], check=True)
    assert position(log.header()) is None
    for _ in range(7):
        log.write(0)
    assert log.counted() is None
    log.write()
    assert log.counted() == 1


def test_no_log_and_no_header_at_all(tmp_path: Path) -> None:
    places = [Position(n, (1, 2), n, (3, 4)) for n in (5, 8)]
    assert wal.commits(str(tmp_path / "none.db"), *places) == 3
    assert position(b"") is None
    memory = apsw.Connection(":memory:")
    assert mapped(memory.file_control, apsw.SQLITE_FCNTL_FILE_POINTER)() == b""


@pytest.mark.parametrize("seed", range(8))
def test_random_histories_are_counted_right(log: Log, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(150):
        log.write(rng.randrange(2), rows=rng.choice((1, 1, 3, 20)), commit=rng.random() < 0.8)
        if rng.random() < 0.1:
            log.checkpoint(rng.choice((apsw.SQLITE_CHECKPOINT_PASSIVE, 2, 3)))
        if rng.random() < 0.3:
            assert log.counted() is not None
