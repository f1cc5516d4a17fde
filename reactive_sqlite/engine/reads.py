"""Reading: which connection a SELECT runs on, and which state of the database it sees."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from reactive_sqlite.driver.connection import Connection, Params
from reactive_sqlite.driver.errors import BusyError
from reactive_sqlite.driver.ownership import WriterLock
from reactive_sqlite.driver.readers import ReaderPool
from reactive_sqlite.engine.schema import Schema, named
from reactive_sqlite.errors import TransactionError
from reactive_sqlite.journal.foreign import Foreign, ForeignCommits
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.region import Region
from reactive_sqlite.values.row import Row

logger = logging.getLogger("reactive_sqlite")


class _Local(threading.local):
    pinned: Connection | None = None
    noted: list[Region] | None = None


class Reads:
    """The reading side of one database.

    A file is read on connections of their own, beside the writer; a database in memory, TEMP and
    ATTACHed tables on the writing connection, under its lock.
    """

    def __init__(
        self,
        writer: Connection,
        lock: WriterLock,
        readers: ReaderPool | None,
        schema: Schema,
        foreign: ForeignCommits | None,
    ) -> None:
        self._writer = writer
        self._lock = lock
        self._readers = readers
        self._schema = schema
        self._local = _Local()
        self.noting_threads: dict[object, None] = {}
        """one entry for each `noting`"""
        self._foreign = foreign
        self.on_file = foreign is not None
        """others may commit between two reads, unless they are made in one snapshot"""

    def read(
        self, statement: Statement, params: Params, *, only_first: bool = False
    ) -> tuple[Row, ...]:
        """Run a statement that only reads; ``only_first`` stops after the first row.

        Inside a transaction of this thread it sees what that has written; inside `snapshot` and
        `refreshing` it sees their state; else the last commit, without waiting for a writer.
        """
        lock, local = self._lock, self._local
        if lock.closed:
            lock.check_open()
        if self.noting_threads and local.noted is not None:
            local.noted.append(statement.region(params))
        pinned = local.pinned
        if pinned is not None and (statement.main_only or pinned is self._writer):
            return self._fetch(pinned, statement, params, only_first)
        transaction = lock.transaction
        if transaction is not None and transaction.plain_thread == get_ident():
            # This thread keeps the lock until its end: there is nothing to wait for.
            return self._fetch(self._writer, statement, params, only_first)
        if self._readers is None or not statement.main_only or lock.in_own_transaction:
            with lock:
                return self._fetch(self._writer, statement, params, only_first)
        reader = self._readers.take()
        try:
            return self._fetch(reader, statement, params, only_first)
        finally:
            self._readers.give_back(reader)

    def _fetch(
        self, connection: Connection, statement: Statement, params: Params, only_first: bool
    ) -> tuple[Row, ...]:
        return named(connection, statement, connection.run(statement.sql, params, only_first))

    # -- one state for several reads ------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of this thread inside the block see one state of the database."""
        if self._local.pinned is not None or self._lock.in_own_transaction:
            yield
        elif self._readers is None:
            with self._lock, self._pinned(self._writer):
                yield
        else:
            with self._readers.snapshot() as reader, self._pinned(reader):
                yield

    def begin_refresh(self, *, several: bool) -> Foreign | None:
        """Start refreshing results on the writing connection, under its lock: nobody may write.

        All reads of this thread see one state until `end_refresh`; a single one (not ``several``)
        does so by itself. Gives what others have committed to the file since the last look: that
        state holds their changes too.
        """
        assert self._lock.transaction is None
        self._lock.refreshing = True
        self._local.pinned = self._writer
        if self._foreign is None:
            return None
        try:
            if several:
                self._writer.run("BEGIN")
            if not self._foreign.moved():
                return None
            if several:
                self._writer.run("COMMIT")
            found, new_schema = self._foreign.read()
            if new_schema:
                self._schema.is_new()
            return found
        except BaseException:  # Ctrl-C too: nobody could write any more
            self.end_refresh()
            raise

    def schema_moved(self) -> bool:
        """Whether others have changed the schema, and nobody has looked since. Under the lock."""
        foreign = self._foreign
        try:
            if foreign is None:
                return False
            return foreign.schema_moved() or foreign.attached.schema_moved()
        except BusyError:
            return True  # a refresh can be put off; a commit that is made cannot fail

    def look_again(self) -> None:
        """What others have committed could not be made use of: next time, everything."""
        if self._foreign is not None:
            self._foreign.forget()

    def read_anew(self) -> None:
        """The file was spoilt: keep nothing of what was read, should it be mended."""
        self.look_again()
        self._writer.run("PRAGMA shrink_memory")  # else the spoilt page is kept until a commit

    def put_off(self, error: BusyError) -> None:
        """Others had the file locked; the commit is made, and must not seem to have failed.

        The watcher looks again, and then finds that anything may have changed.
        """
        self.look_again()
        logger.warning("live queries are refreshed at the next look: %s", error)

    def start(self) -> None:
        """Take what others have committed until now as seen. Under the lock."""
        if self._foreign is None:
            return
        try:
            if self._foreign.start():
                self._schema.is_new()
        except BaseException:  # Ctrl-C: its snapshot must not stay open
            if self._writer.in_transaction:
                self._writer.run("ROLLBACK")
            raise

    def end_refresh(self) -> None:
        """Results are refreshed: give the snapshot back."""
        self._local.pinned = None
        self._lock.refreshing = False
        if self._readers is not None and self._writer.in_transaction:
            self._writer.run("COMMIT")

    def raw(self, sql: str, params: Params) -> list[tuple[Any, ...]]:
        """Plain rows from the writing connection, between `begin_refresh` and `end_refresh`."""
        if sql.startswith("EXPLAIN"):
            # It never runs, so that a cached one would go on telling of a schema that was.
            return self._writer.execute(sql, params, can_cache=False).fetchall()
        return self._writer.run(sql, params)

    @contextmanager
    def _pinned(self, connection: Connection) -> Iterator[None]:
        before = self._local.pinned
        self._local.pinned = connection
        try:
            yield
        finally:
            self._local.pinned = before

    # -- what a function reads ------------------------------------------------------------------

    @contextmanager
    def noting(self) -> Iterator[list[Region]]:
        """The regions that this thread reads inside the block, in which it may not write."""
        before, noted, entry = self._local.noted, list[Region](), object()
        try:
            self.noting_threads[entry] = None
            self._local.noted = noted
            yield noted
        finally:
            self._local.noted = before
            self.noting_threads.pop(entry, None)
            if before is not None:
                before.extend(noted)

    def check_may_write(self) -> None:
        """Raise `TransactionError` inside `noting`."""
        if self._local.noted is not None:
            raise TransactionError("a function given to observe() may only read")
