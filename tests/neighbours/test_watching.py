"""When a file is watched, by what, and what happens when that fails."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError, State
from reactive_sqlite.files.filesystem import identity_of
from reactive_sqlite.journal.foreign import Foreign
from reactive_sqlite.liveness import delivery
from reactive_sqlite.liveness.publisher import Publisher
from reactive_sqlite.neighbours import Neighbours, doorbell, watcher
from reactive_sqlite.neighbours.doorbell import Doorbell, Doorbells, bells_of
from reactive_sqlite.neighbours.inotify import Inotify
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import Other, participant, stranger, until, watchers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (0);")
    return tmp_path / "some.db"


@pytest.fixture
def bells(path: Path) -> Iterator[str]:
    directory = bells_of(*identity_of(str(path)))
    assert directory is not None
    yield directory
    # The watcher's own thread takes it away, perhaps a moment after the last subscriber left.
    until(lambda: not os.path.exists(directory))


def test_one_thread_watches_while_there_are_live_queries(path: Path, bells: str) -> None:
    with ReactiveDatabase(path) as one, ReactiveDatabase(path) as two:
        one.query("SELECT x FROM t").get()
        assert watchers() == []
        first = one.query("SELECT x FROM t").subscribe(lambda rows: None)
        second = two.query("SELECT x FROM t").subscribe(lambda rows: None)
        third = two.commits.subscribe(lambda change: None)
        assert len(watchers()) == len(os.listdir(bells)) == 1
        first.dispose()
        second.dispose()
        assert len(watchers()) == 1
        third.dispose()
        until(lambda: watchers() == [])
        one.query("SELECT x FROM t").subscribe(lambda rows: None)
        assert len(watchers()) == 1
    assert watchers() == []


def test_memory_is_not_watched() -> None:
    with ReactiveDatabase() as db, Emissions(db.query("SELECT 1")):
        assert watchers() == []
        assert not db.look()


def test_two_databases_of_one_process_hear_one_another(path: Path, bells: str) -> None:
    with ReactiveDatabase(path) as one, ReactiveDatabase(path) as two:
        with Emissions(one.query_value("SELECT x FROM t")) as seen:
            with Emissions(two.query_value("SELECT x FROM t")) as also:
                for n, writer in enumerate((one, two, one, two), 1):
                    writer.execute("UPDATE t SET x = ?", (n,))
                    until(lambda n=n: seen.last == also.last == n)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_reader_without_the_right_to_write_hears_strangers(path: Path, mode: str) -> None:
    with stranger(path) as other:
        other.runs(f"PRAGMA journal_mode={mode}")
        with ReactiveDatabase(path, readonly=True) as db:
            with Emissions(db.query_value("SELECT x FROM t")) as seen:
                for n in range(1, 4):
                    other.runs(f"UPDATE t SET x = {n}")
                    until(lambda n=n: seen.last == n)


@pytest.mark.parametrize("missing", ["bells", "hints", "both", "ctypes"])
def test_what_the_platform_lacks_is_made_up_for(
    path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing in ("bells", "both"):
        monkeypatch.setattr(doorbell, "runtime_directory", lambda: None)
    if missing in ("hints", "both"):

        def refuse(*paths: str) -> None:
            raise OSError("no inotify")

        monkeypatch.setattr(watcher, "Inotify", refuse)
    if missing == "ctypes":  # Python can be built without it
        monkeypatch.setitem(sys.modules, "ctypes", None)
    with ReactiveDatabase(path) as db, participant(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            for n in range(1, 4):
                other.runs(f"UPDATE t SET x = {n}")
                until(lambda n=n: seen.last == n)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
@pytest.mark.parametrize("left", [0, 1, 2])
def test_where_no_watches_are_left_the_watcher_looks_more_often(
    path: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel has so many for each user: an editor or a build may have taken all of them."""
    pauses: list[float | None] = []

    class Exhausted(Inotify):
        def watch_again(self) -> None:
            """The last ones are for names that are too long, which the kernel refuses as well."""
            self._paths[left:] = [b"/" + b"n" * 300] * (2 - left)
            super().watch_again()

    class Selector(watcher.selectors.DefaultSelector):  # type: ignore[name-defined,misc]
        def select(self, timeout: float | None = None) -> Any:
            pauses.append(timeout)
            return super().select(timeout)

    monkeypatch.setattr(watcher, "Inotify", Exhausted)
    monkeypatch.setattr(watcher.selectors, "DefaultSelector", Selector)
    with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")):
        until(lambda: pauses)
    expected = watcher.LOOK_WITH_HINTS if left == 2 else watcher.LOOK_WITHOUT_HINTS
    assert pauses[0] == expected


