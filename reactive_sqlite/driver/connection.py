"""One SQLite connection, as this package needs it."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import apsw

from reactive_sqlite.driver import forks
from reactive_sqlite.driver.authorizer import Authorizer
from reactive_sqlite.files.checkpoints import KEPT_BYTES, Checkpoints
from reactive_sqlite.files.filesystem import why_not_opened
from reactive_sqlite.files.locks import LockWait, locks_on, process
from reactive_sqlite.files.walindex import mapped, position
from reactive_sqlite.understanding.access import (
    Access,
    Action,
    Prepared,
    only_create,
    tell_of_a_module,
)
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.effects import acts_when_prepared
from reactive_sqlite.understanding.listing import quoted

logger = logging.getLogger("reactive_sqlite")

Params: TypeAlias = Sequence[Any] | Mapping[str, Any]

# For whatever parameters a statement has, as in `apsw.ext.query_info`; the stubs leave it out.
_ANY_BINDINGS: Any = apsw._null_bindings  # type: ignore[attr-defined]


class Connection:
    """One SQLite connection.

    Opened for writing it asks for WAL (a file can then be read beside a writer), enforces foreign
    keys, and waits for other processes' locks for up to ``busy_timeout`` seconds. It may be
    used from any thread, but by one at a time: `reactive_sqlite.engine.engine` sees to that.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, readonly: bool = False, busy_timeout: float = 30.0
    ) -> None:
        writing = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        flags = apsw.SQLITE_OPEN_URI | (apsw.SQLITE_OPEN_READONLY if readonly else writing)
        name = os.fspath(path)
        self.set_up = 0
        """the last step of `reactive_sqlite.driver.readers.Setup` that it has had"""
        try:
            self._apsw = forks.connect(name, flags)
        except apsw.Error as error:
            error.add_note(f"while opening {name!r}{why_not_opened(name)}")
            raise
        # Bound here once: a method of our own around each would cost as much as the call.
        cursor = self._apsw.cursor()
        self.execute, self.fetchone = cursor.execute, cursor.fetchone
        """Start a statement on the one cursor, for callers that drain it and annotate errors."""
        self.known_version = self._apsw.data_version
        """Like `data_version`, as of the last read or write; own commits move it too, by one."""
        self.changes = self._apsw.changes
        """Rows changed by the last INSERT, UPDATE or DELETE."""
        self.total_changes = self._apsw.total_changes
        """Rows changed since the connection was opened, also by triggers."""
        self.last_insert_rowid = self._apsw.last_insert_rowid
        """The rowid of the last row inserted."""
        self.set_last_insert_rowid = self._apsw.set_last_insert_rowid
        """What `last_insert_rowid` says from now on."""
        self.create_collation = self._apsw.create_collation
        """Make a Python comparison usable as COLLATE name."""
        self.interrupt = self._apsw.interrupt
        """Stop what is running, from any thread."""
        self.set_hook = self._apsw.preupdate_hook
        """Have this called for each row that is about to change, None for nothing; allowed inside
        the hook itself. The row has the attributes of `net.PreUpdate`."""
        self.wal_commits = defaultdict[str, int](int)
        """by database, commits to its write-ahead log since the connection was opened"""
        set_wait = self._apsw.set_busy_handler
        self.checkpoints = Checkpoints(self._apsw.wal_checkpoint, set_wait, LockWait(busy_timeout))
        self._read_wal_index: Callable[[], bytes] | None = None
        # Installed once and for all: setting an authorizer expires every prepared statement.
        self._authorizer = self._apsw.authorizer = Authorizer(in_file=bool(self.filename))
        try:
            if not readonly:
                if self.filename and self.run("PRAGMA page_count") == [(0,)]:
                    # Only a file without a page can still choose; without it what is deleted
                    # never leaves the file. https://sqlite.org/pragma.html#pragma_auto_vacuum
                    self.run("PRAGMA auto_vacuum=INCREMENTAL")
                self._set_journal_mode(busy_timeout)
                self.run("PRAGMA synchronous=NORMAL")
                # What a long reader has made of it goes back once the log begins anew.
                self.run(f"PRAGMA journal_size_limit={KEPT_BYTES}")
                self._apsw.set_wal_hook(self._committed_to_wal)
            self.run("PRAGMA foreign_keys=ON")
            self.run("SELECT 1 FROM sqlite_schema LIMIT 1")  # not a database? say so now
        except apsw.Error as error:
            error.add_note(f"while opening {name!r}{why_not_opened(name)}")
            self._apsw.close()
            raise

    def _set_journal_mode(self, busy_timeout: float) -> None:
        # Processes that open a new file together can be told "locked" at once here, without the
        # busy handler being asked; https://sqlite.org/wal.html#sometimes_queries_return_busy
        deadline = time.monotonic() + busy_timeout
        while True:
            try:
                self.run("PRAGMA journal_mode=WAL")
                return
            except (apsw.BusyError, apsw.LockedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _committed_to_wal(self, _: apsw.Connection, database: str, pages: int) -> int:
        """Count, and do what SQLite does by a hook of its own, which this one replaces."""
        self.wal_commits[database] += 1
        if 0 < self.checkpoints.pages <= pages:
            try:
                self.checkpoints.make(database, self._apsw.db_filename(database))
            except apsw.Error as error:  # the commit is made; the next one will try again
                logger.debug("no checkpoint: %s", error)
        return 0  # SQLITE_OK

    def keep_hook(self, pragma: str) -> None:
        """Put our hook, with its number, where a PRAGMA has put one of SQLite's own.

        That is what ``busy_timeout`` and ``wal_autocheckpoint`` do.
        """
        number = self.run(f"PRAGMA {pragma}")[0][0]
        if pragma == "busy_timeout":
            self.checkpoints.wait_by(LockWait(number / 1000))
        else:
            self.checkpoints.choose(number)
            self._apsw.set_wal_hook(self._committed_to_wal)

    def wal_frames(self) -> int | None:
        """The frames in the write-ahead log that are committed now; None outside WAL mode.

        Not allowed inside a transaction. https://sqlite.org/pragma.html#pragma_wal_checkpoint
        """
        try:
            log, _ = self._apsw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        except apsw.ReadOnlyError:  # there is one, which this user may only read
            place = position(self.wal_index())
            return 0 if place is None else place.frames
        return log if log >= 0 else None

    def wal_index(self) -> bytes:
        """The header of the wal-index (`walindex.position` reads it). Only in WAL mode."""
        if self._read_wal_index is None:
            self._read_wal_index = mapped(self._apsw.file_control, apsw.SQLITE_FCNTL_FILE_POINTER)
        return self._read_wal_index()

    @property
    def filename(self) -> str:
        """The full path of the main database; empty for one in memory."""
        return self._apsw.filename

    @property
    def readonly(self) -> bool:
        """Whether the main database cannot be written through this connection."""
        return self._apsw.readonly("main")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open (SQLite is not in autocommit mode)."""
        return self._apsw.in_transaction

    def run(self, sql: str, params: Params = (), only_first: bool = False) -> list[tuple[Any, ...]]:
        """Run the text to its end and return all rows, or a query until it gives its first row.

        What writes must be drained: a half-read ``RETURNING`` has not committed.
        """
        cursor = None
        try:
            cursor = self._apsw.execute(sql, params)
            if not only_first:
                return cursor.fetchall()
            row = cursor.fetchone()
            cursor.close(True)
        except BaseException as error:
            if cursor is not None:
                cursor.close(True)  # Ctrl-C: the traceback would keep it, and its lock
            if isinstance(error, Exception):
                self.annotate(error, sql)
            raise
        return [] if row is None else [row]

    def run_many(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for each of the parameter sets."""
        try:
            for _ in self._apsw.executemany(sql, rows):
                pass  # drains what RETURNING returns
        except Exception as error:
            self.annotate(error, sql)
            raise

    def annotate(self, error: BaseException, sql: str) -> None:
        """Add to an error what was being run and, when the file is locked, who holds the lock."""
        error.add_note(f"while running: {sql}")
        holder = locks_on(self.filename).writer if isinstance(error, apsw.BusyError) else None
        if holder is not None:
            error.add_note(f"the write lock is held by process {process(holder)}")

    def prepare(self, sql: str) -> Prepared:
        """Ask the engine what the first statement of the text would do, without running it."""
        actions: list[Action] = []
        found: list[Prepared] = []

        def look(cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
            try:
                names = tuple(column[0] for column in cursor.get_description())
            except apsw.ExecutionCompleteError:
                names = ()
            access = Access.from_actions(
                actions, columns=names, is_explain=cursor.is_explain, bindings=cursor.bindings_names
            )
            found.append(Prepared(access, not cursor.has_vdbe, len(text)))
            return False  # aborts before anything runs

        cursor = self._apsw.cursor()
        cursor.exec_trace = look
        try:
            self._authorizer.actions = actions
            # The first statement on a virtual table connects it, and its module prepares statements
            # of its own meanwhile; the second time they are not heard.
            while True:
                actions.clear()
                with contextlib.suppress(apsw.ExecTraceAbort):
                    # The cache would answer without asking the authorizer.
                    cursor.execute(sql, _ANY_BINDINGS, can_cache=False)
                if len(found) > tell_of_a_module(actions):
                    break
        except apsw.Error as error:
            error.add_note(f"while preparing: {sql}")
            raise
        finally:
            self._authorizer.actions = None
        access = found[-1].access
        if access.pragma and acts_when_prepared(*access.pragma) and not access.is_explain:
            # The authorizer has kept SQLite from it, and from telling the columns.
            access.columns = self.prepare(f"PRAGMA {quoted(access.pragma[0])}").access.columns
        return found[-1]

    def run_creates(self, script: str) -> int:
        """Run what a script begins with, as long as it creates tables, views, indexes or triggers.

        Gives how much of the text that was. It stops before a statement that does anything else,
        and before one that fails, which nothing is left of. Inside a transaction only; an error
        that has ended it is raised.
        """
        actions: list[Action] = []
        before, ends = self.schema_version(), [0]

        def look(cursor: apsw.Cursor, text: str, _bindings: object) -> bool:
            # IF NOT EXISTS may do nothing, and could not be told below from one that failed.
            if cursor.is_explain or "exists" in text.lower() or not only_create(actions):
                return False
            actions.clear()
            ends.append(ends[-1] + len(text))
            return True

        cursor = self._apsw.cursor()
        cursor.exec_trace = look
        self._authorizer.actions = actions
        try:
            cursor.execute(script, can_cache=False).fetchall()
        except apsw.Error as error:
            if not self._apsw.in_transaction:
                self.annotate(error, script)
                raise
            # Else who runs the rest in the usual way is told in the usual way.
        finally:
            self._authorizer.actions = None
        # Each CREATE adds one to it; the last one that was begun may be the one that failed.
        return ends[min(self.schema_version() - before, len(ends) - 1)]

    def catalog(self) -> Catalog:
        """A picture of the schema as this connection sees it now."""
        return Catalog.load(self.run, self._apsw.column_metadata)

    def data_version(self, database: str = "main") -> int:
        """A number that moves when *another* connection has committed to the database.

        https://sqlite.org/pragma.html#pragma_data_version
        """
        return int(self.run(f"PRAGMA {quoted(database)}.data_version")[0][0])

    def schema_version(self, database: str = "main") -> int:
        """SQLite's own counter of changes to a schema, also by others."""
        return int(self.run(f"PRAGMA {quoted(database)}.schema_version")[0][0])

    def attached(self) -> dict[str, str]:
        """The files that are attached, by the names of their databases."""
        listed = self.run("PRAGMA database_list")
        return {name: file for _, name, file in listed if file and name not in ("main", "temp")}

    def has_attached(self) -> None:
        """A file was attached. It is detached, and an error raised, where that was not safe."""
        forks.attached(self._apsw)

    def expire(self) -> None:
        """Have every prepared statement prepared anew, also where SQLite would not."""
        self._apsw.authorizer = self._authorizer

    def create_function(
        self, name: str, function: Callable[..., Any], nargs: int, *, deterministic: bool
    ) -> None:
        """Make a Python function callable from SQL."""
        self._apsw.create_scalar_function(name, function, nargs, deterministic=deterministic)

    def close(self) -> None:
        """Close; the last connection to a WAL file checkpoints it and deletes the ``-wal``."""
        self._apsw.close()
