"""Commits counted in the write-ahead log, against the number that was made."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import wal


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
        self.base: wal.Position | None = None
        self.look()
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

    def look(self) -> int | None:
        frames, _ = self.writers[1].wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        step = wal.step(self.path, self.base, frames)
        self.base = step.position
        return step.commits

    def counted(self) -> int | None:
        made, self.commits = self.commits, 0
        found = self.look()
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


def test_what_was_written_over_is_not_guessed(log: Log) -> None:
    log.write()
    assert log.counted() == 1
    log.write()
    log.checkpoint()
    for _ in range(5):
        log.write()  # over the frames of before
    assert log.counted() is None


def test_two_new_starts_are_not_guessed(log: Log) -> None:
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    for _ in range(2):
        log.checkpoint()
        log.write()
    assert log.counted() is None


def test_an_emptied_log_is_not_guessed(log: Log) -> None:
    log.write()
    assert log.counted() == 1
    log.write()
    log.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
    assert log.counted() is None
    log.write()
    assert log.counted() is None, "the place of before is not known"
    log.write()
    assert log.counted() == 1


def test_a_log_that_was_cut_short_is_not_guessed(log: Log) -> None:
    for _ in range(5):
        log.write(rows=9)
    assert log.counted() == 5
    for _ in range(20):
        log.write(rows=9)
    log.run(log.writers[0], "PRAGMA journal_size_limit=100000")
    log.checkpoint()
    log.write()
    assert log.counted() is None


def test_a_new_log_is_counted_from_its_start(tmp_path: Path) -> None:
    path = str(tmp_path / "new.db")
    with_log = apsw.Connection(path)
    with_log.execute("PRAGMA journal_mode=WAL").fetchall()
    with_log.execute("CREATE TABLE t(x)").fetchall()
    with_log.close()  # takes the log away
    writer = apsw.Connection(path)
    writer.execute("SELECT * FROM t").fetchall()
    start = wal.step(path, None, 0).position
    assert start is not None
    assert wal.step(path, start, 0).commits == 0
    for _ in range(3):
        writer.execute("INSERT INTO t VALUES (1)").fetchall()
    frames, _ = writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    assert wal.step(path, start, frames).commits == 3
    writer.close()


def test_no_log_at_all(tmp_path: Path) -> None:
    assert wal.step(str(tmp_path / "none.db"), None, 3) == (None, None)


@pytest.mark.parametrize("seed", range(8))
def test_random_histories_are_counted_right_or_not_at_all(log: Log, seed: int) -> None:
    rng = random.Random(seed)
    known = 0
    for _ in range(150):
        log.write(rng.randrange(2), rows=rng.choice((1, 1, 3, 20)), commit=rng.random() < 0.8)
        if rng.random() < 0.1:
            log.checkpoint(rng.choice((apsw.SQLITE_CHECKPOINT_PASSIVE, 2, 3)))
        if rng.random() < 0.3:
            known += log.counted() is not None
    assert known > 5
