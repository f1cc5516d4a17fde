"""What is known of the schema and of statements, and until when it is true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.errors import ConstraintError, DatabaseError, SQLError
from reactive_sqlite.driver.ownership import WriterLock
from reactive_sqlite.driver.readers import ReaderPool
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.recording.net import TableRoute
from reactive_sqlite.recording.recorder import EVERYTHING, SCHEMA
from reactive_sqlite.understanding.access import SELECT, Access, Prepared
from reactive_sqlite.understanding.analysis import analyse
from reactive_sqlite.understanding.catalog import SCHEMA_TABLES, Catalog, table_key
from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.row import Row, row_maker

#: Analysed statements kept; programs that build SQL text by hand would fill the memory else.
STATEMENTS_KEPT = 4096

#: SQLITE_CONSTRAINT_DATATYPE: a value that a STRICT column does not take.
_WRONG_TYPE = 3091

_NO_CATALOG = Catalog(())


class Schema:
    """Statements analysed under the present schema, and how each table's changes are recorded.

    A statement is asked of the engine once per text and schema; `is_new` forgets all that. While
    a transaction holds a change of the schema that may yet be rolled back (``pending``), nothing
    is kept.
    """

    def __init__(self, writer: Connection, lock: WriterLock, readers: ReaderPool | None) -> None:
        self._writer = writer
        self._lock = lock
        self._readers = readers
        self.epoch = 0
        """counts the schemas seen"""
        self.pending = False
        self.elsewhere = False
        """TEMP or ATTACHed tables were made, which no reader knows and which may hide others"""
        self._statements: dict[str, Statement] = {}
        self._catalog: Catalog | None = None
        self._routes: dict[tuple[str, str], TableRoute] = {}
        self.on_new: Callable[[], object] = lambda: None
        """called when there is another schema, so that whoever was given a route asks again"""

    def is_new(self) -> None:
        """The schema is another one: forget what was known of the old one."""
        self.epoch += 1
        self._statements = {}
        self._catalog = None
        self._routes = {}
        if self.elsewhere and not self._lock.closed:
            # A name that meant a table there may mean one here now. SQLite asks only whether the
            # schemas are the same that a statement has used.
            self._writer.expire()
        self.on_new()

    def settled(self) -> None:
        """The change of the schema that was pending is made, or undone."""
        self.pending = False
        self.is_new()

    def statement(self, sql: str) -> Statement:
        """The analysed statement."""
        found = self._statements.get(sql)
        return found if found is not None else self._analyse(sql)

    def _analyse(self, sql: str) -> Statement:
        if not isinstance(sql, str):
            raise TypeError(f"SQL must be a str, not {type(sql).__name__}")
        self._lock.check_open()
        epoch = self.epoch
        statement = self._analyse_somewhere(sql)
        statement.epoch = epoch
        if epoch == self.epoch and not self.pending:
            if len(self._statements) >= STATEMENTS_KEPT:
                self._statements = {}
            self._statements[sql] = statement
        return statement

    def _analyse_somewhere(self, sql: str) -> Statement:
        if self._lock.try_acquire():
            try:
                return _analyse_on(self._writer, self.catalog, sql)
            finally:
                self._lock.release()
        if self._readers is not None and not self.elsewhere:
            # Another thread is in a transaction. A reader sees the committed schema, which is
            # what counts here.
            try:
                with self._readers.snapshot() as reader:
                    return _analyse_on(reader, reader.catalog, sql)
            except SQLError:
                pass  # it says "no such table"; the writer may know it
        with self._lock:
            return _analyse_on(self._writer, self.catalog, sql)

    def understood(self, sql: str, prepared: Prepared) -> Statement:
        """A statement that the writing connection has just prepared. Under the lock; not kept."""
        statement = _understood(sql, prepared.access, self.catalog)
        statement.epoch = self.epoch
        return statement

    def catalog(self) -> Catalog:
        """The writing connection's picture of the schema. Under the lock."""
        if self._catalog is None:
            self._catalog = self._writer.catalog()
        return self._catalog

    def any_catalog(self) -> Catalog:
        """A picture of the schema, also while another thread is in a transaction."""
        if self._lock.try_acquire():
            try:
                return self.catalog()
            finally:
                self._lock.release()
        if self._readers is not None and not self.elsewhere:
            with self._readers.snapshot() as reader:
                return reader.catalog()
        with self._lock:
            return self.catalog()

    def keys_of(self, tables: Iterable[object]) -> list[str]:
        """The keys of the tables of these names; none for no names, and where one is a view."""
        keys: set[str] = set()
        views = False
        for name in tables:
            found = self.any_catalog().named(name) if isinstance(name, str) else ()
            if not found:
                raise ReactiveSqliteError(f"there is no table {name!r} to invalidate")
            keys |= {table.key for table in found}
            views = views or any(table.kind == "view" for table in found)
        return [] if views else sorted(keys)

    # -- what the hook needs to know, found out before a statement runs -------------------------

    def prepare(self, statement: Statement) -> tuple[str, ...]:
        """Make ready for the rows that the statement will change. Under the lock.

        Gives the keys of tables that it writes where the hook does not see it: virtual tables,
        whose modules may keep their rows elsewhere, ``sqlite_sequence`` and the schema's own.
        """
        unhooked: list[str] = []
        writes = {} if statement.access.changes_schema else statement.access.writes
        for key, operations in writes.items():
            if key.rpartition(".")[2] in SCHEMA_TABLES:
                unhooked.append(SCHEMA)
            table = self.catalog().table(key)
            if table is None:
                continue
            primary_key = table.primary_key if table.without_rowid else ()
            exact = table.kind == "table" and not table.has_virtual_columns
            rowid: tuple[int, ...] = ()
            if exact and not table.without_rowid:
                alias = table.rowid_column
                rowid = (-1,) if alias is None else (-1, alias)
            self._routes[table.database, table.name] = TableRoute(key, exact, primary_key, rowid)
            if table.kind == "virtual":
                unhooked.append(key)
            elif "insert" in operations and "autoincrement" in (table.sql or "").lower():
                unhooked.append(table_key(table.database, "sqlite_sequence"))
        statement.unhooked = tuple(unhooked)
        return statement.unhooked

    def may_keep_rows(self, statement: Statement, error: BaseException, *, alone: bool) -> bool:
        """Whether, when it fails with this error, rows may stay that it has written before.

        Conflict resolution FAIL keeps them. Inside a transaction (not ``alone``) any other error
        than that of a constraint may: SQLite takes notes to undo a statement by only where it
        expects it to fail, which it does not over the sum of a group, what a virtual table is
        asked, or the type of a STRICT column. Without a transaction it rolls all back.

        https://sqlite.org/lang_conflict.html
        """
        code = getattr(error, "extendedresult", 0)  # of SQLite's errors alone
        if not isinstance(error, ConstraintError) or code == _WRONG_TYPE:
            return not alone
        if "fail" in statement.sql.lower():
            return True
        for database in {"main", "temp", *statement.access.databases}:
            if self._writer.run(
                # not LIKE: PRAGMA case_sensitive_like would make it overlook RAISE(FAIL)
                f"SELECT 1 FROM {quoted(database)}.sqlite_schema "
                "WHERE instr(lower(sql), 'fail') LIMIT 1"
            ):
                return True
        return False

    def route_of(self, database: str, name: str) -> TableRoute:
        """How changes of this table are recorded. Called by the hook: asks SQLite nothing."""
        found = self._routes.get((database, name))
        if found is not None:
            return found
        if self._catalog is None:
            return TableRoute(EVERYTHING, exact=False, primary_key=())
        key = self._catalog.owner_of(table_key(database, name))
        return TableRoute(key, exact=False, primary_key=())


