"""Live queries in event loops: the newest value wins, nobody waits, nothing stays behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactive_sqlite import ClosedError, ReactiveDatabase
from tests.neighbours.processes import PATIENCE, participant, until


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (0);")
        yield db


def live(db: ReactiveDatabase) -> int:
    return len(db._store)


def test_a_cancelled_task_leaves_no_subscription(db: ReactiveDatabase) -> None:
    async def follow() -> None:
        async for _ in db.query("SELECT x FROM t"):
            pass

    async def main() -> None:
        tasks = [asyncio.create_task(follow()) for _ in range(5)]
        tasks.append(asyncio.create_task(db.wait_until("SELECT x FROM t WHERE x = 'never'")))
        await asyncio.sleep(0)
        while live(db) < 2:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert live(db) == 0


def test_a_slow_consumer_gets_the_newest_and_slows_nobody(db: ReactiveDatabase) -> None:
    async def main() -> list[int]:
        seen = []
        async for x in db.query_value("SELECT x FROM t"):
            seen.append(x)
            if x == 1000:
                return seen
            for n in range(1, 1001):  # all of it returns while this consumer is not waiting
                db.execute("UPDATE t SET x = ?", (n,))
        raise AssertionError("the stream ended")

    assert asyncio.run(main()) == [0, 1000]


def test_values_without_pause_do_not_stop_the_loop(db: ReactiveDatabase) -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        async for x in db.query_value("SELECT x FROM t"):
            if x == 100:
                break
            db.execute("UPDATE t SET x = x + 1")
        task.cancel()
        return turns

    assert asyncio.run(main()) >= 99


def test_waiting_for_what_changes_without_pause_ends_in_time(db: ReactiveDatabase) -> None:
    asked = 0

    def hundredth(rows: object) -> bool:
        nonlocal asked
        asked += 1
        db.execute("UPDATE t SET x = x + 1")
        return asked == 100

    with pytest.raises(TimeoutError):
        asyncio.run(db.wait_until("SELECT x FROM t", predicate=hundredth, timeout=0))


def test_a_slow_consumer_is_not_told_of_what_is_as_it_was(db: ReactiveDatabase) -> None:
    async def main() -> list[int]:
        seen = []
        async for x in db.query_value("SELECT x FROM t"):
            seen.append(x)
            if len(seen) == 2:
                return seen
            db.execute("UPDATE t SET x = 5")
            db.execute("UPDATE t SET x = 0")
            asyncio.get_running_loop().call_later(0.05, db.execute, "UPDATE t SET x = 7")
        raise AssertionError("the stream ended")

    assert asyncio.run(main()) == [0, 7]


def test_a_slow_consumer_of_states_is_told_that_it_works_again(db: ReactiveDatabase) -> None:
    async def main() -> None:
        states = aiter(db.query_value("SELECT x FROM t").states())
        assert (await anext(states)).error is None
        db.execute("ALTER TABLE t RENAME TO u")
        assert (await anext(states)).error is not None
        db.execute("ALTER TABLE u RENAME TO t")
        db.execute("UPDATE t SET x = 1")
        db.execute("UPDATE t SET x = 0")
        state = await asyncio.wait_for(anext(states), PATIENCE)
        assert (state.value, state.error) == (0, None)

    asyncio.run(main())


def test_several_loops_at_once(db: ReactiveDatabase) -> None:
    ends: list[object] = []

    async def follow() -> None:
        rows = await db.wait_until("SELECT x FROM t", predicate=lambda rows: rows[0].x == 100)
        ends.append(rows[0].x)

    threads = [threading.Thread(target=lambda: asyncio.run(follow())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 101):
        db.execute("UPDATE t SET x = ?", (n,))
    for thread in threads:
        thread.join(PATIENCE)
    assert ends == [100] * 4
    assert live(db) == 0


def test_a_loop_that_is_closed_does_not_disturb_a_writer(db: ReactiveDatabase) -> None:
    loop = asyncio.new_event_loop()
    stream = aiter(db.query("SELECT x FROM t"))
    loop.run_until_complete(anext(stream))
    loop.close()
    db.execute("UPDATE t SET x = 1")
    assert db.stats.failed == 0
    assert live(db) == 0, "and nothing is refreshed for it"


def test_a_loop_that_is_closed_in_another_thread_just_now(
    db: ReactiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after it was asked whether it is closed."""
    loop = asyncio.new_event_loop()
    stream = aiter(db.query("SELECT x FROM t"))
    loop.run_until_complete(anext(stream))
    loop.close()
    monkeypatch.setattr(loop, "is_closed", lambda: False)
    db.execute("UPDATE t SET x = 1")
    assert db.stats.failed == 0


def test_an_iteration_that_goes_on_in_another_loop(db: ReactiveDatabase) -> None:
    """Nobody would ever wake it there."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    stream = aiter(db.query_value("SELECT x FROM t"))
    assert first.run_until_complete(anext(stream)) == 0
    with pytest.raises(RuntimeError, match="another event loop"):
        second.run_until_complete(asyncio.wait_for(anext(stream), PATIENCE))
    assert live(db) == 0
    for loop in (first, second):
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_a_predicate_that_is_no_plain_function(db: ReactiveDatabase) -> None:
    async def never(rows: object) -> bool:
        return False

    class Never:
        async def __call__(self, rows: object) -> bool:
            return False

    for wrong in (never, None, Never(), lambda rows: never(rows)):
        with pytest.raises(TypeError, match="plain function of the rows"):
            asyncio.run(db.wait_until("SELECT x FROM t", predicate=wrong))  # type: ignore[arg-type]


def test_waiting_for_another_process(db: ReactiveDatabase, tmp_path: Path) -> None:
    async def main() -> None:
        with participant(tmp_path / "some.db") as other:
            other.start("import time; time.sleep(0.05); run('UPDATE t SET x = 7')")
            rows = await db.wait_until("SELECT x FROM t WHERE x = ?", (7,), timeout=PATIENCE)
            assert rows == ((7,),)

    asyncio.run(main())


def test_waiting_ends(db: ReactiveDatabase) -> None:
    async def too_long() -> None:
        await db.wait_until("SELECT x FROM t WHERE x = 'never'", timeout=0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(too_long())

    async def until_closed() -> None:
        asyncio.get_running_loop().call_soon(db.close)
        await db.wait_until("SELECT x FROM t WHERE x = 'never'")

    assert live(db) == 0
    with pytest.raises(ClosedError):
        asyncio.run(until_closed())


def test_what_the_predicate_raises_is_raised(db: ReactiveDatabase) -> None:
    async def main() -> None:
        await db.wait_until("SELECT x FROM t", predicate=lambda rows: rows[0].nothing)

    with pytest.raises(AttributeError):
        asyncio.run(main())
    until(lambda: live(db) == 0)
