"""What statements that are no INSERT, UPDATE or DELETE have done, for who recalls the changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from reactive_sqlite.driver.connection import Connection, Params
from reactive_sqlite.driver.errors import BusyError, DatabaseError
from reactive_sqlite.driver.readers import ReaderPool
from reactive_sqlite.engine.schema import Schema
from reactive_sqlite.files.locks import locks_on, processes
from reactive_sqlite.journal.foreign import ForeignCommits
from reactive_sqlite.recording.recorder import ChangeRecorder
from reactive_sqlite.understanding.effects import DDL, WHOLESALE, Effect, effect_of
from reactive_sqlite.understanding.statement import Statement, StatementKind

_ATTACHES = (StatementKind.ATTACH, StatementKind.DETACH)


class Control:
    """Tells the recorder and the schema of CREATE, PRAGMA, SAVEPOINT and the like.

    Always under the lock of the writing connection. ``follow`` has the reading connections run
    what changes a connection; ``foreign`` is told of files that are attached, and of another
    log; ``readers`` make way for what needs the file alone, for up to ``timeout`` seconds.
    """

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        recorder: ChangeRecorder,
        follow: Callable[[str, str], None],
        foreign: ForeignCommits | None,
        readers: ReaderPool | None,
        timeout: float,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._recorder = recorder
        self._follow = follow
        self._foreign = foreign
        self._readers = readers
        self._timeout = timeout
        self.begun_by_savepoint = False
        """whether a SAVEPOINT has begun the open transaction"""

    def at_savepoint(self, statement: Statement, *, inside: bool) -> str:
        """What to run for SAVEPOINT or RELEASE, ``inside`` a transaction or not.

        A savepoint that is a transaction takes the write lock at once. Else it would be a deferred
        one: https://sqlite.org/lang_savepoint.html
        """
        operation, name = statement.access.savepoint or ("", "")
        if not inside:
            if operation == "BEGIN" and not self._connection.readonly:
                self._connection.execute("BEGIN IMMEDIATE")
        elif self.begun_by_savepoint and operation == "RELEASE":
            return "COMMIT" if self._recorder.is_outermost(name) else statement.sql
        return statement.sql

    def executor(self, statement: Statement) -> Callable[..., Any]:
        """What starts this PRAGMA."""
        readers, checkpoints = self._readers, self._connection.checkpoints
        name, argument = statement.access.pragma or ("", None)
        if statement.access.is_explain:  # rows that tell how
            return self._connection.execute
        if argument is None and name == "busy_timeout":
            return partial(self._say, round(1000 * checkpoints.wait.timeout))
        if argument is None and name == "wal_autocheckpoint":
            return partial(self._say, max(checkpoints.pages, 0))
        if (
            readers is None
            or (name != "journal_mode" or argument is None)
            or statement.access.databases - {"main"}  # nobody else reads there
            or self._connection.in_transaction  # SQLite refuses it
        ):
            return self._connection.execute
        return partial(self._alone, readers)

    def _say(self, number: int, _sql: str, _params: Params) -> Any:
        """Start what gives this number: SQLite knows only those of hooks of its own."""
        return self._connection.execute(f"SELECT {number}")

    def _alone(self, readers: ReaderPool, sql: str, params: Params) -> Any:
        """Start a statement while no other connection of this database is open.

        WAL mode is left only by who has the file open alone.
        """
        with readers.held_off(self._timeout):
            try:
                return self._connection.execute(sql, params)
            except BusyError as error:
                others = locks_on(self._connection.filename).open - {os.getpid()}
                who = processes(others) or "unknown, perhaps in this process"
                error.add_note(f"nobody else may have the file open for that; somebody has: {who}")
                raise
            finally:
                if self._foreign is not None:
                    self._foreign.forget()  # in a new log SQLite counts commits from nought

    def end_unread(self, error: Exception) -> None:
        """End a statement whose rows could not all be read, if it was that: text may be no UTF-8.

        Outside a transaction nothing of it stays, as after any error. Else it would hold its lock
        until the next statement, and then be committed.
        """
        connection = self._connection
        if isinstance(error, DatabaseError):
            return  # it has ended
        if connection.in_transaction:
            connection.execute("")
            return
        connection.interrupt()
        with suppress(DatabaseError):
            connection.fetchone()  # whereupon SQLite notices, and rolls back

    def done(self, statement: Statement) -> None:
        """The statement was run."""
        recorder, kind = self._recorder, statement.kind
        if kind is StatementKind.ATTACH:
            self._connection.has_attached()
        if kind is StatementKind.ATTACH or (kind in DDL and statement.access.databases - {"main"}):
            self._schema.elsewhere = True
        if kind in DDL:
            self.schema_changed()
        elif kind in WHOLESALE:
            recorder.everything_changed(for_good=kind is StatementKind.ATTACH)
            self.schema_is_new()
            if self._foreign is not None and kind in _ATTACHES:
                self._foreign.attached.list_anew()
        elif kind is StatementKind.PRAGMA:
            self._pragma(statement)
        elif statement.access.savepoint is not None:
            operation, name = statement.access.savepoint
            if operation == "BEGIN":
                recorder.savepoint(name)
            elif operation == "RELEASE":
                recorder.release(name)
            elif recorder.rollback_to(name):
                self.schema_is_new()

    def _pragma(self, statement: Statement) -> None:
        name, argument = statement.access.pragma or ("", None)
        if argument is not None and name in ("busy_timeout", "wal_autocheckpoint"):
            self._connection.keep_hook(name)
        effect = effect_of(name, argument)
        if effect is Effect.PRAGMAS:
            self._recorder.touch(f"pragma_{name}")  # who reads any of them looks at all commits
        elif effect is not Effect.NONE:
            self._recorder.everything_changed(for_good=effect is Effect.CONNECTION)
            self.schema_is_new()
        if effect is Effect.CONNECTION:
            self._follow(name, statement.sql)

    def schema_changed(self) -> None:
        """Tables, views, indexes or triggers are other ones, since just now or in a script."""
        self._recorder.schema_changed()
        self.schema_is_new()

    def schema_is_new(self) -> None:
        """What was known of the schema may not hold, nor again if the transaction is undone."""
        self._schema.pending = True
        self._schema.is_new()
