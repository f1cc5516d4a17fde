"""Writing: statements on the one writing connection, and what each means for the recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactive_sqlite.driver.connection import Connection, Params
from reactive_sqlite.driver.ownership import OpenTransaction, WriterLock
from reactive_sqlite.engine.control import Control
from reactive_sqlite.engine.schema import Schema, named
from reactive_sqlite.engine.tally import Tally
from reactive_sqlite.errors import TransactionError
from reactive_sqlite.journal.journal import Journal
from reactive_sqlite.recording.bulk import columns_set
from reactive_sqlite.recording.recorder import ChangeRecorder
from reactive_sqlite.understanding.effects import is_recorded
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.result import Result, result

# What it wrote would be published before the statement that called it has committed, or failed.
_ONLY_READ = "a function called from SQL may only read"


class Writes:
    """Runs statements on the writing connection, always under its lock.

    ``on_commit`` gets each commit that changed something (None instead of a ChangeSet for one that
    changed only what nobody reads), ``on_end`` the end of each transaction longer than a statement.
    """

    def __init__(
        self,
        connection: Connection,
        lock: WriterLock,
        schema: Schema,
        recorder: ChangeRecorder,
        control: Control,
        journal: Journal | None,
        on_commit: Callable[[ChangeSet | None], None],
        on_end: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._journal = journal
        self._lock = lock
        self._schema = schema
        self._recorder = recorder
        self.control = control
        self._on_commit = on_commit
        self._on_end = on_end
        self.version = 0
        self.begun = self.done = 0
        """statements that may commit: begun; and, of these, done and published"""
        self._over = False
        """the transaction has ended with the statement under way, whose end gives the lock back"""
        self._many: Statement | None = None
        """what `run_many` is running"""

    def run(self, statement: Statement, params: Params) -> Result:
        """Run one statement; what it commits is published before this returns."""
        connection, recorder, sql = self._connection, self._recorder, statement.sql
        unhooked = statement.unhooked
        if unhooked is None:
            unhooked = self._schema.prepare(statement)
        if self.begun != self.done:
            raise TransactionError(_ONLY_READ)
        if recorder.detached and self._many is not None:
            self._reattach(self._many, None)  # this one is run by what makes its parameters
        mark = recorder.begin_statement(statement)
        execute, changes_rows = connection.execute, statement.changes_rows
        self.begun += 1
        # Whether a transaction is put around it here, with its record in the journal.
        journal, wrapped, columns = self._journal, False, statement.access.columns
        try:
            try:
                if not changes_rows:
                    sql, wrapped = self._control(statement)
                    if statement.kind is StatementKind.PRAGMA:
                        execute = self.control.executor(statement)
                elif journal is not None and self._lock.transaction is None:
                    wrapped = journal.wanted()
                if wrapped:
                    execute("BEGIN IMMEDIATE")
                cursor = execute(sql, params)
                # Always drained: a half-read RETURNING has not committed, and PRAGMA
                # incremental_vacuum gives a row without columns for each page.
                rows = cursor.fetchall() if columns or not changes_rows else None
            except Exception as error:
                self._explain(error, sql)
                self.control.end_unread(error)
                self._failed(statement, mark, error)
                raise
            if recorder.detached:
                self._reattach(statement, mark)
            made = result(
                Result,
                (
                    named(connection, statement, rows) if rows else (),
                    connection.changes() if changes_rows else 0,
                    connection.last_insert_rowid(),
                ),
            )
            if changes_rows:
                for key in unhooked:
                    recorder.touch(key)
            else:
                if statement.access.transaction is None:  # no BEGIN, COMMIT or ROLLBACK
                    self.control.done(statement)
                if statement.kind is StatementKind.VACUUM and journal is not None:
                    wrapped = journal.begin_alone()
            if wrapped and journal is not None:
                journal.commit_alone(self.version + 1, mark, sql)
            if not (wrapped or changes_rows):
                self._turned(statement)
            elif self._lock.transaction is None:
                self.committed()
            return made
        except BaseException as error:
            if not isinstance(error, Exception):
                self._interrupted()
            raise
        finally:
            self.done = self.begun
            if self._over:
                self._over = False
                self._lock.release()

    def begin(self, sql: str) -> OpenTransaction:
        """Run a BEGIN for a block. At its end the transaction gives the caller's lock back."""
        if self.begun != self.done:
            raise TransactionError(_ONLY_READ)
        try:
            if self._journal is not None:
                self._journal.wanted()  # whether rows are recorded from here on
            self._connection.execute(sql)
            transaction = self._lock.transaction = OpenTransaction()
            self.control.begun_by_savepoint = False
            return transaction
        except Exception as error:
            self._connection.annotate(error, sql)
            raise
        except BaseException:  # Ctrl-C: it may have begun, or not
            self._interrupted()
            raise

    def commit(self, transaction: OpenTransaction) -> None:
        """Run the COMMIT of a block: what `run` does of it, and no more."""
        # How it ends is written out in both: a call more is felt in every statement.
        if self.begun != self.done:
            raise TransactionError(_ONLY_READ)
        self._recorder.begin_other()
        journal = self._journal
        self.begun += 1
        try:
            try:
                if journal is not None and journal.wanted():
                    journal.note(self.version + 1)
                self._connection.execute("COMMIT")
            except Exception as error:
                self._explain(error, "COMMIT")
                if not self._connection.in_transaction:
                    self.rolled_back(transaction)  # a full disk
                raise
            self._ended(transaction)
        except BaseException as error:
            if not isinstance(error, Exception):
                self._interrupted()
            raise
        finally:
            self.done = self.begun
            if self._over:
                self._over = False
                self._lock.release()

    def _explain(self, error: Exception, sql: str) -> None:
        """The statement raised; if it was to be a commit, it is none."""
        self._connection.annotate(error, sql)
        if self._journal is not None and self._journal.noted:
            self._journal.retract()

    def run_many(self, statement: Statement, rows: Any) -> Result:
        """Run one statement for each parameter set, inside an open transaction."""
        connection, recorder = self._connection, self._recorder
        unhooked = self._schema.prepare(statement)
        if self.begun != self.done:
            raise TransactionError(_ONLY_READ)
        mark = recorder.begin_statement(statement)
        tally = Tally(connection, statement, self._schema.catalog(), rows)
        around, self._many, transaction = self._many, statement, self._lock.transaction
        try:
            connection.run_many(statement.sql, tally.sets)
        except BaseException as error:
            self._many = around
            if self._lock.transaction is transaction:  # else what makes the rows has ended it
                self._failed(statement, mark, error)
            raise
        self._many = around
        if recorder.detached:
            self._reattach(statement, mark)
        recorder.touch_all(unhooked)
        return Result((), tally.rows(), connection.last_insert_rowid())

    def _reattach(self, statement: Statement, mark: int | None) -> None:
        """The hook took itself away in the middle of a bulk statement: by table, then.

        ``mark`` is that of its beginning, if it has come to its end.
        """
        self._recorder.detached = False
        self._connection.set_hook(self._recorder.on_row)
        columns = None if mark is None else columns_set(statement, self._schema.catalog())
        for key in sorted(statement.access.writes):
            self._recorder.touch_since(mark or 0, key, columns)

    def _control(self, statement: Statement) -> tuple[str, bool]:
        """A statement that is no INSERT, UPDATE or DELETE is about to be run.

        The text to run for it, and whether in a transaction of its own.
        """
        journal, sql, access = self._journal, statement.sql, statement.access
        if access.savepoint is not None:
            sql = self.control.at_savepoint(statement, inside=self._lock.transaction is not None)
        if journal is not None and journal.wanted():
            if statement.kind is StatementKind.COMMIT or sql == "COMMIT":
                journal.note(self.version + 1)
            elif self._lock.transaction is None and access.transaction is None:
                return sql, is_recorded(statement)
        return sql, False

    def _turned(self, statement: Statement) -> None:
        """A transaction may have begun with that statement, and keeps the lock, or ended."""
        open_now, transaction = self._connection.in_transaction, self._lock.transaction
        if transaction is None:
            if open_now:
                transaction = OpenTransaction()
                self._lock.hold()
                self._lock.transaction = transaction
                self.control.begun_by_savepoint = statement.kind is StatementKind.SAVEPOINT
            else:
                self.committed()
        elif not open_now:
            if statement.kind is StatementKind.ROLLBACK:
                self.rolled_back(transaction)
            else:
                self._ended(transaction)

    def _failed(self, statement: Statement, mark: int, error: BaseException) -> None:
        """The statement raised. What SQLite undid is forgotten; what it may have kept is not."""
        recorder, transaction = self._recorder, self._lock.transaction
        if recorder.detached:
            self._reattach(statement, None)
        open_now, alone = self._connection.in_transaction, transaction is None
        if transaction is not None and not open_now:
            self.rolled_back(transaction)  # OR ROLLBACK, RAISE(ROLLBACK), a full disk
        elif statement.kind is StatementKind.COMMIT or statement.access.savepoint is not None:
            pass  # it is still open, and so is all that was written
        elif statement.changes_rows and self._schema.may_keep_rows(statement, error, alone=alone):
            recorder.keep_tables_from(mark)
            if alone:
                if self._journal is not None:
                    self._journal.keep_alone(self.version + 1)
                self.committed()
        else:
            recorder.undo_to(mark)
            if alone and self._journal is not None:
                self._journal.undo_alone()

    def _interrupted(self) -> None:
        """Ctrl-C in the middle: what SQLite has done by then is not known, only where it is now."""
        connection, transaction = self._connection, self._lock.transaction
        connection.execute("")  # ends what its cursor has half read
        self._recorder.detached = False
        connection.set_hook(self._recorder.on_row)
        if self._journal is not None and self._journal.noted:
            self._journal.retract()
        if transaction is None and connection.in_transaction:
            connection.run("ROLLBACK")  # it has just begun, and nobody would end it
        self._recorder.everything_changed()
        self.control.schema_is_new()
        if transaction is None:
            self.committed()
        elif not connection.in_transaction:
            self._ended(transaction)

    def committed(self) -> None:
        """No transaction is open: publish what has changed since the last time."""
        recorder, journal = self._recorder, self._journal
        net = journal.over() if journal is not None and journal.noted else None
        if recorder.unseen:
            recorder.clear()
            self.version += 1
            self._on_commit(None)
            return
        change = recorder.net(self.version + 1) if net is None else net[0]
        recorder.clear()
        if self._schema.pending:
            self._schema.settled()
        if change is not None:
            self.version += 1
            self._on_commit(change)

    def rolled_back(self, transaction: OpenTransaction) -> None:
        """The transaction was undone."""
        self._recorder.rollback()
        if self._schema.pending:
            self._schema.settled()
        self._ended(transaction)

    def _ended(self, transaction: OpenTransaction) -> None:
        """The transaction is over, one way or the other; its hold on the lock with it."""
        transaction.finish()
        self._lock.transaction = None
        try:
            self.committed()
            self._on_end()
        finally:
            if self.begun == self.done:
                self._lock.release()
            else:
                self._over = True
