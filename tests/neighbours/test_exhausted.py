"""Watching a file when the process has no descriptors or threads left, and when it has again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

import apsw
import pytest

from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.files.filesystem import identity_of
from reactive_sqlite.neighbours.doorbell import Doorbells, bells_of
from reactive_sqlite.testing import Emissions
from tests.neighbours.processes import stranger, until

resource = pytest.importorskip("resource", reason="limits of a process are known here only")

FOLDER = "/proc/self/fd"
pytestmark = pytest.mark.skipif(not os.path.isdir(FOLDER), reason="lists its descriptors here only")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    _others.update(threading.enumerate())
    with ReactiveDatabase(tmp_path / "some.db") as db:
        db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (0);")
        with Emissions(db.query("SELECT 1")):
            pass  # what is loaded and swept for the first watcher only
    until(lambda: not threads())
    return tmp_path / "some.db"


#: Of databases that other tests have left behind.
_others: WeakSet[threading.Thread] = WeakSet()


def threads() -> list[str]:
    running = (t for t in threading.enumerate() if t not in _others)
    return [t.name for t in running if t.name.startswith("reactive-sqlite")]


def descriptors() -> int:
    return len(os.listdir(FOLDER))


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """For the length of the block only so many more can be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 64, limits[1]))
    taken: list[int] = []
    try:
        while True:
            try:
                taken.append(os.dup(2))
            except OSError:
                break
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)


@pytest.mark.parametrize("left", range(8))
def test_no_descriptors_left_for_the_watcher(path: Path, left: int) -> None:
    with stranger(path) as other:
        before = descriptors()
        with ReactiveDatabase(path) as db:
            x = db.query_value("SELECT x FROM t")
            assert x.get() == 0  # a reading connection is open
            kept = descriptors()
            with descriptors_left(left):
                seen = Emissions(x)
                other.runs("UPDATE t SET x = 1")
            with seen:
                until(lambda: seen.last == 1)
                other.runs("UPDATE t SET x = 2")
                until(lambda: seen.last == 2)
            until(lambda: not threads())
            assert descriptors() == kept
        assert descriptors() == before


def test_who_subscribes_then_takes_no_news_from_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next subscriber the file is watched: from the state that the first one has seen."""
    with stranger(path) as other, ReactiveDatabase(path) as db:
        monkeypatch.setattr(db._publisher.timer, "at", lambda when, call: None)
        x = db.query_value("SELECT x FROM t")
        assert x.get() == 0
        with descriptors_left(0):
            first = Emissions(x)
        other.runs("UPDATE t SET x = 1")
        with first, Emissions(db.query_value("SELECT 1")):
            until(lambda: first.last == 1)


@pytest.mark.parametrize("left", range(3))
def test_no_descriptors_left_for_the_file(path: Path, left: int) -> None:
    before = descriptors()
    with descriptors_left(left), pytest.raises(apsw.CantOpenError) as raised:
        ReactiveDatabase(path)
    assert "too many open files" in raised.value.__notes__[-1]
    assert descriptors() == before
    ReactiveDatabase(path).close()


def test_no_threads_left_for_the_watcher(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, refused = threading.Thread.start, [True, True]

    def refuse(thread: threading.Thread) -> None:
        if refused and thread.name.startswith("reactive-sqlite watcher"):
            refused.pop()
            raise RuntimeError("can't start new thread")
        start(thread)

    with stranger(path) as other, ReactiveDatabase(path) as db:
        x = db.query_value("SELECT x FROM t")
        assert x.get() == 0
        kept = descriptors()
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with Emissions(x) as seen:
            assert "cannot be watched" in caplog.text
            assert descriptors() == kept
            other.runs("UPDATE t SET x = 1")
            until(lambda: seen.last == 1)
        until(lambda: not threads())
        assert descriptors() == kept


PARENT = """
import os, sys, time
from reactive_sqlite import ReactiveDatabase
db = ReactiveDatabase(sys.argv[1])
db.query_value("SELECT x FROM t").subscribe(lambda x: None)
child = os.fork()
if child == 0:
    files = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    files = [os.readlink(file) for file in files if os.path.exists(file)]
    print(sum(file.startswith(("socket", "anon_inode")) for file in files), os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_child_does_not_keep_what_its_parent_watches_with(path: Path) -> None:
    """Else the bell of a parent that was killed would be rung for ever, and heard by nobody."""
    command = [sys.executable, "-c", PARENT, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        kept, child = map(int, parent.stdout.readline().split())
        parent.kill()
    try:
        bells = Doorbells(bells_of(*identity_of(str(path))))
        assert len(bells.names()) == 1
        bells.ring()
        assert bells.names() == ()
        bells.close()
    finally:
        os.kill(child, signal.SIGKILL)
    assert kept == 0