def test_own_threads_know_nothing_of_who_subscribed_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.14 on a thread may begin with a copy of its creator's context.

    https://docs.python.org/3.14/library/sys.html#sys.flags.thread_inherit_context
    """

    class Inheriting(threading.Thread):
        def start(self) -> None:
            self.inherited = copy_context()
            super().start()

        def run(self) -> None:
            self.inherited.run(super().run)

    monkeypatch.setattr(threading, "Thread", Inheriting)
    whose = ContextVar("whose", default="nobody's")
    seen: dict[str, str] = {}

    def show(value: int) -> None:
        seen[threading.current_thread().name.split()[0]] = whose.get()

    def delivers(thread: str, writer: ReactiveDatabase) -> bool:
        writer.execute("UPDATE t SET x = x + 1")
        return thread in seen

    with ReactiveDatabase(path) as one, ReactiveDatabase(path) as two:
        whose.set("the first subscriber's")
        with one.query_value("SELECT x FROM t", max_rate=50).subscribe(show):
            until(lambda: delivers("reactive-sqlite-timer", one))
        with one.query_value("SELECT x FROM t").subscribe(show):
            until(lambda: delivers("reactive-sqlite", two))
    assert seen == {
        "MainThread": "the first subscriber's",
        "reactive-sqlite-timer": "nobody's",
        "reactive-sqlite": "nobody's",
    }


def test_own_transactions_do_not_hold_up_the_watcher(path: Path) -> None:
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            db.execute("BEGIN DEFERRED")
            other.runs("UPDATE t SET x = 1")
            db.execute("ROLLBACK")
            until(lambda: seen.last == 1)


def test_a_bell_that_nobody_holds_is_removed(path: Path, bells: str) -> None:
    os.mkdir(bells, 0o700)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(f"{bells}/1-dead")
    left.close()
    held = Doorbell(bells)
    mine = Doorbells(bells)
    assert set(mine.names()) == {"1-dead", held.name}
    mine.ring()
    assert held.drain()
    assert not held.drain()
    assert os.listdir(bells) == [held.name]
    mine.close()
    held.close()


def test_ringing_never_waits(path: Path, bells: str) -> None:
    held, mine = Doorbell(bells), Doorbells(bells)
    for _ in range(2000):
        mine.ring()  # nobody drains it
    assert held.drain()
    mine.close()
    held.close()


def test_a_directory_that_others_can_write_to_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = tmp_path / "reactive-sqlite"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: real(shared))
    monkeypatch.setattr(os, "mkdir", lambda path, mode: None)
    assert doorbell.runtime_directory() is None
    assert "not a directory of this user alone" in caplog.text


def test_a_file_that_is_replaced_is_noticed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ReactiveDatabase(path) as db:
        states: list[object] = []
        db.query("SELECT x FROM t").states().subscribe(lambda state: states.append(state.error))
        errors: list[Exception] = []
        db.query("SELECT x FROM t").subscribe(lambda rows: None, errors.append)
        other = path.with_name("other.db")
        other.touch()
        os.replace(other, path)  # at once: the watcher may look at any moment
        until(lambda: errors)
        until(lambda: len(states) == 2)
        assert isinstance(states[-1], ReactiveSqliteError)
        assert str(errors[0]) == f"{path} was replaced while it was open"
        assert "was replaced" in caplog.text


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    with ReactiveDatabase(other) as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (99);")
    os.replace(other, path)


def test_a_replaced_file_is_told_of_though_a_transaction_is_open(path: Path) -> None:
    """Longer than anybody waits for the lock; and other databases hear of it all the same."""
    with ReactiveDatabase(path, busy_timeout=0.01) as db, ReactiveDatabase(path) as second:
        errors: list[Exception] = []
        db.query("SELECT x FROM t").subscribe(lambda rows: None, errors.append)
        second.query("SELECT x FROM t").subscribe(lambda rows: None, errors.append)
        with db.transaction():
            replace(path)
            until(lambda: len(errors) == 2)


def test_a_replaced_file_is_told_of_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ReactiveDatabase(path) as db:
        states: list[object] = []
        db.query("SELECT x FROM t").states().subscribe(states.append)
        replace(path)
        until(lambda: len(states) == 2)
        watching = db._neighbours._watcher if db._neighbours else None
        assert watching is not None
        until(lambda before=watching.looks: watching.looks > before + 3)
        assert len(caplog.records) == 1
        assert len(states) == 2


@pytest.mark.parametrize("lost", [replace, os.unlink])
def test_states_keep_the_error_after_the_file_is_lost(
    path: Path, lost: Callable[[Path], None]
) -> None:
    """Own writes still change the values, of a file that nobody will ever see again."""
    with ReactiveDatabase(path) as db:
        states: list[tuple[object, bool]] = []

        def remember(state: State[object]) -> None:
            states.append((state.value, "while it was open" in str(state.error)))

        query = db.query_value("SELECT x FROM t")
        query.states().subscribe(remember)
        lost(path)
        until(lambda: len(states) == 2)
        db.execute("UPDATE t SET x = 1")
        query.states().subscribe(remember)
        db.execute("ALTER TABLE t RENAME TO u")
        db.execute("ALTER TABLE u RENAME TO t")
        assert states[:4] == [(0, False), (0, True), (1, True), (1, True)]
        assert states[4:] == [(1, False)] * 2 + [(1, True)] * 2, "no such table, then as before"


@pytest.mark.parametrize("lost", [replace, os.unlink])
def test_who_subscribes_after_the_file_is_lost_is_told_too(
    path: Path, lost: Callable[[Path], None]
) -> None:
    """Whether anybody watched when it went, or nobody did."""
    with ReactiveDatabase(path) as db:
        db.query("SELECT x FROM t").get()
        lost(path)
        errors: list[Exception] = []
        for n in range(1, 4):
            db.query("SELECT x FROM t").subscribe(lambda rows: None, errors.append)
            until(lambda n=n: len(errors) == n)
        assert "while it was open" in str(errors[0])


def test_nothing_is_read_from_the_file_that_took_its_place(path: Path) -> None:
    with ReactiveDatabase(path) as db:
        x = db.query_value("SELECT x FROM t")
        assert x.get() == 0
        replace(path)
        assert x.get() == 0
        with db._engine.reads.snapshot():  # the idle connection is in use: this opens another one
            with ThreadPoolExecutor(1) as pool:
                error = pool.submit(x.get).exception()
        assert isinstance(error, ReactiveSqliteError)
        assert str(error) == f"{path} was replaced while it was open"


def test_a_look_that_fails_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            publisher = db._publisher
            refresh = publisher.refresh

            def fail_once(foreign: object) -> None:
                monkeypatch.undo()
                raise ZeroDivisionError

            monkeypatch.setattr(publisher, "refresh", fail_once)
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            assert publisher.refresh == refresh
        assert "could not look" in caplog.text


def overwrite(path: Path, content: Path) -> None:
    """From another process: one that closes a database file loses SQLite's locks on it."""
    code = "import sys; f = open(sys.argv[1], 'r+b'); f.truncate(0)"
    code += "; f.write(open(sys.argv[2], 'rb').read())"
    subprocess.run([sys.executable, "-c", code, path, content], check=True)


