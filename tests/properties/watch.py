"""One live query under test and what it delivered; the two ways in which a run ends early."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reactive_sqlite import ReactiveDatabase

from . import oracle
from .oracle import Engine
from .program import Op


class Broken(AssertionError):
    """An invariant that does not hold; `kind` is its short name, such as `I3 stale`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class TooDear(Exception):
    """The random program grew beyond what is worth running; not a failure."""


class Watch:
    """One live query with everything that it ever delivered."""

    def __init__(self, db: ReactiveDatabase, op: Op) -> None:
        self.op = op
        self.states: list[Any] = []
        self.delivered: list[Any] = []
        self.deltas: list[Any] = []
        self.failures: list[BaseException] = []
        self.seen = 0
        self.values: list[bytes | None] = []
        self.plain_values: list[bytes] = []
        self.followed: Counter[str] = Counter()
        verb = {"watch": db.query, "one": db.query_one, "value": db.query_value}.get(op.kind)
        if verb is None:
            self.query: Any = db.observe(lambda: db.execute(op.sql, op.params).rows)
        else:
            self.query = verb(op.sql, op.params)
        self.subscriptions = [self.query.states().subscribe(self.states.append)]
        self.subscriptions.append(self.query.subscribe(self.delivered.append, self.failures.append))
        self.follows_deltas = op.kind == "watch" and len(op.sql) % 2 == 0
        if self.follows_deltas:
            self.subscriptions.append(
                self.query.changes().subscribe(self.deltas.append, self.failures.append)
            )

    def expected(self, engine: Engine) -> bytes:
        """What the value must be, exactly, by a fresh run on `engine`; raises what that raises."""
        names, rows = engine.named(self.op.sql, self.op.params)
        if self.op.kind == "value":
            return oracle.exact([(rows[0][0] if rows else None,)])
        rows = rows[:1] if self.op.kind == "one" else rows
        return oracle.exact([names, *rows] if rows else [])

    def shown(self, value: Any) -> bytes:
        """A value in a form comparable with `expected`: the names of the columns count too."""
        if self.op.kind == "value":
            return oracle.exact([(value,)])
        if self.op.kind == "one":
            return oracle.exact([] if value is None else [value.keys(), value])
        return oracle.exact([value[0].keys(), *value] if value else [])

    def read_new(self) -> None:
        """Take in what has arrived since the last look."""
        for state in self.states[len(self.values) :]:
            self.values.append(None if state.error is not None else self.shown(state.value))
        for value in self.delivered[len(self.plain_values) :]:
            self.plain_values.append(self.shown(value))

    def follow_deltas(self) -> Counter[str]:
        """The rows, as a multiset, of whoever applies the deltas one by one."""
        for delta in self.deltas:
            self.followed.subtract(repr(tuple(row)) for row in delta.removed)
            self.followed.update(repr(tuple(row)) for row in delta.added)
            self.followed.subtract(repr(tuple(old)) for old, _ in delta.updated)
            self.followed.update(repr(tuple(new)) for _, new in delta.updated)
        self.deltas.clear()
        return self.followed

    def close(self) -> None:
        for subscription in self.subscriptions:
            subscription.dispose()

    def __str__(self) -> str:
        return f"{self.op.kind} {self.op.sql!r} {self.op.params!r}"
