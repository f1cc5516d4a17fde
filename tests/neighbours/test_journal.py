"""What participants tell one another of their commits, and that strangers are never missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError
from reactive_sqlite.journal.journal import KEPT
from reactive_sqlite.neighbours.doctor import examine
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import participant, stranger, until

JOURNAL = "SELECT count(*) FROM sqlite_schema WHERE name = '_reactive_journal'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE TABLE u(id INTEGER PRIMARY KEY, x);"
            "CREATE TABLE w(k TEXT PRIMARY KEY, x) WITHOUT ROWID;"
            "INSERT INTO t VALUES (1, 0); INSERT INTO u VALUES (1, 0);"
        )
    return tmp_path / "some.db"


@pytest.fixture
def db(path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(path) as db:
        yield db


def unexplained(db: ReactiveDatabase) -> int:
    assert db._engine.foreign is not None
    return db._engine.foreign.unexplained


def settled(db: ReactiveDatabase, version: int) -> None:
    """Wait until the database has seen that many commits."""
    until(lambda: db.version >= version)


# -- who pays ------------------------------------------------------------------------------------


def test_a_lone_process_keeps_no_journal(db: ReactiveDatabase) -> None:
    with Emissions(db.query("SELECT * FROM t")):
        db.execute("UPDATE t SET x = 1")
    assert db.query_value(JOURNAL).get() == 0


def test_a_journal_is_kept_while_somebody_else_watches(db: ReactiveDatabase, path: Path) -> None:
    with participant(path) as other:
        other.does("s = db.query('SELECT * FROM u').subscribe(lambda rows: None)")
        db.execute("UPDATE t SET x = 1")
        until(lambda: db.execute("UPDATE t SET x = x + 1") and db.query_value(JOURNAL).get())
    db.look()
    before = db.changes_since(0).version
    db.execute("UPDATE t SET x = -1")
    assert db.changes_since(before).version == before + 1, "a cursor keeps it"


def test_never_means_never(path: Path) -> None:
    with ReactiveDatabase(path, journal=False) as db, ReactiveDatabase(path) as other:
        with Emissions(other.query("SELECT x FROM t")) as seen:
            db.execute("UPDATE t SET x = 5")
            until(lambda: seen.last[0].x == 5)
        assert unexplained(other) == 1
        assert db.query_value(JOURNAL).get() == 0


# -- as exact as at home -------------------------------------------------------------------------


def test_an_unrelated_commit_of_another_process_runs_nothing(
    db: ReactiveDatabase, path: Path
) -> None:
    with participant(path) as other:
        with Emissions(db.query("SELECT * FROM t")), Emissions(db.query("SELECT * FROM w")):
            queries, version = db.stats.queries, db.version
            other.does("for n in range(1000): run('UPDATE u SET x = x + 1')")
            settled(db, version + 1000)
            assert (unexplained(db), db.version) == (0, version + 1000)
            assert db.stats.queries == queries


def test_who_could_not_look_for_long_still_knows_all(db: ReactiveDatabase, path: Path) -> None:
    """The log is started over several times meanwhile."""
    with participant(path) as other, Emissions(db.query("SELECT * FROM t")) as seen:
        queries = db.stats.queries
        with db._engine.lock:
            other.does("for n in range(3000): run('UPDATE u SET x = x + 1')")
        settled(db, 3000)
        assert (unexplained(db), db.version, db.stats.queries) == (0, 3000, queries)
        with db._engine.lock, stranger(path) as unknown:
            other.does("for n in range(3000): run('UPDATE u SET x = x + 1')")
            unknown.runs("UPDATE t SET x = 'unknown'")
            unknown.runs("PRAGMA wal_checkpoint(TRUNCATE)")
            other.does("for n in range(500): run('UPDATE u SET x = x + 1')")
        until(lambda: seen.last[0].x == "unknown")
        assert unexplained(db) == 1


def test_one_changed_row_runs_one_query(db: ReactiveDatabase, path: Path) -> None:
    received: list[object] = []
    with participant(path) as other:
        for key in range(1, 51):
            db.query("SELECT x FROM t WHERE id = ?", (key,)).subscribe(received.append)
        other.runs("INSERT INTO t VALUES (7, 'seven')")
        until(lambda: len(received) == 51)
        assert db.stats.refetched + db.stats.maintained == 1


@pytest.mark.parametrize(
    ("sql", "selects"),
    [
        ("UPDATE t SET x = x WHERE id = 1", 0),
        ("UPDATE t SET x = 9 WHERE id = 77", 0),
        ("UPDATE u SET x = 9", 0),
        ("UPDATE t SET x = 9", 1),
        ("INSERT INTO t SELECT value, 0 FROM json_each('[2, 3]')", 1),
        ("DELETE FROM t", 1),
    ],
)
def test_what_a_neighbour_may_cause(
    db: ReactiveDatabase, path: Path, sql: str, selects: int
) -> None:
    with participant(path) as other, Emissions(db.query("SELECT x FROM t")) as seen:
        with Emissions(db.query_value("SELECT x FROM w WHERE k = 'end'")) as end:
            other.runs(sql)
            other.runs("INSERT INTO w VALUES ('end', 1)")
            until(lambda: end.last == 1)
            assert db.stats.refetched + db.stats.maintained == selects + 1
            assert seen.last == db.query("SELECT x FROM t").get()
        assert unexplained(db) == 0


# -- strangers -----------------------------------------------------------------------------------


def test_a_stranger_is_not_hidden_by_a_participant(db: ReactiveDatabase, path: Path) -> None:
    """Both commit between two looks, in each order."""
    with participant(path) as friend, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            friend.runs("UPDATE u SET x = 1")
            settled(db, 1)
            for n, order in enumerate(((friend, other), (other, friend)), 10):
                with db._engine.lock:  # no look in between
                    for process in order:
                        table = "u" if process is friend else "t"
                        process.runs(f"UPDATE {table} SET x = {n}")
                until(lambda n=n: seen.last == n)
        assert unexplained(db) == 2


def test_own_commits_do_not_hide_a_stranger(db: ReactiveDatabase, path: Path) -> None:
    with stranger(path) as other, Emissions(db.query_value("SELECT x FROM t")) as seen:
        for n in range(1, 6):
            db.execute("UPDATE u SET x = ?", (n,))
            other.runs(f"UPDATE t SET x = {n}")
            db.execute("UPDATE u SET x = ?", (-n,))
            until(lambda n=n: seen.last == n)


def test_a_stranger_that_removes_the_journal(db: ReactiveDatabase, path: Path) -> None:
    with participant(path, "{'journal': True}") as friend, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            friend.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            other.runs("DROP TABLE _reactive_journal")
            friend.runs("UPDATE t SET x = 2")
            until(lambda: seen.last == 2)
            other.runs("DELETE FROM _reactive_journal")
            other.runs("INSERT INTO _reactive_journal(change) VALUES ('nonsense'), (NULL)")
            friend.runs("UPDATE t SET x = 3")
            until(lambda: seen.last == 3)


def test_a_copy_that_is_restored_does_not_pass_for_the_commit_in_its_journal(path: Path) -> None:
    """By SQLite's own backup, in one commit; the journal of the copy has one record as well."""
    copy = path.with_name("copy.db")
    take = "import sqlite3; copy = sqlite3.connect({!r}); db.backup(copy)"
    give = "import sqlite3; copy = sqlite3.connect({!r}); copy.backup(db); copy.close()"
    with stranger(path) as other, stranger(copy) as elsewhere:
        other.does(take.format(str(copy)))
        elsewhere.runs("UPDATE t SET x = 7")
        with participant(copy, "{'journal': True}") as friend:
            friend.runs("UPDATE u SET x = 8")
        with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")) as seen:
            other.does(give.format(str(copy)))
            until(lambda: seen.last == 7)