@pytest.mark.parametrize("size", [0, 3000])
def test_a_spoilt_file_is_told_of_once_until_it_is_mended(path: Path, size: int) -> None:
    """A neighbour that has it open commits, and what the look then needs cannot be read."""
    with ReactiveDatabase(path) as db, participant(path) as other:
        states: list[tuple[object, str]] = []
        errors: list[str] = []
        query = db.query_value("SELECT x FROM t")
        query.states().subscribe(lambda s: states.append((s.value, type(s.error).__name__)))
        query.subscribe(lambda value: None, lambda error: errors.append(type(error).__name__))
        other.runs("UPDATE t SET x = 1")
        other.runs("PRAGMA wal_checkpoint(TRUNCATE)")
        other.runs("UPDATE t SET x = 2")
        until(lambda: states[-1][0] == 2)
        good, bad = path.with_name("good"), path.with_name("bad")
        good.touch()
        overwrite(good, path)
        bad.write_bytes(b"?" * size)
        overwrite(path, bad)
        del states[:]
        other.runs("UPDATE t SET x = 3")
        until(lambda: bool(states and errors))
        watching = db._neighbours._watcher if db._neighbours else None
        assert watching is not None
        until(lambda before=watching.looks: watching.looks > before + 3)
        assert (states, errors) == ([(2, "NotADBError")], ["NotADBError"])
        overwrite(path, good)
        until(lambda: len(states) == 2)
        assert states[1] == (3, "NoneType")
        other.runs("UPDATE t SET x = 4")
        until(lambda: states[2:] == [(4, "NoneType")])


