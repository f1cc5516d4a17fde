"""Live queries with ORDER BY and LIMIT: right after every commit, asleep while all is behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reactive_sqlite import LiveQuery, ReactiveDatabase

VALUES: list[Any] = [0, 1, 2, 3, 4, 5, 2.5, "", "a", "A", "b", "B ", "ab", b"a", None]
SCHEMA = """
    CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, n INT, c TEXT COLLATE NOCASE, v);
    CREATE INDEX by_n ON t(n);
"""
WINDOWS: list[tuple[str, Any]] = [
    ("SELECT id, n FROM t ORDER BY n, id LIMIT 4", ()),
    ("SELECT id, n, v FROM t ORDER BY n DESC LIMIT ?", (3,)),
    ("SELECT id, n FROM t ORDER BY n DESC NULLS FIRST, id LIMIT 3 OFFSET 2", ()),
    ("SELECT c, id FROM t ORDER BY c DESC, id LIMIT :n", {"n": 3}),
    ("SELECT c AS n, id FROM t ORDER BY n COLLATE RTRIM NULLS LAST LIMIT 3", ()),
    ("SELECT v, k FROM t WHERE k = ? ORDER BY v LIMIT 2", ("x",)),
    ("SELECT * FROM t ORDER BY id DESC LIMIT 5", ()),
    ("SELECT p.v, q.k FROM t p JOIN t2 q ON q.id = p.n ORDER BY p.v DESC LIMIT 3", ()),
]
FIRST: list[tuple[str, Any]] = [
    ("SELECT n, id FROM t ORDER BY n DESC, id", ()),
    ("SELECT c FROM t WHERE k <> 'x' ORDER BY c LIMIT 1 OFFSET 1", ()),
    ("SELECT max(v) FROM t", ()),
    ("SELECT min(n) FROM t WHERE k = ?", ("y",)),
]


class Watched:
    """Live queries, each with the values it has delivered and with what it should say."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self.db = db
        self.seen: list[tuple[str, list[Any], Callable[[], Any]]] = []

    def watch(self, query: LiveQuery[Any]) -> list[Any]:
        seen: list[Any] = []
        query.subscribe(seen.append)
        self.seen.append((str(query), seen, query.get))
        return seen

    def watch_all(self) -> None:
        for sql, params in WINDOWS:
            self.watch(self.db.query(sql, params))
        for sql, params in FIRST:
            self.watch(self.db.query_one(sql, params))
            self.watch(self.db.query_value(sql, params))

    def check(self) -> None:
        for text, seen, fresh in self.seen:
            assert repr(seen[-1]) == repr(fresh()), text


def write(db: ReactiveDatabase, random: Random) -> None:
    pick, key = random.random(), random.randint(1, 25)
    if pick < 0.35:
        values = (key, random.choice("xy"), *(random.choice(VALUES) for _ in "ncv"))
        db.execute("INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?, ?)", values)
    elif pick < 0.75:
        column = random.choice("ncvk")
        db.execute(f"UPDATE t SET {column} = ? WHERE id = ?", (random.choice(VALUES), key))
    elif pick < 0.85:
        db.execute("UPDATE OR REPLACE t SET id = ? WHERE id = ?", (random.randint(26, 30), key))
    elif pick < 0.95:
        db.execute("DELETE FROM t WHERE id IN (?, ?)", (key, random.randint(1, 30)))
    else:
        db.execute("INSERT OR REPLACE INTO t2 VALUES (?, ?)", (random.randint(0, 5), "k"))


@pytest.mark.parametrize("policy", ["never", "auto", "always"])
@pytest.mark.parametrize("seed", range(4))
def test_every_value_is_that_of_a_fresh_run(policy: Any, seed: int) -> None:
    random = Random(seed)
    with ReactiveDatabase(maintain=policy) as db:
        db.executescript(SCHEMA + "CREATE TABLE t2(id INTEGER PRIMARY KEY, k)")
        for _ in range(40):
            write(db, random)
        watched = Watched(db)
        watched.watch_all()
        for _ in range(150):
            if random.random() < 0.2:
                with db.transaction():
                    for _ in range(random.randint(2, 5)):
                        write(db, random)
            else:
                write(db, random)
            watched.check()


