"""Files that cannot be used, and neighbours who change the ground: clear errors, right values."""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.files import checkpoints, filesystem, locks
from reactive_sqlite.files.filesystem import network_file_system
from reactive_sqlite.files.locks import locks_on
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import participant, stranger, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 0);")
    return tmp_path / "some.db"


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder with a database that any user can go to, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        with ReactiveDatabase(Path(name) / "some.db") as db:
            db.execute("CREATE TABLE t(x)")
        yield Path(name)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(apsw.CantOpenError) as raised:
        ReactiveDatabase(tmp_path)
    assert "it is a directory" in raised.value.__notes__[0]


@pytest.mark.parametrize("name", ["{}", "file:{}", "file://{}?mode=rwc"])
def test_a_missing_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(apsw.CantOpenError) as raised:
        ReactiveDatabase(name.format(tmp_path / "no%20where" / "some.db"))
    folder = str(tmp_path / "no%20where")
    folder = folder if name == "{}" else folder.replace("%20", " ")
    assert f"there is no directory {folder!r}" in raised.value.__notes__[0]


def test_no_database_at_all(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("hello " * 1000)
    with pytest.raises(apsw.NotADBError):
        ReactiveDatabase(tmp_path / "some.txt")


@pytest.mark.skipif(os.getuid() != 0, reason="changes the user of a process")
@pytest.mark.parametrize(
    ("shut", "says"), [("file", "no permission to read it"), ("folder", "no permission to go to")]
)
def test_no_permission(open_to_all: Path, shut: str, says: str) -> None:
    program = (
        "import os, sys, apsw\n"
        "from reactive_sqlite import ReactiveDatabase\n"
        "os.setuid(65534)\n"
        "try: ReactiveDatabase(sys.argv[1])\n"
        "except apsw.CantOpenError as error: print(*error.__notes__)\n"
    )
    path = open_to_all / "some.db"
    (path if shut == "file" else open_to_all).chmod(0o600)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    open_to_all.chmod(0o755)
    assert says in done.stdout, done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="changes the user of a process")
@pytest.mark.parametrize("options", ["", ", readonly=True"])
def test_a_directory_that_cannot_be_written_to(open_to_all: Path, options: str) -> None:
    program = (
        "import ctypes, encodings.unicode_escape, os, sys, apsw\n"
        "from reactive_sqlite import ReactiveDatabase\n"
        "os.setuid(65534)\n"
        f"try: ReactiveDatabase(sys.argv[1]{options}).query('SELECT * FROM t').get()\n"
        "except apsw.ReadOnlyError as error: print(*error.__notes__)\n"
    )
    path = open_to_all / "some.db"
    path.chmod(0o444)
    open_to_all.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    open_to_all.chmod(0o755)
    assert "cannot be written to, and write-ahead logging" in done.stdout, done.stderr


def test_a_file_may_be_opened_while_somebody_writes(path: Path) -> None:
    with stranger(path) as other:
        other.runs("BEGIN IMMEDIATE")
        other.runs("UPDATE t SET x = 1")
        with ReactiveDatabase(path, busy_timeout=0.5) as db:
            assert db.query_value("SELECT x FROM t").get() == 0
            with pytest.raises(apsw.BusyError) as raised:
                db.changes_since()  # makes the journal, which is writing
            assert f"held by process {other.process.pid} " in str(raised.value.__notes__)
            other.runs("COMMIT")
            assert db.changes_since().start_over


def test_a_corrupt_log_is_left_behind(path: Path) -> None:
    """Frames of which a checksum is wrong were never committed: SQLite ends the log before them."""
    with stranger(path) as other:
        other.runs("UPDATE t SET x = 1")
        other.runs("UPDATE t SET x = 2")
        other.kill()
    log = path.with_name("some.db-wal")
    content = bytearray(log.read_bytes())
    content[-10] ^= 0xFF
    log.write_bytes(content)
    with ReactiveDatabase(path) as db, participant(path) as friend:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            assert seen.last == 1
            friend.runs("UPDATE t SET x = 3")
            until(lambda: seen.last == 3)
        assert db.execute("PRAGMA integrity_check").rows == (("ok",),)