def test_a_look_that_fails_again_and_again_is_logged_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As at each look into a file that somebody has spoilt; and once more when it fails anew."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            refresh, left = db._publisher.refresh, [1, 2, 3]

            def fail(foreign: Foreign) -> None:
                if left:
                    left.pop()
                    raise ZeroDivisionError
                refresh(foreign)

            monkeypatch.setattr(db._publisher, "refresh", fail)
            for n in (1, 2):
                other.runs(f"UPDATE t SET x = {n}")
                until(lambda n=n: seen.last == n)
                until(lambda n=n: caplog.text.count("could not look") == n)
                left += [1, 2, 3]


def test_a_look_inside_a_transaction_sees_nothing(path: Path) -> None:
    with ReactiveDatabase(path) as db, db.transaction():
        assert not db.look()


def test_the_database_may_be_closed_by_a_neighbours_value(path: Path) -> None:
    with participant(path) as other:
        db = ReactiveDatabase(path)
        completed: list[bool] = []

        def close(value: int) -> None:
            if value == 1:
                db.close()

        db.query_value("SELECT x FROM t").subscribe(close, None, lambda: completed.append(True))
        other.runs("UPDATE t SET x = 1")
        until(lambda: db.is_closed)
        until(lambda: watchers() == [])


def test_what_cannot_be_closed_hears_of_others_as_before(path: Path) -> None:
    """Another thread has a transaction open, which outlasts the timeout."""
    begun, go_on = threading.Event(), threading.Event()
    with participant(path) as other, ReactiveDatabase(path, busy_timeout=0.1) as db:

        def work() -> None:
            with db.transaction():
                begun.set()
                assert go_on.wait(30)

        with Emissions(db.query_value("SELECT x FROM t")) as seen, ThreadPoolExecutor(1) as pool:
            worker = pool.submit(work)
            assert begun.wait(30)
            with pytest.raises(apsw.BusyError, match="has a transaction open"):
                db.close()
            go_on.set()
            worker.result(30)
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            assert not db.is_closed
        db.close()
    until(lambda: watchers() == [])


