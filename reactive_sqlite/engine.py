"""One database: its writing connection, its readers, and what is known of its statements.

Everything that changes the database goes through `Engine.execute` and its siblings under one
lock. When a statement has left no transaction open, the recorder says what the commit changed
and ``on_commit`` is told, still under the lock: results are refreshed before anybody else can
write, and handed out after the lock is gone.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from reactive_sqlite.analysis import analyse
from reactive_sqlite.catalog import Catalog, table_key
from reactive_sqlite.change import ChangeSet
from reactive_sqlite.connection import BusyError, Connection, DatabaseError, Params, SQLError
from reactive_sqlite.errors import ClosedError, ReactiveSqliteError, TransactionError
from reactive_sqlite.ownership import OpenTransaction
from reactive_sqlite.readers import ReaderPool
from reactive_sqlite.recorder import EVERYTHING, ChangeRecorder, TableRoute
from reactive_sqlite.region import Region
from reactive_sqlite.row import Row, row_maker
from reactive_sqlite.statement import Statement, StatementKind

logger = logging.getLogger("reactive_sqlite")

#: Analysed statements kept; programs that build SQL text by hand would fill the memory else.
STATEMENTS_KEPT = 4096

_DML = frozenset({StatementKind.INSERT, StatementKind.UPDATE, StatementKind.DELETE})
#: Statements that only read and return rows.
READS = frozenset({StatementKind.SELECT, StatementKind.EXPLAIN})
_SCHEMA = frozenset({StatementKind.CREATE, StatementKind.DROP, StatementKind.ALTER})
_WHOLESALE = frozenset(
    {
        StatementKind.ATTACH,
        StatementKind.DETACH,
        StatementKind.VACUUM,
        StatementKind.ANALYZE,
        StatementKind.REINDEX,
    }
)
#: Pragmas that cannot change what any query returns.
_HARMLESS_PRAGMAS = frozenset(
    "analysis_limit auto_vacuum busy_timeout cache_size cache_spill cell_size_check "
    "checkpoint_fullfsync data_version database_list defer_foreign_keys foreign_key_check "
    "foreign_key_list freelist_count fullfsync function_list hard_heap_limit "
    "incremental_vacuum index_info index_list index_xinfo integrity_check journal_mode "
    "journal_size_limit locking_mode max_page_count mmap_size page_count page_size "
    "quick_check recursive_triggers secure_delete shrink_memory soft_heap_limit synchronous "
    "table_info table_list table_xinfo temp_store threads wal_autocheckpoint "
    "wal_checkpoint".split()
)
#: Pragmas of one connection that change what its queries return: the readers follow.
_SHAPING_PRAGMAS = frozenset(
    "automatic_index case_sensitive_like full_column_names reverse_unordered_selects "
    "short_column_names trusted_schema".split()
)
_ONLY_READ = (
    "results are being refreshed: a function given to observe() and a function called from SQL "
    "may only read"
)


class Result(NamedTuple):
    """What one statement did: ``rows`` it returned, rows it changed, the last rowid inserted."""

    rows: tuple[Row, ...]
    changes: int
    last_insert_rowid: int


class Engine:
    """The lock, the transactions and the connections of one database.

    ``watches(key)`` says whether a live query reads the table; ``on_commit`` gets each commit
    that changed something, ``on_end`` the end of each transaction that was open for longer than
    a statement. Both run on the writing thread, under the lock.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        readonly: bool,
        busy_timeout: float,
        watches: Callable[[str], bool],
        on_commit: Callable[[ChangeSet], None],
        on_end: Callable[[], None],
    ) -> None:
        self._writer = Connection(path, readonly=readonly, busy_timeout=busy_timeout)
        self.filename = self._writer.filename
        self.readonly = readonly
        self.version = 0
        self._watches = watches
        self._on_commit = on_commit
        self._on_end = on_end
        self._timeout = busy_timeout
        self._lock = threading.RLock()
        self._tx: OpenTransaction | None = None
        self._local = threading.local()
        self._closed = False
        self._refreshing = False
        self._depth = 0
        self._noting = 0
        self._lock_for_noting = threading.Lock()
        self._epoch = 0
        self._ddl_pending = False
        self._statements: dict[str, Statement] = {}
        self._routed: set[str] = set()
        self._routes: dict[tuple[str, str], TableRoute] = {}
        self._unhooked: dict[str, tuple[str, ...]] = {}
        self._catalog: Catalog | None = None
        self._commits_begun = 0
        self._commits_done = 0
        self.recorder = ChangeRecorder(self._route_of, watches, self._writer.remove_hook)
        self._writer.install_hook(self.recorder.on_row)
        self._setup: list[Callable[[Connection], None]] = []
        self._readers = (
            ReaderPool(
                lambda: Connection(self.filename, readonly=True, busy_timeout=busy_timeout),
                self._setup,
            )
            if self.filename
            else None
        )
        self._data_version = self._writer.data_version()
        self._schema_version = self._writer.schema_version()

    # -- what is known of a statement ------------------------------------------------------

    def statement(self, sql: str) -> Statement:
        """The analysed statement; asked of the engine once per text and schema."""
        found = self._statements.get(sql)
        return found if found is not None else self._analyse(sql)

    def _analyse(self, sql: str) -> Statement:
        if not isinstance(sql, str):
            raise TypeError(f"SQL must be a str, not {type(sql).__name__}")
        self._check_open()
        epoch = self._epoch
        if self._lock.acquire(blocking=False):
            try:
                statement = self._analyse_on(self._writer, self._writers_catalog(), sql)
            finally:
                self._lock.release()
        elif self._readers is not None:
            # Another thread is in a transaction. A reader sees the committed schema, which is
            # what counts here; only TEMP and ATTACHed tables need the writer's own view.
            try:
                with self._readers.borrow() as reader:
                    statement = self._analyse_on(reader, reader.catalog(), sql)
            except SQLError:
                with self.locked():
                    statement = self._analyse_on(self._writer, self._writers_catalog(), sql)
        else:
            with self.locked():
                statement = self._analyse_on(self._writer, self._writers_catalog(), sql)
        if epoch == self._epoch and not self._ddl_pending:
            if len(self._statements) >= STATEMENTS_KEPT:
                self._statements = {}
            self._statements[sql] = statement
        return statement

    def _analyse_on(self, connection: Connection, catalog: Catalog, sql: str) -> Statement:
        prepared = connection.prepare(sql)
        rest = sql[prepared.length :]
        while rest.strip():
            try:
                following = connection.prepare(rest)
            except DatabaseError:
                following = None
            if following is None or not following.empty:
                raise ReactiveSqliteError(
                    f"one statement at a time; use executescript() for several: {sql!r}"
                )
            rest = rest[following.length :] if following.length else ""
        return analyse(sql, prepared.access, catalog)

    def _writers_catalog(self) -> Catalog:
        if self._catalog is None:
            self._catalog = self._writer.catalog()
        return self._catalog

    def _schema_is_new(self) -> None:
        self._epoch += 1
        self._statements = {}
        self._routed = set()
        self._routes = {}
        self._unhooked = {}
        self._catalog = None
        self.recorder.forget_routes()

    # -- what the hook needs to know, found out before the statement runs --------------------

    def _prepare_routes(self, statement: Statement) -> None:
        if statement.access.writes:
            catalog = self._writers_catalog()
            unhooked: list[str] = []
            for key, operations in statement.access.writes.items():
                table = catalog.table(key)
                if table is None:
                    continue
                keyed = table.primary_key if table.without_rowid else ()
                exact = table.kind == "table" and not table.has_virtual_columns
                self._routes[table.database, table.name] = TableRoute(key, exact, keyed)
                if table.kind == "virtual":
                    unhooked.append(key)  # its module may keep its rows out of the hook's sight
                elif "insert" in operations and "autoincrement" in (table.sql or "").lower():
                    unhooked.append(table_key(table.database, "sqlite_sequence"))
            if unhooked:
                self._unhooked[statement.sql] = tuple(unhooked)
        self._routed.add(statement.sql)

    def _route_of(self, database: str, name: str) -> TableRoute:
        # Inside the hook: nothing may be asked of SQLite here.
        found = self._routes.get((database, name))
        if found is not None:
            return found
        if self._catalog is None:
            return TableRoute(EVERYTHING, exact=False, primary_key=())
        key = self._catalog.owner_of(table_key(database, name))
        return TableRoute(key, exact=False, primary_key=())

    # -- the lock ---------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the database is closed")

    def acquire(self) -> None:
        """Become the one who may use the writing connection; again for the same thread is fine.

        Raises `BusyError` when another thread keeps it longer than the busy timeout,
        `TransactionError` when a transaction is open that is not the caller's.
        """
        if not self._lock.acquire(timeout=self._timeout):
            holder = self._tx
            who = f"thread {holder.thread} has a transaction open" if holder else "it is in use"
            raise BusyError(f"database is locked: {who} (waited {self._timeout:g} s)")
        if self._closed or self._tx is not None or self._refreshing:
            try:
                self._check_turn()
            except BaseException:
                self._lock.release()
                raise

    def _check_turn(self) -> None:
        self._check_open()
        if self._refreshing:
            raise TransactionError(_ONLY_READ)
        tx = self._tx
        if tx is None:
            return
        if tx.orphaned:
            self._abandon(tx)
            return
        try:
            tx.check()
        except TransactionError:
            if tx.left_open and tx.is_mine:
                self._abandon(tx)
            raise

    def _check_may_write(self) -> None:
        if self._noting and getattr(self._local, "noted", None) is not None:
            raise TransactionError(_ONLY_READ)

    def release(self) -> None:
        """Give back what `acquire` gave."""
        self._lock.release()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """`acquire` … `release` as a block."""
        self.acquire()
        try:
            yield
        finally:
            self._lock.release()

    # -- reading ----------------------------------------------------------------------------

    @property
    def in_own_transaction(self) -> bool:
        """Whether the calling thread has a transaction open."""
        tx = self._tx
        return tx is not None and tx.thread == threading.get_ident()

    def read(
        self, statement: Statement, params: Params, *, only_first: bool = False
    ) -> tuple[Row, ...]:
        """Run a statement that only reads; ``only_first`` stops after the first row.

        Inside a transaction of this thread it sees what that has written; inside `snapshot` and
        `refreshing` it sees their state; else the last commit, without waiting for a writer.
        """
        self._check_open()
        if self._noting and (noted := getattr(self._local, "noted", None)) is not None:
            noted.append(statement.region(params))
        pinned: Connection | None = getattr(self._local, "pinned", None)
        if pinned is not None and (statement.main_only or pinned is self._writer):
            return self._fetch(pinned, statement, params, only_first)
        if self._readers is None or not statement.main_only or self.in_own_transaction:
            with self._reading_the_writer():
                return self._fetch(self._writer, statement, params, only_first)
        with self._readers.borrow() as reader:
            return self._fetch(reader, statement, params, only_first)

    @contextmanager
    def noting_reads(self) -> Iterator[list[Region]]:
        """The regions that this thread reads inside the block, in which it may not write."""
        before = getattr(self._local, "noted", None)
        noted: list[Region] = []
        with self._lock_for_noting:
            self._noting += 1
        self._local.noted = noted
        try:
            yield noted
        finally:
            self._local.noted = before
            with self._lock_for_noting:
                self._noting -= 1
            if before is not None:
                before.extend(noted)

    @contextmanager
    def _reading_the_writer(self) -> Iterator[None]:
        # While results are refreshed the lock is ours and reading is what it is held for.
        if self._refreshing and getattr(self._local, "pinned", None) is not None:
            yield
        else:
            with self.locked():
                yield

    def _fetch(
        self, connection: Connection, statement: Statement, params: Params, only_first: bool
    ) -> tuple[Row, ...]:
        run = connection.run_for_one if only_first else connection.run
        rows = run(statement.sql, params)
        columns = statement.access.columns
        if rows and len(rows[0]) != len(columns):
            # Another process has changed the schema since the statement was analysed.
            columns = connection.prepare(statement.sql).access.columns
        return tuple(map(row_maker(columns), rows))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of this thread inside the block see one state of the database."""
        if getattr(self._local, "pinned", None) is not None or self.in_own_transaction:
            yield
        elif self._readers is None:
            with self.locked(), self._pinned(self._writer):
                yield
        else:
            with self._readers.borrow() as reader:
                reader.run("BEGIN")
                try:
                    with self._pinned(reader):
                        yield
                finally:
                    reader.run("COMMIT")

    @contextmanager
    def _pinned(self, connection: Connection) -> Iterator[None]:
        self._local.pinned = connection
        try:
            yield
        finally:
            self._local.pinned = None

    @contextmanager
    def refreshing(self) -> Iterator[bool]:
        """One snapshot on the writing connection, under its lock, in which nobody may write.

        Gives whether another process has committed since the last look: then this snapshot
        holds its changes too.
        """
        shared = self._readers is not None
        if shared:
            self._writer.run("BEGIN")
        self._refreshing = True
        try:
            with self._pinned(self._writer):
                yield shared and self._neighbour_committed()
        finally:
            self._refreshing = False
            if shared:
                self._writer.run("COMMIT")

    def _neighbour_committed(self) -> bool:
        version = self._writer.data_version()
        if version == self._data_version:
            return False
        self._data_version = version
        schema = self._writer.schema_version()
        if schema != self._schema_version:
            self._schema_version = schema
            self._schema_is_new()
        return True

    def next_version(self) -> int:
        """Count a commit that another process made. Under the lock."""
        self.version += 1
        return self.version

    def commits(self) -> tuple[int, int]:
        """How many statements that may commit have begun, and how many are published."""
        return self._commits_begun, self._commits_done

    # -- writing ----------------------------------------------------------------------------

    def execute(self, statement: Statement, params: Params) -> Result:
        """Run any one statement on the writing connection."""
        if statement.kind is StatementKind.BEGIN and _is_plain_begin(statement.sql):
            # A deferred transaction that turns out to write can be refused at once, whatever
            # the busy timeout; https://sqlite.org/lang_transaction.html
            statement = self._begin_statement()
        self._check_may_write()
        self.acquire()
        try:
            return self._run(statement, params)
        finally:
            self._lock.release()

    def execute_many(self, statement: Statement, rows: Iterable[Params]) -> Result:
        """Run one writing statement for each of the parameter sets, in one transaction."""
        with self.transaction():
            return self._run(statement, rows, many=True)

    def execute_script(self, script: str) -> None:
        """Run several statements, each as if by `execute`.

        A transaction that the script opened and did not finish because a statement of it failed
        is rolled back.
        """
        self._check_may_write()
        self.acquire()
        before = self._tx
        try:
            for piece in self._pieces(script):
                statement = self.statement(piece)
                if statement.kind in READS:
                    self.read(statement, ())
                else:
                    self._run(statement, ())
        except BaseException:
            if self._tx is not None and self._tx is not before:
                self._run(self.statement("ROLLBACK"), ())
            raise
        finally:
            self._lock.release()

    def _pieces(self, script: str) -> Iterator[str]:
        window = 1 << 16  # preparing copies the text: give the engine a part of a long script
        start = 0
        while start < len(script):
            piece = script[start : start + window]
            whole = start + window >= len(script)
            try:
                prepared = self._writer.prepare(piece)
            except DatabaseError:
                if whole:
                    raise
                window *= 2
                continue
            if prepared.length >= len(piece) and not whole:
                window *= 2  # cut in the middle of a statement, perhaps
                continue
            if not prepared.empty:
                yield piece[: prepared.length]
            elif prepared.length == 0:
                return
            start += prepared.length

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE … COMMIT as a block, or a savepoint inside an open transaction."""
        self._check_may_write()
        with self.locked():
            outer = self._tx
            if outer is None:
                self._run(self._begin_statement(), ())
                savepoint = None
            else:
                self._depth += 1
                savepoint = f"reactive_{self._depth}"
                self._run(self.statement(f"SAVEPOINT {savepoint}"), ())
            tx = self._tx
            assert tx is not None
            if outer is None:
                tx.manual = False
        try:
            yield
        except BaseException:
            self._depth -= savepoint is not None
            if not tx.ended and tx.thread == threading.get_ident():
                with self._lock:
                    self._undo(savepoint)
            raise
        self._depth -= savepoint is not None
        if tx.ended:
            raise TransactionError("the transaction was ended inside its `with` block")
        if not tx.is_mine and tx.thread == threading.get_ident():
            with self._lock:
                self._abandon(tx)
            raise TransactionError("the transaction was finished by another task; rolled back")
        with self.locked():
            self._keep(savepoint)

    def _begin_statement(self) -> Statement:
        return self.statement("BEGIN" if self.readonly else "BEGIN IMMEDIATE")

    def _keep(self, savepoint: str | None) -> None:
        if savepoint is not None:
            self._run(self.statement(f"RELEASE {savepoint}"), ())
            return
        try:
            self._run(self.statement("COMMIT"), ())
        except BaseException:
            if self._tx is not None:  # a deferred foreign key, a full disk: nothing half done
                self._undo(None)
            raise

    def _undo(self, savepoint: str | None) -> None:
        if savepoint is None:
            self._run(self.statement("ROLLBACK"), ())
        else:
            self._run(self.statement(f"ROLLBACK TO {savepoint}"), ())
            self._run(self.statement(f"RELEASE {savepoint}"), ())

    def _abandon(self, tx: OpenTransaction) -> None:
        """Roll back a transaction whose owner has lost it."""
        if self._writer.in_transaction:
            self._writer.run("ROLLBACK")
        self._rolled_back(tx)

    def _run(self, statement: Statement, params: Any, *, many: bool = False) -> Result:
        writer, recorder, kind = self._writer, self.recorder, statement.kind
        if statement.sql not in self._routed:
            self._prepare_routes(statement)
        mark = recorder.begin_statement(bulk=kind in _DML)
        self._commits_begun += 1
        try:
            rows: list[tuple[Any, ...]] = []
            before = writer.total_changes() if many else 0
            try:
                if many:
                    writer.run_many(statement.sql, params)
                else:
                    rows = writer.run(statement.sql, params)
            except BaseException:
                if recorder.detached:
                    self._reattach(statement)
                self._failed(statement, mark)
                raise
            if recorder.detached:
                self._reattach(statement)
            if kind in _DML:
                changes = writer.total_changes() - before if many else writer.changes()
                result = Result(self._rows(statement, rows), changes, writer.last_insert_rowid())
                for key in self._unhooked.get(statement.sql, ()):
                    recorder.touch(key)
                if self._tx is None:
                    self._committed()
                return result
            result = Result(self._rows(statement, rows), 0, writer.last_insert_rowid())
            self._controlled(statement)
            return result
        finally:
            self._commits_done = self._commits_begun

    @staticmethod
    def _rows(statement: Statement, rows: list[tuple[Any, ...]]) -> tuple[Row, ...]:
        return tuple(map(row_maker(statement.access.columns), rows)) if rows else ()

    def _reattach(self, statement: Statement) -> None:
        """The hook took itself away in the middle of a bulk statement: by table, then."""
        self.recorder.detached = False
        self._writer.install_hook(self.recorder.on_row)
        self.recorder.touch_all(sorted(statement.access.writes))

    def _controlled(self, statement: Statement) -> None:
        """What a statement that is no plain INSERT, UPDATE or DELETE means for the recorder."""
        recorder, kind = self.recorder, statement.kind
        if kind in _SCHEMA:
            recorder.schema_changed()
            self._ddl_pending = True
            self._schema_is_new()
        elif kind in _WHOLESALE:
            recorder.everything_changed()
            self._ddl_pending = True
            self._schema_is_new()
        elif kind is StatementKind.PRAGMA:
            self._pragma(statement)
        elif statement.access.savepoint is not None:
            operation, name = statement.access.savepoint
            if operation == "BEGIN":
                recorder.savepoint(name)
            elif operation == "RELEASE":
                recorder.release(name)
            elif recorder.rollback_to(name):
                self._schema_is_new()
        open_now, tx = self._writer.in_transaction, self._tx
        if tx is None and open_now:
            self._lock.acquire()  # held until the transaction ends
            self._tx = OpenTransaction(manual=True)
        elif tx is not None and not open_now:
            if kind is StatementKind.ROLLBACK:
                self._rolled_back(tx)
            else:
                self._ended(tx)
        elif tx is None:
            self._committed()

    def _pragma(self, statement: Statement) -> None:
        name, argument = statement.access.pragma or ("", None)
        if name.lower() in _HARMLESS_PRAGMAS or (argument is None and name.lower() != "optimize"):
            return
        self.recorder.everything_changed()
        self._ddl_pending = True
        self._schema_is_new()
        if name.lower() in _SHAPING_PRAGMAS and self._readers is not None:
            sql = statement.sql
            
            def follow(connection: Connection) -> None:
                connection.run(sql)

            self._setup.append(follow)

    def _failed(self, statement: Statement, mark: int) -> None:
        """The statement raised. What SQLite undid is forgotten; what it may have kept is not."""
        recorder, tx = self.recorder, self._tx
        open_now = self._writer.in_transaction
        if tx is not None and not open_now:
            self._rolled_back(tx)  # OR ROLLBACK, RAISE(ROLLBACK), a full disk
        elif statement.kind not in _DML:
            if tx is None and not open_now:
                recorder.rollback()
        elif self._may_keep_rows(statement):
            recorder.keep_tables_from(mark)
            if tx is None:
                self._committed()
        else:
            recorder.undo_to(mark)

    def _may_keep_rows(self, statement: Statement) -> bool:
        """Whether conflict resolution FAIL is in play, which alone keeps the rows before it.

        https://sqlite.org/lang_conflict.html
        """
        if "fail" in statement.sql.lower():
            return True
        schemas = {"main", "temp", *statement.access.databases}
        return any(
            self._writer.run(f'SELECT 1 FROM "{_quoted(name)}".sqlite_schema'
                             " WHERE sql LIKE '%fail%' LIMIT 1")
            for name in schemas
        )

    def _committed(self) -> None:
        change = self.recorder.commit(self.version + 1)
        if self._ddl_pending:
            self._ddl_pending = False
            self._schema_is_new()
        if change is not None:
            self.version += 1
            self._on_commit(change)

    def _rolled_back(self, tx: OpenTransaction) -> None:
        if self.recorder.rollback() or self._ddl_pending:
            self._ddl_pending = False
            self._schema_is_new()
        self._ended(tx)

    def _ended(self, tx: OpenTransaction) -> None:
        """The transaction is over, one way or the other; its hold on the lock with it."""
        tx.finish()
        self._tx = None
        try:
            self._committed()
            self._on_end()
        finally:
            self._lock.release()

    def announce(self, tables: Iterable[str]) -> None:
        """Publish that these tables may have changed, by their names; without names, everything.

        Inside a transaction it joins what that has changed.
        """
        self._check_may_write()
        with self.locked():
            keys: set[str] = set()
            whole = True
            for name in tables:
                whole = False
                found = self._writers_catalog().named(name)
                if not found:
                    raise ReactiveSqliteError(f"there is no table {name!r} to invalidate")
                keys |= {table.key for table in found}
                whole = whole or any(table.kind == "view" for table in found)
            if whole:
                self.recorder.everything_changed()
            self.recorder.touch_all(sorted(keys))
            if self._tx is None:
                self._committed()

    # -- functions, collations, the end -------------------------------------------------------

    def on_every_connection(self, setup: Callable[[Connection], None]) -> None:
        """Do this to the writing connection now and to each reading one before its next use."""
        with self.locked():
            setup(self._writer)
            self._setup.append(setup)
            self.recorder.everything_changed()
            self._schema_is_new()
            if self._tx is None:
                self._committed()

    def close(self) -> None:
        """Roll back what is open, close the readers, then the writer: no ``-wal`` file stays."""
        if self._closed:
            return
        self._lock.acquire(timeout=self._timeout)
        try:
            if self._closed:
                return
            if self._tx is not None:
                self._abandon(self._tx)
            self._closed = True
            if self._readers is not None:
                self._readers.close(self._timeout)
            self._writer.close()
        finally:
            self._lock.release()


def _is_plain_begin(sql: str) -> bool:
    return sql.strip().rstrip(";").upper().split() in (["BEGIN"], ["BEGIN", "TRANSACTION"])


def _quoted(name: str) -> str:
    return name.replace('"', '""')
