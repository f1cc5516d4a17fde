"""I3 with threads: random programs dealt to several threads; at rest each live value is fresh.

Which thread comes first is not known, so there is no twin; the oracle is the database's own engine
when all threads are done.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from reactive_sqlite import NotAQuery, ReactiveDatabase

from . import oracle
from .generate import Generator
from .oracle import Engine
from .program import Op
from .watch import Watch

THREADS = 4
OPERATIONS = 80
LEFT_OUT = ("BEGIN", "COMMIT", "END", "SAVEPOINT", "RELEASE", "ROLLBACK", "ATTACH", "DETACH")


class Crowd:
    """Threads that perform operations on one database."""

    def __init__(self, db: ReactiveDatabase, seed: int) -> None:
        self.db = db
        self.random = Random(seed)
        self.twin = Engine(":memory:")
        self.generator = Generator(self.twin)
        self.watches: list[Watch] = []
        self.lock = threading.Lock()
        self.errors: list[str] = []

    def open(self) -> None:
        for op in self.generator.opening(self.random):
            self.perform(op, self.random)
            self.on_twin(op)

    def on_twin(self, op: Op) -> None:
        with contextlib.suppress(apsw.Error):
            if op.kind in ("execute", "script"):
                self.twin.run(op.sql, op.params)

    def operations(self) -> list[Op]:
        """Written for the schema as it would be if one thread did all of them."""
        made: list[Op] = []
        while len(made) < OPERATIONS:
            op = self.generator.next(self.random)
            alone = op.sql.upper().startswith(LEFT_OUT) or "RECURSIVE s(i)" in op.sql
            if op.kind != "foreign" and not alone:
                made.append(op)
                self.on_twin(op)
        return made

    def perform(self, op: Op, random: Random, among: list[Op] | None = None) -> None:
        with contextlib.suppress(apsw.Error, OverflowError, ZeroDivisionError, NotAQuery):
            match op.kind:
                case "watch" | "one" | "value" | "observe":
                    watch = Watch(self.db, op)
                    with self.lock:
                        self.watches.append(watch)
                case "unwatch":
                    with self.lock:
                        gone = self.watches.pop() if self.watches else None
                    if gone is not None:
                        gone.close()
                case "execute":
                    self.db.execute(op.sql, op.params)
                case "script":
                    self.db.executescript(op.sql)
                case "many":
                    self.db.executemany(op.sql, op.params)
                case "begin" | "end" | "raise":
                    with self.db.transaction():
                        for inner in random.sample(among or [], 2):
                            if inner.kind == "execute":
                                self.db.execute(inner.sql, inner.params)
                        if op.kind == "raise":
                            raise ZeroDivisionError

    def run(self) -> None:
        ops = self.operations()

        def work(number: int) -> None:
            random = Random(number)
            try:
                for op in ops[number::THREADS]:
                    self.perform(op, random, ops)
            except BaseException:  # noqa: BLE001 - told by the main thread
                self.errors.append(traceback.format_exc())

        threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
        self.db.flush()
        assert not self.errors, self.errors[0]

    def check(self, watch: Watch) -> None:
        """The last state is what a run gives now, and no state is older than the one before."""
        assert watch.states, f"{watch} got no first value"
        versions = [state.version for state in watch.states]
        assert versions == sorted(versions), f"{watch}: {versions}"
        state = watch.states[-1]
        try:
            rows: Any = self.db.execute(watch.op.sql, watch.op.params).rows
        except apsw.Error as error:
            if state.error is None:
                raise AssertionError(f"{watch} was not told of its error") from error
            return
        assert state.error is None, f"{watch} fails with {state.error!r}, a fresh run gives {rows}"
        if watch.op.kind == "value":
            expected = oracle.exact([(rows[0][0] if rows else None,)])
        else:
            rows = rows[:1] if watch.op.kind == "one" else rows
            expected = oracle.exact([rows[0].keys(), *rows] if rows else [])
        assert watch.shown(state.value) == expected, f"{watch}: {state}, a fresh run gives {rows}"


@pytest.mark.parametrize("seed", range(8))
def test_all_threads_at_rest(seed: int, tmp_path: Path) -> None:
    path = str(tmp_path / "t.db") if seed % 2 else ":memory:"
    with ReactiveDatabase(path, maintain="always" if seed % 3 else "auto") as db:
        crowd = Crowd(db, seed)
        crowd.open()
        crowd.run()
        for watch in crowd.watches:
            crowd.check(watch)
        crowd.twin.close()
