"""At most so many values per second: the newest wins, the last one always arrives."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterable, Callable, Iterator
from pathlib import Path

import pytest

from reactive_sqlite import Delta, ReactiveDatabase, Row, State
from tests.neighbours.processes import until

SQL = "SELECT id, x FROM t ORDER BY id"


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase() as made:
        made.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0)")
        yield made


def set_x(db: ReactiveDatabase, value: int) -> None:
    db.execute("UPDATE t SET x = ? WHERE id = 1", (value,))


def test_values_that_come_too_fast_are_left_out_but_for_the_last(db: ReactiveDatabase) -> None:
    last = threading.Event()
    values: list[object] = []
    threads: list[str] = []

    def receive(value: object) -> None:
        values.append(value)
        threads.append(threading.current_thread().name)
        if value == 200:
            last.set()

    db.query_value("SELECT x FROM t", max_rate=20).subscribe(receive)
    for value in range(1, 201):
        set_x(db, value)
    assert last.wait(10)
    assert values[0] == 0
    assert values == sorted(set(values))
    assert len(values) < 100
    assert threads[0] == threading.current_thread().name
    assert threads[-1] == "reactive-sqlite-timer"


def test_what_waits_for_who_has_left_is_not_kept(db: ReactiveDatabase) -> None:
    mark = "waits for days"
    with db.query(SQL, max_rate=1e-6).subscribe(lambda rows: None):
        db.execute("UPDATE t SET x = ?", (mark,))
        assert any(isinstance(kept, Row) and mark in kept for kept in gc.get_objects())
    assert not any(isinstance(kept, Row) and mark in kept for kept in gc.get_objects())


def test_differences_span_what_was_left_out(db: ReactiveDatabase) -> None:
    done = threading.Event()
    folded: list[tuple[object, ...]] = [()]

    def fold(delta: Delta) -> None:
        folded.append(delta.apply(folded[-1]))
        if (3, 3) in folded[-1]:
            done.set()

    db.query(SQL, max_rate=20).changes().subscribe(fold)
    for value in range(1, 50):
        set_x(db, value)
        db.execute("INSERT OR REPLACE INTO t VALUES (2, ?)", (value,))
    db.execute("INSERT INTO t VALUES (3, 3)")
    assert done.wait(10)
    assert folded[-1] == ((1, 49), (2, 49), (3, 3))
    assert len(folded) < 50


async def hand_on(stream: AsyncIterable[object], take: Callable[[object], object]) -> None:
    async for value in stream:
        take(value)


@pytest.mark.parametrize("form", ["values", "differences", "states"])
def test_who_iterates_gets_no_more_than_that_either(db: ReactiveDatabase, form: str) -> None:
    query = db.query(SQL, max_rate=1e-6)
    streams: dict[str, AsyncIterable[object]] = {
        "values": query,
        "differences": query.changes(),
        "states": query.states(),
    }
    got: list[object] = []

    async def follow() -> None:
        iterating = asyncio.create_task(hand_on(streams[form], got.append))
        for value in (1, 2):
            await asyncio.sleep(0.02)
            set_x(db, value)
        await asyncio.sleep(0.02)
        assert len(got) == 1  # the next one is due in days
        db.close()
        await iterating

    asyncio.run(follow())
    first, last = (
        delta.apply(rows)
        if isinstance(delta, Delta)
        else delta.value
        if isinstance(delta, State)
        else delta
        for delta, rows in zip(got, [(), ((1, 0),)], strict=True)
    )
    assert (first, last) == (((1, 0),), ((1, 2),))


def test_what_comes_back_to_the_same_is_not_delivered_again(db: ReactiveDatabase) -> None:
    values: list[object] = []
    again = threading.Event()

    def receive(value: object) -> None:
        values.append(value)
        if value == 9:
            again.set()

    db.query_value("SELECT x FROM t", max_rate=5).subscribe(receive)
    set_x(db, 1)
    set_x(db, 0)
    assert not again.wait(0.5)
    set_x(db, 9)
    assert again.wait(10)
    assert values == [0, 9]


def test_that_it_works_again_is_told_also_when_the_value_is_the_old_one(
    db: ReactiveDatabase,
) -> None:
    works_again = threading.Event()
    told: list[bool] = []

    def receive(state: State[object]) -> None:
        told.append(state.error is None)
        if told == [True, False, True]:
            works_again.set()

    db.query_value("SELECT x FROM t", max_rate=20).states().subscribe(receive)
    time.sleep(0.1)
    db.execute("ALTER TABLE t RENAME TO u")
    db.execute("ALTER TABLE u RENAME TO t")
    assert works_again.wait(5), told


def test_the_last_value_arrives_before_the_end() -> None:
    events: list[object] = []
    with ReactiveDatabase() as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0)")
        db.query_value("SELECT x FROM t", max_rate=0.01).subscribe(
            events.append, on_completed=lambda: events.append("end")
        )
        set_x(db, 1)
        set_x(db, 2)
    assert events == [0, 2, "end"]


def test_nothing_is_delivered_after_dispose(db: ReactiveDatabase) -> None:
    values: list[object] = []
    subscription = db.query_value("SELECT x FROM t", max_rate=20).subscribe(values.append)
    set_x(db, 1)
    subscription.dispose()
    done = threading.Event()
    db.query_value("SELECT x FROM t", max_rate=5).subscribe(lambda x: x == 7 and done.set())
    set_x(db, 7)
    assert done.wait(10)
    assert values == [0]


def test_a_rate_of_once_in_a_thousand_years_holds_up_no_other(db: ReactiveDatabase) -> None:
    last = threading.Event()
    db.query_value("SELECT x FROM t", max_rate=1e-11).subscribe(lambda value: None)
    set_x(db, 1)
    db.query_value("SELECT x + 0 FROM t", max_rate=20).subscribe(lambda x: x == 3 and last.set())
    set_x(db, 2)
    set_x(db, 3)
    assert last.wait(10)


def test_a_rate_must_be_positive(db: ReactiveDatabase) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        db.query("SELECT 1", max_rate=0)


def test_closing_ends_the_thread_of_what_was_to_be_delivered_later(tmp_path: Path) -> None:
    def timers() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if t.name == "reactive-sqlite-timer"} - before

    before = set(threading.enumerate())
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0)")
        db.query_value("SELECT x FROM t", max_rate=1e-6).subscribe(lambda x: None)
        set_x(db, 1)
        assert timers()
    until(lambda: not timers())


def test_a_slow_asynchronous_consumer_gets_the_newest_and_deltas_that_fold(
    db: ReactiveDatabase,
) -> None:
    async def run() -> tuple[int, tuple[object, ...]]:
        folded: tuple[object, ...] = ()
        count = 0
        async for delta in db.query(SQL).changes():
            folded = delta.apply(folded)
            count += 1
            if count == 1:
                for value in range(1, 51):
                    set_x(db, value)
                    db.execute("INSERT INTO t VALUES (?, 0)", (value + 100,))
            if len(folded) == 51:
                return count, folded
        raise AssertionError("ended")

    count, folded = asyncio.run(run())
    assert count <= 3
    assert folded == db.query(SQL).get()
