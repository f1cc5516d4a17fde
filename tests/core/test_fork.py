"""SQLite connections must not be carried across a fork."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, threading
from reactive_sqlite import ClosedError, ReactiveDatabase

seen = []
db = ReactiveDatabase(sys.argv[1])
db.execute("CREATE TABLE t(a)")
query = db.query_value("SELECT count(*) FROM t")
query.subscribe(seen.append, on_completed=lambda: seen.append("end"))
tells, told = os.pipe()
child = os.fork()
if child == 0:
    refused = 0
    write = db.mutation
    for use in (query.get, query.subscribe, db.flush, lambda: write("DELETE FROM t")):
        try:
            use()
        except ClosedError as error:
            refused += "before a fork" in str(error)
    db.close()
    ok = refused == 4 and seen == [0]
    if sys.argv[1] != ":memory:":
        heard = threading.Event()
        with ReactiveDatabase(sys.argv[1]) as own:
            own.query_value("SELECT count(*) FROM t").subscribe(lambda n: n and heard.set())
            os.write(told, b"!")
            ok = ok and heard.wait(20)
    os._exit(not ok)
if sys.argv[1] != ":memory:":
    os.read(tells, 1)  # it has opened the file for itself, and follows it
db.execute("INSERT INTO t VALUES (2)")
assert os.waitpid(child, 0)[1] == 0
assert seen == [0, 1], seen
db.close()
assert seen == [0, 1, "end"], seen
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("name", [":memory:", "t.db"])
def test_a_child_must_open_it_again(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


IN_A_TRANSACTION = """
import os, sys
from reactive_sqlite import ClosedError, ReactiveDatabase

db = ReactiveDatabase(sys.argv[1])
db.executescript("CREATE TABLE t(a); INSERT INTO t VALUES (0); BEGIN; UPDATE t SET a = 0; ROLLBACK")
refused = 0
child = None
try:
    with db.transaction():
        db.execute("UPDATE t SET a = 1")
        child = os.fork()
        if child == 0:
            for sql in ("UPDATE t SET a = 1", "ROLLBACK", "COMMIT"):
                try:
                    db.execute(sql)
                except ClosedError as error:
                    refused += "before a fork" in str(error)
            if sys.argv[2] == "raises":
                raise ZeroDivisionError
        else:
            assert os.waitpid(child, 0)[1] == 0
except (ClosedError, ZeroDivisionError) as error:
    if child == 0:
        left = "before a fork" in str(error) or sys.argv[2] == "raises"
        os._exit((refused, left) != (3, True))
    raise
if child == 0:
    os._exit(1)