# -- the writer's side ---------------------------------------------------------------------------


@pytest.fixture
def writer(path: Path) -> Iterator[ReactiveDatabase]:
    with ReactiveDatabase(path, journal=True) as db:
        yield db


def records(db: ReactiveDatabase) -> list[str]:
    return [str(change) for change in db.changes_since(0).changes]


def test_every_way_to_commit_is_written_down(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    writer.execute("INSERT INTO t VALUES (2, 0)")
    writer.executemany("INSERT INTO t VALUES (?, 0)", [(3,), (4,)])
    with writer.transaction():
        writer.execute("UPDATE t SET x = 1 WHERE id = 2")
        with writer.transaction():
            writer.execute("DELETE FROM t WHERE id = 3")
    writer.executescript("BEGIN; UPDATE u SET x = 1; COMMIT; UPDATE u SET x = 2;")
    assert records(writer) == ["#1 t×1", "#2 t×2", "#3 t×2", "#4 u×1", "#5 u×1"]


def test_what_changes_no_rows_is_written_down(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    writer.execute("CREATE TABLE v(x)")
    writer.execute("ALTER TABLE v ADD COLUMN y")
    writer.execute("CREATE TEMP TABLE mine(x)")
    writer.execute("DROP TABLE v")
    assert records(writer) == ["#1 schema", "#2 schema", "#3 schema"]
    for n, sql in enumerate(("ANALYZE", "REINDEX", "VACUUM"), 4):
        writer.execute(sql)
        assert records(writer)[-1] == f"#{n} everything"
    with pytest.raises(apsw.SQLError):
        writer.execute("CREATE TABLE t(x)")
    with pytest.raises(ZeroDivisionError), writer.transaction():
        writer.execute("DROP TABLE u")
        raise ZeroDivisionError
    assert len(records(writer)) == 6
    writer.execute("UPDATE t SET x = 1")
    assert records(writer)[-1] == "#7 t×1"
    for n, pragma in enumerate(("user_version = 3", "application_id = 4", "incremental_vacuum"), 8):
        writer.execute(f"PRAGMA {pragma}")
        assert records(writer)[-1] == f"#{n} pragma_{pragma.split()[0]}×?"
    with writer.transaction():
        writer.execute("PRAGMA main.user_version(5)")
        writer.execute("UPDATE t SET x = 2")
    assert records(writer)[-1] == "#11 t×1, pragma_user_version×?"
    writer.execute("PRAGMA user_version")
    assert len(records(writer)) == 11


def test_the_release_that_commits_is_written_down(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    writer.executescript(
        "SAVEPOINT a; UPDATE t SET x = 1; SAVEPOINT b; UPDATE u SET x = 1; SAVEPOINT A;"
        "RELEASE a; RELEASE b;"
    )
    assert records(writer) == []
    writer.execute("RELEASE A")
    assert records(writer) == ["#1 t×1, u×1"]
    with pytest.raises(apsw.SQLError):
        writer.execute("RELEASE nothing")
    writer.executescript("BEGIN; SAVEPOINT a; UPDATE t SET x = 2; RELEASE a; ROLLBACK")
    assert records(writer) == ["#1 t×1, u×1"]


def test_neighbours_count_what_changes_no_rows(db: ReactiveDatabase, path: Path) -> None:
    with participant(path) as other, Emissions(db.query_value("SELECT x FROM t")) as seen:
        other.does("run('ANALYZE'); run('CREATE INDEX i ON t(x)'); run('REINDEX')")
        other.does("run('SAVEPOINT s'); run('UPDATE t SET x = 4'); run('RELEASE s')")
        until(lambda: seen.last == 4)
        assert unexplained(db) == 0


def test_pragmas_that_store_something_wake_who_reads_it(db: ReactiveDatabase, path: Path) -> None:
    """And nobody else: a file of which much was deleted is made smaller in many steps."""
    with participant(path) as other, Emissions(db.query_value("SELECT x FROM t")) as seen:
        with Emissions(db.query_value("SELECT user_version FROM pragma_user_version")) as number:
            other.runs("CREATE TABLE big(x)")
            other.runs("INSERT INTO big VALUES (zeroblob(1000000))")
            other.runs("DELETE FROM big")
            other.runs("PRAGMA user_version = 1")
            until(lambda: number.last == 1)
        before = db.stats.refetched
        for n in range(5):
            other.runs("PRAGMA incremental_vacuum(10)")
            other.runs(f"PRAGMA application_id = {n}")
        other.runs("UPDATE t SET x = 4")
        until(lambda: seen.last == 4)
        assert unexplained(db) == 0
        assert db.stats.refetched == before + 1
        free = db.query_value("SELECT freelist_count FROM pragma_freelist_count").get()
        assert free < 250 - 40, "it was done to the end"


def test_who_chooses_when_to_write_the_log_back_is_counted_all_the_same(
    db: ReactiveDatabase, path: Path
) -> None:
    """The pragma puts SQLite's own hook in the place of the one that counts."""
    with participant(path) as other, Emissions(db.query_value("SELECT x FROM t")) as seen:
        db.execute("PRAGMA wal_autocheckpoint=5")
        for n in range(1, 60):
            db.execute("UPDATE u SET x = ?", (n,))
        log = path.with_name("some.db-wal")
        assert log.stat().st_size < 40 * 4120, "it is written back"
        other.runs("UPDATE t SET x = 5")
        until(lambda: seen.last == 5)
        assert unexplained(db) == 0
        db.execute("PRAGMA wal_autocheckpoint=0")
        for n in range(60):
            db.execute("UPDATE u SET x = ?", (n,))
        assert log.stat().st_size > 40 * 4120, "never"


def test_what_is_undone_is_not_written_down(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    with pytest.raises(ZeroDivisionError), writer.transaction():
        writer.execute("UPDATE t SET x = 1")
        raise ZeroDivisionError
    with pytest.raises(apsw.ConstraintError):
        writer.execute("INSERT INTO t VALUES (1, 1)")
    assert records(writer) == []


def test_a_commit_that_fails_is_not_written_down(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    writer.execute("CREATE TABLE child(x REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(apsw.ConstraintError) as caught:
        writer.execute("INSERT INTO child VALUES (99)")
    assert caught.value.__notes__ == ["while running: INSERT INTO child VALUES (99)"]
    writer.execute("BEGIN")
    writer.execute("INSERT INTO child VALUES (99)")
    with pytest.raises(apsw.ConstraintError):
        writer.execute("COMMIT")
    writer.execute("UPDATE child SET x = 1")
    writer.execute("COMMIT")
    assert records(writer) == ["#1 schema", "#2 child×1"]
    assert writer.query("SELECT x FROM child").get() == ((1,),)


def test_rows_that_or_fail_keeps_are_kept(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    with Emissions(writer.query("SELECT id FROM t ORDER BY id")) as seen:
        with pytest.raises(apsw.ConstraintError):
            writer.execute("INSERT OR FAIL INTO t VALUES (2, 0), (1, 0)")
        assert [row.id for row in seen.last] == [1, 2]
    assert records(writer) == ["#1 t×?"]


def test_rows_that_others_keep_of_a_failed_statement_are_written_down(
    writer: ReactiveDatabase, db: ReactiveDatabase
) -> None:
    cursor = db.changes_since().version
    with Emissions(db.query_value("SELECT count(*) FROM t")) as counted:
        for sql in (
            "INSERT OR FAIL INTO t VALUES (2, 0), (1, 0)",
            "INSERT OR FAIL INTO t VALUES (1, 0), (3, 0)",  # keeps nothing
            "INSERT OR ROLLBACK INTO t VALUES (4, 'fail'), (1, 0)",
        ):
            with pytest.raises(apsw.ConstraintError):
                writer.execute(sql)
        writer.execute("INSERT INTO t VALUES (5, 0)")
        until(lambda: counted.last == 3)
        found = db.changes_since(cursor)
        assert not found.start_over
        assert all(change.tables | change.rows.keys() == {"t"} for change in found.changes)
        assert unexplained(db) == 0


def test_the_users_own_last_rowid_stays(writer: ReactiveDatabase) -> None:
    assert writer.execute("INSERT INTO t VALUES (77, 0)").last_insert_rowid == 77
    writer.execute("INSERT INTO u VALUES (NULL, last_insert_rowid())")
    assert writer.query_value("SELECT max(x) FROM u").get() == 77


def test_a_column_that_cannot_be_dropped_leaves_no_transaction_open(
    writer: ReactiveDatabase,
) -> None:
    """SQLite names a column to the authorizer where it names the database of other statements."""
    drop = "ALTER TABLE child DROP COLUMN parent"
    writer.execute("CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES t)")
    writer.execute("CREATE INDEX by_parent ON child(parent)")
    with pytest.raises(apsw.SQLError, match="error in index by_parent"):
        writer.execute(drop)
    writer.execute("INSERT INTO child(parent) VALUES (NULL)")
    assert "parent" not in writer.analyze(drop).access.databases


def test_rows_that_a_failed_statement_keeps_may_not_break_a_deferred_reference(
    writer: ReactiveDatabase,
) -> None:
    """INSERT OR FAIL commits the rows before the one that fails, unless that cannot be."""
    writer.execute(
        "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES t DEFERRABLE INITIALLY "
        "DEFERRED)"
    )
    with Emissions(writer.query_value("SELECT count(*) FROM child")) as seen:
        for parent, kept in ((5, 0), (1, 1)):
            with pytest.raises(apsw.ConstraintError):
                writer.execute(f"INSERT OR FAIL INTO child VALUES (1, {parent}), (1, NULL)")
            assert seen.last == kept
        writer.execute("INSERT INTO child(parent) VALUES (1)")
        assert seen.values == [0, 1, 2]


def test_a_statement_that_fails_in_the_middle_is_undone_with_its_record(
    writer: ReactiveDatabase,
) -> None:
    """Alone SQLite undoes it all, and so does the transaction around it, which the record needs.

    FAIL in the schema is not to blame for an error that is no conflict.
    """
    writer.executescript("""
        CREATE TABLE failures(x, g);
        INSERT INTO failures VALUES (1, 1), (9223372036854775807, 2), (9223372036854775807, 2);
        CREATE TABLE sums(g, x);
    """)
    with pytest.raises(apsw.SQLError, match="overflow"):
        writer.execute("INSERT INTO sums SELECT g, sum(x) FROM failures GROUP BY g")
    assert writer.query("SELECT g FROM sums").get() == ()


def test_rows_are_not_written_down_by_columns_that_others_have_moved(path: Path) -> None:
    """Who has no live queries looks at nothing, and goes by the schema of before."""
    with ReactiveDatabase(path, journal=True) as writer, ReactiveDatabase(path) as db:
        writer.execute("CREATE TABLE k(x, p PRIMARY KEY, q) WITHOUT ROWID")
        writer.execute("INSERT INTO k VALUES (0, 0, 0)")
        with (
            Emissions(db.query_value("SELECT q FROM k WHERE p = 3")) as seen,
            stranger(path) as other,
        ):
            other.runs("ALTER TABLE k DROP COLUMN x")
            db.look()
            with writer.transaction():
                writer.execute("INSERT INTO k VALUES (3, 9), (4, 9)")
                writer.executemany(
                    "INSERT INTO t VALUES (?, ?)", [(n, "x" * 20) for n in range(5, 400)]
                )
            until(lambda: seen.last == 9)
            db.flush()
            runs = db.stats.refetched
            writer.execute("INSERT INTO k VALUES (5, 9)")
            db.look()
            assert db.stats.refetched == runs, "and from then on it goes by the new one"


def test_an_own_commit_that_is_told_of_late_hides_no_strangers(path: Path) -> None:
    """That of a statement that failed, before anybody watched."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with pytest.raises(apsw.ConstraintError):
            db.execute("INSERT OR FAIL INTO t(id) VALUES (2), (2)")
        with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
            other.runs("DELETE FROM t")
            until(lambda: seen.last == 0)
        assert seen.values == [2, 0]


def test_temporary_tables_are_nobody_elses_concern(writer: ReactiveDatabase) -> None:
    writer.execute("CREATE TEMP TABLE mine(x)")
    writer.changes_since()
    with Emissions(writer.query_value("SELECT count(*) FROM mine")) as seen:
        writer.execute("INSERT INTO mine VALUES (1)")
        assert seen.values == [0, 1]
    assert records(writer) == []


def test_the_journal_wakes_nobody(writer: ReactiveDatabase) -> None:
    writer.changes_since()
    told: list[str] = []
    writer.commits.subscribe(lambda change: told.append(str(change)))
    with Emissions(writer.query("SELECT count(*) FROM u")) as seen:
        version = writer.version
        writer.execute("UPDATE t SET x = 5")
        assert told == [f"#{version + 1} t×1"]
        assert len(seen.values) == 1


# -- the cursor ----------------------------------------------------------------------------------


def test_a_consumer_that_was_away_catches_up(path: Path) -> None:
    with ReactiveDatabase(path) as db:
        start = db.changes_since()
        assert start.start_over
    with ReactiveDatabase(path) as db:  # nobody watches, and yet
        db.execute("UPDATE t SET x = 1")
        db.execute("UPDATE t SET x = 2")
    with ReactiveDatabase(path, readonly=True) as db:
        found = db.changes_since(start.version)
        assert not found.start_over
        images = [change.rows["t"][0].new for change in found.changes]
        assert images == [(1, 1), (1, 2)]
        assert db.changes_since(found.version) == (found.version, (), False)


def test_a_writer_learns_that_there_is_a_cursor_now(db: ReactiveDatabase, path: Path) -> None:
    """It watches nothing and nobody watches it."""
    with participant(path) as other:
        other.runs("UPDATE t SET x = 1")
        start = db.changes_since().version
        other.runs("UPDATE t SET x = 2")
        assert [str(change) for change in db.changes_since(start).changes] == ["#1 t×1"]


def test_a_consumer_that_was_away_too_long_starts_over(path: Path) -> None:
    with ReactiveDatabase(path, journal=True) as db:
        start = db.changes_since().version
        for n in range(KEPT + 200):
            db.execute("UPDATE t SET x = ?", (n,))
        assert db.changes_since(start).start_over
        kept = db.query_value("SELECT count(*) FROM _reactive_journal WHERE seq > 0").get()
        assert KEPT <= kept < KEPT + 100
        assert not db.changes_since(start + 200).start_over
        assert db.changes_since(start + 10**6).start_over


def test_who_may_not_write_is_not_told_that_nothing_was_committed(path: Path) -> None:
    """It cannot have a journal kept; so it starts over until somebody else does."""
    with ReactiveDatabase(path, readonly=True) as reader, participant(path) as other:
        start = reader.changes_since()
        other.runs("UPDATE t SET x = 1")
        assert reader.changes_since(start.version).start_over
        other.does("db.changes_since()")
        start = reader.changes_since()
        other.runs("UPDATE t SET x = 2")
        assert [str(change) for change in reader.changes_since(start.version).changes] == ["#1 t×1"]


@pytest.mark.parametrize("removed", ["DROP TABLE", "DELETE FROM"])
def test_a_consumer_of_a_journal_that_was_removed_starts_over(path: Path, removed: str) -> None:
    """Even if the new one has as many records by now as the old one had."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        version = db.changes_since().version
        for n in range(3):
            db.execute("UPDATE t SET x = ?", (n,))
            version = db.changes_since(version).version
        other.runs(f"{removed} _reactive_journal")
        for n in range(3, 10):
            db.execute("UPDATE t SET x = ?", (n,))
        found = db.changes_since(version)
        assert found.start_over
        db.execute("UPDATE t SET x = 10")
        assert [str(change) for change in db.changes_since(found.version).changes] == [
            f"#{found.version + 1} t×1"
        ]


@pytest.mark.parametrize("removed", ["DROP TABLE", "DELETE FROM"])
@pytest.mark.parametrize("journal", [None, True])
def test_all_consumers_of_a_journal_that_was_removed_start_over(
    path: Path, removed: str, journal: bool | None
) -> None:
    """Also who asks when another one has had it kept again, and it has grown beyond its number."""
    with ReactiveDatabase(path, journal=journal) as db, stranger(path) as other:
        db.execute("INSERT INTO t VALUES (7, 7)")
        db.changes_since()
        for n in range(3):
            db.execute("UPDATE t SET x = ? WHERE id = 1", (n,))
        version = db.changes_since(0).version
        for again in range(2):
            other.runs(f"{removed} _reactive_journal")
            db.execute("UPDATE t SET x = 3")
            mine = db.changes_since(version).version
            assert 3 < mine < 2**53, "a double is exact"
            for n in range(4, 10):
                db.execute("UPDATE t SET x = ?", (n + again,))
            for asked in (0, version, version + 1):
                assert db.changes_since(asked).start_over
            found = db.changes_since(mine)
            assert (found.start_over, len(found.changes)) == (False, 6)
            version = mine
            assert db.execute("SELECT last_insert_rowid()").rows[0][0] == 7, "the user's own"
            assert all(finding.verdict != "wrong" for finding in examine(str(path)))


@pytest.mark.parametrize(
    "nonsense",
    [
        "CREATE TABLE _reactive_journal(a)",
        "CREATE TABLE _reactive_journal(seq INTEGER PRIMARY KEY, change BLOB, more NOT NULL)",
        "CREATE VIEW _reactive_journal AS SELECT 1 AS seq, 2 AS change",
    ],
)
def test_what_is_no_journal_gives_way_to_one(
    db: ReactiveDatabase, path: Path, nonsense: str
) -> None:
    """Nobody's commit fails because of it."""
    with participant(path) as friend, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            friend.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            other.runs("DROP TABLE _reactive_journal")
            other.runs(nonsense)
            friend.runs("UPDATE t SET x = 2")
            until(lambda: seen.last == 2)
            before = unexplained(db)
            friend.runs("UPDATE t SET x = 3")
            until(lambda: seen.last == 3)
            assert unexplained(db) == before
        assert db.changes_since().start_over


@pytest.mark.parametrize("version", [-5, 10**6, 10**30, -(10**30)])
def test_a_version_that_never_was_starts_over(writer: ReactiveDatabase, version: int) -> None:
    writer.changes_since()
    writer.execute("UPDATE t SET x = 1")
    assert writer.changes_since(version).start_over


def test_numbers_that_are_used_up_begin_anew(path: Path) -> None:
    """A stranger has written the largest one: behind it SQLite takes any number that is free."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        version = db.changes_since().version
        other.runs(f"INSERT INTO _reactive_journal VALUES ({2**63 - 1}, NULL)")
        version = db.changes_since(version).version
        for n in range(5):
            db.execute("UPDATE t SET x = ?", (n,))
            found = db.changes_since(version)
            assert found.start_over or len(found.changes) == 1
            version = found.version
        last = "SELECT max(seq) FROM _reactive_journal"
        until(lambda: db.execute("UPDATE t SET x = x + 1") and db.query_value(last).get() < 2**62)
        assert db.execute("SELECT last_insert_rowid()").rows[0][0] == 0, "which is the user's own"
        version = db.changes_since(version).version
        db.execute("UPDATE t SET x = -1")
        found = db.changes_since(version)
        assert [str(change) for change in found.changes] == [f"#{found.version} t×1"]


@pytest.mark.parametrize("version", [None, "1", 1.0, b"1", [1]])
def test_a_version_is_a_number_of_a_commit(writer: ReactiveDatabase, version: object) -> None:
    with pytest.raises(TypeError, match="a version is an int, not"):
        writer.changes_since(version)  # type: ignore[arg-type]


def test_memory_has_no_cursor() -> None:
    with ReactiveDatabase() as db, pytest.raises(ReactiveSqliteError, match="in memory"):
        db.changes_since(0)
