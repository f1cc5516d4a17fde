"""A database whose live results are followed as far as they can be, beside a plain engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

import apsw

from reactive_sqlite import Delta, ReactiveDatabase, State
from reactive_sqlite.liveness.incremental import rows as kept

from .values import COLUMNS, ODD, PLAIN, SCHEMA, exact


class Watched:
    """One live query with all that it has delivered, folded."""

    def __init__(self, db: ReactiveDatabase, sql: str, params: Any = ()) -> None:
        self.sql, self.params = sql, params
        self.state: State[Any] | None = None
        self.folded: tuple[Any, ...] = ()
        self.failed = False
        db.query(sql, params).states().subscribe(self._receive)
        db.query(sql, params).changes().subscribe(self._fold, self._fail)

    def _receive(self, state: State[Any]) -> None:
        before, self.state = self.state, state
        if before is not None and before.error is None and state.error is None:
            assert exact(before.value) != exact(state.value), f"{self.sql} delivered twice"

    def _fail(self, _: Exception) -> None:
        self.failed = True

    def _fold(self, delta: Delta) -> None:
        """Apply a delta, by its positions and as a bag of rows: both must give the same."""
        before, self.folded = self.folded, delta.apply(self.folded)
        bag = Counter(map(str, exact(before)))
        bag.subtract(map(str, exact([*delta.removed, *(old for old, _ in delta.updated)])))
        assert min(bag.values(), default=0) >= 0, f"{self.sql}: {delta} takes what is not there"
        bag.update(map(str, exact([*delta.added, *(new for _, new in delta.updated)])))
        assert +bag == Counter(map(str, exact(self.folded))), f"{self.sql}: {delta}"

    def check(self, engine: apsw.Connection) -> None:
        """The value, and the folded deltas, are what the engine answers to a fresh run."""
        assert self.state is not None
        try:
            fresh = engine.execute(self.sql, self.params).fetchall()
        except (apsw.Error, UnicodeDecodeError):
            assert self.state.error is not None, f"{self.sql} should have failed"
            return
        assert self.state.error is None, f"{self.sql}: {self.state.error}"
        assert exact(self.state.value) == exact(fresh), self.sql
        if not self.failed:
            assert exact(self.folded) == exact(fresh), self.sql


class Twins:
    """A database, a plain engine that runs the same, and live queries; each test writes its way."""

    def __init__(self, db: ReactiveDatabase, random: Random) -> None:
        self.db, self.random = db, random
        self.twin = apsw.Connection(":memory:")
        self.watched: list[Watched] = []

    def execute(self, sql: str, params: Any = ()) -> None:
        """Run on both sides."""
        errors = []
        for run in (self.twin.execute, self.db.execute):
            try:
                run(sql, params)
            except apsw.Error as error:
                errors.append(type(error))
        assert len(errors) != 1, f"{sql} failed on one side only"

    def write(self) -> None:
        """One random statement."""
        raise NotImplementedError  # each test has tables of its own

    def commit(self) -> None:
        """One write, or a transaction of a few."""
        several = self.random.choice((1, 1, 1, 2, 5))
        if several == 1:
            self.write()
            return
        with self.db.transaction():
            for _ in range(several):
                self.write()

    def check(self) -> None:
        for watched in self.watched:
            watched.check(self.twin)


class Bench(Twins):
    """The tables, something that writes to them at random, and the live queries on them."""

    def __init__(self, db: ReactiveDatabase, random: Random) -> None:
        super().__init__(db, random)
        self.values = random.choice((ODD, PLAIN))
        for sql in SCHEMA:
            self.execute(sql)

    def value(self) -> Any:
        return self.random.choice(self.values)

    def watch(self, sql: str, params: Any = ()) -> Watched:
        self.watched.append(Watched(self.db, sql, params))
        return self.watched[-1]

    def write(self) -> None:
        """One random statement."""
        pick, value, key = self.random.choice, self.value, self.random.randint(1, 12)
        owner = self.random.randint(1, 5)
        choice = self.random.random()
        if choice < 0.35:
            row = (pick((None, key)), pick((1, 2, 3, 4, None)), value(), value(), value())
            self.execute("INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?, ?)", row)
        elif choice < 0.6:
            self.execute(f"UPDATE t SET {pick(COLUMNS)} = ? WHERE id = ?", (value(), key))
        elif choice < 0.65:
            new = self.random.randint(1, 12)
            self.execute("UPDATE OR IGNORE t SET id = ? WHERE id = ?", (new, key))
        elif choice < 0.75:
            self.execute("DELETE FROM t WHERE id = ?", (key,))
        elif choice < 0.8:
            self.execute("INSERT OR REPLACE INTO o VALUES (?, ?)", (owner, value()))
        elif choice < 0.85:
            new = self.random.randint(1, 5)
            self.execute("UPDATE OR IGNORE o SET id = ? WHERE id = ?", (new, owner))
        elif choice < 0.9:
            self.execute("DELETE FROM o WHERE id = ?", (owner,))
        elif choice < 0.97:
            self.execute("INSERT OR IGNORE INTO w VALUES (?, ?, ?)", (value(), value(), value()))
        else:
            self.execute("DELETE FROM w WHERE b = ?", (value(),))


@contextmanager
def bench(seed: int, path: str = ":memory:", rows: int = 8) -> Iterator[Bench]:
    """A bench with some rows. Of windows little is kept, so that rows come from behind that."""
    random = Random(seed)
    margin = mock.patch.object(kept, "MARGIN", random.choice((0, 1, 100)))
    with margin, ReactiveDatabase(path, maintain="always") as db:
        made = Bench(db, random)
        if random.random() < 0.3:
            made.execute("CREATE INDEX t_owner ON t(owner)")
        if random.random() < 0.2:
            made.execute("CREATE INDEX t_x ON t(x DESC)")
        for _ in range(random.randint(0, 2 * rows)):
            made.write()
        yield made
