"""What must hold after every operation: I2, I3, I4, I7 as far as they can be seen from outside."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import apsw

from reactive_sqlite import ReactiveDatabase

from . import oracle
from .oracle import Engine
from .program import Op
from .watch import Broken, TooDear, Watch

ROWS_PER_TABLE = 20_000
#: A script commits with each of its statements: of what it makes and undoes, both is seen.
NOT_SILENT = ("watch", "one", "value", "observe", "unwatch", "script")
VIRTUAL = frozenset({"ft", "rt"})


class Stumbles(logging.Handler):
    """What was saved by a fresh run and must not pass for right."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and str(record.msg).startswith(("a result could", "a live query could")):
            self.seen.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


class Checks:
    """The checks of a machine; `check` is called after each operation."""

    db: ReactiveDatabase
    twin: Engine
    raw: Engine | None
    db_in_transaction: bool
    watches: list[Watch]
    counts: Counter[str]
    before: oracle.Dump
    upkeep: bool
    listens: bool
    rehearsed: list[str] | None
    stumbles: Stumbles

    def check(self, op: Op, changes: list[Any], *, foreign: bool) -> None:
        if self.stumbles.seen:
            raise Broken("stumbled", f"{op}: {self.stumbles.seen}")
        if self.twin.in_transaction:
            # The watcher may have told of a neighbour's commit just before this one began.
            if self.db_in_transaction or not foreign:
                self._check_silent(op, changes)
            return
        self.counts["checks"] += 1
        after = oracle.dump(self.twin)
        if any(len(rows) > ROWS_PER_TABLE for rows in after.values()):
            raise TooDear("the tables grew too large")
        self._check_contents(op, after)
        if self.listens and not foreign:
            self._check_changes(op, after, changes)
        unchanged = not foreign and oracle.same(self.before, after)
        for watch in self.watches:
            self._check_watch(watch, op, unchanged, foreign)
        self.before = after
        self.upkeep = False

    def _check_silent(self, op: Op, changes: list[Any]) -> None:
        if changes:
            raise Broken("I4 published inside a transaction", f"{op}: {changes}")
        for watch in self.watches:
            if len(watch.states) > watch.seen:
                raise Broken(
                    "I4 emitted inside a transaction", f"{op}: {watch}: {watch.states[-1]}"
                )

    def _check_contents(self, op: Op, after: oracle.Dump) -> None:
        if self.raw is None:
            return
        on_file = {k: v for k, v in oracle.dump(self.raw).items() if "." not in k}
        expected = {k: v for k, v in after.items() if "." not in k}
        if not oracle.same(on_file, expected):
            raise Broken(
                "contents", f"{op}: file and twin differ: {oracle.difference(on_file, expected)}"
            )

    def _check_changes(self, op: Op, after: oracle.Dump, changes: list[Any]) -> None:
        """I2: the published ChangeSets add up to the difference of the dumps."""
        real = oracle.difference(self.before, after)
        if any(c.everything or c.schema for c in changes):
            return
        loose = frozenset().union(*(c.tables for c in changes)) if changes else frozenset()
        owners = {key: self._owner(key, after) for key in real}
        for key in real:
            named = any(key in c.rows or owners[key] in c.rows for c in changes)
            if not named and key not in loose and owners[key] not in loose:
                raise Broken(
                    "I2 missed",
                    f"{op}: {key} changed by {real[key]}, published: {[str(c) for c in changes]}",
                )
        if len(changes) != 1:
            return
        for key, rows in changes[0].rows.items():
            if key in loose:
                continue
            # As two multisets: a key that became 1.0 from 1 may be told as an update or as a move.
            olds = Counter(repr(tuple(r.old)) for r in rows if r.old is not None)
            news = Counter(repr(tuple(r.new)) for r in rows if r.new is not None)
            pairs = real.get(key, [])
            if olds != Counter(o for o, _ in pairs if o) or news != Counter(
                n for _, n in pairs if n
            ):
                raise Broken(
                    "I2 wrong rows", f"{op}: {key} really changed by {pairs}, published {rows}"
                )

    def _owner(self, key: str, dump: oracle.Dump) -> str:
        parts = key.split("_")
        for cut in range(len(parts) - 1, 0, -1):
            name = "_".join(parts[:cut])
            if name in VIRTUAL:
                return name
        return key

    def _check_watch(self, watch: Watch, op: Op, unchanged: bool, foreign: bool) -> None:
        self.counts["values compared"] += 1
        arrived = watch.states[watch.seen :]
        first = watch.seen == 0
        watch.seen = len(watch.states)
        if self.rehearsed is not None and arrived and not first and not foreign:
            told = any(query.startswith(watch.op.sql) for query in self.rehearsed)
            if not told and watch.op.kind != "observe":
                raise Broken("rehearsal missed", f"{op}: {watch}: {self.rehearsed}")
        if unchanged and not first and arrived and op.kind not in NOT_SILENT and not self.upkeep:
            raise Broken("I4 emitted without a change", f"{op}: {watch}: {arrived}")
        if not watch.states:
            raise Broken("I3 no initial value", f"{op}: {watch}")
        self._check_order(watch, op)
        state = watch.states[-1]
        for engine, name in ((self.twin, "plain engine"), (self.raw, "second connection")):
            if engine is None or (engine is self.raw and self.has_temporary()):
                continue
            try:
                expected = watch.expected(engine)
            except apsw.InterruptError:
                raise TooDear(str(watch)) from None
            except apsw.Error as error:
                if state.error is None:
                    raise Broken(
                        "I3 error not told", f"{op}: {watch}: {name} fails with {error!r}"
                    ) from error
                continue
            if state.error is not None:
                raise Broken(
                    "I3 false error",
                    f"{op}: {watch}: {state.error!r}, but {name} gives {oracle.plain(expected)}",
                )
            if watch.shown(state.value) != expected:
                raise Broken(
                    "I3 stale",
                    f"{op}: {watch}\n  {name}: {oracle.plain(expected)}\n  live: {state.value}",
                )
        if watch.follows_deltas and not watch.failures and state.error is None:
            rows = Counter(repr(tuple(row)) for row in state.value)
            followed = watch.follow_deltas()
            if +followed != rows or min(followed.values(), default=0) < 0:
                raise Broken("deltas", f"{op}: {watch}: applied {followed}, value {rows}")
        if self.counts["values compared"] % 3 == 0:
            self.check_get(watch)

    def check_get(self, watch: Watch) -> None:
        try:
            expected = watch.expected(self.twin)
        except apsw.Error:
            return
        got = watch.shown(watch.query.get())
        if got != expected:
            raise Broken(
                "I3 stale get",
                f"{watch}\n  plain engine: {oracle.plain(expected)}\n  get(): {oracle.plain(got)}",
            )

    def _check_order(self, watch: Watch, op: Op) -> None:
        """I7, and no value that equals the one before it."""
        versions = [state.version for state in watch.states[-9:]]
        if versions != sorted(versions):
            raise Broken("I7 order", f"{op}: {watch}: versions {versions}")
        if versions[-1] > self.db.version:
            raise Broken("I7 future", f"{op}: {watch}: {versions[-1]} > {self.db.version}")
        watch.read_new()
        last = watch.values[-2:]
        if len(last) == 2 and last[0] is not None and last[0] == last[1]:
            raise Broken("repeated", f"{op}: {watch}: delivered {oracle.plain(last[0])} twice")
        if not watch.failures and None not in watch.values and watch.plain_values != watch.values:
            shown = [
                [oracle.plain(v) for v in values[-3:] if v]
                for values in (watch.values, watch.plain_values)
            ]
            raise Broken("streams differ", f"{op}: {watch}: states {shown[0]}, plain {shown[1]}")

    def has_temporary(self) -> bool:
        """Whether TEMP or attached objects exist, which another connection cannot see."""
        databases = self.twin.execute(
            "SELECT count(*) FROM pragma_database_list WHERE name NOT IN ('main', 'temp')"
        ).fetchall()[0][0]
        return bool(databases or self.twin.execute("SELECT 1 FROM sqlite_temp_schema").fetchall())
