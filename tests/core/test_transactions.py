"""Transactions: one publication, savepoints, text forms, owners, and what must not be half done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from reactive_sqlite import ChangeSet, ReactiveDatabase, TransactionError
from reactive_sqlite.testing import Emissions


@pytest.fixture(params=["memory", "file"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> ReactiveDatabase:
    path = ":memory:" if request.param == "memory" else tmp_path / "a.db"
    database = ReactiveDatabase(path, busy_timeout=2)
    database.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE TABLE log(what)")
    request.addfinalizer(database.close)
    return database


def ids(db: ReactiveDatabase) -> list[int]:
    return [row.id for row in db.query("SELECT id FROM t ORDER BY id").get()]


def test_a_block_publishes_once(db: ReactiveDatabase) -> None:
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with db.transaction():
            for number in range(10):
                db.execute("INSERT INTO t(x) VALUES (?)", (number,))
    assert seen.values == [0, 10]


def test_an_exception_rolls_back_and_goes_on(db: ReactiveDatabase) -> None:
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.execute("INSERT INTO t(x) VALUES (1)")
            raise ZeroDivisionError
    assert seen.values == [0]
    assert ids(db) == []


def test_a_nested_block_is_a_savepoint(db: ReactiveDatabase) -> None:
    with Emissions(db.query("SELECT id FROM t ORDER BY id")) as seen:
        with db.transaction():
            db.execute("INSERT INTO t(id) VALUES (1)")
            with pytest.raises(ZeroDivisionError), db.transaction():
                db.execute("INSERT INTO t(id) VALUES (2)")
                with db.transaction():
                    db.execute("INSERT INTO t(id) VALUES (3)")
                raise ZeroDivisionError
            with db.transaction():
                db.execute("INSERT INTO t(id) VALUES (4)")
    assert [[row.id for row in rows] for rows in seen.values] == [[], [1, 4]]


def test_reads_inside_see_what_was_written(db: ReactiveDatabase) -> None:
    with db.transaction():
        db.execute("INSERT INTO t(id) VALUES (1)")
        assert ids(db) == [1]
        assert db.execute("SELECT id FROM t").rows == ((1,),)


def test_a_subscription_inside_waits_for_the_end(db: ReactiveDatabase) -> None:
    query = db.query_value("SELECT count(*) FROM t")
    with db.transaction():
        db.execute("INSERT INTO t(x) VALUES (1)")
        seen = Emissions(query)
        assert seen.values == []
        db.execute("INSERT INTO t(x) VALUES (2)")
    assert seen.values == [2]


def test_a_subscription_inside_one_that_is_rolled_back(db: ReactiveDatabase) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("INSERT INTO t(x) VALUES (1)")
        seen = Emissions(db.query_value("SELECT count(*) FROM t"))
        raise ZeroDivisionError
    assert seen.values == [0]


def test_text_forms_publish_at_commit(db: ReactiveDatabase) -> None:
    with Emissions(db.query("SELECT id FROM t ORDER BY id")) as seen:
        db.execute("BEGIN")
        db.execute("INSERT INTO t(id) VALUES (1)")
        db.execute('SAVEPOINT "My Point"')
        db.execute("INSERT INTO t(id) VALUES (2)")
        db.execute('ROLLBACK TO "my point"')
        db.execute("INSERT INTO t(id) VALUES (3)")
        assert len(seen.values) == 1
        db.execute("COMMIT")
        db.execute("SAVEPOINT a")
        db.execute("DELETE FROM t")
        db.execute("RELEASE a")
        db.execute("BEGIN")
        db.execute("INSERT INTO t(id) VALUES (9)")
        db.execute("ROLLBACK")
    assert [[row.id for row in rows] for rows in seen.values] == [[], [1, 3], []]


def test_a_block_inside_a_text_transaction_is_a_savepoint(db: ReactiveDatabase) -> None:
    db.execute("BEGIN")
    with db.transaction():
        db.execute("INSERT INTO t(id) VALUES (1)")
    db.execute("ROLLBACK")
    assert ids(db) == []


def test_ending_a_block_by_text_is_an_error(db: ReactiveDatabase) -> None:
    with pytest.raises(TransactionError, match="ended inside"), db.transaction():
        db.execute("INSERT INTO t(id) VALUES (1)")
        db.execute("COMMIT")
    assert ids(db) == [1]
    with db.transaction():  # and nothing is left over
        db.execute("INSERT INTO t(id) VALUES (2)")
    assert ids(db) == [1, 2]


def test_a_deferred_foreign_key_fails_at_commit_and_leaves_nothing(db: ReactiveDatabase) -> None:
    db.execute("CREATE TABLE child(t_id REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)")
    with Emissions(db.query_value("SELECT count(*) FROM child")) as seen:
        with pytest.raises(apsw.ConstraintError), db.transaction():
            db.execute("INSERT INTO child VALUES (42)")
    assert seen.values == [0]
    assert db.query_value("SELECT count(*) FROM child").get() == 0
    db.execute("INSERT INTO t(id) VALUES (5)")


def test_or_rollback_ends_the_transaction(db: ReactiveDatabase) -> None:
    db.execute("INSERT INTO t(id) VALUES (1)")
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with pytest.raises(apsw.ConstraintError), db.transaction():
            db.execute("INSERT INTO t(id) VALUES (2)")
            db.execute("INSERT OR ROLLBACK INTO t(id) VALUES (1)")
    assert seen.values == [1]
    db.execute("INSERT INTO t(id) VALUES (3)")
    assert ids(db) == [1, 3]


def test_or_fail_keeps_the_rows_before(db: ReactiveDatabase) -> None:
    db.execute("INSERT INTO t(id) VALUES (2)")
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with pytest.raises(apsw.ConstraintError):
            db.execute("INSERT OR FAIL INTO t(id) VALUES (1), (2), (3)")
    assert seen.values == [1, 2]


def test_a_write_whose_returned_rows_cannot_be_read_leaves_nothing(
    db: ReactiveDatabase, tmp_path: Path
) -> None:
    broken = "INSERT INTO t(x) VALUES ('a'), (CAST(x'ff' AS TEXT)), ('b') RETURNING x"
    beside = apsw.Connection(str(tmp_path / "a.db")) if (tmp_path / "a.db").exists() else None
    with Emissions(db.query("SELECT id FROM t ORDER BY id")) as seen:
        with pytest.raises(UnicodeDecodeError):
            db.execute(broken)
        if beside is not None:  # the lock on the file is given back at once
            beside.execute("INSERT INTO log VALUES ('beside')")
            beside.close()
        assert ids(db) == []
        db.execute("INSERT INTO t(id) VALUES (7)")
        assert ids(db) == [7]
        with db.transaction():
            db.execute("UPDATE t SET id = 8")
            with pytest.raises(UnicodeDecodeError):
                db.execute(broken)
            db.execute("DELETE FROM t WHERE x = 'a'")
    # Inside a transaction SQLite has nothing by which to undo it: what it wrote is there, and seen.
    assert [[row.id for row in rows] for rows in seen.values] == [[], [7], ids(db)]
    assert len(ids(db)) == 3


def test_a_script_that_fails_half_way(db: ReactiveDatabase) -> None:
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with pytest.raises(apsw.SQLError):
            db.executescript("INSERT INTO t(x) VALUES (1); INSERT INTO nowhere VALUES (1);")
        assert seen.values == [0, 1]
        with pytest.raises(apsw.SQLError):
            db.executescript("BEGIN; INSERT INTO t(x) VALUES (1); INSERT INTO nowhere VALUES (1);")
        assert seen.values == [0, 1]
        db.execute("INSERT INTO t(x) VALUES (2)")
    assert seen.values == [0, 1, 2]


def test_executemany_is_all_or_nothing(db: ReactiveDatabase) -> None:
    with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
        with pytest.raises(apsw.ConstraintError):
            db.executemany("INSERT INTO t(id) VALUES (?)", [(1,), (2,), (1,)])
        assert db.executemany("INSERT INTO t(id) VALUES (?)", [(1,), (2,)]).changes == 2
    assert seen.values == [0, 2]


@pytest.mark.parametrize(
    ("sql", "sets"),
    [
        ("INSERT INTO parents VALUES (?)", [(5,), (6,)]),
        ("INSERT INTO children VALUES (?)", [(1,), (1,)]),
        ("INSERT OR IGNORE INTO children VALUES (?)", [(1,), (1,)]),
        ("REPLACE INTO parents VALUES (?)", [(1,), (2,)]),
        ("UPDATE children SET parent = ?", [(2,), (3,)]),
        ("UPDATE parents SET id = id + 10 WHERE id = ?", [(1,), (2,)]),
        ("DELETE FROM parents WHERE id = ?", [(1,), (2,), (9,)]),
        ("INSERT INTO seen VALUES (?)", [(8,), (9,)]),
        ("INSERT INTO words VALUES (?)", [("one",), ("two",)]),
    ],
)
@pytest.mark.parametrize("made", [list, iter])
def test_executemany_counts_the_rows_of_its_statement_and_no_others(
    sql: str, sets: list[Any], made: Callable[[list[Any]], Any]
) -> None:
    schema = """
        CREATE TABLE parents(id INTEGER PRIMARY KEY);
        CREATE TABLE children(parent REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE);
        CREATE TABLE log(what);
        CREATE TRIGGER logged AFTER INSERT ON parents BEGIN INSERT INTO log VALUES (new.id); END;
        CREATE VIEW seen AS SELECT id FROM parents;
        CREATE TRIGGER put INSTEAD OF INSERT ON seen BEGIN INSERT INTO log VALUES (new.id); END;
        CREATE VIRTUAL TABLE words USING fts5(word);
        INSERT INTO parents VALUES (1), (2), (3);
        INSERT INTO children VALUES (1), (1), (2), (3);
    """
    plain = apsw.Connection("")
    plain.execute("PRAGMA foreign_keys = ON")
    plain.execute(schema)
    changed = 0
    for params in sets:
        plain.execute(sql, params)
        changed += plain.changes()
    with ReactiveDatabase() as db:
        db.executescript(schema)
        assert db.executemany(sql, made(sets)).changes == changed


def test_executemany_does_not_count_what_makes_its_parameters(db: ReactiveDatabase) -> None:
    def rows() -> Iterator[tuple[int]]:
        for number in (1, 2):
            db.execute("INSERT INTO t(id) VALUES (?), (?)", (number + 10, number + 20))
            yield (number,)

    assert db.executemany("INSERT INTO t(id) VALUES (?)", rows()).changes == 2


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "INSERT OR ROLLBACK INTO t(id) VALUES (7)"])
def test_executemany_writes_nothing_after_its_parameters_have_ended_the_transaction(
    db: ReactiveDatabase, end: str, inside: bool
) -> None:
    """It would be written without the lock, and seen by nobody."""

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        with suppress(apsw.ConstraintError):
            db.execute(end)
        yield (2,)

    def again() -> Iterator[tuple[int]]:
        yield (3,)
        db.execute("COMMIT")
        db.execute("BEGIN")
        db.execute("INSERT INTO t(id) VALUES (4)")
        db.execute("INSERT INTO t(id) VALUES (7)")

    db.execute("INSERT INTO t(id) VALUES (7)")
    with Emissions(db.query_value("SELECT group_concat(id) FROM t")) as seen:
        with pytest.raises(TransactionError), db.transaction() if inside else nullcontext():
            db.executemany("INSERT INTO t(id) VALUES (?)", rows())
        kept = [1, 7] if end == "COMMIT" else [7]
        assert ids(db) == kept
        with pytest.raises((TransactionError, apsw.ConstraintError)):
            with db.transaction() if inside else nullcontext():
                db.executemany("INSERT INTO t(id) VALUES (?)", again())
        db.execute("COMMIT")
        assert seen.last == ",".join(map(str, sorted([3, 4, *kept])))


def test_no_reader_waits_for_a_writer(tmp_path: Path) -> None:
    with ReactiveDatabase(tmp_path / "a.db", busy_timeout=30) as db:
        db.execute("CREATE TABLE t(x)")
        read: list[object] = []
        with db.transaction():
            db.execute("INSERT INTO t VALUES (1)")
            thread = threading.Thread(
                target=lambda: (
                    read.append(db.query_value("SELECT count(*) FROM t").get()),
                    db.query_value("SELECT max(x) FROM t").subscribe(read.append),
                )
            )
            thread.start()
            thread.join(10)
            assert read == [0, None]
        assert read == [0, None, 1]


def test_another_thread_waits_for_the_writer(db: ReactiveDatabase) -> None:
    order: list[str] = []

    def write() -> None:
        db.execute("INSERT INTO log VALUES ('thread')")
        order.append("thread")

    with db.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        db.execute("INSERT INTO log VALUES ('main')")
        order.append("main")
    thread.join(10)
    assert order == ["main", "thread"]
    assert [row.what for row in db.query("SELECT what FROM log").get()] == ["main", "thread"]


def test_a_lock_that_is_never_given_back_is_a_clear_error(tmp_path: Path) -> None:
    with ReactiveDatabase(tmp_path / "a.db", busy_timeout=0.05) as db:
        db.execute("CREATE TABLE t(x)")
        errors: list[Exception] = []

        def write() -> None:
            try:
                db.execute("INSERT INTO t VALUES (1)")
            except apsw.BusyError as error:
                errors.append(error)

        with db.transaction():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join(10)
        assert "has a transaction open" in str(errors[0])


def test_a_transaction_open_across_an_await(db: ReactiveDatabase) -> None:
    async def holder() -> None:
        with db.transaction():
            db.execute("INSERT INTO t(id) VALUES (1)")
            await asyncio.sleep(0)

    with pytest.raises(TransactionError, match="across an await"):
        asyncio.run(holder())
    assert ids(db) == []
    db.execute("INSERT INTO t(id) VALUES (2)")


def test_a_statement_after_the_await_is_refused(db: ReactiveDatabase) -> None:
    async def holder() -> None:
        with db.transaction():
            await asyncio.sleep(0)
            db.execute("INSERT INTO t(id) VALUES (1)")

    with pytest.raises(TransactionError, match="across an await"):
        asyncio.run(holder())
    assert ids(db) == []


def test_another_task_cannot_slip_into_a_transaction(db: ReactiveDatabase) -> None:
    async def holder() -> None:
        with db.transaction():
            db.execute("INSERT INTO t(id) VALUES (1)")
            await asyncio.sleep(0.01)

    async def other() -> None:
        await asyncio.sleep(0)
        db.execute("INSERT INTO t(id) VALUES (2)")

    async def both() -> list[BaseException | None]:
        return await asyncio.gather(holder(), other(), return_exceptions=True)

    held, slipped = asyncio.run(both())
    assert isinstance(held, TransactionError)
    assert isinstance(slipped, TransactionError)
    assert ids(db) == []


def test_a_transaction_without_await_is_fine_in_a_task(db: ReactiveDatabase) -> None:
    async def write(number: int) -> None:
        await asyncio.sleep(0)
        with db.transaction():
            db.execute("INSERT INTO t(id) VALUES (?)", (number,))
            with db.transaction():
                db.execute("INSERT INTO log VALUES (?)", (number,))

    async def main() -> None:
        await asyncio.gather(*[write(number) for number in range(50)])

    asyncio.run(main())
    assert ids(db) == list(range(50))


def test_a_cancelled_task_leaves_no_transaction(db: ReactiveDatabase) -> None:
    async def main() -> None:
        async def holder() -> None:
            with db.transaction():
                db.execute("INSERT INTO t(id) VALUES (1)")
                await asyncio.sleep(10)

        task = asyncio.create_task(holder())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        db.execute("INSERT INTO t(id) VALUES (2)")

    asyncio.run(main())
    assert ids(db) == [2]


def test_a_text_transaction_whose_task_is_over_is_undone(db: ReactiveDatabase) -> None:
    async def forgetful() -> None:
        db.execute("BEGIN")
        db.execute("INSERT INTO t(id) VALUES (1)")

    asyncio.run(forgetful())
    db.execute("INSERT INTO t(id) VALUES (2)")
    assert ids(db) == [2]


def test_finishing_in_another_thread_is_refused(tmp_path: Path) -> None:
    with ReactiveDatabase(tmp_path / "a.db", busy_timeout=0.1) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        block = db.transaction()
        block.__enter__()
        errors: list[Exception] = []

        def finish() -> None:
            try:
                block.__exit__(None, None, None)
            except TransactionError as error:
                errors.append(error)

        thread = threading.Thread(target=finish)
        thread.start()
        thread.join(10)
        assert "thread" in str(errors[0])
        db.execute("ROLLBACK")
        db.execute("INSERT INTO t VALUES (1)")


def test_the_schema_changes_inside_a_transaction(db: ReactiveDatabase) -> None:
    with Emissions(db.query("SELECT * FROM t").states()) as seen:
        with pytest.raises(ZeroDivisionError), db.transaction():
            db.execute("ALTER TABLE t ADD COLUMN y DEFAULT 7")
            db.execute("INSERT INTO t(id, x, y) VALUES (1, 2, 3)")
            assert db.execute("SELECT * FROM t").rows[0].y == 3
            raise ZeroDivisionError
        db.execute("INSERT INTO t(id, x) VALUES (1, 2)")
        with db.transaction():
            db.execute("ALTER TABLE t ADD COLUMN y DEFAULT 7")
    assert [state.value for state in seen.values] == [(), ((1, 2),), ((1, 2, 7),)]
    assert all(state.error is None for state in seen.values)


def test_memory_keeps_other_threads_out_of_a_transaction(tmp_path: Path) -> None:
    with ReactiveDatabase(busy_timeout=10) as db:
        db.execute("CREATE TABLE t(x)")
        read: list[int] = []
        started = threading.Event()

        def reader() -> None:
            started.set()
            read.append(db.query_value("SELECT count(*) FROM t").get())

        with db.transaction():
            thread = threading.Thread(target=reader)
            db.execute("INSERT INTO t VALUES (1)")
            thread.start()
            started.wait(10)
            db.execute("INSERT INTO t VALUES (2)")
        thread.join(10)
        assert read == [2]


def test_closing_undoes_what_is_open_and_leaves_no_wal(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    db = ReactiveDatabase(path)
    db.execute("CREATE TABLE t(x)")
    seen = Emissions(db.query_value("SELECT count(*) FROM t"))
    db.query("SELECT * FROM t").get()
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (1)")
    db.close()
    assert seen.completed
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.db"]
    with ReactiveDatabase(path) as again:
        assert again.query_value("SELECT count(*) FROM t").get() == 0


def test_so_many_rows_are_recorded_by_table(db: ReactiveDatabase) -> None:
    """What is kept of an open transaction is bounded, and the bound loses nothing."""
    counts: list[int] = []
    heard: list[ChangeSet] = []
    db.execute("CREATE TABLE many(id INTEGER PRIMARY KEY, a)")
    db.query_value("SELECT count(*) FROM many WHERE a = 1").subscribe(counts.append)
    db.commits.subscribe(heard.append)
    rows = ", ".join(["(1)"] * 100)
    with db.transaction():
        for _ in range(101):
            db.execute(f"INSERT INTO many(a) VALUES {rows}")
    assert counts == [0, 10_100]
    assert heard[-1].tables == {"many"}
    assert not heard[-1].rows


def test_two_threads_open_one_query_while_one_is_in_a_transaction() -> None:
    """The thread that commits must not wait for the one that loads: that one waits for the lock."""
    with ReactiveDatabase(busy_timeout=5) as db:  # in memory: reading takes the lock as well
        db.execute("CREATE TABLE t(a)")
        query = db.query_value("SELECT count(*) FROM t")
        here: list[int] = []
        there: list[int] = []
        other = threading.Thread(target=query.subscribe, args=(there.append,))
        with db.transaction():
            other.start()
            other.join(0.2)  # long enough to begin
            query.subscribe(here.append)
            db.execute("INSERT INTO t VALUES (1)")
        other.join(10)
        assert not other.is_alive()
        db.flush()
        assert (here, there) == ([1], [1])
        assert db.stats.failed == 0, "neither has waited for the other in vain"


def test_a_query_opened_by_another_thread_between_write_and_commit(tmp_path: Path) -> None:
    """When the row was written nobody read it, so nothing of it was kept. It is told anyway."""
    with ReactiveDatabase(tmp_path / "t.db") as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        db.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
        db.query_value("SELECT a FROM t WHERE id = 1").subscribe()
        seen: list[int] = []
        late = db.query_value("SELECT a FROM t WHERE id = 2")
        with db.transaction():
            db.execute("UPDATE t SET a = 3 WHERE id = 2")
            other = threading.Thread(target=late.subscribe, args=(seen.append,))
            other.start()
            other.join(20)
        db.flush()
        assert seen == [2, 3]


def test_a_block_is_one_transaction_at_a_time(db: ReactiveDatabase) -> None:
    block = db.transaction()
    with block:
        db.execute("INSERT INTO t(x) VALUES (1)")
        with pytest.raises(TransactionError, match="entered already"):
            block.__enter__()
        db.execute("INSERT INTO t(x) VALUES (2)")
    with suppress(ZeroDivisionError), block:  # again, when it is over
        db.execute("INSERT INTO t(x) VALUES (3)")
        raise ZeroDivisionError
    assert db.query_value("SELECT count(*) FROM t").get() == 2


@pytest.mark.parametrize("in_block", [True, False])
def test_what_a_commit_flushes_is_no_bulk_statement(tmp_path: Path, in_block: bool) -> None:
    """A COMMIT may change many rows of which no statement tells; rows are looked at afterwards."""
    with ReactiveDatabase(tmp_path / "a.db", journal=True) as db:
        db.executescript(
            "CREATE VIRTUAL TABLE words USING fts5(x); CREATE TABLE t(id INTEGER PRIMARY KEY, x);"
            "INSERT INTO words(words, rank) VALUES ('pgsz', 32); INSERT INTO t VALUES (1, 0);"
        )
        told: list[ChangeSet] = []
        db.commits.subscribe(told.append)
        with db.transaction() if in_block else nullcontext():
            db.execute("INSERT INTO words VALUES (?)", (" ".join(f"w{n}" for n in range(6000)),))
        db.execute("UPDATE t SET x = 1")
        assert [str(change).split(" ", 1)[1] for change in told] == ["words×?", "t×1"]


def test_a_query_opened_beside_a_transaction_knows_the_newest_schema(tmp_path: Path) -> None:
    """It is analysed on a reading connection, which may have seen an older schema last."""
    with ReactiveDatabase(tmp_path / "a.db") as db:
        db.executescript("CREATE TABLE t(x); CREATE TABLE u(x); CREATE VIEW v AS SELECT x FROM t")
        assert db.query("SELECT x FROM v").get() == ()
        db.executescript("DROP VIEW v; CREATE VIEW v AS SELECT x FROM u")
        begun, opened = threading.Event(), threading.Event()

        def transact() -> None:
            with db.transaction():
                begun.set()
                opened.wait(10)

        other = threading.Thread(target=transact)
        other.start()
        begun.wait(10)
        seen: list[int] = []
        db.query_value("SELECT count(*) FROM v").subscribe(seen.append)
        opened.set()
        other.join()
        db.execute("INSERT INTO u VALUES (1)")
        assert seen == [0, 1]
