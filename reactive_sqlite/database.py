"""The door: `ReactiveDatabase`, a SQLite database whose queries stay right."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing
from inspect import (
    isasyncgenfunction,
    isawaitable,
    iscoroutinefunction,
    isgeneratorfunction,
)
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from reactive_sqlite.driver.connection import Params
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.engine.rehearsal import rehearse
from reactive_sqlite.errors import ClosedError, NotAMutation, NotAQuery, ReactiveSqliteError
from reactive_sqlite.journal.journal import ChangesSince
from reactive_sqlite.liveness.filling import converter
from reactive_sqlite.liveness.incremental import Policy
from reactive_sqlite.liveness.live import LiveStore
from reactive_sqlite.liveness.observable import EventStream, LiveQuery
from reactive_sqlite.liveness.opening import FunctionOpening, StatementOpening
from reactive_sqlite.liveness.publisher import Publisher
from reactive_sqlite.liveness.sources import (
    OneRowSource,
    OneValueSource,
    StatementSource,
    frozen_params,
)
from reactive_sqlite.neighbours import Neighbours
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.comparison import fold
from reactive_sqlite.values.result import Result
from reactive_sqlite.values.row import Row
from reactive_sqlite.values.trace import Difference, Stats, Trace, Wake

T = TypeVar("T")

#: What a rehearsal can undo.
_MUTATIONS = frozenset(
    map(StatementKind, ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"))
)

#: Functions that have read nothing when they return.
_LATE_READERS = (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)

_NO_QUERY = {
    StatementKind.PRAGMA: "read it with SELECT … FROM pragma_…()",
    StatementKind.EMPTY: "there is no statement in it",
}


class ReactiveDatabase:
    """A SQLite database that knows what each statement reads and writes, and keeps queries live.

    ``path`` is a file (made if there is none), ``":memory:"``, or a ``file:`` URI; ``readonly``
    opens without the right to write; ``busy_timeout`` is how long, in seconds, a writer waits for
    another one; ``maintain`` says whether large results are kept from the changed rows instead of
    run again: ``"auto"`` by their cost, ``"always"`` (for tests) or ``"never"``. A file is put into
    WAL mode; foreign keys are enforced.

    A commit by any process reaches the live queries of every other one. ``journal`` says whether
    this database writes down which rows its commits change (in a table ``_reactive_journal`` of
    the file), so that other processes run only the touched queries: None for as long as one of
    them has live queries, True for always, False for never: then they run all of theirs.

    ``verify=0.01`` compares one in a hundred refreshed results with a fresh run, and after one in
    a hundred commits one result more. A wrong one would be a bug of this package: it is logged,
    counted in ``stats.differences``, put right, and told to ``on_difference``.

    One database may be used from any number of threads. Reads of a file run beside a writer, on
    connections of their own. A child made by ``fork`` must open it again: there `ClosedError` is
    raised. It cannot if it was forked in the middle of a transaction, and is told so. A database
    is a context manager: leaving the block closes it.

    >>> with ReactiveDatabase() as db:
    ...     _ = db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text)")
    ...     notes = db.query("SELECT text FROM notes ORDER BY id")
    ...     subscription = notes.subscribe(print)
    ...     _ = db.execute("INSERT INTO notes(text) VALUES (?)", ("live",))
    ()
    (Row(text='live'),)

    Raises SQLite's own errors (``apsw.Error``) unchanged, `ClosedError` after `close`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = ":memory:",
        *,
        readonly: bool = False,
        busy_timeout: float = 30.0,
        maintain: Policy = "auto",
        journal: bool | None = None,
        verify: float = 0.0,
        on_difference: Callable[[Difference], object] | None = None,
    ) -> None:
        if not os.fspath(path):  # SQLite would open a file that is gone when it is closed
            raise ValueError('an empty path names no file; ":memory:" is a database in memory')
        if not busy_timeout >= 0:
            raise ValueError(f"busy_timeout is in seconds, 0 or more, not {busy_timeout!r}")
        busy_timeout = min(busy_timeout, threading.TIMEOUT_MAX / 2)  # room to add the time of now
        if journal not in (None, True, False):
            raise ValueError(f"journal is True, False or None, not {journal!r}")
        _check_callable(on_difference)
        self._stats = Stats()
        self._store = LiveStore()
        self._publisher = Publisher(self._store, self._stats, maintain, verify, on_difference)
        self._engine = Engine(
            path,
            readonly=readonly,
            busy_timeout=busy_timeout,
            journal=journal,
            index=self._store.index,
            on_commit=self._publisher.publish,
            on_end=self._publisher.transaction_ended,
        )
        self._neighbours = (
            Neighbours(self._engine, self._publisher) if self._engine.filename else None
        )
        self._publisher.attach(self._engine, self._neighbours)

    # -- statements -----------------------------------------------------------------------------

    def execute(self, sql: str, params: Params = ()) -> Result:
        """Run any one statement and return `Result` (rows, changes, last_insert_rowid).

        ``params`` is a sequence for ``?`` or a mapping for ``:name``. What the statement commits
        has been delivered to subscribers when this returns, on this thread; while another thread
        delivers for longer than a quarter of a second, it is left to that one, and what a
        subscriber commits inside its callback is delivered after that. Raises
        `ReactiveSqliteError` for several statements.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
        >>> db.execute("INSERT INTO t(x) VALUES (?) RETURNING id", ("a",))
        Result(rows=(Row(id=1),), changes=1, last_insert_rowid=1)
        """
        engine = self._engine
        statement = engine.schema.statement(sql)
        if type(params) is not tuple:
            params = frozen_params(params)
        if statement.only_reads:
            return Result(engine.reads.read(statement, params), 0, 0)
        try:
            return engine.execute(statement, params)
        finally:
            self._publisher.deliver()

    def executemany(self, sql: str, seq: Iterable[Params]) -> Result:
        """Run one writing statement for each of the parameter sets: all or none, published once.

        ``changes`` are those of all of them; what RETURNING gives is not kept.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> db.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)]).changes
        2
        """
        statement = self._engine.schema.statement(sql)
        if statement.only_reads:
            raise NotAMutation(f"executemany() is for statements that write: {sql!r}")
        _check_sets(seq)
        try:
            return self._engine.execute_many(statement, seq)
        finally:
            self._publisher.deliver()

    def executescript(self, sql: str) -> None:
        """Run several statements separated by semicolons, each committed as it comes.

        To have all or none, write ``BEGIN … COMMIT`` around them: when one fails, a transaction
        that the script opened is rolled back.

        >>> db = ReactiveDatabase()
        >>> db.executescript("CREATE TABLE t(x); INSERT INTO t VALUES (1);")
        >>> db.query_value("SELECT x FROM t").get()
        1
        """
        if not isinstance(sql, str):
            raise TypeError(f"SQL must be a str, not {type(sql).__name__}")
        try:
            self._engine.scripts.run(sql)
        finally:
            self._publisher.deliver()

    def transaction(self) -> AbstractContextManager[None]:
        """BEGIN IMMEDIATE … COMMIT as a block; a nested block is a savepoint.

        An exception rolls back and goes on. Subscribers hear of it once, after the outermost
        commit. Raises `TransactionError` when it is left open across an ``await`` or finished by
        another thread or task.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> with db.transaction():
        ...     _ = db.execute("INSERT INTO t VALUES (1)")
        ...     _ = db.execute("INSERT INTO t VALUES (2)")
        >>> db.stats.commits
        2
        """
        return self._engine.transactions.block(self._publisher.deliver)

    def analyze(self, sql: str) -> Statement:
        """What a statement does, without running it: `Statement` with kind, reads and writes.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> sorted(db.analyze("INSERT INTO t SELECT x FROM t").writes)
        ['t']
        """
        return self._engine.schema.statement(sql)

    # -- live queries ---------------------------------------------------------------------------

    @overload
    def query(
        self, sql: str, params: Params = (), *, max_rate: float | None = None
    ) -> LiveQuery[tuple[Row, ...]]: ...
    @overload
    def query(
        self,
        sql: str,
        params: Params = (),
        *,
        row: Callable[..., T],
        max_rate: float | None = None,
    ) -> LiveQuery[tuple[T, ...]]: ...
    @overload
    def query(
        self, sql: str, params: Params, row: Callable[..., T], *, max_rate: float | None = None
    ) -> LiveQuery[tuple[T, ...]]: ...
    def query(
        self,
        sql: str,
        params: Params = (),
        row: Callable[..., Any] | None = None,
        *,
        max_rate: float | None = None,
    ) -> LiveQuery[Any]:
        """A `LiveQuery` of all rows, as a tuple.

        ``row`` makes something else of each row: a dataclass or msgspec.Struct is filled by
        column name, any other callable gets the `Row`; what it raises is to subscribers an error
        of the query. Nothing runs before somebody subscribes or calls ``get()``. Raises
        `NotAQuery` for a statement that writes.

        ``max_rate`` is how many values a subscriber gets per second at most. Of values that come
        faster the newest wins and the last one always arrives, on a timer's thread; a `Delta`
        then spans what was left out.

        >>> db = ReactiveDatabase()
        >>> db.query("SELECT 1 AS one").get()
        (Row(one=1),)
        """
        return self._live(StatementSource, sql, params, row, max_rate)

    @overload
    def query_one(
        self, sql: str, params: Params = (), *, max_rate: float | None = None
    ) -> LiveQuery[Row | None]: ...
    @overload
    def query_one(
        self,
        sql: str,
        params: Params = (),
        *,
        row: Callable[..., T],
        max_rate: float | None = None,
    ) -> LiveQuery[T | None]: ...
    @overload
    def query_one(
        self, sql: str, params: Params, row: Callable[..., T], *, max_rate: float | None = None
    ) -> LiveQuery[T | None]: ...
    def query_one(
        self,
        sql: str,
        params: Params = (),
        row: Callable[..., Any] | None = None,
        *,
        max_rate: float | None = None,
    ) -> LiveQuery[Any]:
        """A `LiveQuery` of the first row, or None when there is none. ``row`` as in `query`.

        >>> db = ReactiveDatabase()
        >>> db.query_one("SELECT 1 AS one").get()
        Row(one=1)
        """
        return self._live(OneRowSource, sql, params, row, max_rate)

    def query_value(
        self, sql: str, params: Params = (), *, max_rate: float | None = None
    ) -> LiveQuery[Any]:
        """A `LiveQuery` of the first column of the first row, or None when there is none.

        >>> db = ReactiveDatabase()
        >>> db.query_value("SELECT 6 * 7").get()
        42
        """
        return self._live(OneValueSource, sql, params, None, max_rate)

    def _live(
        self,
        source: type[StatementSource],
        sql: str,
        params: Params,
        row: Callable[..., Any] | None,
        max_rate: float | None,
    ) -> LiveQuery[Any]:
        if max_rate is not None and not max_rate > 0:
            raise ValueError(f"max_rate is in values per second, more than 0, not {max_rate!r}")
        statement = self._engine.schema.statement(sql)
        if not statement.only_reads:
            hint = _NO_QUERY.get(statement.kind, "use execute() or mutation()")
            raise NotAQuery(f"{statement.kind.value} is not a query; {hint}: {sql!r}")
        return LiveQuery(
            StatementOpening(
                self._engine, self._publisher, source, statement, params, converter(row)
            ),
            max_rate,
        )

    def observe(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> LiveQuery[T]:
        """A `LiveQuery` of whatever a function returns; its reads decide when it runs again.

        The function may read this database in any way, on the thread that calls it, and must not
        write. All its reads see one state. It runs in a copy of its subscriber's context, on
        whichever thread commits. Raises TypeError for what is no function, and for an ``async`` one
        or a generator, whose reads come when it has returned; what returns an iterator or an
        awaitable fails with one.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> def total() -> int:
        ...     return sum(row.x for row in db.query("SELECT x FROM t").get())
        >>> subscription = db.observe(total).subscribe(print)
        0
        >>> _ = db.execute("INSERT INTO t VALUES (20), (22)")
        42
        """
        self._engine.lock.check_open()
        given: object = function
        if not callable(given) or any(kind(given) for kind in _LATE_READERS):
            raise TypeError(f"observe() is for a plain function that reads, not {given!r}")
        return LiveQuery(FunctionOpening(self._engine, self._publisher, function, args, kwargs))

    def mutation(
        self,
        sql: str,
        on_success: Callable[[Result], object] | None = None,
        on_error: Callable[[Exception], object] | None = None,
        invalidates: Iterable[str] = (),
    ) -> Mutation:
        """A statement that writes, ready to be called with its parameters.

        ``on_success`` gets the `Result`, ``on_error`` the exception (which is raised all the
        same); ``invalidates`` names tables to `invalidate` after each success, for what SQLite
        cannot see. Raises `NotAMutation` for a statement that only reads, `ReactiveSqliteError`
        for a table to invalidate that does not exist.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x, y)")
        >>> add = db.mutation("INSERT INTO t VALUES (:x, :y)")
        >>> add(x=1, y=2).changes
        1
        """
        statement = self._engine.schema.statement(sql)
        if statement.only_reads:
            raise NotAMutation(f"{statement.kind.value} does not write; use query(): {sql!r}")
        if isinstance(invalidates, str):
            raise TypeError(f"invalidates are names of tables; for one write ({invalidates!r},)")
        for told in (on_success, on_error):
            _check_callable(told)
        names = tuple(invalidates)
        self._engine.schema.keys_of(names)
        return Mutation(self, sql, on_success, on_error, names)

    def invalidate(self, *tables: str) -> None:
        """Have the live queries on these tables asked again; without names, all of them.

        For what the database cannot see: a changed file behind a virtual table, the clock, an
        application function that answers differently now. Names are those of tables and views,
        without a database's; `ReactiveSqliteError` for one that does not exist. Inside a
        transaction they are asked again when that is committed. To `version`, `commits` and
        `stats` it is a commit; other processes need not hear of it.

        >>> db = ReactiveDatabase()
        >>> db.invalidate()
        """
        self._engine.announce(tables)
        self._publisher.deliver()

    # -- what is going on -----------------------------------------------------------------------

    @property
    def commits(self) -> EventStream[ChangeSet]:
        """An Observable of the `ChangeSet` of every commit, in order, with the rows of all tables.

        Of a statement (or `executemany`) that changes more than some 200 rows, and of a transaction
        that changes more than 10,000, it may say only which tables: see `ChangeSet.exact`.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> subscription = db.commits.subscribe(print)
        >>> _ = db.execute("INSERT INTO t VALUES (1), (2)")
        #2 t×2
        """
        return EventStream(self._publisher, self._publisher.listen, "commits")

    @property
    def traces(self) -> EventStream[Trace]:
        """An Observable that says of each commit which live queries it woke, how, and why.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
        >>> live = db.query("SELECT x FROM t WHERE id = 1").subscribe(lambda rows: None)
        >>> subscription = db.traces.subscribe(print)
        >>> _ = db.execute("INSERT INTO t VALUES (1, 'a')")
        #2 t×1
          SELECT x FROM t WHERE id = 1: run again, changed: t(id, x)[id=1]: row 1 inserted
        """
        return EventStream(self._publisher, self._publisher.trace, "traces")

    def would_wake(self, sql: str, params: Params = ()) -> tuple[Wake, ...]:
        """Which live queries a mutation would wake, how, and why: it is run and rolled back.

        Nothing is published. Raises what the statement raises, `NotAMutation` for one that does
        not change rows or the schema, `TransactionError` inside a transaction.

        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
        >>> live = db.query("SELECT x FROM t WHERE id > 5").subscribe(lambda rows: None)
        >>> db.would_wake("INSERT INTO t VALUES (1, 'a')")
        ()
        >>> print(*db.would_wake("INSERT INTO t VALUES (7, 'a')"))
        SELECT x FROM t WHERE id > 5: run again: t(id, x)[id>5]: row 7 inserted
        """
        statement = self._engine.schema.statement(sql)
        if statement.kind not in _MUTATIONS:
            raise NotAMutation(f"{statement.kind.value} changes no rows and no schema: {sql!r}")
        return rehearse(self._engine, statement, params, self._publisher.would_wake) or ()

    @property
    def version(self) -> int:
        """The number of the last commit seen. Every `State` and `Delta` carries its own."""
        return self._engine.writes.version

    @property
    def transaction_thread(self) -> int | None:
        """The thread that has a transaction open between two statements, or None.

        To be compared with `threading.get_ident()`: what this thread does now may yet be undone.

        >>> import threading
        >>> db = ReactiveDatabase()
        >>> with db.transaction():
        ...     db.transaction_thread == threading.get_ident()
        True
        >>> print(db.transaction_thread)
        None
        """
        transaction = self._engine.lock.transaction
        return None if transaction is None else transaction.thread

    @property
    def stats(self) -> Stats:
        """A copy of the counters: commits, skipped, refetched, emitted and so on."""
        return self._stats.copy()

    def flush(self) -> None:
        """Return when everything pending has been delivered (for tests).

        A value that waits for its ``max_rate`` is not waited for; inside a subscriber's callback
        nothing is.

        >>> ReactiveDatabase().flush()
        """
        self._engine.lock.check_open()
        self._publisher.flush()

    def look(self) -> bool:
        """Look now whether another process has committed, and refresh if so. True if it had.

        Always False for a database in memory.

        >>> ReactiveDatabase().look()
        False
        """
        self._engine.lock.check_open()
        return self._neighbours is not None and self._neighbours.look()

    def changes_since(self, version: int = -1) -> ChangesSince:
        """What participants have committed to the file after a version: a cursor that lasts.

        For a consumer that was away, in this process or another: it keeps `ChangesSince.version`
        and asks again from there. When that lies too far back, or was never there (as -1), it is
        told to start over: to read what it needs, then to go on from the version it gets. Counts
        the file's commits, not those of `version`. From the first call on the file's journal is
        kept for good, unless this database is read-only: then each call says to start over until
        another one has asked. Writers that were open before, and have no live query, should be
        opened with ``journal=True``; other programs' commits are not in the journal.

        >>> import os, tempfile
        >>> db = ReactiveDatabase(os.path.join(tempfile.mkdtemp(), "some.db"))
        >>> _ = db.execute("CREATE TABLE t(x)")
        >>> start = db.changes_since().version
        >>> _ = db.execute("INSERT INTO t VALUES (1)")
        >>> print(*db.changes_since(start).changes)
        #1 t×1
        >>> db.close()

        Raises `ReactiveSqliteError` for a database in memory.
        """
        if not isinstance(version, int):
            raise TypeError(f"a version is an int, not {version!r}")
        return self._engine.changes_since(version)

    async def wait_until(
        self,
        sql: str,
        params: Params = (),
        predicate: Callable[[tuple[Row, ...]], object] = bool,
        timeout: float | None = None,
    ) -> tuple[Row, ...]:
        """Wait until the rows of a query satisfy ``predicate`` (by default: there are any).

        Returns these rows, at once if they do so now. Looks only when a commit changes the rows;
        whoever makes it, it does not wait. ``predicate`` runs on the event loop. Raises
        TimeoutError after ``timeout`` seconds, what the query raises, and `ClosedError` when the
        database is closed meanwhile.

        >>> import asyncio
        >>> db = ReactiveDatabase()
        >>> _ = db.execute("CREATE TABLE jobs(id INTEGER PRIMARY KEY, done)")
        >>> async def main() -> None:
        ...     asyncio.get_running_loop().call_later(
        ...         0.01, db.execute, "INSERT INTO jobs(done) VALUES (1)")
        ...     print(await db.wait_until("SELECT id FROM jobs WHERE done", timeout=5))
        >>> asyncio.run(main())
        (Row(id=1),)
        """
        given: object = predicate
        if not callable(given) or iscoroutinefunction(given):
            raise TypeError(f"predicate is a plain function of the rows, not {predicate!r}")
        stream = aiter(self.query(sql, params))  # a generator: leaving it unsubscribes
        async with asyncio.timeout(timeout), aclosing(stream) as values:
            async for rows in values:
                satisfied = predicate(rows)
                if isawaitable(satisfied):  # a coroutine would be true, whatever comes of it
                    getattr(satisfied, "close", bool)()
                    raise TypeError(f"predicate is a plain function of the rows, not {predicate!r}")
                if satisfied:
                    return rows
        raise ClosedError("the database was closed before the rows were as wanted")

    # -- functions and collations ---------------------------------------------------------------

    def create_function(
        self,
        name: str,
        function: Callable[..., Any],
        nargs: int = -1,
        *,
        deterministic: bool = False,
    ) -> None:
        """Make a Python function callable from SQL on every connection of this database.

        >>> db = ReactiveDatabase()
        >>> db.create_function("double", lambda x: 2 * x, 1)
        >>> db.query_value("SELECT double(21)").get()
        42
        """
        self._engine.on_every_connection(
            (fold(name), nargs),
            lambda connection: connection.create_function(
                name, function, nargs, deterministic=deterministic
            ),
        )
        self._publisher.deliver()

    def create_collation(self, name: str, compare: Callable[[str, str], int]) -> None:
        """Make a Python comparison usable as ``COLLATE name`` on every connection.

        ``compare`` returns a negative number, zero or a positive number. Raises
        `ReactiveSqliteError` for the name of a collation that SQLite has already.

        >>> db = ReactiveDatabase()
        >>> db.create_collation("length", lambda a, b: len(a) - len(b))
        >>> db.query_value("SELECT 'ab' = 'cd' COLLATE length").get()
        1
        """
        if name.upper() in ("BINARY", "NOCASE", "RTRIM"):
            raise ReactiveSqliteError(f"{name} is SQLite's own; give the collation another name")
        self._engine.on_every_connection(
            (fold(name), "collation"),
            lambda connection: connection.create_collation(name, compare),
        )
        self._publisher.deliver()

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Complete all subscribers and close; again is harmless. An open transaction is undone.

        One that another thread has open is waited for; when it outlasts ``busy_timeout``,
        `BusyError` is raised, and all is as before.

        >>> db = ReactiveDatabase()
        >>> db.close(); db.close(); db.is_closed
        True
        """
        if self._engine.lock.forked:
            return  # everything belongs to the parent
        try:
            if self._neighbours is not None:
                self._neighbours.close()
            self._engine.close()
        except BaseException:  # Ctrl-C too: it may not be closed
            if self._neighbours is not None and not self.is_closed:
                self._neighbours.reopen()  # else it were open, and deaf to others
            raise
        if self._neighbours is not None:
            self._neighbours.fall_silent()
        self._publisher.complete()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._engine.lock.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self._store)} live"
        return f"<ReactiveDatabase {self._engine.filename or ':memory:'} {state}>"


class Mutation:
    """A writing statement to be called: positional arguments for ``?``, named ones for ``:name``.

    Made by `ReactiveDatabase.mutation`; runs on the calling thread.

    >>> db = ReactiveDatabase()
    >>> _ = db.execute("CREATE TABLE t(x)")
    >>> add = db.mutation("INSERT INTO t VALUES (?)", on_error=lambda error: print("failed"))
    >>> add("x").changes
    1
    """

    __slots__ = ("_database", "_invalidates", "_on_error", "_on_success", "sql")

    def __init__(
        self,
        database: ReactiveDatabase,
        sql: str,
        on_success: Callable[[Result], object] | None,
        on_error: Callable[[Exception], object] | None,
        invalidates: tuple[str, ...],
    ) -> None:
        self._database = database
        self.sql = sql
        self._on_success = on_success
        self._on_error = on_error
        self._invalidates = invalidates

    def __call__(self, *params: Any, **named: Any) -> Result:
        """Run it. Raises what SQLite raises, and TypeError for both kinds of arguments at once."""
        if params and named:
            raise TypeError("give positional or named parameters, not both")
        try:
            result = self._database.execute(self.sql, named or params)
        except Exception as error:
            if self._on_error is not None:
                self._on_error(error)
            raise
        if self._invalidates:
            self._database.invalidate(*self._invalidates)
        if self._on_success is not None:
            self._on_success(result)
        return result

    def __repr__(self) -> str:
        return f"<Mutation {self.sql!r}>"


def _check_sets(seq: Iterable[Params]) -> None:
    """One set, or one value, in the place of many sets is not taken apart."""
    if isinstance(seq, str | bytes | Mapping) or not isinstance(seq, Iterable):
        raise TypeError(f"executemany() takes many parameter sets, not one {type(seq).__name__}")
    if isinstance(seq, list | tuple) and seq:
        frozen_params(seq[0])  # the others are of the same kind, or SQLite's to refuse


def _check_callable(told: object) -> None:
    if told is not None and not callable(told):
        raise TypeError(f"a function that is told of it is needed, not {told!r}")


__all__ = ["ChangeSet", "Mutation", "ReactiveDatabase"]