def test_a_wal_index_that_a_crash_left_torn(path: Path) -> None:
    """SQLite builds it anew and counts commits from nought: nobody may be missed for that."""
    # In a process of its own: closing the file would drop the locks of this one.
    tear = "import sys; f = open(sys.argv[1], 'r+b'); f.write(bytes(range(48)))"
    with ReactiveDatabase(path) as db, participant(path) as friend, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            friend.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
            with db._engine.lock:  # no look in between
                subprocess.run([sys.executable, "-c", tear, f"{path}-shm"], check=True)
                other.runs("UPDATE t SET x = 'unknown'")
            until(lambda: seen.last == "unknown")
        assert db.query_value("SELECT integrity_check FROM pragma_integrity_check").get() == "ok"


def test_a_column_that_another_process_drops(path: Path) -> None:
    with ReactiveDatabase(path) as db, stranger(path) as other:
        states: list[tuple[object, str | None]] = []
        db.query_value("SELECT x FROM t").states().subscribe(
            lambda state: states.append((state.value, state.error and str(state.error)))
        )
        with Emissions(db.query("SELECT * FROM t")) as all_columns:
            other.runs("ALTER TABLE t DROP COLUMN x")
            until(lambda: len(states) == 2)
            assert states[1] == (0, "no such column: x")
            until(lambda: all_columns.last == ((1,),))
            assert all_columns.last[0].keys() == ("id",)
            other.runs("ALTER TABLE t ADD COLUMN x DEFAULT 5")
            until(lambda: states[-1] == (5, None))
            until(lambda: all_columns.last == ((1, 5),))


def test_a_table_that_another_process_makes_anew(path: Path) -> None:
    with ReactiveDatabase(path) as db, participant(path) as other:
        with Emissions(db.query("SELECT * FROM t WHERE x = 7")) as seen:
            other.runs("DROP TABLE t")
            other.runs("CREATE TABLE t(note, x)")  # x is at another place
            other.runs("INSERT INTO t VALUES ('a', 7)")
            with Emissions(db.query("SELECT note FROM t WHERE x = 7")) as again:
                until(lambda: again.last == (("a",),))
            other.runs("UPDATE t SET note = 'b'")
        with Emissions(db.query("SELECT * FROM t WHERE x = 7")) as fresh:
            assert fresh.last == (("b", 7),)
        assert seen.errors or seen.last == fresh.last


