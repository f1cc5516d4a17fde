"""The verbs of the public API: what they return, deliver and refuse."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
import reactivex.operators as ops

from reactive_sqlite import (
    ClosedError,
    NotAMutation,
    NotAQuery,
    ReactiveDatabase,
    ReactiveSqliteError,
    Row,
    StatementKind,
    mutation,
    query,
    query_one,
    query_value,
    use_database,
)
from reactive_sqlite.testing import Emissions


@pytest.fixture
def db() -> ReactiveDatabase:
    database = ReactiveDatabase()
    database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, done BOOLEAN)")
    database.execute("INSERT INTO t VALUES (1, 'one', 0), (2, 'two', 1)")
    return database


class TestRows:
    def test_by_name_by_position_and_as_a_tuple(self, db: ReactiveDatabase) -> None:
        row = db.query_one("SELECT id, name AS Label, 3 AS count FROM t").get()
        assert row is not None
        assert (row["id"], row.id, row[0]) == (1, 1, 1)
        assert (row["Label"], row["label"], row.Label, row.label) == ("one",) * 4
        assert row.count == 3  # a column hides what tuple has under that name
        assert tuple(row) == (1, "one", 3) == row
        assert row[1:] == ("one", 3)
        assert row.as_dict() == {"id": 1, "Label": "one", "count": 3}
        assert repr(row) == "Row(id=1, Label='one', count=3)"

    def test_missing_names_say_what_there_is(self, db: ReactiveDatabase) -> None:
        row = db.query_one("SELECT id FROM t").get()
        with pytest.raises(KeyError, match="the columns are id"):
            row["nope"]
        with pytest.raises(AttributeError, match="the columns are id"):
            _ = row.nope

    def test_they_are_immutable_and_pickle(self, db: ReactiveDatabase) -> None:
        row = db.query_one("SELECT id, name FROM t").get()
        with pytest.raises((AttributeError, TypeError)):
            row.id = 2
        with pytest.raises(TypeError):
            row[0] = 2
        again = pickle.loads(pickle.dumps(row))
        assert (again, again.name, type(again)) == (row, "one", type(row))

    def test_odd_column_names(self, db: ReactiveDatabase) -> None:
        row = db.query_one('SELECT 1 AS "class", 2 AS "a b", 3 AS keys, 4 AS x, 5 AS x').get()
        assert [row["class"], row["a b"], row["keys"], row["x"]] == [1, 2, 3, 4]
        assert row.keys() == ("class", "a b", "keys", "x", "x")

    def test_a_row_type_fills_rows(self, db: ReactiveDatabase) -> None:
        @dataclass
        class Plain:
            id: int
            name: str

        class Typed(msgspec.Struct):
            id: int
            done: bool

        assert db.query("SELECT id, name FROM t", row=Plain).get() == (
            Plain(1, "one"),
            Plain(2, "two"),
        )
        assert [t.done for t in db.query("SELECT * FROM t", row=Typed).get()] == [False, True]
        assert db.query("SELECT * FROM t", row=lambda row: row.name).get() == ("one", "two")
        assert db.query_one("SELECT * FROM t WHERE id = 9", row=Plain).get() is None

    def test_one_making_for_all_subscribers(self, db: ReactiveDatabase) -> None:
        made: list[Row] = []

        def make(row: Row) -> Row:
            made.append(row)
            return row

        live = db.query("SELECT * FROM t WHERE id = 1", row=make)
        with Emissions(live), Emissions(live):
            made.clear()
            db.execute("UPDATE t SET name = 'uno' WHERE id = 1")
        assert len(made) == 1


class TestLiveQueries:
    def test_it_is_an_observable(self, db: ReactiveDatabase) -> None:
        seen: list[int] = []
        names = db.query("SELECT name FROM t").pipe(ops.map(len), ops.distinct_until_changed())
        with names.subscribe(seen.append):
            db.execute("INSERT INTO t(name) VALUES ('three')")
            db.execute("UPDATE t SET name = 'drei' WHERE name = 'three'")
        db.execute("DELETE FROM t")
        assert seen == [2, 3]

    def test_an_observer_object_subscribes(self, db: ReactiveDatabase) -> None:
        class Observer:
            def __init__(self) -> None:
                self.calls: list[Any] = []

            def on_next(self, value: object) -> None:
                self.calls.append(value)

            def on_error(self, error: Exception) -> None:
                self.calls.append(error)

            def on_completed(self) -> None:
                self.calls.append("completed")

        observer = Observer()
        db.query_value("SELECT count(*) FROM t").subscribe(observer)  # type: ignore[arg-type]
        db.close()
        assert observer.calls == [2, "completed"]

    def test_the_same_question_is_one_node(self, db: ReactiveDatabase) -> None:
        opened = db.stats.opened
        subscribers = [
            Emissions(db.query("SELECT * FROM t WHERE id = ?", params))
            for params in ((1,), [1], (1,))
        ]
        assert db.stats.opened == opened + 1
        db.execute("UPDATE t SET name = 'x' WHERE id = 1")
        assert db.stats.refetched + db.stats.maintained == 1
        assert all(len(s.values) == 2 for s in subscribers)
        one_and_one_point_zero = db.query_value("SELECT typeof(?)", (1.0,))
        assert one_and_one_point_zero.get() == "real"
        assert db.query_value("SELECT typeof(?)", (1,)).get() == "integer"

    def test_text_that_is_no_utf8_is_written_in_silence(
        self, db: ReactiveDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        with Emissions(db.query("SELECT id, hex(name) AS name FROM t WHERE id = 2")) as seen:
            db.execute("UPDATE t SET name = CAST(x'ff' AS TEXT) WHERE id = 2")
        assert seen.last == ((2, "FF"),)
        assert not caplog.records

    @pytest.mark.parametrize("make", [lambda b: b, memoryview], ids=["bytearray", "memoryview"])
    def test_a_buffer_is_asked_for_as_it_was(
        self, db: ReactiveDatabase, make: Callable[[bytearray], Any]
    ) -> None:
        buffer = bytearray(b"a")
        query = db.query_value("SELECT count(*) FROM t WHERE done = ?", (make(buffer),))
        with Emissions(query) as seen:
            buffer[0] = ord("b")
            db.execute("INSERT INTO t(done) VALUES (x'61')")
            db.execute("INSERT INTO t(done) VALUES (x'62')")
        assert (seen.values, query.get()) == ([0, 1], 1)

    def test_names_that_nobody_asks_for(self, db: ReactiveDatabase) -> None:
        params: dict[Any, Any] = {1: 2, "id": 2}
        assert db.query_value("SELECT name FROM t WHERE id = :id", params).get() == "two"

    def test_a_failing_query_says_so_once_and_recovers(self, db: ReactiveDatabase) -> None:
        live = db.query_value("SELECT count(*) FROM t")
        states, plain = Emissions(live.states()), Emissions(live)
        db.execute("DROP TABLE t")
        db.execute("CREATE TABLE other(x)")
        db.execute("CREATE TABLE t(id)")
        db.execute("INSERT INTO t VALUES (1)")
        assert [(s.value, type(s.error)) for s in states.values] == [
            (2, type(None)),
            (2, apsw.SQLError),
            (0, type(None)),
            (1, type(None)),
        ]
        assert (plain.values, len(plain.errors)) == ([2], 1)
        assert live.get() == 1

    @pytest.mark.parametrize("value", [True, False], ids=["value", "rows"])
    def test_states_begin_while_the_query_fails(self, value: bool, db: ReactiveDatabase) -> None:
        live = (db.query_value if value else db.query)("SELECT id FROM t")
        db.execute("ALTER TABLE t RENAME TO away")
        with Emissions(live.states()) as seen, Emissions(live) as plain:
            assert [(s.value, type(s.error)) for s in seen.values] == [(None, apsw.SQLError)]
            assert (plain.values, [type(error) for error in plain.errors]) == ([], [apsw.SQLError])
            db.execute("UPDATE away SET name = 'x'")
            db.execute("ALTER TABLE away RENAME TO t")
            db.execute("DELETE FROM t WHERE id = 1")
            assert [(s.value, s.error) for s in seen.values[1:]] == (
                [(1, None), (2, None)] if value else [(((1,), (2,)), None), (((2,),), None)]
            )
        db.execute("DROP TABLE t")
        with pytest.raises(apsw.SQLError, match="no such table"):
            live.subscribe(print)

    def test_an_error_in_the_data(self, db: ReactiveDatabase) -> None:
        with Emissions(db.query_value("SELECT json_extract(name, '$') FROM t").states()) as seen:
            assert isinstance(seen.last.error, apsw.SQLError)
            db.execute("UPDATE t SET name = '5'")
        assert (seen.last.value, seen.last.error) == (5, None)

    def test_deltas_fold_to_the_value(self, db: ReactiveDatabase) -> None:
        live = db.query("SELECT id, name FROM t")
        with Emissions(live.changes()) as seen:
            db.execute("INSERT INTO t(name) VALUES ('three')")
            db.execute("UPDATE t SET name = 'zwei' WHERE id = 2")
            db.execute("DELETE FROM t WHERE id = 1")
        rows: set[Any] = set()
        for delta in seen.values:
            rows -= set(delta.removed) | {old for old, _ in delta.updated}
            rows |= set(delta.added) | {new for _, new in delta.updated}
        assert rows == set(live.get())
        assert [delta.version for delta in seen.values] == [2, 3, 4, 5]

    def test_observe_follows_what_a_function_reads(self, db: ReactiveDatabase) -> None:
        calls: list[int] = []

        def names(minimum: int) -> list[str]:
            calls.append(minimum)
            found = db.query("SELECT name FROM t WHERE id >= ?", (minimum,)).get()
            return [row.name for row in found]

        with Emissions(db.observe(names, 2)) as seen:
            db.execute("UPDATE t SET name = 'eins' WHERE id = 1")  # not looked at
            db.execute("UPDATE t SET name = 'zwei' WHERE id = 2")
        assert seen.values == [["two"], ["zwei"]]
        assert len(calls) == 2

    @pytest.mark.parametrize(
        "form",
        [
            lambda rows: [row.as_dict() for row in rows],
            lambda rows: [{row.name} for row in rows],
            lambda rows: {row.id: row.name for row in rows},
        ],
    )
    def test_the_deltas_of_what_has_no_hash(
        self, db: ReactiveDatabase, form: Callable[..., Any]
    ) -> None:
        live = db.observe(lambda: form(db.query("SELECT * FROM t ORDER BY id").get()))
        with Emissions(live.changes()) as seen:
            db.execute("UPDATE t SET name = 'x' WHERE id = 1")
            db.execute("INSERT INTO t(id, name) VALUES (0, 'y')")
            db.execute("DELETE FROM t WHERE id = 2")
        value: tuple[Any, ...] = ()
        for delta in seen.values:
            value = delta.apply(value)
        now = live.get()
        assert value == (tuple(now) if isinstance(now, list) else (now,))
        assert len(seen.values) == 4

    def test_an_observed_function_may_not_write(self, db: ReactiveDatabase) -> None:
        def write() -> None:
            db.execute("DELETE FROM t")

        with Emissions(db.observe(write)) as seen:
            pass
        assert "may only read" in str(seen.errors[0])
        assert db.query_value("SELECT count(*) FROM t").get() == 2

    def test_unsubscribing_frees_everything(self, db: ReactiveDatabase) -> None:
        class Big:
            def take(self, value: object) -> None: ...

        big = Big()
        gone = weakref.ref(big)
        live = db.query("SELECT * FROM t")
        subscription = live.subscribe(big.take)
        subscription.dispose()
        del big, subscription
        gc.collect()
        assert gone() is None
        db.execute("UPDATE t SET name = 'x'")
        assert db.stats.refetched == 0
        assert "0 live" in repr(db)

    def test_the_end(self, db: ReactiveDatabase, caplog: pytest.LogCaptureFixture) -> None:
        live = db.query("SELECT * FROM t")
        seen = Emissions(live)
        db.close()
        db.close()
        assert seen.completed
        assert db.is_closed
        for use in (
            lambda: db.execute("SELECT 1"),
            lambda: db.query("SELECT 1"),
            lambda: db.analyze("SELECT 1"),
            live.get,
            lambda: live.subscribe(print),
            db.invalidate,
            db.flush,
            lambda: db.transaction().__enter__(),
            lambda: db.executescript("SELECT 1"),
        ):
            with pytest.raises(ClosedError):
                use()


class TestVerbs:
    def test_the_wrong_verb(self, db: ReactiveDatabase) -> None:
        with pytest.raises(NotAQuery, match="use execute"):
            db.query("DELETE FROM t")
        with pytest.raises(NotAQuery, match="pragma_"):
            db.query("PRAGMA table_info(t)")
        with pytest.raises(NotAMutation, match="use query"):
            db.mutation("SELECT 1")
        with pytest.raises(ReactiveSqliteError, match="executescript"):
            db.execute("DELETE FROM t; DELETE FROM t")
        with pytest.raises(TypeError, match="write \\(value,\\)"):
            db.execute("SELECT ?", "x")
        with pytest.raises(TypeError, match="must be a str"):
            db.execute(b"SELECT 1")  # type: ignore[arg-type]
        assert db.execute("SELECT 1;  -- done").rows == ((1,),)

    def test_errors_carry_their_statement(self, db: ReactiveDatabase) -> None:
        with pytest.raises(apsw.ConstraintError) as caught:
            db.execute("INSERT INTO t VALUES (1, '', 0)")
        assert caught.value.__notes__ == ["while running: INSERT INTO t VALUES (1, '', 0)"]
        with pytest.raises(apsw.SQLError) as missing:
            db.query("SELECT * FROM nowhere")
        assert missing.value.__notes__ == ["while preparing: SELECT * FROM nowhere"]

    def test_mutation_calls_back(self, db: ReactiveDatabase) -> None:
        calls: list[Any] = []
        add = db.mutation(
            "INSERT INTO t(id, name) VALUES (:id, :name)", calls.append, calls.append, ["t"]
        )
        result = add(id=5, name="five")
        assert (result.changes, result.last_insert_rowid, calls) == (1, 5, [result])
        with pytest.raises(apsw.ConstraintError):
            add(id=5, name="again")
        assert isinstance(calls[1], apsw.ConstraintError)
        with pytest.raises(TypeError, match="not both"):
            add(1, name="x")

    def test_invalidate_runs_again_and_delivers_only_differences(
        self, db: ReactiveDatabase
    ) -> None:
        answers = iter([1, 1, 2, 3])
        db.create_function("answer", lambda: next(answers), 0)
        with Emissions(db.query_value("SELECT answer() FROM t")) as seen:
            db.invalidate("t")
            assert seen.values == [1]
            db.invalidate()
        assert seen.values == [1, 2]
        with pytest.raises(ReactiveSqliteError, match="no table 'nope'"):
            db.invalidate("nope")

    def test_the_current_database(self, db: ReactiveDatabase) -> None:
        with use_database(db):
            assert query_value("SELECT count(*) FROM t").get() == 2
            assert query_one("SELECT name FROM t").get() == ("one",)
            assert len(query("SELECT * FROM t").get()) == 2
            assert query_one("SELECT id FROM t", row=lambda row: row.id, max_rate=5).get() == 1
            assert query("SELECT id FROM t", row=tuple, max_rate=5).get() == ((1,), (2,))
            assert query_value("SELECT max(id) FROM t", max_rate=5).get() == 2
            with pytest.raises(ValueError, match="more than 0"):
                query("SELECT 1", max_rate=0)
            assert mutation("DELETE FROM t")().changes == 2
        with pytest.raises(ReactiveSqliteError, match="use_database"):
            query("SELECT 1")

    def test_analyze(self, db: ReactiveDatabase) -> None:
        statement = db.analyze("REPLACE INTO t SELECT * FROM t")
        assert statement.kind is StatementKind.INSERT
        assert (statement.reads, statement.writes) == ({"t"}, {"t"})

    def test_the_feed_of_commits(self, db: ReactiveDatabase) -> None:
        seen: list[str] = []
        with db.commits.subscribe(lambda change: seen.append(str(change))):
            db.execute("UPDATE t SET name = 'x' WHERE id = 1")
            db.execute("UPDATE t SET name = 'x' WHERE id = 1")  # changes nothing
            db.execute("CREATE TABLE u(x)")
        db.execute("DELETE FROM t")
        assert seen == ["#3 t×1", "#4 schema"]


class TestSubscribersAtWork:
    def test_one_that_raises_harms_nobody(
        self, db: ReactiveDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        live = db.query_value("SELECT count(*) FROM t")

        def bad(value: int) -> None:
            raise ZeroDivisionError(value)

        with live.subscribe(bad), Emissions(live) as seen, caplog.at_level(logging.ERROR):
            db.execute("DELETE FROM t WHERE id = 1")
        assert seen.values == [2, 1]
        assert db.stats.failed == 2
        assert "SELECT count(*) FROM t" in caplog.text

    def test_one_that_writes_does_not_recurse(self, db: ReactiveDatabase) -> None:
        depth: list[int] = []
        live = db.query_value("SELECT count(*) FROM t")

        def grow(count: int) -> None:
            depth.append(count)
            if count < 200:
                db.execute("INSERT INTO t(name) VALUES ('more')")
                assert depth[-1] == count  # its own value comes after this returns

        with Emissions(live) as seen, live.subscribe(grow):
            pass
        assert seen.values == depth == list(range(2, 201))

    def test_one_that_leaves_and_takes_another_along(self, db: ReactiveDatabase) -> None:
        live = db.query_value("SELECT count(*) FROM t")
        second: list[int] = []
        subscriptions: list[Any] = []

        def first(count: int) -> None:
            if count == 1:
                for subscription in subscriptions:
                    subscription.dispose()

        subscriptions.append(live.subscribe(first))
        subscriptions.append(live.subscribe(second.append))
        with Emissions(live) as third:
            db.execute("DELETE FROM t WHERE id = 1")
            db.execute("DELETE FROM t")
        assert (second, third.values) == ([2], [2, 1, 0])

    def test_one_that_subscribes(self, db: ReactiveDatabase) -> None:
        inner: list[int] = []
        live = db.query_value("SELECT count(*) FROM t")

        def outer(count: int) -> None:
            if count == 1:
                live.subscribe(inner.append)

        with live.subscribe(outer):
            db.execute("DELETE FROM t WHERE id = 1")
            db.execute("DELETE FROM t")
        assert inner == [1, 0]

    def test_one_that_closes_the_database(self, db: ReactiveDatabase) -> None:
        live = db.query_value("SELECT count(*) FROM t")
        live.subscribe(lambda count: db.close() if count == 1 else None)
        after = Emissions(live)
        db.execute("DELETE FROM t WHERE id = 1")
        assert (after.values, after.completed) == ([2, 1], True)

    def test_one_that_is_interrupted_lets_the_rest_go_on(self, db: ReactiveDatabase) -> None:
        live = db.query_value("SELECT count(*) FROM t")

        def stop(count: int) -> None:
            if count == 1:
                raise KeyboardInterrupt

        with live.subscribe(stop):
            seen = Emissions(db.query("SELECT id FROM t"))
            with pytest.raises(KeyboardInterrupt):
                db.execute("DELETE FROM t WHERE id = 1")
            db.flush()
        assert len(seen.values) == 2

    def test_one_that_is_slow_lets_others_write(self, tmp_path: Path) -> None:
        with ReactiveDatabase(tmp_path / "a.db") as db:
            db.executescript("CREATE TABLE a(x); CREATE TABLE b(x)")
            entered, go_on = threading.Event(), threading.Event()

            def slow(count: int) -> None:
                if count:
                    entered.set()
                    assert go_on.wait(10)

            with db.query_value("SELECT count(*) FROM a").subscribe(slow):
                with Emissions(db.query_value("SELECT count(*) FROM b")) as seen:
                    thread = threading.Thread(target=db.execute, args=["INSERT INTO a VALUES (1)"])
                    thread.start()
                    assert entered.wait(10)
                    # The callback waits for this very thread: the write must not wait for it.
                    db.execute("INSERT INTO b VALUES (1)")
                    assert db.query_value("SELECT count(*) FROM b").get() == 1
                    go_on.set()
                    thread.join(10)
                    db.flush()
            assert seen.values == [0, 1]


class TestAsync:
    def test_the_newest_value_wins(self, db: ReactiveDatabase) -> None:
        async def consume() -> list[int]:
            seen = []
            async for count in db.query_value("SELECT count(*) FROM t"):
                seen.append(count)
                if count == 0:
                    break
                if len(seen) == 1:
                    for number in range(100):
                        db.execute("INSERT INTO t(name) VALUES (?)", (number,))
                    db.execute("DELETE FROM t")
            return seen

        assert asyncio.run(consume()) == [2, 0]
        gc.collect()
        assert "0 live" in repr(db)

    def test_it_ends_with_the_database(self, db: ReactiveDatabase) -> None:
        async def consume() -> list[int]:
            return [await_close async for await_close in self.closing(db)]

        assert asyncio.run(consume()) == [2]

    async def closing(self, db: ReactiveDatabase) -> Any:
        async for count in db.query_value("SELECT count(*) FROM t"):
            yield count
            db.close()

    def test_a_cancelled_task_leaves_no_subscription(self, db: ReactiveDatabase) -> None:
        async def main() -> None:
            async def consume() -> None:
                async for _ in db.query_value("SELECT count(*) FROM t"):
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.01)
            assert "1 live" in repr(db)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert "0 live" in repr(db)

    def test_an_error_is_raised_in_the_loop(self, db: ReactiveDatabase) -> None:
        async def consume() -> None:
            async for _ in db.query("SELECT * FROM t"):
                db.execute("DROP TABLE t")

        with pytest.raises(apsw.SQLError):
            asyncio.run(consume())
