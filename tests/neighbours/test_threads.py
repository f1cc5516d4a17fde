"""32 threads on one database, and a neighbour, with as many switches between them as can be had."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.driver.readers import ReaderPool
from reactive_sqlite.engine.reads import Reads
from reactive_sqlite.engine.writes import Writes
from reactive_sqlite.journal.foreign import ForeignCommits
from reactive_sqlite.journal.journal import Journal
from reactive_sqlite.liveness.delivery import Delivery
from reactive_sqlite.liveness.handout import Handout
from reactive_sqlite.liveness.live import LiveStore
from reactive_sqlite.liveness.publisher import Publisher
from reactive_sqlite.neighbours import Neighbours
from reactive_sqlite.understanding.routing import RegionIndex
from tests.neighbours.processes import PATIENCE, participant, until

THREADS, STEPS = 32, 25


#: Where a thread may be held up, while others overtake it.
MARKED = [
    *((Delivery, name) for name in ("enqueue", "_deliver_up_to", "catch_up")),
    *((LiveStore, name) for name in ("join", "leave", "place", "touched_by")),
    *((Publisher, name) for name in ("publish", "_evaluate", "_start")),
    *((Handout, name) for name in ("tell",)),
    *((RegionIndex, name) for name in ("add",)),
    *((ForeignCommits, name) for name in ("moved", "read")),
    *((Journal, name) for name in ("wanted", "note", "over")),
    *((Writes, name) for name in ("run", "begin", "commit", "committed")),
    *((Reads, name) for name in ("read", "begin_refresh", "end_refresh")),
    *((ReaderPool, name) for name in ("take", "give_back")),
    *((Neighbours, name) for name in ("watch", "_glance", "ring")),
]


@pytest.fixture
def stumbles(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Threads sleep for a moment, now and then, before and after the marked points."""
    rng, held_up = random.Random(0), dict.fromkeys((name for _, name in MARKED), 0)

    def stumbling(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            stumble(name)
            try:
                return method(*args, **kwargs)
            finally:
                stumble(name)

        return call

    def stumble(name: str) -> None:
        if rng.random() < 0.1:
            held_up[name] += 1
            time.sleep(rng.uniform(0, 0.002))

    for owner, name in MARKED:
        monkeypatch.setattr(owner, name, stumbling(name, getattr(owner, name)))
    return held_up


class Follower:
    """A subscriber for whom the values must never go back, nor arrive two at a time."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.faults: list[str] = []
        self.busy = threading.Lock()

    def __call__(self, value: int) -> None:
        if not self.busy.acquire(blocking=False):
            self.faults.append("two values at a time")
            return
        if self.values and value < self.values[-1]:
            self.faults.append(f"{self.values[-1]} then {value}")
        self.values.append(value)
        self.busy.release()


@pytest.mark.usefixtures("races")
def test_threads_that_are_held_up_anywhere(tmp_path: Path, stumbles: dict[str, int]) -> None:
    test_threads_read_write_and_subscribe(tmp_path, 2)
    assert all(stumbles.values()), stumbles


@pytest.mark.usefixtures("races")
@pytest.mark.parametrize("seed", range(2))
def test_threads_read_write_and_subscribe(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "some.db"
    followers = [Follower() for _ in range(THREADS)]
    errors: list[BaseException] = []
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(n INTEGER); INSERT INTO t VALUES (0);")

        def work(number: int) -> None:
            rng = random.Random(seed * 1000 + number)
            follower = followers[number]
            subscription = db.query_value("SELECT n FROM t").subscribe(follower)
            try:
                for _ in range(STEPS):
                    step = rng.randrange(5)
                    if step == 0:
                        db.execute("UPDATE t SET n = n + 1")
                    elif step == 1:
                        with db.transaction():
                            n = db.query_value("SELECT n FROM t").get()
                            time.sleep(rng.uniform(0, 0.001))
                            db.execute("UPDATE t SET n = ?", (n + 1,))
                    elif step == 2:
                        db.query("SELECT n, ? FROM t", (number,)).get()
                    elif step == 3:
                        db.query_value("SELECT n + ? FROM t", (rng.randrange(3),)).subscribe(
                            lambda value: None
                        ).dispose()
                    else:
                        db.look()
                    time.sleep(rng.choice((0, 0, 0.0005)))
            except BaseException as error:  # noqa: BLE001  the main thread shows it
                errors.append(error)
            if number % 2:
                subscription.dispose()

        with participant(path) as other:
            other.does("s = db.query('SELECT n FROM t').subscribe(lambda rows: None)")
            other.does("for n in range(50): run('UPDATE t SET n = n + 1')")
            threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            other.does("for n in range(50): run('UPDATE t SET n = n + 1')")
            for thread in threads:
                thread.join(PATIENCE)
            assert not any(thread.is_alive() for thread in threads)
            assert errors == []
            last = db.query_value("SELECT n FROM t").get()
            for follower in followers[::2]:
                until(lambda follower=follower: follower.values[-1] == last)
        assert [fault for follower in followers for fault in follower.faults] == []


@pytest.mark.parametrize("events", ["commits", "traces"])
def test_who_comes_to_the_events_while_another_one_leaves_is_not_forgotten(events: str) -> None:
    with ReactiveDatabase() as db:
        db.execute("CREATE TABLE t(n)")
        seen: list[object] = []
        first = getattr(db, events).subscribe(lambda event: None)
        newcomers: list[threading.Thread] = []

        def halt(frame: FrameType, event: str, argument: object) -> None:
            if frame.f_code.co_name == "<genexpr>" and not newcomers:  # who is kept is looked up
                thread = threading.Thread(target=getattr(db, events).subscribe, args=(seen.append,))
                newcomers.append(thread)
                thread.start()
                thread.join(0.05)

        before = sys.gettrace()
        sys.settrace(halt)
        try:
            first.dispose()
        finally:
            sys.settrace(before)
        assert newcomers
        newcomers[0].join()
        db.execute("INSERT INTO t VALUES (1)")
        assert [str(event) for event in seen] == ["#2 t×1"]
