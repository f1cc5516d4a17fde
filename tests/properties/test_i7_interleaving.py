"""I7, between the lines: another thread commits at each line that a subscription executes.

A trace function stops the subscribing thread at its n-th line in the modules that place a live
query, and lets another thread commit there; or a committing thread, and another one subscribes.
Wherever that happens, the last value delivered must be a fresh one, and none may come twice.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import reactive_sqlite
from reactive_sqlite import ReactiveDatabase
from reactive_sqlite.engine import writes
from reactive_sqlite.journal import journal
from reactive_sqlite.liveness import live, publisher
from reactive_sqlite.recording import recorder
from reactive_sqlite.understanding import routing

PACKAGE = Path(reactive_sqlite.__file__).parent
OF_SUBSCRIPTIONS = {routing.__file__, live.__file__, publisher.__file__}
OF_COMMITS = {writes.__file__, journal.__file__, recorder.__file__, publisher.__file__}
SCHEMA = """
CREATE VIRTUAL TABLE ft USING fts5(a);
CREATE TABLE t(id INTEGER PRIMARY KEY, n);
INSERT INTO t VALUES (1, 1), (2, 2);
"""
WRITES = ("UPDATE t SET n = n - 5 WHERE id = 1", "INSERT INTO ft VALUES ('x')")


def observed(db: ReactiveDatabase) -> Any:
    count, total = "SELECT count(*) FROM ft", "SELECT sum(n) FROM t"
    return db.observe(lambda: (db.query_value(count).get(), db.query_value(total).get()))


READS: dict[str, Callable[[ReactiveDatabase], Any]] = {
    "observe": observed,
    "table": lambda db: db.query_value("SELECT sum(n) FROM t"),
    "virtual table": lambda db: db.query_value("SELECT count(*) FROM ft"),
    "key": lambda db: db.query_value("SELECT n FROM t WHERE id = 1"),
}


class Interruption:
    """Has another thread do something when this one reaches its n-th line in some modules."""

    def __init__(self, line: int, modules: set[str], does: Callable[[], object]) -> None:
        self.line = line
        self.modules = modules
        self.lines = 0
        self.where = ""
        self.other = threading.Thread(target=does)

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self.modules:
            return self if frame.f_code.co_filename.startswith(str(PACKAGE)) else None
        if event == "line":
            self.lines += 1
            if self.lines == self.line:
                sys.settrace(None)
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                self.other.start()
                self.other.join(0.015)  # or it waits for a lock that this thread holds
                return None
        return self


@pytest.mark.parametrize("name", [":memory:", "t.db"])
@pytest.mark.parametrize("read", READS)
def test_a_commit_at_any_line_of_a_subscription(read: str, name: str, tmp_path: Path) -> None:
    traced = sys.gettrace()
    for line in itertools.count(1, 3 if read == "observe" else 5):
        path = name if name == ":memory:" else str(tmp_path / f"{line}.db")
        with ReactiveDatabase(path) as db:
            db.executescript(SCHEMA)
            query = READS[read](db)
            both = partial(deque, map(db.execute, WRITES))
            interruption = Interruption(line, OF_SUBSCRIPTIONS, both)
            seen: list[Any] = []
            sys.settrace(interruption)
            try:
                query.subscribe(seen.append)
            finally:
                sys.settrace(traced)
            if not interruption.where:
                assert line > 8, "the subscription went through no line of these modules"
                return
            interruption.other.join(20)
            assert not interruption.other.is_alive(), f"hangs at {interruption.where}"
            db.flush()
            assert seen, f"no value, interrupted at {interruption.where}"
            assert seen[-1] == query.get(), f"stale, interrupted at {interruption.where}"
            assert all(one != two for one, two in itertools.pairwise(seen)), interruption.where


@pytest.mark.parametrize(("name", "journal"), [(":memory:", None), ("t.db", None), ("t.db", True)])
@pytest.mark.parametrize("in_block", [False, True])
def test_a_subscription_at_any_line_of_a_commit(
    name: str, journal: bool | None, in_block: bool, tmp_path: Path
) -> None:
    traced = sys.gettrace()
    for line in itertools.count(1, 2):
        path = name if name == ":memory:" else str(tmp_path / f"{line}.db")
        with ReactiveDatabase(path, journal=journal) as db:
            db.executescript(SCHEMA)
            query = db.query_value("SELECT sum(n) FROM t")
            seen: list[Any] = []
            interruption = Interruption(line, OF_COMMITS, partial(query.subscribe, seen.append))
            sys.settrace(interruption)
            try:
                with db.transaction() if in_block else nullcontext():
                    db.execute("UPDATE t SET n = n - 5 WHERE id = 1")
            finally:
                sys.settrace(traced)
            if not interruption.where:
                assert line > 30, "the commit went through no line of these modules"
                return
            interruption.other.join(20)
            assert not interruption.other.is_alive(), f"hangs at {interruption.where}"
            db.flush()
            assert seen[-1:] == [query.get()], f"interrupted at {interruption.where}"
            assert all(one != two for one, two in itertools.pairwise(seen)), interruption.where
