"""SQLite connections must not be carried across a fork."""

from __future__ import annotations

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
