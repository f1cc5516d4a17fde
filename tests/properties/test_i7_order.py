"""I7: no older state after a newer one, and all values of one commit come from one snapshot.

Money moves between two tables in one transaction; live sums over each never disagree. Several
threads write, subscribe and unsubscribe meanwhile.
"""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase

TOTAL = 1000


def opened(path: str) -> ReactiveDatabase:
    db = ReactiveDatabase(path)
    db.executescript(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER);"
        "CREATE TABLE b(id INTEGER PRIMARY KEY, n INTEGER)"
    )
    with db.transaction():
        db.execute("INSERT INTO a VALUES (1, ?)", (TOTAL,))
        db.execute("INSERT INTO b VALUES (1, 0)")
    return db


def move(db: ReactiveDatabase, amount: int) -> None:
    with db.transaction():
        db.execute("UPDATE a SET n = n - ? WHERE id = 1", (amount,))
        db.execute("UPDATE b SET n = n + ? WHERE id = 1", (amount,))


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return ":memory:" if request.param == "memory" else str(tmp_path / "t.db")


class Follower:
    """Keeps the states of one query; notes when an older one follows a newer one."""

    def __init__(self, query: Any) -> None:
        self.states: list[Any] = []
        self.lock = threading.Lock()
        self.overlaps = 0
        self.subscription = query.states().subscribe(self.on_state)

    def on_state(self, state: Any) -> None:
        if not self.lock.acquire(blocking=False):
            self.overlaps += 1
            return
        try:
            self.states.append(state)
        finally:
            self.lock.release()

    def check(self) -> None:
        versions = [state.version for state in self.states]
        assert versions == sorted(set(versions)), f"older after newer, or twice: {versions}"
        assert not self.overlaps, "two values were delivered at the same time"
        values = [state.value for state in self.states]
        assert all(one != two for one, two in itertools.pairwise(values))


def test_values_of_one_commit_are_of_one_snapshot(path: str) -> None:
    with opened(path) as db:
        one, two = (
            Follower(db.query_value("SELECT sum(n) FROM a")),
            Follower(db.query_value("SELECT n FROM b WHERE id = 1")),
        )
        both = Follower(db.query_value("SELECT (SELECT n FROM a) + (SELECT n FROM b)"))
        for amount in (1, 10, -3, 100):
            move(db, amount)
        db.flush()
        for left, right in zip(one.states, two.states, strict=True):
            assert left.version == right.version
            assert left.value + right.value == TOTAL
        assert [state.value for state in both.states] == [TOTAL]


def test_a_subscriber_sees_the_others_of_its_commit(path: str) -> None:
    """Inside a delivery, other live queries are at that commit too, not before it."""
    with opened(path) as db:
        other = db.query_value("SELECT n FROM b")
        other.subscribe(lambda _: None)
        sums: list[int] = []
        db.query_value("SELECT n FROM a").subscribe(lambda n: sums.append(n + other.get()))
        for amount in (5, 6, 7):
            move(db, amount)
        db.flush()
        assert sums == [TOTAL] * 4


def test_a_subscriber_that_writes_keeps_the_order(path: str) -> None:
    """A write from inside a delivery is a later commit for everybody."""
    with opened(path) as db:
        first, last = [], []
        db.query("SELECT n FROM a").subscribe(lambda rows: first.append(tuple(rows[0])))

        def bounce(rows: Any) -> None:
            if rows[0]["n"] > TOTAL - 5:
                move(db, 1)

        db.query("SELECT n FROM a").subscribe(bounce)
        db.query("SELECT n FROM a").subscribe(lambda rows: last.append(tuple(rows[0])))
        db.flush()
        expected = [(TOTAL - step,) for step in range(6)]
        # The last one subscribed when the chain had run; the first saw every step, in order.
        assert first == expected
        assert last == expected[-1:]
        move(db, -3)
        db.flush()
        after = [(TOTAL - 2,), (TOTAL - 3,), (TOTAL - 4,), (TOTAL - 5,)]
        assert first[6:] == after
        assert last[1:] == after


@pytest.mark.parametrize("writers", [1, 4])
def test_threads_that_write_and_subscribe(path: str, writers: int) -> None:
    """Followers come and go while several threads move money."""
    with opened(path) as db:
        lasting = [Follower(db.query_value(f"SELECT {name}.n FROM {name}")) for name in "ab"]
        constant = Follower(db.query_value("SELECT (SELECT n FROM a) + (SELECT n FROM b)"))
        passing: list[Follower] = []
        errors: list[BaseException] = []

        def guarded(work: Any, seed: int) -> None:
            try:
                work(Random(seed))
            except BaseException as error:  # noqa: BLE001 - told below, by the main thread
                errors.append(error)

        def write(random: Random) -> None:
            for _ in range(60):
                move(db, random.randint(1, 9))

        def come_and_go(random: Random) -> None:
            for _ in range(40):
                follower = Follower(
                    db.query_value(f"SELECT n FROM {random.choice('ab')} WHERE id = ?", (1,))
                )
                assert follower.states, "no value at the subscription"
                passing.append(follower)
                if random.random() < 0.5:
                    follower.subscription.dispose()

        def read(random: Random) -> None:
            for _ in range(100):
                assert db.query_value("SELECT (SELECT n FROM a) + (SELECT n FROM b)").get() == TOTAL
                assert (
                    db.execute("SELECT (SELECT n FROM a) + (SELECT n FROM b)").rows[0][0] == TOTAL
                )

        work = [(write, n) for n in range(writers)] + [
            (come_and_go, 7),
            (come_and_go, 8),
            (read, 9),
        ]
        threads = [threading.Thread(target=guarded, args=pair) for pair in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
        db.flush()
        assert not errors, errors
        for follower in (*lasting, constant, *passing):
            follower.check()
        assert [state.value for state in constant.states] == [TOTAL]
        left, right = (follower.states[-1].value for follower in lasting)
        assert left + right == TOTAL
        by_version = {state.version: state.value for state in lasting[0].states}
        for state in lasting[1].states:
            assert by_version.get(state.version, TOTAL - state.value) + state.value == TOTAL


def test_no_write_between_first_read_and_subscription_is_lost(path: str) -> None:
    """Each new subscriber starts at a state and then sees every later one."""
    with opened(path) as db:
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                move(db, 1)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            followers = [
                Follower(db.query_value("SELECT n FROM a WHERE id = ? AND ? IS ?", (1, n, n)))
                for n in range(60)
            ]
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()
        db.flush()
        end = db.execute("SELECT n FROM a").rows[0][0]
        for follower in followers:
            follower.check()
            values = [state.value for state in follower.states]
            assert values == list(range(values[0], end - 1, -1)), (
                "a state between the first and the last is missing"
            )