@pytest.mark.parametrize("verb", ["execute", "executescript", "mutation"])
def test_a_view_that_another_process_makes_writable(path: Path, verb: str) -> None:
    """SQLite does not notice by itself that its picture of the schema is old, and refuses it."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute("CREATE VIEW v AS SELECT x FROM t")
        with pytest.raises(apsw.SQLError):
            db.execute("INSERT INTO v VALUES (1)")
        other.runs("CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN UPDATE t SET x = new.x; END")
        write = getattr(db, verb)("INSERT INTO v VALUES (7)")
        if verb == "mutation":
            write()
        assert db.query_value("SELECT x FROM t").get() == 7


def test_a_clock_that_jumps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    with ReactiveDatabase(path) as db, participant(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            for n, jump in enumerate((-(10**6), 10**6, 0), 1):
                monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
                other.runs(f"UPDATE t SET x = {n}")
                until(lambda n=n: seen.last == n)
                db.execute("UPDATE t SET x = ?", (-n,))
                assert seen.last == -n


def test_who_holds_the_lock_is_said(path: Path) -> None:
    with stranger(path) as other:
        other.runs("BEGIN IMMEDIATE")
        with ReactiveDatabase(path, busy_timeout=0.05) as db:
            with pytest.raises(apsw.BusyError) as raised:
                db.execute("UPDATE t SET x = 1")
            holder = f"held by process {other.process.pid} "
            assert any(holder in note for note in raised.value.__notes__)
            assert locks_on(str(path)).open >= {os.getpid(), other.process.pid}
            other.runs("ROLLBACK")
            db.execute("UPDATE t SET x = 1")
            assert locks_on(str(path)).writer is None


def test_a_long_reader_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 10)
    monkeypatch.setattr(checkpoints, "WARN_PAGES", 30)
    with stranger(path) as other, ReactiveDatabase(path) as db:
        other.does("db.execute('BEGIN'); db.execute('SELECT * FROM t').fetchall()")
        for n in range(100):
            db.execute("UPDATE t SET x = ?", (n,))
        warned = [record.message for record in caplog.records if "has grown" in record.message]
        assert 1 <= len(warned) <= 3, "not with each commit"
        assert f"Process: {other.process.pid} " in warned[0]
        assert "\n" not in warned[0], "though it was started with a program of several lines"
        other.runs("ROLLBACK")
        db.execute("UPDATE t SET x = -1")
        db.execute("UPDATE t SET x = -2")
        assert path.with_name("some.db-wal").stat().st_size < 200 * 4120


def test_a_log_that_a_long_reader_has_made_large_becomes_small_again(path: Path) -> None:
    log = path.with_name("some.db-wal")
    with participant(path) as watching, stranger(path) as other, ReactiveDatabase(path) as db:
        watching.does("seen = []; db.query_value('SELECT max(x) FROM t').subscribe(seen.append)")
        other.does("db.execute('BEGIN'); db.execute('SELECT * FROM t').fetchall()")
        for _ in range(6):
            db.execute("INSERT INTO t(x) VALUES (randomblob(4000000))")
        db.execute("DELETE FROM t WHERE typeof(x) = 'blob'")
        assert log.stat().st_size > checkpoints.KEPT_BYTES
        other.runs("ROLLBACK")
        for n in range(3):
            db.execute("UPDATE t SET x = ?", (n,))
        assert log.stat().st_size <= checkpoints.KEPT_BYTES
        watching.does("import time\nwhile seen[-1] != 2: time.sleep(0.002)")


@pytest.mark.parametrize("page_size", [1 << power for power in range(9, 17)])
def test_a_log_that_was_cut_does_not_look_whole(page_size: int) -> None:
    header, frame = 32, 24 + page_size
    assert (checkpoints.KEPT_BYTES - header) % frame


def test_short_readers_that_overlap_do_not_make_the_log_grow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each commit some reader reads a state of before, so that the log is never done with."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 10)
    monkeypatch.setattr(checkpoints, "WARN_PAGES", 30)
    readers = [apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) for _ in range(2)]
    turns = itertools.cycle(readers)

    def one_reads_anew(_seconds: float = 0.0) -> None:
        reader = next(turns)
        if reader.in_transaction:
            reader.execute("COMMIT")
        reader.execute("BEGIN; SELECT * FROM t").fetchall()

    # What readers do while the writer waits for them: with time, they go on.
    waiting = types.SimpleNamespace(monotonic=time.monotonic, sleep=one_reads_anew)
    monkeypatch.setattr(locks, "time", waiting)
    with ReactiveDatabase(path) as db:
        for n in range(400):
            one_reads_anew()
            db.execute("UPDATE t SET x = ?", (n,))
        assert path.with_name("some.db-wal").stat().st_size < 100 * 4120
        for reader in readers:
            reader.close()


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/share/some.db", "nfs4"),
        ("/srv/share/deeper/some.db", None),
        ("/srv/with space/some.db", "cifs"),
        ("/srv/sharednot/some.db", None),
        ("/srv/Büro/some.db", "nfs4"),
        ("/srv/no\udcfcUTF-8/some.db", "ceph"),
        ("/srv/no\udcfcUTF/some.db", None),
        ("/srv/two\u3000words/some.db", "9p"),
        ("/srv/a\rreturn/some.db", "afs"),
        ("/some.db", None),
    ],
)
def test_network_file_systems_are_known(tmp_path: Path, file: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    lines = (
        "/dev/sda / ext4 rw 0 0\nhost:/x /srv/share nfs4 rw 0 0\n"
        "/dev/sdb /srv/share/deeper xfs rw 0 0\n//host/y /srv/with\\040space cifs rw 0 0\n"
        "host:/z /srv/Büro nfs4 rw 0 0\nhost:/u /srv/no\udcfcUTF-8 ceph rw 0 0\n"
        "v /srv/two\u3000words 9p rw 0 0\nw /srv/a\rreturn afs rw 0 0\n"
    )
    mounts.write_bytes(os.fsencode(lines))
    assert network_file_system(file, str(mounts)) == kind
    assert network_file_system(file, str(tmp_path / "none")) is None


def test_network_file_systems_are_warned_of(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(filesystem, "network_file_system", lambda file: "nfs4")
    with caplog.at_level(logging.WARNING), ReactiveDatabase(path):
        assert "network file system (nfs4)" in caplog.text


def test_a_file_with_two_names_is_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.with_name("symbolic.db").symlink_to(path)
    for name in ("symbolic.db", "some.db"):
        ReactiveDatabase(path.with_name(name)).close()
    assert caplog.text == ""
    path.with_name("hard.db").hardlink_to(path)
    with ReactiveDatabase(path):
        assert "has 2 names (hard links)" in caplog.text


def test_a_write_lock_taken_elsewhere_is_waited_for(path: Path) -> None:
    with participant(path) as one, participant(path) as two, ReactiveDatabase(path) as db:
        loop = (
            "for n in range(100):\n"
            "    with db.transaction():\n"
            "        x = db.query_value('SELECT x FROM t').get()\n"
            "        run('UPDATE t SET x = ?', (x + 1,))\n"
        )
        one.start(loop)
        two.start(loop)
        for _ in range(100):
            with db.transaction():
                x = db.query_value("SELECT x FROM t").get()
                db.execute("UPDATE t SET x = ?", (x + 1,))
        one.answer("done")
        two.answer("done")
        assert db.query_value("SELECT x FROM t").get() == 300


@pytest.mark.parametrize("begin", ["BEGIN", "SAVEPOINT a"])
def test_a_transaction_that_reads_first_is_not_refused(path: Path, begin: str) -> None:
    """A deferred one would be, whatever the timeout, if somebody else commits in between."""
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute(begin)
        before = db.query_value("SELECT x FROM t").get()
        other.start("run('UPDATE t SET x = x + 1')")
        time.sleep(0.05)
        db.execute("UPDATE t SET x = ?", (before + 10,))
        db.execute("COMMIT" if begin == "BEGIN" else "RELEASE a")
        other.answer("done")
        assert db.query_value("SELECT x FROM t").get() == before + 11


def test_another_program_may_use_the_file_with_any_sqlite(path: Path) -> None:
    assert sqlite3.sqlite_version != apsw.sqlite_lib_version(), "this proves little here"
    with ReactiveDatabase(path) as db, stranger(path) as other:
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            other.runs("UPDATE t SET x = 'theirs'")
            until(lambda: seen.last == "theirs")


@pytest.mark.parametrize("write", [False, True])
def test_rows_have_the_names_of_columns_that_others_have_added(path: Path, write: bool) -> None:
    sql = "INSERT INTO t(x) VALUES (0) RETURNING *" if write else "SELECT * FROM t"
    with ReactiveDatabase(path) as db, stranger(path) as other:
        db.execute(sql)
        other.runs("ALTER TABLE t ADD COLUMN y DEFAULT 'new'")
        assert db.execute(sql).rows[0]["y"] == "new"
