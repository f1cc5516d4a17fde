"""Processes that are killed at any moment: nothing committed is lost, nothing half done is seen."""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import PATIENCE, participant, until

# Two rows change together, always by the same; what is acknowledged is written to a file first.
WRITE = """
import itertools
for n in itertools.count(1):
    with db.transaction():
        run('UPDATE t SET x = x + 1 WHERE id = 1')
        run('UPDATE t SET x = x + 1 WHERE id = 2')
    open({acknowledged!r}, 'a').write('.')
"""
BOTH = "SELECT a.x, b.x FROM t a, t b WHERE a.id = 1 AND b.id = 2"


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path, acknowledged = tmp_path / "some.db", tmp_path / "acknowledged"
    acknowledged.touch()
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
        db.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        begun = db.changes_since().version
        with Emissions(db.query(BOTH)) as seen:
            for _ in range(2):
                with participant(path) as writer:
                    writer.start(WRITE.format(acknowledged=str(acknowledged)))
                    enough = acknowledged.stat().st_size + 5
                    until(lambda enough=enough: acknowledged.stat().st_size >= enough)
                    time.sleep(rng.uniform(0, 0.05))
                    writer.kill()
            done = acknowledged.stat().st_size
            until(lambda: seen.last == db.query(BOTH).get())
            pairs = [tuple(rows[0]) for rows in seen.values]
            assert all(a == b for a, b in pairs), "half of a transaction was seen"
            assert pairs == sorted(pairs), "an older state after a newer one"
            # The last commit may have been made just before it could be acknowledged.
            assert done <= pairs[-1][0] <= done + 2
            db.execute("UPDATE t SET x = -1")
            assert seen.last == ((-1, -1),)
        assert db.execute("PRAGMA integrity_check").rows == (("ok",),)
        caught_up = db.changes_since(begun)
        assert not caught_up.start_over, "the journal has a gap"
        assert len(caught_up.changes) == pairs[-1][0] + 1, "a commit has no record of its own"


@pytest.mark.parametrize("seed", range(3))
def test_killed_watchers_harm_nobody(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "some.db"
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0);")
        with participant(path) as survivor:
            survivor.does("seen = []")
            survivor.does("db.query_value('SELECT x FROM t').subscribe(seen.append)")
            for n in range(1, 4):
                with participant(path) as watcher:
                    watcher.does("s = db.query('SELECT x FROM t').subscribe(lambda rows: None)")
                    watcher.start(
                        "db.query('WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1"
                        " FROM c LIMIT 300000) SELECT count(*) FROM c, t').get()"
                    )
                    time.sleep(rng.uniform(0, 0.1))
                    db.execute("UPDATE t SET x = ?", (n,))
                    watcher.kill()
                db.execute("UPDATE t SET x = ?", (-n,))
            survivor.does("import time\nwhile seen[-1] != -3: time.sleep(0.002)")
        assert db.execute("PRAGMA integrity_check").rows == (("ok",),)
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").rows[0][0] == 0, "a lock is left"


# A layer above the files that kills the process at the n-th such act on such a file from `arm` on;
# of a page the first half is written by then.
KILLING = """
import os, signal, sys, apsw
left = {}
def arm(kind, act, n):
    left[kind, act] = n
def falls(kind, act):
    left[kind, act] = left.get((kind, act), 0) - 1
    return left[kind, act] == 0
def die():
    os.kill(os.getpid(), signal.SIGKILL)
class File(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__('unix', name, flags)
        self.kind = 'file' if flags[0] & apsw.SQLITE_OPEN_MAIN_DB else 'log'
    def xWrite(self, data, offset):
        if falls(self.kind, 'write'):
            super().xWrite(data[:len(data) // 2], offset)
            die()
        super().xWrite(data, offset)
    def xSync(self, flags):
        if falls(self.kind, 'sync'):
            die()
        super().xSync(flags)
    def xTruncate(self, size):
        if falls(self.kind, 'cut'):
            die()
        super().xTruncate(size)
class Layer(apsw.VFS):
    def __init__(self):
        super().__init__('killing', 'unix', makedefault=True)
    def xOpen(self, name, flags):
        return File(name, flags)
db.close()
layer = Layer()
db = ReactiveDatabase(sys.argv[1], **eval(sys.argv[2]))
run = db.execute
"""


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "alone"])
@pytest.mark.parametrize(
    "when",
    [("log", "sync", 1), ("file", "write", 4), ("file", "sync", 1), ("log", "cut", 1)],
    ids=["before", "a page is half written", "all pages are written", "they are synced"],
)
def test_a_writer_killed_while_it_writes_the_log_back(
    tmp_path: Path, when: tuple[str, str, int], watched: bool
) -> None:
    path = tmp_path / "some.db"
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x, pad)")
        db.executemany("INSERT INTO t VALUES (?, 0, randomblob(3000))", [(n,) for n in range(5)])
        begun = db.changes_since().version
    total = "SELECT sum(x) FROM t"
    with ExitStack() as stack:

        def watch() -> tuple[ReactiveDatabase, Emissions]:
            db = stack.enter_context(ReactiveDatabase(path))
            return db, stack.enter_context(Emissions(db.query_value(total)))

        watching = watch() if watched else None
        with participant(path) as writer:
            writer.does(KILLING)
            for _ in range(4):
                writer.runs("UPDATE t SET x = x + 1")
            writer.start(f"arm{when}; run('PRAGMA wal_checkpoint(TRUNCATE)')")
            assert writer.process.wait(PATIENCE) == -signal.SIGKILL
        db, seen = watching or watch()
        until(lambda: seen.last == 20)
        assert db.execute("PRAGMA integrity_check").rows == (("ok",),)
        with participant(path) as other:
            other.runs("UPDATE t SET x = x + 1 WHERE id = 1")
            until(lambda: seen.last == 21)
            db.execute("UPDATE t SET x = x + 1 WHERE id = 2")
            assert seen.last == 22
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").rows == ((0, 0, 0),)
            other.runs("UPDATE t SET x = x + 1 WHERE id = 3")
            until(lambda: seen.last == 23)
        caught_up = db.changes_since(begun)
        assert not caught_up.start_over, "the journal has a gap"
        assert len(caught_up.changes) == 7, "a commit has no record of its own"
        assert seen.values == sorted(set(seen.values))
        assert db.execute("PRAGMA integrity_check").rows == (("ok",),)
