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