def test_a_commit_while_it_is_closed_leaves_nothing_open(
    path: Path, bells: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread makes it, just before the connection is closed."""
    os.mkdir(bells, 0o700)
    held = Doorbell(bells)
    db = ReactiveDatabase(path)
    close = db._engine.close

    def commit_and_close() -> None:
        db.execute("UPDATE t SET x = 1")
        close()

    monkeypatch.setattr(db._engine, "close", commit_and_close)
    db.close()
    assert held.drain()
    assert db._neighbours is not None
    assert db._neighbours._bells._socket is None
    held.close()


def test_nobody_but_sqlite_opens_the_file(path: Path) -> None:
    """Closing the database or its -shm file would drop the locks that SQLite has on it."""
    program = """
import sys, time
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from reactive_sqlite import ReactiveDatabase
path = sys.argv[1]
with ReactiveDatabase(path) as db, ReactiveDatabase(path) as other:
    seen = []
    with db.query_value("SELECT x FROM t").subscribe(seen.append):
        for n in range(1, 4):
            other.execute("UPDATE t SET x = ?", (n,))
            while seen[-1] != n:
                time.sleep(0.001)
        db.changes_since()
print(*{name for name in opened if name.startswith(path)})
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert done.stdout.split() == [f"{path}-wal"], done.stderr


def test_an_own_commit_is_not_judged_by_columns_that_others_have_moved(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the next look, which the watcher makes a moment later."""
    monkeypatch.setattr(Neighbours, "_glance", lambda self: True)
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute("CREATE TABLE w(id INTEGER PRIMARY KEY, a, b, c, d)")
        db.execute("INSERT INTO w VALUES (1, 0, 2, 3, 4)")
        with Emissions(db.query("SELECT id FROM w WHERE b = 1")) as seen:
            db.look()
            other.runs("ALTER TABLE w DROP COLUMN a")
            db.execute("UPDATE w SET b = 1")
            assert [tuple(row) for row in seen.last] == [(1,)]
        with Emissions(db.query_value("SELECT count(*) FROM w WHERE d = 5")) as seen:
            other.runs("ALTER TABLE w DROP COLUMN c")
            runs = db.stats.refetched
            db.execute("UPDATE t SET x = 1")
            assert db.stats.refetched == runs + 1, "the look has run it"
            other.runs("INSERT INTO t VALUES (2)")
            db.execute("UPDATE t SET x = 3")
            assert db.stats.refetched == runs + 1, "the columns are where they were"
            db.execute("UPDATE w SET d = 5")
            assert seen.values == [0, 1]


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        # By the old key two rows are one, of which the first image and the last are kept.
        ("w(z, k PRIMARY KEY, v) WITHOUT ROWID", "k = 2 AND v = 10"),
        # By the old columns v is the rowid.
        ("w(z, k INTEGER PRIMARY KEY, v)", "v = 10"),
    ],
)
def test_own_rows_are_not_recorded_by_keys_that_others_have_moved(
    path: Path, monkeypatch: pytest.MonkeyPatch, table: str, condition: str
) -> None:
    monkeypatch.setattr(Neighbours, "_glance", lambda self: True)
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute(f"CREATE TABLE {table}")
        db.execute("INSERT INTO w VALUES (0, 1, 10), (0, 2, 10)")
        with Emissions(db.query_value(f"SELECT count(*) FROM w WHERE {condition}")) as seen:
            db.execute("UPDATE w SET v = 10 WHERE k = 1")
            other.runs("ALTER TABLE w DROP COLUMN z")
            db.look()
            db.execute("UPDATE w SET v = 20")
            assert seen.last == 0


def test_moved_columns_are_noticed_after_a_statement_that_failed_and_was_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite tells of that commit when the next statement ends, so own commits were miscounted."""
    monkeypatch.setattr(Neighbours, "_glance", lambda self: True)
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.executescript("CREATE TABLE w(z, k, v); CREATE TABLE u(n UNIQUE)")
        db.execute("INSERT INTO w VALUES (0, 1, 10)")
        with Emissions(db.query_value("SELECT v FROM w WHERE k = 2")) as seen:
            db.look()
            db.execute("INSERT INTO u VALUES (0)")
            with pytest.raises(apsw.ConstraintError):
                db.execute("INSERT OR FAIL INTO u VALUES (1), (1)")
            other.runs("ALTER TABLE w DROP COLUMN z")
            db.execute("UPDATE w SET k = 2")
            assert seen.values == [None, 10]


@pytest.mark.parametrize(
    "schema_change",
    ["ALTER TABLE w DROP COLUMN z", "ALTER TABLE w ADD COLUMN y AS (a + 1) VIRTUAL"],
)
@pytest.mark.parametrize("condition", ["b = 20", "b > 10", "id = 2 AND b <> 20"])
def test_an_own_commit_is_made_though_others_have_changed_the_columns_of_its_rows(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    schema_change: str,
    condition: str,
) -> None:
    """Rows may have fewer columns than a query looks at, or images that cannot be read."""
    monkeypatch.setattr(Neighbours, "_glance", lambda self: True)
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute("CREATE TABLE w(z, id INTEGER PRIMARY KEY, a, b)")
        db.execute("INSERT INTO w VALUES (0, 1, 10, 10), (0, 2, 10, 10)")
        query = f"SELECT count(*) FROM w WHERE {condition}"
        with Emissions(db.query_value("SELECT a FROM w WHERE id = 1")):
            db.execute("UPDATE w SET b = 10 WHERE id = 2")
            with Emissions(db.query_value(query)) as seen:
                db.look()
                other.runs(schema_change)
                (wake,) = db.would_wake("UPDATE w SET b = 20 WHERE id = 2")[1:]
                assert wake.why == ("anything may have changed",)
                db.execute("UPDATE w SET b = 20 WHERE id = 2")
                assert len(seen.values) == 2
    assert not caplog.records


def test_a_commit_that_touches_nothing_is_made_though_nobody_can_look(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ReactiveDatabase(path) as db, Emissions(db.query_value("SELECT x FROM t")):
        db.execute("CREATE TABLE w(a)")
        foreign = db._engine.foreign
        assert foreign is not None

        def locked() -> bool:
            raise apsw.BusyError("database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(foreign, "schema_moved", locked)
            patch.setattr(foreign, "moved", locked)
            db.execute("INSERT INTO w VALUES (1)")
        assert "refreshed at the next look" in caplog.text


def test_no_read_transaction_is_held_between_looks(path: Path) -> None:
    """The log can be emptied, which a read transaction anywhere would prevent."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            until(lambda: emptied(other, path))


def emptied(other: Other, path: Path) -> bool:
    other.runs("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.with_name(f"{path.name}-wal").stat().st_size == 0


def test_a_look_that_is_refused_remembers_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReactiveDatabase(path) as db, participant(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            foreign = db._engine.foreign
            assert foreign is not None
            refused: list[int] = []
            since = foreign._journal.since

            def refuse(seq: int) -> object:
                refused.append(seq)
                if len(refused) < 3:
                    raise apsw.BusyError("for the test")
                return since(seq)

            monkeypatch.setattr(foreign._journal, "since", refuse)
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            assert len(refused) >= 3
            assert foreign.unexplained == 0, "and the next one knows all of it"


def test_a_first_value_is_not_followed_by_an_older_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read while a look refreshes what others have committed until before."""
    values: list[int] = []
    refresh = Publisher.refresh

    def subscribe(db: ReactiveDatabase) -> None:
        db.query_value("SELECT x FROM t").subscribe(values.append)

    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT 1 FROM t")):
            thread = threading.Thread(target=subscribe, args=(db,))

            def held_up(self: Publisher, foreign: Foreign) -> None:
                monkeypatch.undo()
                other.runs("UPDATE t SET x = 2")
                thread.start()
                thread.join(2 * delivery.PATIENCE)
                refresh(self, foreign)

            monkeypatch.setattr(Publisher, "refresh", held_up)
            other.runs("UPDATE t SET x = 1")
            until(lambda: values and values[-1] == 2)
            thread.join()
    assert values in ([1, 2], [2])


def test_a_commit_is_made_though_nobody_can_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is locked just when others' commits are looked for: the writer must not retry."""
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(n); INSERT INTO t VALUES (0)")
        values: list[object] = []
        db.query_value("SELECT n FROM t").subscribe(values.append)
        foreign = db._engine.foreign
        assert foreign is not None

        def locked() -> bool:
            raise apsw.BusyError("database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(foreign, "moved", locked)
            db.execute("UPDATE t SET n = 1")
        assert "refreshed at the next look" in caplog.text
        until(lambda: values[-1] == 1)


def test_a_database_that_nobody_closed_leaves_no_socket_to_be_warned_of(path: Path) -> None:
    with participant(path) as other:
        other.does("s = db.query('SELECT x FROM t').subscribe(lambda rows: None)")
        abandoned = ReactiveDatabase(path)
        abandoned.execute("UPDATE t SET x = 1")  # rings
        del abandoned
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            unraisable: list[object] = []
            before, sys.unraisablehook = sys.unraisablehook, unraisable.append
            try:
                gc.collect()
            finally:
                sys.unraisablehook = before
        assert not unraisable
