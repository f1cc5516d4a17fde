"""The machine: runs operations on a ReactiveDatabase and on plain engines, and compares.

A *twin* (a plain connection in memory) runs the same operations; it is the oracle for contents and
for fresh runs. When the database is a file, another plain connection to the file is a second
oracle. Any difference raises `Broken`, which says which invariant fell.
"""

from __future__ import annotations

import contextlib
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from reactive_sqlite import NotAMutation, ReactiveDatabase, ReactiveSqliteError

from . import oracle
from .checks import Checks, Stumbles
from .oracle import Engine, Failure
from .program import Op, Program
from .watch import Broken, TooDear, Watch

SETTINGS = (
    "foreign_keys",
    "recursive_triggers",
    "defer_foreign_keys",
    "legacy_alter_table",
    "trusted_schema",
)
#: Statements that may change what queries return though rows and schema stay as they are.
UPKEEP = re.compile(r"VACUUM|TACH|PRAGMA|ANALYZE|REINDEX", re.IGNORECASE)


class Rolled(Exception):
    """Leaves a transaction() by an exception."""


class Misused(Exception):
    """The transaction of a block was ended by a statement inside it."""


class Machine(Checks):
    """Performs operations one by one and checks everything after each."""

    def __init__(self, path: Path | None, maintain: str = "auto", *, listens: bool = True) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.watches: list[Watch] = []
        self.changes: list[Any] = []
        self.depth: list[Any] = []
        self.twin_depth: list[tuple[str, int]] = []
        self.transactions = 0
        self.twin: Engine = Engine(":memory:")
        self.history: list[Op] = []
        self.upkeep = False
        self.unlooked = False
        self.rehearsed: list[str] | None = None
        self.db_in_transaction = False
        name = ":memory:" if path is None else str(path)
        self.db = ReactiveDatabase(name, maintain=maintain)  # type: ignore[arg-type]
        self.maintain = maintain
        self.raw = None if path is None else Engine(str(path))
        if self.raw is not None:
            self.raw.set_busy_timeout(2000)
        for name in SETTINGS:
            rows = self.db.execute(f"PRAGMA {name}").rows
            self.twin.execute(f"PRAGMA {name} = {rows[0][0]}").fetchall()
            if self.raw is not None:
                self.raw.execute(f"PRAGMA {name} = {rows[0][0]}").fetchall()
        self.listens = listens
        if listens:
            self.db.commits.subscribe(self.changes.append)
        self.before = oracle.dump(self.twin)
        self.stumbles = Stumbles()
        logging.getLogger("reactive_sqlite").addHandler(self.stumbles)

    # -- one operation ----------------------------------------------------------------------------

    def step(self, op: Op) -> None:
        """Perform `op` on both sides and check every invariant that can be seen from outside."""
        self.history.append(op)
        self.rehearsed = None
        self.counts["operations"] += 1
        changes = len(self.changes)
        self.upkeep = self.upkeep or bool(UPKEEP.search(op.sql))
        match op.kind:
            case "watch" | "one" | "value" | "observe":
                self._watch(op)
            case "unwatch":
                if self.watches:
                    self.watches.pop(op.params[0] % len(self.watches)).close()
            case "get":
                if self.watches and not self.twin.in_transaction:
                    self.check_get(self.watches[op.params[0] % len(self.watches)])
            case "foreign":
                self._foreign(op)
            case _:
                self._write(op)
        if self.raw is not None and op.sql.startswith("PRAGMA case_sensitive_like"):
            self.raw.execute(op.sql).fetchall()  # it is a matter of the connection
        if self.unlooked and op.kind == "foreign":
            return  # the next operation meets a neighbour's commit that nobody has looked at
        foreign = self.unlooked or op.kind == "foreign"
        if not self.twin.in_transaction:
            if self.raw is not None:
                self.db.look()
            self.unlooked = False
        self.db.flush()
        self.check(op, self.changes[changes:], foreign=foreign)

    def run(self, program: Program) -> None:
        """Every operation of `program`, then leave what it left open."""
        for op in program.ops:
            self.step(op)
        self.finish()

    def finish(self) -> None:
        """Leave open transactions and check once more."""
        while self.depth:
            self.step(Op("end"))
        if self.twin.in_transaction:
            self.step(Op("execute", "COMMIT"))
        if self.twin.in_transaction:
            self.step(Op("execute", "ROLLBACK"))

    def close(self) -> None:
        logging.getLogger("reactive_sqlite").removeHandler(self.stumbles)
        for watch in self.watches:
            watch.close()
        while self.depth:
            with contextlib.suppress(apsw.Error, ReactiveSqliteError, Rolled):
                self._leave(Rolled())
        self.db.close()
        if self.raw is not None:
            self.raw.close()
        self.twin.close()

    def _watch(self, op: Op) -> None:
        if len(self.watches) >= 14:
            self.watches.pop(0).close()
        expected = oracle.fresh(self.twin, op.sql, op.params)
        if isinstance(expected, Failure) and isinstance(expected.error, apsw.InterruptError):
            raise TooDear(str(op))
        try:
            watch = Watch(self.db, op)
        except (apsw.Error, ReactiveSqliteError) as error:
            if not isinstance(expected, Failure):
                raise Broken("refused", f"{op} cannot be watched: {error!r}") from error
            return
        self.counts["watches"] += 1
        self.watches.append(watch)

    def _foreign(self, op: Op) -> None:
        """A write by a connection that the database knows nothing of."""
        if self.raw is None or self.twin.in_transaction or self.has_temporary():
            return
        for name in SETTINGS:  # a PRAGMA may have changed them
            value = self.twin.execute(f"PRAGMA {name}").fetchall()[0][0]
            self.raw.execute(f"PRAGMA {name} = {value}").fetchall()
        try:
            self.raw.run(op.sql, op.params)
        except apsw.InterruptError:
            raise TooDear(str(op)) from None
        except apsw.Error:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
        with contextlib.suppress(apsw.Error):
            self.twin.run(op.sql, op.params)
        self.unlooked = len(op.sql) % 2 == 1

    def _write(self, op: Op) -> None:
        self.db_in_transaction = self.twin.in_transaction
        theirs = self._attempt(self._on_twin, op)
        if not self.twin.in_transaction:
            self.transactions += 1
        if theirs == "InterruptError":
            raise TooDear(str(op))
        if "RECURSIVE" in op.sql:  # many rows: are the live queries still cheap enough?
            for watch in self.watches:
                failure = oracle.fresh(self.twin, watch.op.sql, watch.op.params)
                if isinstance(failure, Failure) and "interrupted" in str(failure.error):
                    raise TooDear(str(watch))
        self.rehearsed = self._rehearse(op)
        ours = self._attempt(self._on_database, op)
        if "wal_checkpoint" in op.sql:
            return  # refused in a transaction that has read, and the generator reads on the twin
        if ours != theirs and not (ours.startswith("misuse") and theirs != "done"):
            raise Broken(
                "outcome",
                f"{op}\nthe plain engine: {theirs}\nthe database: {ours} {self.last_error or ''}",
            )

    def _rehearse(self, op: Op) -> list[str] | None:
        """Which queries the database says it would wake; that must leave no trace."""
        # The watcher may number a neighbour's commit that nobody has looked at yet at any moment.
        if op.kind != "execute" or len(op.sql) % 5 or self.db_in_transaction or self.unlooked:
            return None
        states = [len(watch.states) for watch in self.watches]
        version = self.db.version
        try:
            told = [wake.query for wake in self.db.would_wake(op.sql, op.params)]
        except (apsw.Error, NotAMutation):
            return None
        if [len(watch.states) for watch in self.watches] != states or self.db.version != version:
            raise Broken("rehearsal told", f"{op}: {self.db.version}, {version}")
        self.counts["rehearsals"] += 1
        return told

    def _attempt(self, run: Any, op: Op) -> str:
        self.last_error: BaseException | None = None
        try:
            run(op)
        except (apsw.Error, Rolled, Misused) as error:
            self.last_error = error
            return type(error).__name__
        except ReactiveSqliteError as error:
            return f"misuse {type(error).__name__}: {error}"
        return "done"

    def _on_database(self, op: Op) -> None:
        match op.kind:
            case "execute":
                self.db.execute(op.sql, op.params)
            case "script":
                self.db.executescript(op.sql)
            case "many":
                self.db.executemany(op.sql, op.params)
            case "begin":
                block = self.db.transaction()
                block.__enter__()
                self.depth.append(block)
            case "end":
                self._leave(None)
            case "raise":
                self._leave(Rolled())

    def _leave(self, error: BaseException | None) -> None:
        if not self.depth:
            return
        block = self.depth.pop()
        if error is None:
            block.__exit__(None, None, None)
        else:
            assert not block.__exit__(type(error), error, None), (
                "transaction() swallowed an exception"
            )

    def _on_twin(self, op: Op) -> None:
        twin = self.twin
        match op.kind:
            case "execute":
                twin.run(op.sql, op.params)
            case "script":
                inside = twin.in_transaction
                try:
                    twin.run(op.sql)
                except apsw.Error:
                    if twin.in_transaction and not inside:
                        twin.execute("ROLLBACK")
                    raise
            case "many":
                self._many_on_twin(op)
            case "begin":
                name = f"twin{len(self.twin_depth)}" if twin.in_transaction else ""
                twin.execute(f"SAVEPOINT {name}" if name else "BEGIN IMMEDIATE")
                self.twin_depth.append((name, self.transactions))
            case "end" | "raise" if self.twin_depth:
                name, transaction = self.twin_depth.pop()
                if transaction == self.transactions and twin.in_transaction:
                    self._leave_twin(name, well=op.kind == "end")
                elif op.kind == "end":
                    raise Misused

    def _many_on_twin(self, op: Op) -> None:
        if not op.params:
            # A plain executemany() of nothing does not even look at its statement.
            self.twin.execute(op.sql, apsw._null_bindings, explain=1).fetchall()
        inside = self.twin.in_transaction
        self.twin.execute("SAVEPOINT many" if inside else "BEGIN")
        try:
            self.twin.executemany(op.sql, op.params).fetchall()
        except apsw.Error:
            if self.twin.in_transaction:
                undo = "ROLLBACK TO many; RELEASE many" if inside else "ROLLBACK"
                self.twin.execute(undo).fetchall()
            raise
        self._leave_twin("many" if inside else "", well=True)

    def _leave_twin(self, name: str, *, well: bool) -> None:
        if not well:
            self.twin.execute(
                f"ROLLBACK TO {name}; RELEASE {name}" if name else "ROLLBACK"
            ).fetchall()
            return
        try:
            self.twin.execute(f"RELEASE {name}" if name else "COMMIT")
        except apsw.Error:
            if not name and self.twin.in_transaction:
                self.twin.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def machine(*, on_file: bool, maintain: str = "always", listens: bool = True) -> Iterator[Machine]:
    """A machine on a new database."""
    with tempfile.TemporaryDirectory(prefix="reactive-") as folder:
        made = Machine(Path(folder) / "t.db" if on_file else None, maintain, listens=listens)
        try:
            yield made
        finally:
            # It may be in any state, and the failure that stopped it is the one to tell.
            with contextlib.suppress(Exception):
                made.close()
