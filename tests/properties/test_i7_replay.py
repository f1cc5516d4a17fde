"""I7, with several threads: what each state shows is the state of its version, and none is missing.

Oracle: the published ChangeSets, replayed one by one into a plain engine, give the answer that each
query had at each version; a live query must have delivered exactly the versions that changed it.
"""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase

SCHEMA = (
    "CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER);"
    "CREATE TABLE b(id INTEGER PRIMARY KEY, n INTEGER, a REFERENCES a(id) ON DELETE CASCADE)"
)
QUERIES = (
    "SELECT count(*), sum(n) FROM a",
    "SELECT count(*), sum(n) FROM b",
    "SELECT n FROM a WHERE id = 3",
    "SELECT * FROM a ORDER BY n, id LIMIT 5",
    "SELECT sum(a.n + b.n) FROM a JOIN b ON b.a = a.id",
    "SELECT a.id, count(b.id) FROM a LEFT JOIN b ON b.a = a.id GROUP BY a.id",
)
KEYS = 25


class Writers:
    """Threads that write, subscribe and unsubscribe at random."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self.db = db
        self.passing: list[tuple[int, list[Any], Any]] = []
        self.errors: list[BaseException] = []

    def run(self, seed: int, threads: int, steps: int) -> None:
        work = [
            threading.Thread(target=self._work, args=(Random(seed * 10 + n), steps))
            for n in range(threads)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
        self.db.flush()
        assert not self.errors, self.errors

    def _work(self, random: Random, steps: int) -> None:
        try:
            for _ in range(steps):
                try:
                    self._step(random)
                except (apsw.ConstraintError, ZeroDivisionError):
                    continue
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.errors.append(error)

    def _step(self, random: Random) -> None:
        db, key, number = self.db, random.randrange(KEYS), random.randint(-3, 3)
        pick = random.random()
        if pick < 0.4:
            db.execute("UPDATE a SET n = n + ? WHERE id = ?", (number, key))
        elif pick < 0.5:
            db.execute("DELETE FROM a WHERE id = ?", (key,))
        elif pick < 0.65:
            db.execute("INSERT OR REPLACE INTO a VALUES (?, ?)", (key, number))
        elif pick < 0.75:
            other = random.randrange(KEYS)
            db.execute("INSERT OR REPLACE INTO b VALUES (?, ?, ?)", (key, number, other))
        elif pick < 0.9:
            with db.transaction():
                db.execute("UPDATE a SET n = n + 1")
                db.execute("UPDATE b SET n = n - 1")
                if random.random() < 0.3:
                    raise ZeroDivisionError
        elif pick < 0.95:
            states: list[Any] = []
            query = db.query("SELECT n FROM a WHERE id = ?", (key,))
            self.passing.append((key, states, query.states().subscribe(states.append)))
        elif self.passing:
            random.choice(self.passing)[2].dispose()


class Replay:
    """The answers at each version, by a plain engine that is fed the changes."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self.engine = apsw.Connection(":memory:")
        self.engine.execute(SCHEMA).fetchall()
        for table in ("a", "b"):
            for row in db.execute(f"SELECT * FROM {table}").rows:
                self._insert(table, row)
        self.answers: dict[int, list[Any]] = {db.version: self._ask()}
        self.keys: dict[int, dict[int, Any]] = {db.version: self._values()}

    def _insert(self, table: str, row: Any) -> None:
        marks = ", ".join("?" for _ in row)
        self.engine.execute(f"INSERT INTO {table} VALUES ({marks})", tuple(row))

    def _ask(self) -> list[Any]:
        return [self.engine.execute(query).fetchall() for query in QUERIES]

    def _values(self) -> dict[int, Any]:
        return dict(self.engine.execute("SELECT id, n FROM a").fetchall())

    def apply(self, change: Any) -> None:
        assert change.exact, f"a small change is told in full: {change}"
        for table, rows in change.rows.items():
            for row in rows:
                if row.old is not None:
                    found = self.engine.execute(
                        f"DELETE FROM {table} WHERE id = ? RETURNING *", (row.old[0],)
                    ).fetchall()
                    assert found == [tuple(row.old)], f"{change}: {row} does not fit {found}"
            for row in rows:
                if row.new is not None:
                    self._insert(table, row.new)
        self.answers[change.seq] = self._ask()
        self.keys[change.seq] = self._values()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [":memory:", "t.db"])
def test_states_are_those_of_their_versions(name: str, seed: int, tmp_path: Path) -> None:
    with ReactiveDatabase(name if name == ":memory:" else str(tmp_path / name)) as db:
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO a VALUES (?, ?)", [(n, n) for n in range(20)])
        db.executemany("INSERT INTO b VALUES (?, ?, ?)", [(n, n, n) for n in range(20)])
        replay = Replay(db)
        changes: list[Any] = []
        db.commits.subscribe(changes.append)
        followed: list[list[Any]] = [[] for _ in QUERIES]
        for query, states in zip(QUERIES, followed, strict=True):
            db.query(query).states().subscribe(states.append)
        writers = Writers(db)
        writers.run(seed, threads=4, steps=60)
        assert [c.seq for c in changes] == sorted({c.seq for c in changes})
        for change in changes:
            replay.apply(change)
        check_followed(replay, followed)
        check_passing(replay, writers)


def check_followed(replay: Replay, followed: list[list[Any]]) -> None:
    """Each lasting query delivered the versions that changed it, all of them and no others."""
    for position, states in enumerate(followed):
        for state in states:
            shown = [tuple(row) for row in state.value]
            assert shown == replay.answers[state.version][position], (QUERIES[position], state)
        changed = [
            after
            for before, after in itertools.pairwise(sorted(replay.answers))
            if replay.answers[before][position] != replay.answers[after][position]
        ]
        assert [state.version for state in states[1:]] == changed, QUERIES[position]


def check_passing(replay: Replay, writers: Writers) -> None:
    """Who came later saw the state of its first version, and then no older one."""
    for key, states, _ in writers.passing:
        versions = [state.version for state in states]
        assert versions, "no value at the subscription"
        assert versions == sorted(set(versions))
        for state in states:
            at = replay.keys[state.version]
            assert [tuple(r) for r in state.value] == ([(at[key],)] if key in at else [])