def prepare(connection: Connection, sql: str) -> Prepared:
    """Prepare the first statement of a text by the schema as it is now."""
    try:
        return connection.prepare(sql)
    except SQLError:
        # SQLite asks itself whether others have changed the schema where it misses a table, but not
        # where a view has no trigger, say. Who reads the schema's own table is given it anew.
        connection.run("SELECT 1 FROM sqlite_schema LIMIT 1")
        return connection.prepare(sql)


def named(
    connection: Connection, statement: Statement, rows: Sequence[tuple[Any, ...]]
) -> tuple[Row, ...]:
    """What a statement has given on a connection, with the names of its columns."""
    columns = statement.access.columns
    if rows and len(rows[0]) != len(columns):
        # Another process has changed the schema since the statement was analysed.
        columns = connection.prepare(statement.sql).access.columns
    return tuple(map(row_maker(columns), rows))


def _analyse_on(connection: Connection, catalog: Callable[[], Catalog], sql: str) -> Statement:
    prepared = prepare(connection, sql)
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
    return _understood(sql, prepared.access, catalog)


def _understood(sql: str, access: Access, catalog: Callable[[], Catalog]) -> Statement:
    # Scripts that build a schema would read it anew after each statement; what DDL, BEGIN and the
    # like do is known without.
    # A SELECT may read tables of which the engine says nothing (see analysis/joins.py).
    reads = access.reads or SELECT in access.operations
    needed = not access.changes_schema and bool(reads or access.writes)
    return analyse(sql, access, catalog() if needed else _NO_CATALOG)
