"""The same verbs on the *current* database, for code that should not pass it around."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar, overload

from reactive_sqlite.database import Mutation, ReactiveDatabase
from reactive_sqlite.driver.connection import Params
from reactive_sqlite.errors import ReactiveSqliteError
from reactive_sqlite.liveness.observable import LiveQuery
from reactive_sqlite.values.result import Result
from reactive_sqlite.values.row import Row

T = TypeVar("T")

_current: ContextVar[ReactiveDatabase] = ContextVar("reactive_sqlite_database")


class use_database:
    """Make a database the current one of this context: from here on, or for a ``with`` block.

    asyncio tasks inherit it; a new thread starts without one.

    >>> with use_database(ReactiveDatabase()):
    ...     query_value("SELECT 42").get()
    42
    """

    def __init__(self, database: ReactiveDatabase) -> None:
        if not isinstance(database, ReactiveDatabase):
            raise TypeError(f"a ReactiveDatabase is needed, not {database!r}")
        self._database = database
        self._token: Token[ReactiveDatabase] = _current.set(database)

    def __enter__(self) -> ReactiveDatabase:
        return self._database

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)


def current_database() -> ReactiveDatabase:
    """The database that `use_database` set; `ReactiveSqliteError` when there is none.

    >>> with use_database(ReactiveDatabase()) as db:
    ...     current_database() is db
    True
    """
    try:
        return _current.get()
    except LookupError:
        raise ReactiveSqliteError(
            "there is no current database here: call use_database(db) first. A new thread starts "
            "without one"
        ) from None


@overload
def query(
    sql: str, params: Params = (), *, max_rate: float | None = None
) -> LiveQuery[tuple[Row, ...]]: ...
@overload
def query(
    sql: str, params: Params = (), *, row: Callable[..., T], max_rate: float | None = None
) -> LiveQuery[tuple[T, ...]]: ...
@overload
def query(
    sql: str, params: Params, row: Callable[..., T], *, max_rate: float | None = None
) -> LiveQuery[tuple[T, ...]]: ...
def query(
    sql: str,
    params: Params = (),
    row: Callable[..., Any] | None = None,
    *,
    max_rate: float | None = None,
) -> LiveQuery[Any]:
    """`ReactiveDatabase.query` on the current database.

    >>> with use_database(ReactiveDatabase()):
    ...     query("SELECT 1 AS one").get()
    (Row(one=1),)
    """
    database = current_database()
    if row is None:
        return database.query(sql, params, max_rate=max_rate)
    return database.query(sql, params, row=row, max_rate=max_rate)


@overload
def query_one(
    sql: str, params: Params = (), *, max_rate: float | None = None
) -> LiveQuery[Row | None]: ...
@overload
def query_one(
    sql: str, params: Params = (), *, row: Callable[..., T], max_rate: float | None = None
) -> LiveQuery[T | None]: ...
@overload
def query_one(
    sql: str, params: Params, row: Callable[..., T], *, max_rate: float | None = None
) -> LiveQuery[T | None]: ...
def query_one(
    sql: str,
    params: Params = (),
    row: Callable[..., Any] | None = None,
    *,
    max_rate: float | None = None,
) -> LiveQuery[Any]:
    """`ReactiveDatabase.query_one` on the current database.

    >>> with use_database(ReactiveDatabase()):
    ...     query_one("SELECT 1 AS one").get()
    Row(one=1)
    """
    database = current_database()
    if row is None:
        return database.query_one(sql, params, max_rate=max_rate)
    return database.query_one(sql, params, row=row, max_rate=max_rate)


def query_value(sql: str, params: Params = (), *, max_rate: float | None = None) -> LiveQuery[Any]:
    """`ReactiveDatabase.query_value` on the current database.

    >>> with use_database(ReactiveDatabase()):
    ...     query_value("SELECT 'x'").get()
    'x'
    """
    return current_database().query_value(sql, params, max_rate=max_rate)


def mutation(
    sql: str,
    on_success: Callable[[Result], object] | None = None,
    on_error: Callable[[Exception], object] | None = None,
    invalidates: Iterable[str] = (),
) -> Mutation:
    """`ReactiveDatabase.mutation` on the current database.

    >>> with use_database(ReactiveDatabase()) as db:
    ...     _ = db.execute("CREATE TABLE t(x)")
    ...     mutation("INSERT INTO t VALUES (?)")(1).changes
    1
    """
    return current_database().mutation(sql, on_success, on_error, invalidates)
