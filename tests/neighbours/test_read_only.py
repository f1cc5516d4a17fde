"""Files that cannot be written, nor anything beside them: on a read-only file system, or a URI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.testing import Emissions
from tests.cli.test_watch import COMMAND

PROGRAM = """
import sys, apsw
from reactive_sqlite import ReactiveDatabase
try:
    with ReactiveDatabase(sys.argv[1], **eval(sys.argv[2])) as db:
        seen = []
        db.query_value("SELECT x FROM t").subscribe(seen.append)
        assert seen == [7], seen
        assert db.query_value("SELECT x FROM t").get() == 7
        assert db.changes_since().start_over
        db.look()
        try:
            db.execute("UPDATE t SET x = 8")
        except apsw.ReadOnlyError:
            print("7, and no more")
except apsw.Error as error:
    print(type(error).__name__, *error.__notes__)
"""

Frozen = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "frozen" / "a ? b.db"
    path.parent.mkdir()
    with ReactiveDatabase(path) as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (7);")
    return path


@pytest.fixture
def frozen(path: Path) -> Frozen:
    """Runs a command by which the folder of the file is seen to lie on a read-only file system."""
    folder, unshare = path.parent, shutil.which("unshare")
    if os.getuid() != 0 or unshare is None:
        pytest.skip("needs the right to mount")
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 99; exec "$@"'

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        whole = [unshare, "-m", "sh", "-c", mount, folder, *command]
        return subprocess.run(list(map(str, whole)), capture_output=True, text=True)

    if run("true").returncode != 0:
        pytest.skip("may not mount")
    assert run("touch", folder / "new").returncode != 0
    return run


def opened(frozen: Frozen, name: object, options: str) -> str:
    done = frozen(sys.executable, "-c", PROGRAM, name, options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("options", ["{'readonly': True}", "{}"])
def test_a_file_in_wal_mode_is_refused_with_a_way_out(
    frozen: Frozen, path: Path, options: str
) -> None:
    said = opened(frozen, path, options)
    assert said.startswith("CantOpenError")
    assert "cannot be written to, and write-ahead logging needs two files there" in said
    name = f"file:{path.parent}/a%20%3F%20b.db?immutable=1"
    assert f"open {name!r} with readonly=True" in said
    assert opened(frozen, name, options) == "7, and no more"


def test_a_log_that_nobody_can_read_is_not_passed_over(frozen: Frozen, path: Path) -> None:
    """What is immutable is read without it: that would be a state of before."""
    with ReactiveDatabase(path) as db:
        db.execute("UPDATE t SET x = 8")
        log = path.with_name(path.name + "-wal").read_bytes()
    path.with_name(path.name + "-wal").write_bytes(log)
    said = opened(frozen, path, "{'readonly': True}")
    assert "copy the database elsewhere" in said
    assert "immutable" not in said


def test_a_journal_that_is_to_be_rolled_back_is_not_passed_over(frozen: Frozen, path: Path) -> None:
    """What is immutable is read without it: that would be half of what a dead writer wrote."""
    killed = (
        "import apsw, os, sys; c = apsw.Connection(sys.argv[1]);"
        "c.execute('PRAGMA journal_mode = DELETE').fetchall(); c.execute('PRAGMA cache_size = 1');"
        "c.execute('BEGIN'); c.execute('UPDATE t SET x = 8');"
        "c.execute('CREATE TABLE large AS SELECT zeroblob(90000)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed, str(path)], check=True)
    with pytest.raises(apsw.ReadOnlyError) as refused:
        ReactiveDatabase(path, readonly=True)
    assert (
        "b.db-journal' is of a writer that died, it is rolled back first: open it for writing"
        in "".join(refused.value.__notes__)
    )
    said = opened(frozen, path, "{'readonly': True}")
    assert "is rolled back first: copy both to where" in said
    assert "immutable" not in said
    with ReactiveDatabase(path) as db:
        assert db.query_value("SELECT x FROM t").get() == 7
    with ReactiveDatabase(path, readonly=True) as db:
        assert db.query_value("SELECT x FROM t").get() == 7


def test_a_file_in_another_mode_can_be_read(frozen: Frozen, path: Path) -> None:
    with ReactiveDatabase(path) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    assert opened(frozen, path, "{'readonly': True}") == "7, and no more"
    assert opened(frozen, path, "{}").startswith("ReadOnlyError")
    done = frozen(*COMMAND, "doctor", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "delete: readers and a writer wait" in done.stdout


def test_the_doctor_says_why_it_cannot_look(frozen: Frozen, path: Path) -> None:
    done = frozen(*COMMAND, "doctor", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cannot be written to, and write-ahead logging needs two files there" in done.stderr


@pytest.mark.parametrize("wanted", ["immutable=1", "mode=rwc&vfs=unix-dotfile", "cache=shared#x"])
def test_what_a_uri_asks_for_holds_for_all_connections(
    path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "dotfile" in wanted:  # which has no shared memory
        with ReactiveDatabase(path) as db:
            db.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.chdir(path.parent)
    uri = f"file:a%20%3f%20b.db?{wanted}"
    with ReactiveDatabase(uri, readonly="immutable" in wanted) as db:
        monkeypatch.chdir("/")
        with Emissions(db.query_value("SELECT x FROM t")) as seen:
            assert db.query_value("SELECT x FROM t").get() == 7
            with db._engine.reads.snapshot():
                reader = db._engine.reads._local.pinned
                assert reader is not None
                kind = "unix-dotfile" if "dotfile" in wanted else "unix"
                for connection in (reader, db._engine._writer):
                    assert connection._apsw.vfsname("main") == kind
            assert seen.values == [7]
        beside = {file.name for file in path.parent.iterdir()}
        if "immutable" in wanted:
            assert beside == {path.name}, "it needs no files beside it"
            with pytest.raises(apsw.ReadOnlyError):
                db.execute("UPDATE t SET x = 8")
        else:
            db.execute("UPDATE t SET x = 8")
            assert db.query_value("SELECT x FROM t").get() == 8
