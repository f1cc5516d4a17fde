"""PRAGMAs about how the file is locked: a database has several connections to it, unlike others."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError
from reactive_sqlite.files.walindex import position
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import participant, stranger, until

MODES = ("delete", "truncate", "persist", "memory")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (0);")
    return tmp_path / "some.db"


@pytest.mark.parametrize("mode", MODES)
def test_wal_mode_can_be_left_and_entered_again(path: Path, mode: str) -> None:
    with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")) as seen:
        for n, chosen in enumerate((mode, "wal", mode, "wal")):
            assert db.query_value("SELECT x FROM t").get() == 3 * n  # leaves an idle connection
            change = f"PRAGMA journal_mode = {chosen}"
            if n < 2:
                assert db.execute(change).rows == ((chosen,),)
            else:
                db.executescript(change)
            db.execute("UPDATE t SET x = x + 1")
            assert seen.last == 3 * n + 1
            with stranger(path) as other:
                other.runs("UPDATE t SET x = x + 1")
                until(lambda n=n: seen.last == 3 * n + 2)
            with db.transaction():
                db.execute("UPDATE t SET x = x + 1")
        assert seen.values == list(range(13))


def test_a_participant_puts_a_file_into_wal_mode_again(path: Path) -> None:
    with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")) as seen:
        db.execute("PRAGMA journal_mode = DELETE")
        with participant(path) as other:
            for n in range(1, 4):
                other.runs(f"UPDATE t SET x = {n}")
                until(lambda n=n: seen.last == n)
            db.execute("UPDATE t SET x = 9")
            other.does("assert db.query_value('SELECT x FROM t').get() == 9")
        assert db.execute("PRAGMA journal_mode").rows == (("wal",),)


def test_reading_threads_make_way(path: Path) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def read(db: ReactiveDatabase) -> None:
        try:
            while not stop.is_set():
                assert db.query_value("SELECT x FROM t").get() == 0
        except BaseException as error:  # noqa: BLE001  the main thread shows it
            errors.append(error)

    with ReactiveDatabase(path) as db:
        threads = [threading.Thread(target=read, args=(db,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for mode in ("delete", "wal") * 10:
                assert db.execute(f"PRAGMA journal_mode = {mode}").rows == ((mode,),)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert errors == []


def test_a_reader_that_stays_is_not_waited_for_without_end(path: Path) -> None:
    with ReactiveDatabase(path, busy_timeout=0.05) as db:
        reads, done = threading.Event(), threading.Event()

        def stay() -> None:
            with db._engine.reads.snapshot():
                assert db.query_value("SELECT x FROM t").get() == 0
                reads.set()
                done.wait()

        thread = threading.Thread(target=stay)
        thread.start()
        reads.wait()
        with pytest.raises(apsw.BusyError) as raised:
            db.execute("PRAGMA journal_mode = DELETE")
        assert "perhaps in this process" in str(raised.value.__notes__)
        done.set()
        thread.join()
        assert db.query_value("SELECT x FROM t").get() == 0
        assert db.execute("PRAGMA journal_mode = DELETE").rows == (("delete",),)


def test_who_else_has_the_file_open_is_said(path: Path) -> None:
    with participant(path) as other, ReactiveDatabase(path) as db:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            with pytest.raises(apsw.BusyError) as raised:
                db.execute("PRAGMA journal_mode = DELETE")
            assert f"somebody has: {other.process.pid} " in str(raised.value.__notes__)
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            db.execute("UPDATE t SET x = 2")
            assert seen.last == 2


@pytest.mark.parametrize("pragma", ["locking_mode = EXCLUSIVE", "main.Locking_Mode(exclusive)"])
def test_it_does_not_lock_itself_out(path: Path, pragma: str) -> None:
    with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")) as seen:
        for use in (db.execute, db.executescript, db.analyze, db.mutation):
            with pytest.raises(ReactiveSqliteError, match="would lock out the connections"):
                use(f"PRAGMA {pragma}")
        with pytest.raises(ReactiveSqliteError), db.transaction():
            db.execute(f"PRAGMA {pragma}")
        assert db.execute("PRAGMA locking_mode").rows == (("normal",),)
        db.execute("UPDATE t SET x = 1")
        assert (seen.last, db.query_value("SELECT x FROM t").get()) == (1, 1)


def test_what_nobody_else_reads_may_be_locked(path: Path, tmp_path: Path) -> None:
    with ReactiveDatabase() as db:
        assert db.execute("PRAGMA locking_mode = EXCLUSIVE").rows == (("exclusive",),)
    with ReactiveDatabase(path) as db:
        db.execute("ATTACH ? AS aux", (str(tmp_path / "aux.db"),))
        assert db.execute("PRAGMA aux.locking_mode = EXCLUSIVE").rows == (("exclusive",),)
        assert db.execute("PRAGMA aux.journal_mode = TRUNCATE").rows == (("truncate",),)
        db.execute("CREATE TABLE aux.u(x)")
        assert db.query_value("SELECT count(*) FROM u").get() == 0


def test_commits_to_a_new_log_are_not_taken_for_those_before(path: Path) -> None:
    """SQLite counts from nought there: as many commits as before lead to the same number."""
    with ReactiveDatabase(path) as db:

        def commits() -> int:
            db._engine._writer.run("SELECT x FROM t")
            place = position(db._engine._writer.wal_index())
            assert place is not None
            return place.commits

        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            with stranger(path) as other:
                other.runs("UPDATE t SET x = 1")
                until(lambda: seen.last == 1)
            with db._engine.lock:  # no look in between
                before = commits()
                db.execute("PRAGMA journal_mode = DELETE")
                db.execute("PRAGMA journal_mode = WAL")
                with stranger(path) as other:
                    while commits() != before:
                        other.runs("UPDATE t SET x = x + 1")
            until(lambda: seen.last == 1 + before)
