"""I8: one failing, slow, writing, (un)subscribing or closing subscriber harms no other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given

from reactive_sqlite import ReactiveDatabase

from .drive import SEEDS, fixed

SQL = "SELECT count(*) FROM t"


@pytest.fixture
def db() -> Any:
    with ReactiveDatabase() as made:
        made.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        made.execute("CREATE TABLE log(id INTEGER PRIMARY KEY, a)")
        yield made


def insert(db: ReactiveDatabase) -> None:
    db.execute("INSERT INTO t(a) VALUES (1)")


def surrounded(
    db: ReactiveDatabase, bad: Callable[[Any], None], sql: str = SQL
) -> tuple[list[Any], list[Any]]:
    """A good subscriber before and one after the bad one, on the same query."""
    before: list[Any] = []
    after: list[Any] = []
    db.query_value(SQL).subscribe(before.append)
    db.query_value(sql).subscribe(bad)
    db.query_value(SQL).subscribe(after.append)
    return before, after


@pytest.mark.parametrize("sql", [SQL, "SELECT max(id) FROM t"], ids=["same query", "other query"])
def test_raising(db: ReactiveDatabase, caplog: pytest.LogCaptureFixture, sql: str) -> None:
    def bad(_: Any) -> None:
        raise RuntimeError("boom")

    before, after = surrounded(db, bad, sql)
    for _ in range(3):
        insert(db)  # the writer gets no exception
    db.flush()
    assert before == after == [0, 1, 2, 3]
    assert any(sql in record.getMessage() for record in caplog.records), (
        "the failure is logged with its query"
    )


def test_a_raising_subscriber_of_changes_and_states(db: ReactiveDatabase) -> None:
    def bad(_: Any) -> None:
        raise RuntimeError("boom")

    before: list[Any] = []
    query = db.query("SELECT * FROM t")
    query.changes().subscribe(bad)
    query.states().subscribe(bad)
    query.subscribe(lambda rows: before.append(len(rows)))
    insert(db)
    insert(db)
    db.flush()
    assert before == [0, 1, 2]


def test_raising_in_a_key_interrupt_is_not_swallowed_for_others(db: ReactiveDatabase) -> None:
    seen: list[Any] = []
    db.query_value(SQL).subscribe(seen.append)

    def bad(count: int) -> None:
        if count == 1:
            raise KeyboardInterrupt

    db.query_value(SQL).subscribe(bad)
    with contextlib.suppress(KeyboardInterrupt):
        insert(db)
    insert(db)
    db.flush()
    assert seen == [0, 1, 2]


def test_writing_from_inside(db: ReactiveDatabase) -> None:
    def bad(count: int) -> None:
        if count < 5:
            db.execute("INSERT INTO t(a) VALUES (2)")
            db.execute("INSERT INTO log(a) VALUES (?)", (count,))

    before, after = surrounded(db, bad)
    insert(db)
    db.flush()
    assert before == sorted(set(before))
    assert before[-1] == after[-1] == db.execute(SQL).rows[0][0] >= 5
    assert (
        db.execute("SELECT group_concat(a) FROM (SELECT a FROM log ORDER BY a)").rows[0][0]
        == "0,1,2,3,4"
    )


def test_subscribing_from_inside(db: ReactiveDatabase) -> None:
    inner: list[list[Any]] = []

    def bad(_: Any) -> None:
        seen: list[Any] = []
        inner.append(seen)
        db.query_value(SQL).subscribe(seen.append)
        other: list[Any] = []
        inner.append(other)
        db.query_value("SELECT count(*) + 0 FROM t").subscribe(other.append)

    before, after = surrounded(db, bad)
    insert(db)
    insert(db)
    db.flush()
    assert before == after == [0, 1, 2]
    assert inner == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2], [2], [2]]


def test_unsubscribing_itself_and_others_from_inside(db: ReactiveDatabase) -> None:
    seen: dict[str, list[Any]] = {name: [] for name in ("early", "self", "late", "good")}
    subscriptions: dict[str, Any] = {}

    def bad(count: int) -> None:
        seen["self"].append(count)
        if count == 1:
            for name in ("early", "self", "late"):
                subscriptions[name].dispose()

    subscriptions["early"] = db.query_value(SQL).subscribe(seen["early"].append)
    subscriptions["self"] = db.query_value(SQL).subscribe(bad)
    subscriptions["late"] = db.query_value(SQL).subscribe(seen["late"].append)
    subscriptions["good"] = db.query_value(SQL).subscribe(seen["good"].append)
    for _ in range(3):
        insert(db)
    db.flush()
    assert seen["good"] == [0, 1, 2, 3]
    assert seen["self"] == [0, 1]
    assert seen["early"] in ([0], [0, 1])
    assert seen["late"] in ([0], [0, 1])


def test_closing_from_inside(db: ReactiveDatabase) -> None:
    seen: list[Any] = []
    ended: list[str] = []
    db.query_value(SQL).subscribe(seen.append, on_completed=lambda: ended.append("first"))
    db.query_value(SQL).subscribe(
        lambda count: count == 1 and db.close(), on_completed=lambda: ended.append("bad")
    )
    db.query_value(SQL).subscribe(seen.append, on_completed=lambda: ended.append("last"))
    insert(db)
    assert db.is_closed
    assert sorted(ended) == ["bad", "first", "last"]
    assert seen.count(1) == 2, "the others get every value that was committed before the close"


def test_a_transaction_from_inside_that_rolls_back(db: ReactiveDatabase) -> None:
    def bad(_: Any) -> None:
        with db.transaction():
            db.execute("DELETE FROM t")
            raise LookupError("out of here")

    before, after = surrounded(db, bad)
    insert(db)
    insert(db)
    db.flush()
    assert before == after == [0, 1, 2]


def test_a_failing_query_leaves_the_others_alone(db: ReactiveDatabase) -> None:
    good: list[Any] = []
    states: list[Any] = []
    db.query_value("SELECT count(*) FROM log").states().subscribe(states.append)
    db.query_value(SQL).subscribe(good.append)
    db.execute("DROP TABLE log")
    insert(db)
    db.execute("CREATE TABLE log(id)")
    insert(db)
    db.flush()
    assert good == [0, 1, 2]
    assert [state.error is None for state in states] == [True, False, True]
    assert states[-1].value == 0


def test_slow_asynchronous_consumer_does_not_block() -> None:
    """An async iterator that never reads holds up nobody, and then gets the newest."""

    async def run() -> None:
        with ReactiveDatabase() as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
            good: list[Any] = []
            slow = aiter(db.query_value(SQL))
            assert await anext(slow) == 0
            db.query_value(SQL).subscribe(good.append)
            for _ in range(50):
                insert(db)
            assert good == list(range(51))
            await asyncio.sleep(0)
            assert await asyncio.wait_for(anext(slow), 10) == 50

    asyncio.run(run())


def test_a_slow_subscriber_on_another_thread_does_not_reorder() -> None:
    with ReactiveDatabase() as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        seen: list[Any] = []
        release = threading.Event()
        entered = threading.Event()

        def slow(count: int) -> None:
            if count == 1:
                entered.set()
                release.wait(20)

        db.query_value(SQL).subscribe(slow)
        db.query_value(SQL).subscribe(seen.append)
        first = threading.Thread(target=insert, args=(db,))
        first.start()
        assert entered.wait(20)
        others = [threading.Thread(target=insert, args=(db,)) for _ in range(3)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join(20)
            assert not thread.is_alive(), "a slow subscriber blocks other writers"
        assert db.execute(SQL).rows[0][0] == 4
        release.set()
        first.join(20)
        assert not first.is_alive()
        db.flush()
        assert seen == sorted(seen)
        assert seen[-1] == 4


@fixed(40)
@given(SEEDS)
def test_any_mixture_of_bad_subscribers(seed: int) -> None:
    """Good subscribers among random bad ones: each sees exactly the values of the commits."""
    random = Random(seed)
    with ReactiveDatabase() as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        db.execute("CREATE TABLE log(id INTEGER PRIMARY KEY, a)")
        good: list[list[Any]] = []
        held: list[Any] = []
        budget = [6]

        def misbehave(_: Any) -> None:
            act = random.choice(
                ("raise", "subscribe", "dispose", "write", "other", "rollback", "query", "nothing")
            )
            if act == "raise":
                raise ValueError("bad")
            if act == "subscribe":
                held.append(
                    db.query_value(SQL).subscribe(
                        misbehave if random.random() < 0.3 else (lambda _: None)
                    )
                )
            if act == "dispose" and held:
                held.pop(random.randrange(len(held))).dispose()
            if act == "write" and budget[0]:
                budget[0] -= 1
                insert(db)
            if act == "other":
                db.execute("INSERT INTO log(a) VALUES (1)")
            if act == "rollback":
                with db.transaction():
                    insert(db)
                    raise LookupError
            if act == "query":
                db.query("SELECT * FROM t").get()

        for _ in range(random.randint(3, 6)):
            if random.random() < 0.5:
                seen: list[Any] = []
                good.append(seen)
                db.query_value(SQL).subscribe(seen.append)
            else:
                held.append(db.query_value(SQL).subscribe(misbehave))
        for _ in range(5):
            insert(db)
        db.flush()
        end = db.execute(SQL).rows[0][0]
        for seen in good:
            assert seen == list(range(seen[0], end + 1))
