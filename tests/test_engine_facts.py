"""What the code relies on in SQLite, APSW, sqlglot, reactivex and Python, one test per fact.

`docs/engine-facts.md` says each of them in words and names its test. When an upgrade breaks one,
the test that fails here says which assumption of the code has to be thought about again.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest
import reactivex
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

OPERATION = apsw.mapping_authorizer_function


class Event(NamedTuple):
    """One call of the preupdate hook."""

    op: str
    database: str
    table: str
    rowid: int
    rowid_new: int
    old: tuple[apsw.SQLiteValue, ...] | None
    new: tuple[apsw.SQLiteValue, ...] | None
    depth: int
    blob_write: int


class Engine:
    """A connection whose preupdate events and authorizer calls are kept."""

    def __init__(self, path: str = ":memory:") -> None:
        self.connection = apsw.Connection(path)
        self.events: list[Event] = []
        self.connection.preupdate_hook(self._on_preupdate)

    def _on_preupdate(self, update: apsw.PreUpdate) -> None:
        self.events.append(
            Event(
                update.op,
                update.database_name,
                update.table_name,
                update.rowid,
                update.rowid_new,
                update.old,
                update.new,
                update.depth,
                update.blob_write,
            )
        )

    def run(self, sql: str, params: tuple[apsw.SQLiteValue, ...] = ()) -> list[tuple]:
        return self.connection.execute(sql, params).fetchall()

    def events_of(self, sql: str) -> list[Event]:
        """Run a statement and return what the hook saw of it, whether it fails or not."""
        self.events.clear()
        try:
            self.run(sql)
        except apsw.Error as error:
            self.failure: apsw.Error | None = error
        else:
            self.failure = None
        return list(self.events)

    def ops_of(self, sql: str) -> list[tuple[str, str]]:
        return [(event.op, event.table) for event in self.events_of(sql)]

    def actions_of(self, sql: str) -> list[tuple[str, str | None, str | None, str | None]]:
        """Prepare a statement without running it; return what the authorizer was asked.

        SELECT, the mere permission to read something, is left out, and so is the innermost
        trigger or view.
        """
        seen: list[tuple[str, str | None, str | None, str | None]] = []

        def authorizer(operation: int, *args: str | None) -> int:
            name = OPERATION[operation].removeprefix("SQLITE_")
            if name != "SELECT":
                seen.append((name, *args[:3]))
            return apsw.SQLITE_OK

        def stop_before_running(*_: object) -> bool:
            return False

        self.connection.authorizer = authorizer
        self.connection.exec_trace = stop_before_running
        try:
            with pytest.raises(apsw.ExecTraceAbort):
                self.connection.execute(sql, can_cache=False)
        finally:
            self.connection.authorizer = None
            self.connection.exec_trace = None
        return seen

    def tables_read(self, sql: str) -> set[str | None]:
        return {table for operation, table, *_ in self.actions_of(sql) if operation == "READ"}


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.connection.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "facts.db")


# --- SQLite itself ---------------------------------------------------------------------------


def test_the_engine_is_new_enough_and_built_with_what_is_needed() -> None:
    assert apsw.SQLITE_VERSION_NUMBER >= 3_051_003  # the WAL-reset corruption is fixed from here on
    options = set(apsw.compile_options)
    assert {"ENABLE_PREUPDATE_HOOK", "ENABLE_COLUMN_METADATA", "ENABLE_FTS5", "ENABLE_RTREE"} <= (
        options
    )
    assert "THREADSAFE=1" in options


# --- the preupdate hook sees -----------------------------------------------------------------


def test_preupdate_sees_insert_update_and_delete_with_both_images(engine: Engine) -> None:
    engine.run("create table t(id integer primary key, v)")
    assert engine.events_of("insert into t values (1, 'a')") == [
        Event("INSERT", "main", "t", 1, 1, None, (1, "a"), 0, -1)
    ]
    assert engine.events_of("update t set v = 'b'") == [
        Event("UPDATE", "main", "t", 1, 1, (1, "a"), (1, "b"), 0, -1)
    ]
    assert engine.events_of("delete from t where id = 1") == [
        Event("DELETE", "main", "t", 1, 1, (1, "b"), None, 0, -1)
    ]


def test_preupdate_sees_delete_without_where(engine: Engine) -> None:
    engine.run("create table t(a); insert into t values (1), (2), (3)")
    assert len(engine.events_of("delete from t")) == 3


def test_preupdate_sees_triggers_with_their_depth(engine: Engine) -> None:
    engine.run(
        "create table t(a); create table log(a);"
        "create trigger copy after insert on t begin insert into log values (new.a); end"
    )
    events = engine.events_of("insert into t values (7)")
    assert [(event.table, event.depth) for event in events] == [("t", 0), ("log", 1)]


def test_preupdate_sees_cascades_and_set_null(engine: Engine) -> None:
    engine.run(
        "pragma foreign_keys = on; create table parent(id integer primary key);"
        "create table gone(p references parent on delete cascade);"
        "create table kept(p references parent on delete set null);"
        "insert into parent values (1); insert into gone values (1); insert into kept values (1)"
    )
    assert sorted(engine.ops_of("delete from parent")) == [
        ("DELETE", "gone"),
        ("DELETE", "parent"),
        ("UPDATE", "kept"),
    ]


def test_preupdate_sees_without_rowid_tables(engine: Engine) -> None:
    engine.run("create table t(k text primary key, v) without rowid")
    (insert,) = engine.events_of("insert into t values ('a', 1)")
    (move,) = engine.events_of("update t set k = 'b'")
    assert insert.new == ("a", 1)
    assert (move.op, move.old, move.new) == ("UPDATE", ("a", 1), ("b", 1))


def test_preupdate_images_of_without_rowid_tables_are_in_declared_order(engine: Engine) -> None:
    engine.run("create table t(v, w, k text primary key) without rowid")
    (insert,) = engine.events_of("insert into t(k, v, w) values ('key', 1, 2)")
    assert insert.new == (1, 2, "key")


def test_preupdate_sees_the_rows_that_replace_deletes(engine: Engine) -> None:
    engine.run("create table t(a integer primary key, b unique); insert into t values (1,1),(2,2)")
    assert engine.ops_of("replace into t values (3, 1)") == [("DELETE", "t"), ("INSERT", "t")]
    assert engine.ops_of("update or replace t set b = 1 where a = 2") == [
        ("DELETE", "t"),
        ("UPDATE", "t"),
    ]


def test_preupdate_sees_an_upsert_as_an_update(engine: Engine) -> None:
    engine.run("create table t(a integer primary key, b); insert into t values (1, 1)")
    assert engine.ops_of(
        "insert into t values (1, 2) on conflict(a) do update set b = excluded.b"
    ) == [("UPDATE", "t")]


def test_preupdate_sees_instead_of_triggers_on_the_base_table(engine: Engine) -> None:
    engine.run(
        "create table t(a); create view v as select a from t;"
        "create trigger tv instead of insert on v begin insert into t values (new.a); end"
    )
    assert engine.ops_of("insert into v values (1)") == [("INSERT", "t")]


def test_preupdate_names_the_database(engine: Engine) -> None:
    engine.run(
        "create table t(a); create temp table t(a); attach ':memory:' as aux; create table aux.t(a)"
    )
    seen = [
        event.database
        for name in ("main", "temp", "aux")
        for event in engine.events_of(f"insert into {name}.t values (1)")
    ]
    assert seen == ["main", "temp", "aux"]


def test_preupdate_shows_a_moved_rowid_as_one_update(engine: Engine) -> None:
    engine.run("create table t(id integer primary key, v); insert into t values (1, 'a')")
    (event,) = engine.events_of("update t set id = 5")
    assert (event.op, event.rowid, event.rowid_new) == ("UPDATE", 1, 5)
    assert (event.old, event.new) == ((1, "a"), (5, "a"))


def test_preupdate_fires_for_an_update_to_itself(engine: Engine) -> None:
    engine.run("create table t(a, b); insert into t values (1, 2)")
    (event,) = engine.events_of("update t set a = a")
    assert event.old == event.new


def test_preupdate_images_hold_stored_generated_columns(engine: Engine) -> None:
    engine.run("create table t(a, twice as (a * 2) stored)")
    (event,) = engine.events_of("insert into t values (4)")
    assert event.new == (4, 8)


def test_preupdate_image_after_add_column_is_filled_up_with_the_default(engine: Engine) -> None:
    engine.run("create table t(a); insert into t values (1); alter table t add column b default 5")
    (event,) = engine.events_of("delete from t")
    assert event.old == (1, 5)


def test_preupdate_shows_fts5_and_rtree_writes_under_their_shadow_tables(engine: Engine) -> None:
    engine.run("create virtual table f using fts5(x); create virtual table r using rtree(id,lo,hi)")
    shadows = {
        name for (name,) in engine.run("select name from pragma_table_list where type = 'shadow'")
    }
    for sql in ("insert into f values ('word')", "insert into r values (1, 2, 3)"):
        tables = {event.table for event in engine.events_of(sql)}
        assert tables
        assert tables <= shadows


def test_preupdate_shows_an_incremental_blob_write_as_a_marked_delete(engine: Engine) -> None:
    engine.run("create table t(b); insert into t values (zeroblob(3))")
    engine.events.clear()
    with engine.connection.blob_open("main", "t", "b", 1, True) as blob:
        blob.write(b"abc")
    (event,) = engine.events
    assert (event.op, event.rowid, event.blob_write >= 0) == ("DELETE", 1, True)
    assert engine.run("select b from t") == [(b"abc",)]


# --- the preupdate hook does not see ---------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "create table new(a)",
        "create table new as select a from t",
        "create index i on t(a)",
        "alter table t add column c default 1",
        "alter table t rename column b to c",
        "alter table t drop column b",
        "alter table t rename to u",
        "drop table t",
        "vacuum",
    ],
)
def test_preupdate_does_not_see_ddl_and_vacuum(engine: Engine, sql: str) -> None:
    engine.run("create table t(a, b); insert into t values (1, 2)")
    before = engine.run("pragma schema_version")
    assert engine.events_of(sql) == []
    assert engine.failure is None
    assert engine.run("pragma schema_version") != before


def test_preupdate_does_not_see_a_backup_into_the_database(engine: Engine) -> None:
    other = apsw.Connection(":memory:")
    other.execute("create table t(a); insert into t values (1)").fetchall()
    engine.events.clear()
    with engine.connection.backup("main", other, "main") as backup:
        backup.step()
    assert engine.events == []
    assert engine.run("select a from t") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "update t set a = 2 where a = 99",
        "delete from t where 0",
        "insert into t values (1) on conflict(a) do nothing",
        "insert or ignore into t values (1)",
        "insert into t select 5 where 0",
    ],
)
def test_preupdate_is_silent_when_no_row_changes_though_the_commit_hook_runs(
    engine: Engine, sql: str
) -> None:
    engine.run("create table t(a primary key); insert into t values (1)")
    commits: list[None] = []

    def on_commit() -> bool:
        commits.append(None)
        return False

    engine.connection.set_commit_hook(on_commit)
    assert engine.events_of(sql) == []
    assert len(commits) == 1


def test_an_autoincrement_writes_sqlite_sequence_unseen(engine: Engine) -> None:
    engine.run("create table t(id integer primary key autoincrement, a)")
    assert engine.ops_of("insert into t(a) values ('x')") == [("INSERT", "t")]
    assert engine.run("select name, seq from sqlite_sequence") == [("t", 1)]
    assert ("UPDATE", "sqlite_sequence") in engine.ops_of("update sqlite_sequence set seq = 9")


def test_analyze_shows_its_writes_to_the_statistics_tables(engine: Engine) -> None:
    engine.run("create table t(a); create index i on t(a); insert into t values (1)")
    assert engine.ops_of("analyze") == [("INSERT", "sqlite_stat1")]


def test_each_database_has_its_own_schema_version(engine: Engine) -> None:
    engine.run("attach ':memory:' as aux; create table t(a)")
    main = engine.run("pragma main.schema_version")
    temp = engine.run("pragma temp.schema_version")
    aux = engine.run("pragma aux.schema_version")
    engine.run("create temp table t(b); create table aux.x(c)")  # the first one now hides main.t
    assert engine.run("pragma main.schema_version") == main
    assert engine.run("pragma temp.schema_version") != temp
    assert engine.run("pragma aux.schema_version") != aux


def test_a_schema_version_is_given_again_after_a_rollback(engine: Engine) -> None:
    engine.run("begin; create table t(a)")
    inside = engine.run("pragma schema_version")
    engine.run("rollback; create table t(a, b)")
    assert engine.run("pragma schema_version") == inside


def test_update_hook_misses_what_preupdate_sees(engine: Engine) -> None:
    engine.run(
        "create table w(k primary key, v) without rowid; create table t(a unique);"
        "insert into t values (1)"
    )
    seen: list[str] = []
    engine.connection.set_update_hook(lambda _op, _database, table, _rowid: seen.append(table))
    assert len(engine.events_of("insert into w values (1, 1)")) == 1
    assert seen == []
    assert [op for op, _ in engine.ops_of("replace into t values (1)")] == ["DELETE", "INSERT"]
    assert seen == ["t"]


def test_a_statement_prepared_before_the_hook_may_delete_unseen() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("create table t(a); insert into t values (1), (2)").fetchall()
    connection.execute("delete from t").fetchall()
    connection.execute("insert into t values (1), (2)").fetchall()
    seen: list[str] = []
    connection.preupdate_hook(lambda update: seen.append(update.op))
    connection.execute("delete from t").fetchall()  # from the statement cache, still truncating
    assert seen == []
    connection.execute("insert into t values (1), (2)").fetchall()
    seen.clear()
    connection.execute("delete from t", can_cache=False).fetchall()
    assert seen == ["DELETE", "DELETE"]


# --- inside the hook -------------------------------------------------------------------------


def test_images_of_a_table_with_a_virtual_generated_column_cannot_be_read() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("create table t(a, twice as (a * 2) virtual)").fetchall()
    refused: list[str] = []

    def hook(update: apsw.PreUpdate) -> None:
        try:
            update.new
        except apsw.RangeError as error:
            refused.append(f"{type(error).__name__}: {error}")

    connection.preupdate_hook(hook)
    connection.execute("insert into t values (1)").fetchall()
    assert refused == ["RangeError: column index out of range"]
    assert not issubclass(apsw.RangeError, IndexError)


def test_an_exception_in_the_hook_surfaces_in_the_writer_though_the_row_is_written() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("create table t(a)").fetchall()

    def hook(_: apsw.PreUpdate) -> None:
        raise LookupError("from the hook")

    connection.preupdate_hook(hook)
    with pytest.raises(LookupError, match="from the hook"):
        connection.execute("insert into t values (1)").fetchall()
    connection.preupdate_hook(None)
    assert connection.execute("select count(*) from t").fetchall() == [(1,)]


def test_the_hook_can_be_taken_away_inside_its_own_callback() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("create table t(a)").fetchall()
    seen: list[int] = []

    def hook(update: apsw.PreUpdate) -> None:
        seen.append(update.rowid)
        if len(seen) == 3:
            connection.preupdate_hook(None)

    connection.preupdate_hook(hook)
    connection.execute("insert into t select value from json_each('[1,2,3,4,5]')").fetchall()
    assert seen == [1, 2, 3]
    assert connection.execute("select count(*) from t").fetchall() == [(5,)]


# --- failed statements, savepoints, commits --------------------------------------------------


def test_a_failed_multi_row_insert_shows_rows_that_are_then_undone(engine: Engine) -> None:
    engine.run("create table t(a unique); insert into t values (1)")
    phantoms = engine.events_of("insert into t values (2), (1)")
    assert isinstance(engine.failure, apsw.ConstraintError)
    assert [event.new for event in phantoms] == [(2,)]
    assert engine.run("select a from t") == [(1,)]


def test_or_fail_keeps_the_rows_before_the_failure(engine: Engine) -> None:
    engine.run("create table t(a unique); insert into t values (1)")
    events = engine.events_of("insert or fail into t values (2), (1)")
    assert isinstance(engine.failure, apsw.ConstraintError)
    assert [event.new for event in events] == [(2,)]
    assert engine.run("select a from t") == [(1,), (2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into typed(n) values (1), ('x')",
        "insert into t select g, sum(x) from s group by g",
        "insert into t select s.g, value from s, json_each(s.y)",
    ],
)
def test_an_error_that_is_not_expected_keeps_the_rows_before_inside_a_transaction(
    engine: Engine, statement: str
) -> None:
    """Whether a statement can be undone is decided when it is prepared."""
    engine.run(
        "create table t(a, b); create table typed(id integer primary key, n int) strict;"
        "create table s(g, x, y); insert into s values (1, 1, '[1]'),"
        " (2, 9223372036854775807, '{'), (2, 9223372036854775807, '')"
    )
    rows = "select (select count(*) from t) + (select count(*) from typed)"
    engine.events_of(statement)
    assert isinstance(engine.failure, apsw.Error)
    assert engine.run(rows) == [(0,)]
    engine.run("begin")
    engine.events_of(statement)
    assert isinstance(engine.failure, apsw.Error)
    assert engine.run(rows) == [(1,)]


def test_or_rollback_ends_the_transaction(engine: Engine) -> None:
    engine.run("create table t(a unique); begin; insert into t values (1)")
    engine.events_of("insert or rollback into t values (1)")
    assert isinstance(engine.failure, apsw.ConstraintError)
    assert not engine.connection.in_transaction
    assert engine.run("select a from t") == []


def test_raise_rollback_in_a_trigger_ends_the_transaction(engine: Engine) -> None:
    engine.run(
        "create table t(a); create trigger no after insert on t when new.a < 0"
        " begin select raise(rollback, 'negative'); end; begin; insert into t values (1)"
    )
    engine.events_of("insert into t values (-1)")
    assert engine.failure is not None
    assert not engine.connection.in_transaction


def test_raise_ignore_in_a_trigger_keeps_the_row_out_without_an_error(engine: Engine) -> None:
    engine.run(
        "create table t(a); create trigger no before insert on t when new.a < 0"
        " begin select raise(ignore); end"
    )
    assert engine.ops_of("insert into t values (-1), (1)") == [("INSERT", "t")]
    assert engine.failure is None
    assert engine.run("select a from t") == [(1,)]


def test_a_savepoint_rollback_fires_nothing_of_its_own(engine: Engine) -> None:
    engine.run("create table t(a); begin; savepoint s; insert into t values (1)")
    assert engine.events_of("rollback to s") == []
    assert engine.run("select a from t") == []


def test_rollback_to_keeps_the_savepoint_and_release_takes_its_inner_ones(engine: Engine) -> None:
    engine.run("create table t(a); savepoint a; savepoint b; rollback to a; savepoint c; release a")
    assert not engine.connection.in_transaction


def test_savepoint_names_nest_and_ignore_case(engine: Engine) -> None:
    engine.run("create table t(a); savepoint s; insert into t values (1)")
    engine.run("savepoint S; insert into t values (2); rollback to s")
    assert engine.run("select a from t") == [(1,)]  # the inner one of both


def test_a_savepoint_outside_a_transaction_opens_one_and_its_release_commits(
    engine: Engine,
) -> None:
    engine.run("create table t(a); savepoint s; insert into t values (1)")
    assert engine.connection.in_transaction
    engine.run("release s")
    assert not engine.connection.in_transaction


def test_the_commit_hook_runs_before_others_can_see_the_commit(path: str) -> None:
    writer, reader = apsw.Connection(path), apsw.Connection(path)
    writer.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    seen_by_reader: list[int] = []

    def on_commit() -> bool:
        ((count,),) = reader.execute("select count(*) from t").fetchall()
        seen_by_reader.append(count)
        return False

    writer.set_commit_hook(on_commit)
    writer.execute("insert into t values (1)").fetchall()
    assert seen_by_reader == [0]
    assert reader.execute("select count(*) from t").fetchall() == [(1,)]


def test_a_commit_can_fail_and_leave_the_transaction_open(engine: Engine) -> None:
    engine.run(
        "pragma foreign_keys = on; create table p(id primary key);"
        "create table c(p references p deferrable initially deferred);"
        "begin; insert into c values (9)"
    )
    with pytest.raises(apsw.ConstraintError):
        engine.run("commit")
    assert engine.connection.in_transaction


def test_an_undrained_returning_cursor_has_not_committed(path: str) -> None:
    writer, reader = apsw.Connection(path), apsw.Connection(path)
    writer.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    cursor = writer.execute("insert into t values (1), (2) returning a")
    assert next(cursor) == (1,)
    assert reader.execute("select count(*) from t").fetchall() == [(0,)]
    assert cursor.fetchall() == [(2,)]
    assert reader.execute("select count(*) from t").fetchall() == [(2,)]


def test_several_statements_run_only_as_far_as_the_cursor_is_read(engine: Engine) -> None:
    engine.run("create table t(a)")
    cursor = engine.connection.execute(
        "insert into t values (1); select 1; insert into t values (2)"
    )
    assert engine.run("select a from t") == [(1,)]
    assert cursor.fetchall() == [(1,)]
    assert engine.run("select a from t") == [(1,), (2,)]


def test_journal_mode_answers_with_a_row(path: str) -> None:
    assert apsw.Connection(path).execute("pragma journal_mode = wal").fetchall() == [("wal",)]


def test_recursive_triggers_are_off_so_replace_fires_no_delete_trigger(engine: Engine) -> None:
    engine.run(
        "create table t(a unique); create table log(a); insert into t values (1);"
        "create trigger gone after delete on t begin insert into log values (old.a); end"
    )
    engine.run("replace into t values (1)")
    assert engine.run("select a from log") == []
    engine.run("pragma recursive_triggers = on; replace into t values (1)")
    assert engine.run("select a from log") == [(1,)]


def test_foreign_keys_are_off_until_asked_for(engine: Engine) -> None:
    assert engine.run("pragma foreign_keys") == [(0,)]


# --- the authorizer: what a statement reads and writes ---------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from t",
        "select 1 from t",
        "select exists (select 1 from t)",
        "select u.b from u left join t on t.a = u.b and 0",
        "select 1 from t where 0",
        "select b from u where b in t",
        "select b from u where 1 or b in (select a from t)",
        "with t2 as (select a from t) select count(*) from t2",
        "select b from u order by (select max(a) from t)",
        "select b from u limit (select count(*) from t)",
        "select 1 union select a from t",
    ],
)
def test_the_authorizer_names_tables_whose_columns_do_not_matter(engine: Engine, sql: str) -> None:
    engine.run("create table t(a integer primary key); create table u(b)")
    assert "t" in engine.tables_read(sql)


def test_the_authorizer_reports_count_star_with_an_empty_column_and_no_database(
    engine: Engine,
) -> None:
    engine.run("create table t(a); create temp table tt(a)")
    assert ("READ", "t", "", None) in engine.actions_of("select count(*) from t")
    assert ("READ", "T", "", None) in engine.actions_of("select count(*) from T")  # as written
    assert ("READ", "tt", "", None) in engine.actions_of("select count(*) from tt")
    assert ("READ", "tt", "", "temp") in engine.actions_of("select count(*) from temp.tt")


def test_the_authorizer_reports_the_name_of_a_cte_as_if_it_were_a_table(engine: Engine) -> None:
    engine.run("create table t(a)")
    assert engine.actions_of("with t as (select 1) select 1 from t") == [("READ", "t", "", None)]


@pytest.mark.parametrize(
    "sql",
    [
        "select t.b from t join u using (a)",
        "select t.b from t natural join u",
        "select t.b from t left join u using (a)",
        "select count(*) from t natural join u",
        "select count(*) from v",
    ],
)
def test_the_authorizer_does_not_name_a_table_joined_by_using_or_natural(
    engine: Engine, sql: str
) -> None:
    engine.run(
        "create table t(a, b); create table u(a, c);"
        "create view v as select t.b from t natural join u"
    )
    assert "u" not in engine.tables_read(sql)
    before = engine.run(sql)
    engine.run("insert into t values (1, 2), (3, 4); insert into u values (1, 1)")
    assert engine.run(sql) != before or "left" in sql
    root = dict(engine.run("select rootpage, name from sqlite_schema where type = 'table'"))
    program = engine.run("explain " + sql)
    assert {root[row[3]] for row in program if row[1] == "OpenRead"} >= {"t", "u"}


def test_the_authorizer_reports_the_rowid_by_its_column_or_as_rowid(engine: Engine) -> None:
    engine.run("create table t(a integer primary key, b); create table u(b)")
    assert ("READ", "t", "a", "main") in engine.actions_of("select oid from t")
    assert ("READ", "u", "ROWID", "main") in engine.actions_of("select _rowid_ from u")


def test_the_authorizer_names_a_view_and_its_base_tables(engine: Engine) -> None:
    engine.run("create table t(a); create view v as select a from t")
    assert engine.tables_read("select a from v") == {"v", "t"}


def test_the_authorizer_does_not_name_a_flattened_view_of_which_no_column_is_used(
    engine: Engine,
) -> None:
    engine.run("create table t(a); create view v as select a from t")
    assert engine.tables_read("select count(*) from v") == {"t"}


def test_table_valued_functions_show_up_as_tables(engine: Engine) -> None:
    engine.run("create table t(a)")
    assert engine.tables_read("select value from json_each('[1]')") == {"json_each"}
    assert engine.tables_read("select name from pragma_table_info('t')") == {"pragma_table_info"}


@pytest.mark.parametrize("call", ["random()", "datetime('now')", "current_timestamp", "changes()"])
def test_functions_show_up_as_function(engine: Engine, call: str) -> None:
    name = call.partition("(")[0]
    assert engine.actions_of(f"select {call}") == [("FUNCTION", None, name, None)]


def test_the_authorizer_names_what_triggers_and_foreign_keys_write(engine: Engine) -> None:
    engine.run(
        "pragma foreign_keys = on; create table parent(id integer primary key);"
        "create table gone(p references parent on delete cascade);"
        "create table kept(p references parent on delete set null); create table log(a);"
        "create trigger t after delete on parent begin insert into log values (old.id); end"
    )
    actions = engine.actions_of("delete from parent")
    assert {(operation, table) for operation, table, *_ in actions if operation != "READ"} == {
        ("DELETE", "parent"),
        ("DELETE", "gone"),
        ("UPDATE", "kept"),
        ("INSERT", "log"),
    }


def test_the_authorizer_names_the_deletes_of_replace_only_by_its_insert(engine: Engine) -> None:
    engine.run("create table t(a unique)")
    assert engine.actions_of("replace into t values (1)") == [("INSERT", "t", None, "main")]


def test_the_authorizer_reports_savepoints_with_their_names(engine: Engine) -> None:
    assert engine.actions_of('savepoint "My Point"') == [("SAVEPOINT", "BEGIN", "My Point", None)]
    engine.run('savepoint "My Point"')
    assert engine.actions_of("rollback to [My Point]") == [
        ("SAVEPOINT", "ROLLBACK", "My Point", None)
    ]
    assert engine.actions_of("release `my point`") == [("SAVEPOINT", "RELEASE", "my point", None)]


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("begin immediate", "BEGIN"),
        ("commit", "COMMIT"),
        ("end", "COMMIT"),
        ("rollback", "ROLLBACK"),
    ],
)
def test_the_authorizer_reports_transactions(engine: Engine, sql: str, operation: str) -> None:
    assert engine.actions_of(sql) == [("TRANSACTION", operation, None, None)]


def test_the_authorizer_is_silent_on_a_statement_cache_hit(engine: Engine) -> None:
    engine.run("create table t(a)")
    asked: list[int] = []

    def authorizer(operation: int, *_: str | None) -> int:
        asked.append(operation)
        return apsw.SQLITE_OK

    engine.connection.authorizer = authorizer
    engine.run("select a from t")
    assert asked
    asked.clear()
    engine.run("select a from t")
    assert asked == []
    engine.connection.execute("select a from t", can_cache=False).fetchall()
    assert asked


def test_setting_an_authorizer_makes_prepared_statements_be_prepared_again(engine: Engine) -> None:
    engine.run("create table t(a)")
    engine.run("select a from t")
    asked: list[int] = []

    def authorizer(operation: int, *_: str | None) -> int:
        asked.append(operation)
        return apsw.SQLITE_OK

    engine.connection.authorizer = authorizer
    engine.run("select a from t")  # a cache hit of APSW, and all the same prepared again by SQLite
    assert asked


def test_a_virtual_table_prepares_statements_of_its_own_while_it_runs(engine: Engine) -> None:
    engine.run("create table x(a); create virtual table f using fts5(a, content='x')")
    sql = "select a from f"
    assert engine.tables_read(sql) == {"f"}  # not x, though its rows come from there
    tables: set[str | None] = set()

    def authorizer(_operation: int, table: str | None, *_: str | None) -> int:
        tables.add(table)
        return apsw.SQLITE_OK

    engine.connection.authorizer = authorizer
    engine.connection.execute(sql, can_cache=False).fetchall()
    assert {"f", "f_config", "x"} <= tables


def test_the_first_statement_on_a_virtual_table_also_prepares_those_of_its_module(
    path: str,
) -> None:
    maker = Engine(path)
    maker.run("create virtual table r using rtree(id, lo, hi)")
    maker.connection.close()
    engine = Engine(path)
    first = {operation for operation, *_ in engine.actions_of("select id from r")}
    assert "INSERT" in first  # into r_node, by the module, when it is connected
    assert engine.actions_of("select id from r") == [("READ", "r", "id", "main")]


def test_an_external_content_fts_table_answers_from_its_content_table(engine: Engine) -> None:
    engine.run(
        "create table x(a); create virtual table f using fts5(a, content='x');"
        "insert into x values ('one'); insert into f(rowid, a) values (1, 'one')"
    )
    sql = "select a from f where f match 'one'"
    assert engine.run(sql) == [("one",)]
    assert engine.ops_of("update x set a = 'two'") == [("UPDATE", "x")]
    assert engine.run(sql) == [("two",)]


# --- several connections ---------------------------------------------------------------------


def data_version(connection: apsw.Connection) -> int:
    ((version,),) = connection.execute("pragma data_version").fetchall()
    return version


def test_data_version_moves_for_the_commits_of_others_only(path: str) -> None:
    one, other = apsw.Connection(path), apsw.Connection(path)
    one.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    start = data_version(one)
    one.execute("insert into t values (1)").fetchall()
    assert data_version(one) == start
    other.execute("insert into t values (2)").fetchall()
    assert data_version(one) != start


def test_data_version_does_not_move_for_a_rollback_of_another(path: str) -> None:
    one, other = apsw.Connection(path), apsw.Connection(path)
    one.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    start = data_version(one)
    other.execute("begin; insert into t values (2); rollback").fetchall()
    assert data_version(one) == start


def test_the_data_version_method_sees_others_only_after_a_read(path: str) -> None:
    one, other = apsw.Connection(path), apsw.Connection(path)
    one.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    start = one.data_version()
    other.execute("insert into t values (2)").fetchall()
    assert one.data_version() == start
    one.execute("select a from t").fetchall()
    assert one.data_version() != start


def test_one_snapshot_for_all_reads_of_a_read_transaction(path: str) -> None:
    writer, reader = apsw.Connection(path), apsw.Connection(path)
    writer.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    reader.execute("begin; select count(*) from t").fetchall()
    writer.execute("insert into t values (1)").fetchall()
    assert reader.execute("select count(*) from t").fetchall() == [(0,)]
    reader.execute("commit").fetchall()
    assert reader.execute("select count(*) from t").fetchall() == [(1,)]


def test_a_deferred_transaction_cannot_become_a_writer_after_another_commit(path: str) -> None:
    one, other = apsw.Connection(path), apsw.Connection(path)
    one.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    one.set_busy_timeout(60_000)
    one.execute("begin; select count(*) from t").fetchall()
    other.execute("insert into t values (1)").fetchall()
    with pytest.raises(apsw.BusyError):  # at once: the busy timeout is not asked
        one.execute("insert into t values (2)").fetchall()


def test_the_last_connection_to_close_removes_the_wal_file(path: str) -> None:
    connection = apsw.Connection(path)
    connection.execute("pragma journal_mode = wal; create table t(a)").fetchall()
    assert Path(path + "-wal").exists()
    connection.close()
    assert not Path(path + "-wal").exists()


# --- values ----------------------------------------------------------------------------------


def test_python_equality_is_not_that_of_sqlite(engine: Engine) -> None:
    assert len(dict.fromkeys([1, 1.0, True])) == 1
    engine.run("create table t(i integer, x text, n blob)")
    engine.run("insert into t values (1, 1, 1)")
    assert engine.run("select i = '1', i = '01', i = 1.0 from t") == [(1, 1, 1)]
    assert engine.run("select x = 1, x = 1.0, x = '01' from t") == [(1, 0, 0)]
    assert engine.run("select n = 1, n = '1', n = 1.0 from t") == [(1, 0, 1)]
    assert engine.run("select i = null, i is null from t") == [(None, 0)]


def test_a_column_keeps_or_converts_by_affinity(engine: Engine) -> None:
    engine.run("create table t(i integer, r real, x text, b blob, n numeric)")
    engine.run("insert into t values ('1', 1, 1, '1', '1.0')")
    assert [type(value) for value in engine.run("select * from t")[0]] == [
        int,
        float,
        str,
        str,
        int,
    ]


def test_collation_decides_equality_and_a_key_may_differ_in_case(engine: Engine) -> None:
    engine.run("create table t(k text collate nocase primary key, v); insert into t values ('A',1)")
    assert engine.run("select v from t where k = 'a'") == [(1,)]
    (event,) = engine.events_of("insert into t values ('a', 2) on conflict do update set k = 'a'")
    assert (event.old, event.new) == (("A", 1), ("a", 1))


def test_nan_is_stored_as_null(engine: Engine) -> None:
    assert engine.run("select ?", (float("nan"),)) == [(None,)]


def test_an_integer_that_becomes_a_real_is_equal_in_python_yet_another_value(
    engine: Engine,
) -> None:
    engine.run("create table t(a); insert into t values (1)")
    (event,) = engine.events_of("update t set a = 1.0")
    assert event.old == event.new
    assert engine.run("select typeof(a), a || '' from t") == [("real", "1.0")]


def test_minus_zero_is_equal_to_zero_and_reads_like_it(engine: Engine) -> None:
    engine.run("create table t(a); insert into t values (0.0)")
    (event,) = engine.events_of("update t set a = -0.0")
    assert event.old == event.new
    assert engine.run("select a = 0.0, a || '', typeof(a) from t") == [(1, "0.0", "real")]


# --- sqlglot on the SQLite dialect -----------------------------------------------------------


@pytest.fixture
def quiet_parser(caplog: pytest.LogCaptureFixture) -> Callable[[str], exp.Expression]:
    def parse(sql: str) -> exp.Expression:
        with caplog.at_level(logging.CRITICAL, logger="sqlglot"):
            return sqlglot.parse_one(sql, read="sqlite")

    return parse


def table_names(tree: exp.Expression) -> set[str]:
    return {table.name for table in tree.find_all(exp.Table)}


@pytest.mark.parametrize(
    "sql",
    [
        "update or ignore t set a = 1",
        "select a from t where a = ?1",
        "create virtual table f using fts5(a, content='x')",
    ],
)
def test_sqlglot_cannot_parse(quiet_parser: Callable[[str], exp.Expression], sql: str) -> None:
    with pytest.raises(ParseError):
        quiet_parser(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "replace into t values (1)",
        "create trigger x after insert on t begin delete from u; end",
        "create table t(a primary key) strict, without rowid",
    ],
)
def test_sqlglot_gives_an_opaque_command(
    quiet_parser: Callable[[str], exp.Expression], sql: str
) -> None:
    tree = quiet_parser(sql)
    assert isinstance(tree.find(exp.Command), exp.Command)
    assert table_names(tree) == set()


def test_sqlglot_reads_savepoint_as_an_alias(
    quiet_parser: Callable[[str], exp.Expression],
) -> None:
    assert isinstance(quiet_parser("savepoint a"), exp.Alias)


def test_sqlglot_reads_indexed_by_as_part_of_the_tables(
    quiet_parser: Callable[[str], exp.Expression],
) -> None:
    assert table_names(quiet_parser("select a from t indexed by i")) != {"t"}


def test_sqlglot_does_not_know_the_dollar_placeholder(
    quiet_parser: Callable[[str], exp.Expression],
) -> None:
    tree = quiet_parser("select a from t where a = $name")
    assert not list(tree.find_all(exp.Placeholder))


def test_sqlglot_misses_the_table_of_in(quiet_parser: Callable[[str], exp.Expression]) -> None:
    assert table_names(quiet_parser("select a from u where a in t")) == {"u"}


def test_sqlglot_warns_through_its_logger(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("sqlglot"), "disabled", False)
    sqlglot.parse_one("replace into t values (1)", read="sqlite")
    assert [record.name for record in caplog.records] == ["sqlglot"]


# --- reactivex -------------------------------------------------------------------------------


def test_a_raising_subscriber_stops_the_later_ones_and_reaches_the_producer() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    received: list[int] = []

    def raises(_: int) -> None:
        raise LookupError("from a subscriber")

    subject.subscribe(raises)
    subject.subscribe(received.append)
    with pytest.raises(LookupError, match="from a subscriber"):
        subject.on_next(1)
    assert received == []


def test_an_observable_has_no_async_iterator() -> None:
    assert not hasattr(reactivex.just(1), "__aiter__")


def test_a_stream_says_nothing_after_its_error() -> None:
    subject: reactivex.Subject[int] = reactivex.Subject()
    received: list[int] = []
    errors: list[Exception] = []
    subject.subscribe(received.append, errors.append)
    subject.on_next(1)
    subject.on_error(ValueError("over"))
    subject.on_next(2)
    assert received == [1]
    assert [str(error) for error in errors] == ["over"]


# --- contextvars -----------------------------------------------------------------------------

CURRENT: contextvars.ContextVar[str] = contextvars.ContextVar("CURRENT", default="unset")


def test_tasks_and_to_thread_inherit_the_context() -> None:
    async def inner() -> str:
        return CURRENT.get()

    async def main() -> tuple[str, str]:
        CURRENT.set("set")
        return await asyncio.create_task(inner()), await asyncio.to_thread(CURRENT.get)

    assert asyncio.run(main()) == ("set", "set")


def test_a_task_does_not_change_the_context_of_its_creator() -> None:
    async def inner() -> None:
        CURRENT.set("inner")

    async def main() -> str:
        CURRENT.set("outer")
        await asyncio.create_task(inner())
        return CURRENT.get()

    assert asyncio.run(main()) == "outer"


def test_threads_and_executors_start_with_an_empty_context() -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(CURRENT.get())

    def main() -> None:
        CURRENT.set("set")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(look).result()

    contextvars.copy_context().run(main)
    assert seen == ["unset", "unset"]


# --- the list in words -----------------------------------------------------------------------


def test_the_document_names_each_of_these_tests_and_no_other() -> None:
    document = Path(__file__).parent.parent / "docs" / "engine-facts.md"
    here = set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))
    here.remove("test_the_document_names_each_of_these_tests_and_no_other")
    assert set(re.findall(r"`(test_\w+)`", document.read_text())) == here