@pytest.fixture
def db() -> ReactiveDatabase:
    """100 rows; n goes from 1 to 100, k is the same for two each."""
    database = ReactiveDatabase(maintain="never")
    database.executescript(SCHEMA)
    rows = [(n, str(n // 2), n, f"c{n:03}", 0) for n in range(1, 101)]
    database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    return database


class TestAsleep:
    """Which commits run the query again."""

    def runs(self, db: ReactiveDatabase, *writes: str) -> list[int]:
        """How many queries each write has run."""
        found = []
        for sql in writes:
            before = db.stats.queries
            db.execute(sql)
            found.append(db.stats.queries - before)
        return found

    def test_what_sorts_behind_the_last_row(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n DESC LIMIT 10"))
        assert (
            self.runs(
                db,
                "UPDATE t SET v = 1 WHERE id = 5",
                "UPDATE t SET n = 90 WHERE id = 5",  # to just behind the window, from 91 on
                "UPDATE t SET n = 3 WHERE id BETWEEN 10 AND 80",
                "DELETE FROM t WHERE n < 90",
                "INSERT INTO t(n) VALUES (NULL)",
                "INSERT INTO t(n) VALUES (-7)",
            )
            == [0] * 6
        )
        watched.check()

    def test_what_does_not(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n DESC, v DESC LIMIT 10"))
        for sql in (
            "UPDATE t SET v = 1 WHERE id = 91",  # the last row
            "UPDATE t SET n = 91, v = 2 WHERE id = 5",  # like the last row, and before it
            "UPDATE t SET n = 91, v = -1 WHERE id = 6",  # like it, and behind
            "UPDATE t SET n = 200 WHERE id = 7",
            "UPDATE t SET n = 1 WHERE id = 100",
            "DELETE FROM t WHERE id = 99",
            "INSERT INTO t(n) VALUES ('text')",  # behind all numbers
            "UPDATE t SET v = CASE id WHEN 1 THEN 7 ELSE 8 END WHERE id IN (1, 97)",
        ):
            assert self.runs(db, sql) == [1], sql
            watched.check()

    def test_the_window_moves(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n DESC LIMIT 10"))
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE n = 91",
            "INSERT INTO t(n) VALUES (101)",
            "UPDATE t SET v = 2 WHERE n = 91",  # not shown any more
            "UPDATE t SET v = 2 WHERE n = 92",
            "DELETE FROM t WHERE n = 101",
            "UPDATE t SET v = 3 WHERE n = 91",
        ) == [1, 1, 0, 1, 1, 1]
        watched.check()

    def test_a_window_that_is_not_full(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n LIMIT ?", (10,)))
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE n = 50",
            "DELETE FROM t WHERE n > 5",
            "UPDATE t SET v = 1 WHERE n = 50",  # nothing
            "INSERT INTO t(n) VALUES (1000)",
            "INSERT INTO t(n) VALUES (3000), (2999), (3000), (2998)",
            "INSERT INTO t(n) VALUES (9000)",
        ) == [0, 1, 0, 1, 1, 0]
        watched.check()
        assert len(db.query("SELECT id, n, v FROM t ORDER BY n LIMIT ?", (10,)).get()) == 10

    def test_rows_before_the_window_count(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n LIMIT 5 OFFSET 20"))
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE n = 26",
            "UPDATE t SET v = 1 WHERE n = 25",
            "DELETE FROM t WHERE n = 3",
            "INSERT INTO t(n) VALUES (NULL)",
        ) == [0, 1, 1, 1]
        watched.check()

    def test_the_condition_still_counts(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query("SELECT id, n, v FROM t WHERE k > '3' ORDER BY n LIMIT 2", ()))
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE id = 5",
            "UPDATE t SET v = 1 WHERE id = 8",
            "UPDATE t SET v = 1 WHERE id = 60",
            "UPDATE t SET k = '9' WHERE id = 5",
        ) == [0, 1, 0, 1]
        watched.check()

    def test_first_rows_and_extremes(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        watched.watch(db.query_one("SELECT id, n, v FROM t ORDER BY n DESC"))
        watched.watch(db.query_value("SELECT max(n) FROM t"))
        watched.watch(db.query("SELECT min(c) AS least FROM t"))
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE id < 100",
            "UPDATE t SET v = 1 WHERE id = 100",
            "UPDATE t SET n = 99 WHERE id = 3",
            "UPDATE t SET n = 100 WHERE id = 3",
            "UPDATE t SET n = 1 WHERE id IN (3, 100)",
            "UPDATE t SET c = 'C0' WHERE id = 40",
            "UPDATE t SET c = 'C1' WHERE id = 41",
            "UPDATE t SET c = NULL WHERE id = 42",
        ) == [0, 1, 0, 2, 2, 1, 0, 0]
        watched.check()

    def test_joins(self, db: ReactiveDatabase) -> None:
        """A row behind the window takes away a row of NULLs, or stands in a row of the window."""
        db.executescript(
            "CREATE TABLE owner(name TEXT PRIMARY KEY);"
            "INSERT INTO owner VALUES ('45'), ('46'), ('47'), ('x'), ('y')"
        )
        watched = Watched(db)
        outer = "SELECT o.name, t.n FROM owner o LEFT JOIN t ON t.k = o.name ORDER BY t.n LIMIT 4"
        watched.watch(db.query(outer))
        twice = "SELECT p.n, q.v FROM t p JOIN t q ON q.id = 101 - p.n ORDER BY p.n LIMIT 3"
        watched.watch(db.query(twice))
        joined = "SELECT o.name, t.n FROM t JOIN owner o ON t.k = o.name ORDER BY t.n LIMIT 2"
        watched.watch(db.query(joined))
        for sql, runs in (
            ("UPDATE t SET k = 'x' WHERE id = 100", 1),
            ("UPDATE t SET v = 1 WHERE id = 99", 1),
            ("UPDATE t SET k = '45' WHERE id = 98", 1),
            ("UPDATE t SET k = '45' WHERE id = 5", 2),
            ("UPDATE owner SET name = '44' WHERE name = '46'", 2),
        ):
            assert self.runs(db, sql) == [runs], sql
            watched.check()

    def test_a_query_that_failed(self, db: ReactiveDatabase) -> None:
        seen: list[Any] = []
        db.query("SELECT id, n, v FROM t ORDER BY n LIMIT 2").states().subscribe(seen.append)
        db.execute("ALTER TABLE t RENAME COLUMN n TO m")
        assert seen[-1].error is not None
        db.execute("ALTER TABLE t RENAME COLUMN m TO n")
        assert self.runs(
            db, "UPDATE t SET v = 1 WHERE id = 3", "UPDATE t SET v = 1 WHERE id = 2"
        ) == [0, 1]
        assert [tuple(row) for row in seen[-1].value] == [(1, 1, 0), (2, 2, 1)]

    def test_opened_in_a_transaction(self, db: ReactiveDatabase) -> None:
        watched = Watched(db)
        with db.transaction():
            db.execute("UPDATE t SET n = 0 WHERE id = 50")
            watched.watch(db.query("SELECT id, n, v FROM t ORDER BY n LIMIT 2"))
            db.execute("UPDATE t SET n = -1 WHERE id = 51")
        assert self.runs(
            db,
            "UPDATE t SET v = 1 WHERE id = 1",
            "UPDATE t SET v = 2 WHERE id = 50",
            "UPDATE t SET v = 2 WHERE id = 51",
        ) == [0, 1, 1]
        watched.check()

    def test_delivered_in_the_order_of_subscription(self, db: ReactiveDatabase) -> None:
        order: list[str] = []
        db.query("SELECT n FROM t ORDER BY n DESC LIMIT 2").subscribe(lambda _: order.append("w"))
        db.query("SELECT max(id) FROM t").subscribe(lambda _: order.append("m"))
        db.query("SELECT count(*) FROM t").subscribe(lambda _: order.append("c"))
        del order[:]
        for n in (200, 300, 400):
            db.execute("INSERT INTO t(n) VALUES (?)", (n,))
        assert order == ["w", "m", "c"] * 3


def test_windows_opened_while_others_write(tmp_path: Path) -> None:
    with ReactiveDatabase(tmp_path / "x.db") as db:
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO t(id, n) VALUES (?, ?)", [(n, n) for n in range(1, 60)])
        done = threading.Event()

        def work() -> None:
            random = Random(1)
            while not done.is_set():
                key, n = random.randint(1, 60), random.randint(1, 100)
                db.execute("UPDATE t SET n = ?, v = v + 1 WHERE id = ?", (n, key))

        writer = threading.Thread(target=work)
        writer.start()
        watched = Watched(db)
        try:
            for limit in range(1, 40):
                for order in ("ASC", "DESC"):
                    sql = f"SELECT id, n, v FROM t ORDER BY n {order}, id LIMIT {limit}"
                    watched.watch(db.query(sql))
        finally:
            done.set()
            writer.join()
        db.flush()
        watched.check()