assert db.query_value("SELECT a FROM t").get() == 1
assert db.execute("PRAGMA integrity_check").rows[0][0] == "ok"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("name", [":memory:", "t.db"])
@pytest.mark.parametrize("end", ["returns", "raises"])
def test_a_child_cannot_end_its_parents_transaction(name: str, end: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", IN_A_TRANSACTION, name, end]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


WHILE_OTHERS_WORK = """
import os, sys, threading
from reactive_sqlite import ClosedError, ReactiveDatabase

db = ReactiveDatabase(sys.argv[1])
db.execute("CREATE TABLE t(a)")
query = db.query_value("SELECT a FROM t")
subscription = query.subscribe(print)
listening = db.commits.subscribe(print)
held, forked = threading.Event(), threading.Event()

def work():
    with db.transaction(), db._store.lock, db._neighbours._lock:
        held.set()
        forked.wait()

thread = threading.Thread(target=work)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    refused = 0
    subscription.dispose()
    listening.dispose()
    for use in (query.get, db.changes_since, db.look, db.invalidate, db.transaction().__enter__):
        try:
            use()
        except ClosedError as error:
            refused += "before a fork" in str(error)
    db.close()
    os._exit(refused != 5)
forked.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
def test_a_child_waits_for_no_thread_of_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WHILE_OTHERS_WORK, "t.db"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


AFTER_THE_PARENT = """
import os, subprocess, sys
from reactive_sqlite import ReactiveDatabase

name, how = sys.argv[1:]
other = [sys.executable, "-c", f'''import sqlite3
db = sqlite3.connect({name!r}, timeout=30, isolation_level=None)
db.execute("INSERT INTO t VALUES (0)")
db.close()''']
db = ReactiveDatabase(name)
db.execute("CREATE TABLE t(a)")
subscription = db.query("SELECT a FROM t").subscribe(lambda rows: None)
tells, told = os.pipe()
goes, gone = os.pipe()
child = os.fork()
if child == 0:
    os.close(gone)
    own = ReactiveDatabase(name)
    own.execute("INSERT INTO t VALUES (1)")
    os.write(told, b"!")
    os.read(goes, 1)  # until the parent has closed it, or is no more
    for n in range(2):
        own.execute("INSERT INTO t VALUES (2)")
        subprocess.run(other, check=True)  # who is the last one to close it removes the log
    own.execute("INSERT INTO t VALUES (3)")
    assert own.query_value("SELECT count(*) FROM t").get() == 6
    own.close()
    print("done", flush=True)
    os._exit(0)
os.read(tells, 1)
if how == "closes":
    db.close()
os._exit(0)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("how", ["closes", "ends"])
def test_what_a_child_commits_outlives_its_parent(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", AFTER_THE_PARENT, "t.db", how]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    with sqlite3.connect(tmp_path / "t.db") as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (6,)
    db.close()


CHILD_ENDS = """
import os, sys
from reactive_sqlite import ReactiveDatabase

db = ReactiveDatabase(sys.argv[1])
db.execute(f"PRAGMA journal_mode = {sys.argv[2]}")
db.execute("PRAGMA cache_size = 10")  # so that a transaction writes before it commits
db.executescript('''CREATE TABLE t(id INTEGER PRIMARY KEY, a);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO t SELECT i, zeroblob(500) FROM n''')
with db.transaction():
    db.execute("UPDATE t SET a = zeroblob(400)")
    child = os.fork()
    if child == 0:
        db = None
        sys.exit()  # its interpreter forgets the connection, and must not close it
    os.waitpid(child, 0)
    db.execute("UPDATE t SET a = zeroblob(300) WHERE id % 2")
lengths = db.execute("SELECT length(a), count(*) FROM t GROUP BY 1").rows
assert [tuple(row) for row in lengths] == [(300, 500), (400, 500)], lengths
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_child_that_ends_does_not_undo_its_parents_transaction(mode: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", CHILD_ENDS, "t.db", mode]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


FORKED_WHILE_WRITING = """
import os, sys, threading
from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError
from reactive_sqlite.engine import forking

db = ReactiveDatabase("t.db")
db.execute("CREATE TABLE t(a)")
begun, forked = threading.Event(), threading.Event()

def work():
    with db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
        begun.set()
        if sys.argv[1] == "ends":
            while forking._forking.acquire(False):
                forking._forking.release()
        else:
            forked.wait()

forking.FORK_WAITS = 20 if sys.argv[1] == "ends" else 0
thread = threading.Thread(target=work)
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    with ReactiveDatabase("another.db") as another:
        another.execute("CREATE TABLE t(a)")
    try:
        with ReactiveDatabase("t.db") as own:
            own.execute("INSERT INTO t VALUES (2)")
    except ReactiveSqliteError as error:
        print(error)
    sys.exit()
forked.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
print(db.query_value("SELECT count(*) FROM t").get())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("how", ["ends", "stays"])
def test_a_child_that_was_forked_in_the_middle_of_a_write(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED_WHILE_WRITING, how]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    if how == "ends":
        assert done.stdout == "2\n"  # the fork has waited for it
    else:
        refused, count = done.stdout.splitlines()
        assert "was being written to when this process was forked" in refused
        assert count == "1"


WHILE_OPENING = """
import os, sys, threading
from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.engine import engine, forking

with ReactiveDatabase("t.db") as db:
    db.execute("CREATE TABLE t(a)")
begun = threading.Event()

class Slow(engine.Connection):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        if not begun.is_set():
            self.run("BEGIN IMMEDIATE")  # as the change to WAL mode takes the lock
            begun.set()
            while forking._forking.acquire(False):
                forking._forking.release()
            self.run("COMMIT")

engine.Connection, forking.FORK_WAITS = Slow, 10
thread = threading.Thread(target=lambda: ReactiveDatabase("t.db").close())
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    with ReactiveDatabase("t.db") as own:
        own.execute("INSERT INTO t VALUES (1)")
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
def test_a_fork_waits_for_what_is_being_opened(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WHILE_OPENING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


ATTACHED = """
import os, subprocess, sys
from reactive_sqlite import ReactiveDatabase, ReactiveSqliteError

name, state, how = sys.argv[1:]
other = [sys.executable, "-c", '''import sqlite3
db = sqlite3.connect("a.db", timeout=30, isolation_level=None)
db.execute("INSERT INTO t VALUES (0)")
db.close()''']
with ReactiveDatabase("a.db") as db:
    db.execute("CREATE TABLE t(a)")
db = ReactiveDatabase(name)
db.execute("ATTACH 'a.db' AS aux")
db.query_value("SELECT count(*) FROM aux.t").get()
if state == "writing":
    db.executescript("BEGIN; INSERT INTO aux.t VALUES (1)")
child = os.fork()
if child == 0:
    try:
        if how == "opens":
            own = ReactiveDatabase("a.db")
        else:
            own = ReactiveDatabase("another.db")
            own.execute("ATTACH 'a.db' AS b")
    except ReactiveSqliteError as error:
        assert "was being written to" in str(error), error
        if how == "attaches":
            assert len(own.execute("PRAGMA database_list").rows) == 1
        print("refused", flush=True)
        os._exit(0)
    for n in range(3):
        own.execute("INSERT INTO t VALUES (2)")
        subprocess.run(other, check=True)  # who is the last one to close it removes the log
    own.close()
    os._exit(0)
if state == "idle":
    db.close()
assert os.waitpid(child, 0)[1] == 0
if state == "writing":
    db.execute("COMMIT")
    db.close()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks here only")
@pytest.mark.parametrize("how", ["opens", "attaches"])
@pytest.mark.parametrize("state", ["idle", "writing"])
@pytest.mark.parametrize("name", [":memory:", "main.db"])
def test_an_attached_file_is_inherited_as_well(
    name: str, state: str, how: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", ATTACHED, name, state, how]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    printed = "refused\n" if state == "writing" else ""
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (6 if state == "idle" else 1,)
    db.close()
