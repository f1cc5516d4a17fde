"""One database, below liveness: its connections, the lock, transactions, and what commits say.

Everything that changes the database goes through here under one lock. When a statement has left
no transaction open, the recorder says what the commit changed and ``on_commit`` is told, still
under the lock: results are refreshed before anybody else can write, and handed out after the
lock is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from threading import get_ident
from time import monotonic
from typing import Any

from reactive_sqlite.driver.connection import Connection, Params
from reactive_sqlite.driver.ownership import OpenTransaction, WriterLock
from reactive_sqlite.driver.readers import ReaderPool, Setup
from reactive_sqlite.engine import forking
from reactive_sqlite.engine.control import Control
from reactive_sqlite.engine.reads import Reads
from reactive_sqlite.engine.schema import Schema
from reactive_sqlite.engine.scripts import Scripts
from reactive_sqlite.engine.transactions import Transactions
from reactive_sqlite.engine.writes import Writes
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.files.filesystem import (
    Identity,
    identity_of,
    one_more_name,
    warn_if_shared,
    why_lost,
)
from reactive_sqlite.journal.foreign import ForeignCommits
from reactive_sqlite.journal.journal import ChangesSince, Journal, changes_since
from reactive_sqlite.recording.recorder import ChangeRecorder
from reactive_sqlite.understanding.routing import RegionIndex
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.result import Result


class Engine:
    """The connections of one database and the verbs on them.

    ``index`` knows what the live queries read; ``on_commit`` gets each commit
    that changed something, ``on_end`` the end of each transaction that was open for longer than
    a statement. Both run on the writing thread, under the lock.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        readonly: bool,
        busy_timeout: float,
        journal: bool | None,
        index: RegionIndex[Any],
        on_commit: Callable[[ChangeSet | None], None],
        on_end: Callable[[], None],
    ) -> None:
        self.lock = WriterLock(busy_timeout, self._abandon)
        self._readers: ReaderPool | None = None
        forking.waits_for(self)
        with self.lock:  # a fork waits for what is being opened, too
            self._open(path, readonly, journal, index, on_commit, on_end)

    def _open(
        self,
        path: str | os.PathLike[str],
        readonly: bool,
        journal: bool | None,
        index: RegionIndex[Any],
        on_commit: Callable[[ChangeSet | None], None],
        on_end: Callable[[], None],
    ) -> None:
        timeout = self.lock.timeout
        writer = self._writer = Connection(path, readonly=readonly, busy_timeout=timeout)
        readonly = self.readonly = writer.readonly  # a URI, or the file system, may say so too
        self.filename = writer.filename
        self._reader_name = one_more_name(os.fspath(path), self.filename)
        self.identity: Identity | None = None
        """which file it is, should the path name another one some day; None in memory"""
        if self.filename:
            self.identity = identity_of(self.filename)
            if not readonly:
                warn_if_shared(self.filename)
        self._setup = Setup()
        if self.filename:
            self._readers = ReaderPool(self._open_reader, self._setup)
        self.schema = Schema(writer, self.lock, self._readers)
        self.recorder = ChangeRecorder(
            self.schema.route_of, index, partial(writer.set_hook, None), self.schema.catalog
        )
        self.schema.on_new = self.recorder.forget_routes
        writer.set_hook(self.recorder.on_row)
        self.journal: Journal | None = None
        self.foreign: ForeignCommits | None = None
        if self.filename:
            kept = Journal(writer, self.recorder, False if readonly else journal)
            self.foreign = ForeignCommits(writer, kept)
            kept.outdated = self._outdated
            self.journal = None if readonly else kept
        self.reads = Reads(writer, self.lock, self._readers, self.schema, self.foreign)
        schema, recorder = self.schema, self.recorder
        control = Control(
            writer, schema, recorder, self._follow, self.foreign, self._readers, timeout
        )
        self.writes = Writes(
            writer, self.lock, schema, recorder, control, self.journal, on_commit, on_end
        )
        self.scripts = Scripts(writer, self.lock, self.schema, self.reads, self.writes)
        self.transactions = Transactions(
            self.lock, self.schema, self.reads, self.writes, self._abandon, readonly=readonly
        )

    @property
    def attached(self) -> frozenset[str]:
        """The paths of the files that are attached, as far as others' commits to them are seen."""
        return frozenset() if self.foreign is None else self.foreign.attached.files

    def _open_reader(self) -> Connection:
        """One more connection to the same file, whatever its path names by now."""
        reader = Connection(self._reader_name, readonly=True, busy_timeout=self.lock.timeout)
        assert self.identity is not None
        why = why_lost(self.filename, self.identity)
        if why is not None:
            reader.close()
            raise ReactiveSqliteError(why)
        return reader

    def execute(self, statement: Statement, params: Params) -> Result:
        """Run any one statement on the writing connection."""
        if not statement.changes_rows and _is_plain_begin(statement):
            # A deferred transaction that turns out to write can be refused at once, whatever
            # the busy timeout; https://sqlite.org/lang_transaction.html
            statement = self.schema.statement(self.transactions.begin_text)
        if self.reads.noting_threads:
            self.reads.check_may_write()
        lock = self.lock
        transaction = lock.transaction
        if transaction is not None and transaction.plain_thread == get_ident():
            # This thread keeps the lock until its end: there is nothing to wait for.
            if statement.epoch != self.schema.epoch:
                statement = self.schema.statement(statement.sql)
            return self.writes.run(statement, params)
        lock.acquire()
        try:
            if statement.epoch != self.schema.epoch:  # it changed while this one waited
                statement = self.schema.statement(statement.sql)
            return self.writes.run(statement, params)
        finally:
            lock.release()

    def execute_many(self, statement: Statement, rows: Iterable[Params]) -> Result:
        """Run one writing statement for each of the parameter sets, in one transaction."""
        with self.transactions.block():
            transaction = self.lock.transaction
            if transaction is not None and not isinstance(rows, list | tuple):
                rows = transaction.until_its_end(rows)
            return self.writes.run_many(self._still_true(statement), rows)

    def _still_true(self, statement: Statement) -> Statement:
        """The statement, analysed anew if the schema changed while it waited for the lock."""
        if statement.epoch == self.schema.epoch:
            return statement
        return self.schema.statement(statement.sql)

    def _abandon(self, transaction: OpenTransaction) -> None:
        """Roll back a transaction whose owner has lost it."""
        if self._writer.in_transaction:
            self._writer.run("ROLLBACK")
        self.writes.rolled_back(transaction)

    def _outdated(self) -> bool:
        """Whether others have changed the schema by which rows were recorded; then no longer."""
        if self.foreign is None or not self.foreign.schema_moved():
            return False
        self.schema.is_new()
        self.foreign.judged_anew()
        return True

    # -- changes that no statement makes --------------------------------------------------------

    def announce(self, tables: Iterable[str]) -> None:
        """Publish that these tables may have changed, by their names; without names, everything.

        Inside a transaction it joins what that has changed.
        """
        self.reads.check_may_write()
        with self.lock:
            keys = self.schema.keys_of(tables)
            if not keys:
                self.recorder.everything_changed()
            self.recorder.touch_all(keys)
            if self.lock.transaction is None:
                self.writes.committed()

    def changes_since(self, version: int) -> ChangesSince:
        """What the journal holds after a version."""
        if self._readers is None:
            raise ReactiveSqliteError("a database in memory keeps no journal of its changes")
        if self.journal is not None:
            with self.lock:
                if self.lock.transaction is None and self.journal.make_durable():
                    version = -1  # what was before is not known: nobody had to write it down
        with self._readers.snapshot() as reader:
            return changes_since(reader, version)

    def neighbours_version(self, commits: int) -> int:
        """Count commits that others made; the number of the last. Under the lock."""
        self.writes.version += commits
        return self.writes.version

    def on_every_connection(self, name: Hashable, step: Callable[[Connection], None]) -> None:
        """Do this to the writing connection now and to each reading one before its next use."""
        with self.lock:
            step(self._writer)
            self._setup.add(name, step)
            self.schema.is_new()
            self.recorder.everything_changed(for_good=True)
            if self.lock.transaction is None:
                self.writes.committed()

    def set_up(self, connection: Connection) -> None:
        """Make a new connection like the others. Under the lock."""
        self._setup.run(connection)

    def _follow(self, name: str, pragma: str) -> None:
        """The writing connection has run this pragma; readers do so before their next use."""

        def run(connection: Connection) -> None:
            connection.run(pragma)

        self._setup.add(name, run)

    def close(self) -> None:
        """Roll back what is open, close the readers, then the writer: no ``-wal`` file stays."""
        self.lock.hold()
        try:
            if not self.lock.closed:
                if self.lock.transaction is not None:
                    self._abandon(self.lock.transaction)
                self.lock.closed = True
                self.schema.is_new()  # what was known is asked for in vain from here on
                if self._readers is not None:
                    self._readers.close(self.lock.timeout)
                self._writer.close()
        finally:
            self.lock.release()

    def hold_still(self, timeout: float) -> bool:
        """Before a fork: have nothing under way on any connection; whether the lock was free."""
        until = monotonic() + timeout
        if not self.lock.try_acquire(timeout):
            return False
        try:
            if self._readers is not None:
                self._readers.hold_off(max(0.0, until - monotonic()))
        except BaseException:  # Ctrl-C
            self.go_on()
            raise
        return True

    def go_on(self) -> None:
        """The end of `hold_still`, if it was still."""
        if self._readers is not None:
            self._readers.let_in()
        self.lock.release()


def _is_plain_begin(statement: Statement) -> bool:
    words = statement.sql.strip().rstrip(";").upper().split()
    return statement.kind is StatementKind.BEGIN and words in (["BEGIN"], ["BEGIN", "TRANSACTION"])
