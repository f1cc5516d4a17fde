"""Operators of reactivex over live queries: as over any other Observable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import reactivex
import reactivex.operators as ops
from reactivex import Observable
from reactivex.subject import BehaviorSubject
from reactivex.testing import TestScheduler

from reactive_sqlite import ReactiveDatabase

Chain = Callable[[Observable[Any], Observable[Any], TestScheduler], Observable[Any]]

CHAINS: dict[str, Chain] = {
    "amb": lambda a, b, _: a.pipe(ops.amb(b)),
    "buffer_with_count": lambda a, b, _: a.pipe(ops.buffer_with_count(2)),
    "buffer_with_time": lambda a, b, clock: a.pipe(ops.buffer_with_time(15, scheduler=clock)),
    "combine_latest": lambda a, b, _: a.pipe(ops.combine_latest(b)),
    "debounce": lambda a, b, clock: a.pipe(ops.debounce(5, scheduler=clock)),
    "delay": lambda a, b, clock: a.pipe(ops.delay(5, scheduler=clock)),
    "element_at": lambda a, b, _: a.pipe(ops.element_at(1)),
    "first": lambda a, b, _: a.pipe(ops.first()),
    "fork_join": lambda a, b, _: reactivex.fork_join(a, b),
    "group_join": lambda a, b, _: a.pipe(
        ops.group_join(b, lambda _: reactivex.never(), lambda _: reactivex.never()),
        ops.flat_map(lambda pair: pair[1]),
    ),
    "merge": lambda a, b, _: a.pipe(ops.merge(b)),
    "pairwise": lambda a, b, _: a.pipe(ops.pairwise()),
    "replay": lambda a, b, _: a.pipe(ops.replay(2), ops.ref_count()),
    "retry": lambda a, b, _: a.pipe(ops.retry(2)),
    "sample": lambda a, b, clock: a.pipe(ops.sample(15, scheduler=clock)),
    "share": lambda a, b, _: a.pipe(ops.share()),
    "skip_last": lambda a, b, _: a.pipe(ops.skip_last(1)),
    "switch_latest": lambda a, b, _: reactivex.of(a, b).pipe(ops.switch_latest()),
    "take": lambda a, b, _: a.pipe(ops.take(2)),
    "take_last_buffer": lambda a, b, _: a.pipe(ops.take_last_buffer(2)),
    "take_while": lambda a, b, _: a.pipe(ops.take_while(lambda x: x < 2)),
    "throttle_first": lambda a, b, clock: a.pipe(ops.throttle_first(15, scheduler=clock)),
    "window_with_time": lambda a, b, clock: a.pipe(
        ops.window_with_time(15, scheduler=clock), ops.flat_map(ops.to_list())
    ),
    "with_latest_from": lambda a, b, _: a.pipe(ops.with_latest_from(b)),
    "zip": lambda a, b, _: a.pipe(ops.zip(b)),
}


@pytest.fixture
def db() -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase() as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (0);")
        yield db


def told(
    chain: Chain,
    one: Observable[Any],
    ten: Observable[Any],
    write: Callable[[int], object],
    end: Callable[[], object],
) -> list[object]:
    clock = TestScheduler()
    events: list[object] = []
    chain(one, ten, clock).subscribe(
        events.append, lambda error: events.append(repr(error)), lambda: events.append("end")
    )
    for x in (1, 2, 3):
        clock.advance_by(10)
        write(x)
    clock.advance_by(10)
    end()
    clock.advance_by(100)
    return events


@pytest.mark.parametrize("name", CHAINS)
def test_an_operator_over_live_queries(db: ReactiveDatabase, name: str) -> None:
    x = BehaviorSubject(0)
    ten_x = x.pipe(ops.map(lambda x: 10 * x))
    expected = told(CHAINS[name], x, ten_x, x.on_next, x.on_completed)
    assert (
        told(
            CHAINS[name],
            db.query_value("SELECT x FROM t"),
            db.query_value("SELECT 10 * x FROM t"),
            lambda x: db.execute("UPDATE t SET x = ?", (x,)),
            db.close,
        )
        == expected
    )
    assert db.stats.failed == 0
    assert not db._store


def test_operators_of_one_stream_share_a_lock_and_others_have_their_own(
    db: ReactiveDatabase,
) -> None:
    one, other = db.query("SELECT x FROM t"), db.query("SELECT x FROM t")
    assert one.lock is one.lock
    assert one.lock is not other.lock


def test_subscribing_again_in_vain_is_told_to_the_subscriber(db: ReactiveDatabase) -> None:
    errors: list[Exception] = []
    db.query("SELECT x FROM t").pipe(ops.retry(3)).subscribe(on_error=errors.append)
    db.execute("DROP TABLE t")
    assert [str(error) for error in errors] == ["no such table: t"]
    assert not db._store


def test_trying_again_until_it_works(db: ReactiveDatabase) -> None:
    clock = TestScheduler()
    query = db.query_value("SELECT x FROM t")
    values: list[object] = []

    def wait(*_: object) -> Observable[Any]:
        return reactivex.timer(10, scheduler=clock).pipe(ops.flat_map(attempt))

    def attempt(_: object) -> Observable[Any]:
        return query.pipe(ops.catch(wait))

    attempt(None).subscribe(values.append)
    db.execute("DROP TABLE t")
    clock.advance_by(25)
    db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (7);")
    clock.advance_by(10)
    assert values == [0, 7]
