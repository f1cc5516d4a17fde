"""Processes that are killed at any moment: nothing committed is lost, nothing half done is seen."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import participant, until

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
