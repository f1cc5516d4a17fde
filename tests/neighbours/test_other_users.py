"""A process of another user with the same file open: it has doorbells of its own."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.files.filesystem import identity_of
from reactive_sqlite.neighbours import doorbell, watcher
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import Other, participant, until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="changes the user of a process")

NOBODY = 65534

# What is imported later must be there already: this user may not be allowed to read it.
AS_NOBODY = f"""
import ctypes, encodings.unicode_escape, logging, os, sys
from apsw import ReadOnlyError
from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.neighbours.doctor import examine
os.setuid({NOBODY})
logged = []
class Keep(logging.Handler):
    def emit(self, record):
        logged.append(record.getMessage())
logging.getLogger().addHandler(Keep())
db = ReactiveDatabase(sys.argv[1], **eval(sys.argv[2]))
run = db.execute
"""


@pytest.fixture
def path() -> Iterator[Path]:
    """A database that any user may write to, in a folder unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        path = Path(name) / "some.db"
        with ReactiveDatabase(path) as db:
            db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
            db.executescript("INSERT INTO t VALUES (1, 0), (2, 0);")
        path.chmod(0o666)
        yield path


@contextmanager
def somebody_else(path: Path, options: str = "{}") -> Iterator[Other]:
    other = Other(path, AS_NOBODY, options)
    try:
        yield other
        other.does("assert logged == [], logged")
    finally:
        other.leave()


@pytest.mark.parametrize("journal", [None, True])
@pytest.mark.parametrize("hints", [True, False], ids=["hints", "looks"])
def test_commits_of_another_user_are_seen_both_ways(
    path: Path,
    journal: bool | None,
    hints: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not hints:
        monkeypatch.setattr(watcher.Watcher, "_watch_file", lambda self: None)
    with (
        caplog.at_level(logging.WARNING),
        somebody_else(path, f"{{'journal': {journal}}}") as other,
        ReactiveDatabase(path, journal=journal) as db,
    ):
        if not hints:
            other.does("from reactive_sqlite.neighbours import watcher")
            other.does("watcher.Watcher._watch_file = lambda self: None")
        other.does("import time; seen = []")
        other.does("db.query_value('SELECT x FROM t WHERE id = 1').subscribe(seen.append)")
        with Emissions(db.query_value("SELECT x FROM t WHERE id = 1")) as seen:
            for n in range(1, 6):
                other.runs(f"UPDATE t SET x = {n} WHERE id = 1")
                until(lambda n=n: seen.last == n)
                db.execute("UPDATE t SET x = ? WHERE id = 1", (-n,))
                other.does(f"while seen[-1] != {-n}: time.sleep(0.001)")
            assert seen.values == [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5]
        other.does("assert seen == [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5], seen")
        assert caplog.records == []


@pytest.mark.parametrize("options", ["{}", "{'readonly': True}"])
@pytest.mark.parametrize("killed", [False, True], ids=["beside a writer", "after a crash"])
def test_who_may_only_read_hears_as_well(path: Path, options: str, killed: bool) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)
    with ExitStack() as stack:
        writer = stack.enter_context(participant(path))
        writer.runs("UPDATE t SET x = 0")
        if killed:
            writer.kill()
        other = stack.enter_context(somebody_else(path, options))
        other.does("import time; seen = []")
        other.does("db.query_value('SELECT x FROM t WHERE id = 1').subscribe(seen.append)")
        db = stack.enter_context(ReactiveDatabase(path))
        for n in range(1, 6):
            db.execute("UPDATE t SET x = ? WHERE id = 1", (n,))
            other.does(f"while seen[-1] != {n}: time.sleep(0.001)")
        other.does("assert seen == [0, 1, 2, 3, 4, 5], seen")
        other.does("assert db.changes_since().start_over")
        other.does("refused = 0\ntry: run('DELETE FROM t')\nexcept ReadOnlyError: refused = 1")
        other.does("assert refused")
        other.does("found = {finding.topic: finding for finding in examine(sys.argv[1])}")
        other.does("assert 'pages in use' in found['write-ahead log'].text, found")


def test_bells_that_may_not_be_rung_harm_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Should another user find a bell all the same: nobody may write to it."""
    base = path.with_name("bells")
    base.mkdir(0o755)
    monkeypatch.setattr(doorbell, "runtime_directory", lambda: str(base))
    directory = doorbell.bells_of(*identity_of(str(path)))
    assert directory is not None
    with somebody_else(path) as other, ReactiveDatabase(path) as db:
        with Emissions(db.query_value("SELECT sum(x) FROM t")) as seen:
            Path(directory).chmod(0o755)
            other.does(f"db._neighbours._bells.directory = {directory!r}")
            for n in range(1, 6):
                other.does("db._neighbours._bells.forget()")
                other.runs(f"UPDATE t SET x = {n} WHERE id = 1")
                until(lambda n=n: seen.last == n)
                other.does("assert len(db._neighbours._bells.names()) == 1")
        assert caplog.records == []
