"""Statement: one SQL text understood: its kind, what it reads and writes, the region it sees.

`Access` is the engine's word: the calls of SQLite's authorizer while it prepared the text.
`Statement` adds what `reactive_sqlite.analysis` found out about it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

from reactive_sqlite.catalog import table_key
from reactive_sqlite.change import Value
from reactive_sqlite.comparison import UNSURE, fold
from reactive_sqlite.reference import Reference
from reactive_sqlite.region import Region

Action: TypeAlias = tuple[int, str | None, str | None, str | None, str | None]

# https://sqlite.org/c3ref/c_alter_table.html
CREATES: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 29})
DROPS: Final = frozenset({10, 11, 12, 13, 14, 15, 16, 17, 30})
CREATE_TABLE: Final = 2
DELETE: Final = 9
INSERT: Final = 18
PRAGMA: Final = 19
READ: Final = 20
SELECT: Final = 21
TRANSACTION: Final = 22
UPDATE: Final = 23
ATTACH: Final = 24
DETACH: Final = 25
ALTER_TABLE: Final = 26
REINDEX: Final = 27
ANALYZE: Final = 28
FUNCTION: Final = 31
SAVEPOINT: Final = 32
_key: Final = lru_cache(4096)(table_key)
_WRITES: Final = {INSERT: "insert", UPDATE: "update", DELETE: "delete"}
_CHANGES_SCHEMA: Final = CREATES | DROPS | {ATTACH, DETACH, ALTER_TABLE, REINDEX, ANALYZE}


class StatementKind(enum.Enum):
    """What a statement does. WITH … and VALUES are SELECT, REPLACE is INSERT, END is COMMIT."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CREATE = "CREATE"
    DROP = "DROP"
    ALTER = "ALTER"
    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"
    PRAGMA = "PRAGMA"
    ATTACH = "ATTACH"
    DETACH = "DETACH"
    VACUUM = "VACUUM"
    ANALYZE = "ANALYZE"
    REINDEX = "REINDEX"
    EXPLAIN = "EXPLAIN"
    EMPTY = "EMPTY"


_CHANGES_ROWS: Final = (StatementKind.INSERT, StatementKind.UPDATE, StatementKind.DELETE)


class Access:
    """What SQLite said of one statement while preparing it.

    `reads` and `writes` are by table key (see `reactive_sqlite.catalog.table_key`); columns are
    folded names, the rowid appears as `rowid`, the empty set means that rows are only counted.
    `updates` are the columns that UPDATEs set.
    `unplaced` names tables that SQLite mentioned without a database, as it does when no column but
    the rowid is read; they count as main's in `reads`, and `placed` are the keys it did name.
    `views` are the names inside which reads happened: views, common tables, triggers.
    """

    __slots__ = (
        "bindings",
        "changes_schema",
        "columns",
        "databases",
        "first",
        "functions",
        "is_explain",
        "operations",
        "placed",
        "pragma",
        "readonly",
        "reads",
        "savepoint",
        "transaction",
        "unplaced",
        "updates",
        "views",
        "writes",
    )

    reads: Mapping[str, frozenset[str]]
    writes: Mapping[str, frozenset[str]]
    updates: Mapping[str, frozenset[str]]
    views: frozenset[str]
    functions: frozenset[str]
    databases: frozenset[str]
    unplaced: frozenset[str]
    placed: frozenset[str]
    operations: frozenset[int]
    first: int | None
    transaction: str | None
    savepoint: tuple[str, str] | None
    pragma: tuple[str, str | None] | None
    changes_schema: bool
    columns: tuple[str, ...]
    readonly: bool
    is_explain: int
    bindings: tuple[str | None, ...]

    @classmethod
    def from_actions(
        cls,
        actions: Iterable[Action],
        *,
        columns: tuple[str, ...] = (),
        readonly: bool = True,
        is_explain: int = 0,
        bindings: tuple[str | None, ...] = (),
    ) -> Access:
        """Gather the raw authorizer calls of one statement."""
        self = cls()
        reads: dict[str, set[str]] = {}
        writes: dict[str, set[str]] = {}
        updates: dict[str, set[str]] = {}
        views, functions, databases = set(), set(), set()
        operations, unplaced, placed = set(), set(), set()
        self.first = self.transaction = self.savepoint = self.pragma = None
        for code, first, second, database, inside in dict.fromkeys(actions):
            operations.add(code)
            if inside is not None:
                views.add(inside)
            if database is not None:
                databases.add(database)
            if code == READ:
                assert first is not None
                key = _key(database or "main", first)
                if database is None:
                    unplaced.add(first)
                else:
                    placed.add(key)
                found = reads.setdefault(key, set())
                if second:
                    found.add(fold(second))
            elif code in _WRITES:
                assert first is not None
                key = _key(database or "main", first)
                writes.setdefault(key, set()).add(_WRITES[code])
                if code == UPDATE:
                    updates.setdefault(key, set()).add(fold(second or ""))
                if self.first is None and inside is None:
                    self.first = code
            elif code == FUNCTION:
                functions.add(second or "")
            elif code == TRANSACTION:
                self.transaction = first
            elif code == SAVEPOINT:
                self.savepoint = (first or "", second or "")
            elif code == PRAGMA:
                self.pragma = (fold(first or ""), second)
        self.reads = {key: frozenset(names) for key, names in reads.items()}
        self.writes = {key: frozenset(names) for key, names in writes.items()}
        self.updates = {key: frozenset(names) for key, names in updates.items()}
        self.views, self.functions = frozenset(map(fold, views)), frozenset(map(fold, functions))
        self.databases = frozenset(map(fold, databases))
        self.unplaced, self.placed = frozenset(map(fold, unplaced)), frozenset(placed)
        self.operations = frozenset(operations)
        # An EXPLAIN only tells what would be done.
        self.changes_schema = not is_explain and bool(operations & _CHANGES_SCHEMA)
        self.columns, self.bindings = columns, bindings
        self.readonly, self.is_explain = readonly, is_explain
        return self


class Window(Protocol):
    """The first rows by the result column at ``output``: what lies behind does not matter."""

    output: int

    def size(self, values: Sequence[Any]) -> int | None:
        """How many rows a full result has with these parameters, None if that is not certain."""

    def narrowed(self, region: Region, last: Value) -> Region:
        """The region without what is behind a full result, whose last value this is."""


class Statement:
    """One SQL text, understood.

    `reads` and `writes` are plain folded table names (views among the reads); `volatile`: the
    result depends on more than the tables (`random()`, the clock, an application function);
    `main_only`: nothing outside database main is touched.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> db.executescript("CREATE TABLE t(a, b); CREATE VIEW v AS SELECT a FROM t")
    >>> statement = db.analyze("SELECT a FROM v WHERE a = ?")
    >>> sorted(statement.reads), statement.kind.name
    (['t', 'v'], 'SELECT')
    >>> print(statement.region((5,)))
    t(a)[a=5]
    """

    __slots__ = (
        "_everything",
        "_fixed",
        "_references",
        "access",
        "changes_rows",
        "epoch",
        "kind",
        "main_only",
        "only_reads",
        "patch",
        "reads",
        "sql",
        "unhooked",
        "volatile",
        "window",
        "writes",
    )

    def __init__(
        self,
        sql: str,
        kind: StatementKind,
        access: Access,
        references: Sequence[Reference],
        *,
        reads: frozenset[str] = frozenset(),
        writes: frozenset[str] = frozenset(),
        everything: bool = False,
        volatile: bool = False,
        main_only: bool = True,
    ) -> None:
        self.sql = sql
        self.kind = kind
        # Asked for at each run, and an Enum is slow to look up in a set.
        self.only_reads = kind in (StatementKind.SELECT, StatementKind.EXPLAIN)
        self.changes_rows = kind in _CHANGES_ROWS
        self.epoch = 0
        """under which `Schema` it was analysed"""
        self.unhooked: tuple[str, ...] | None = None
        """what `reactive_sqlite.schema.Schema.prepare` found, once it has"""
        self.patch: Any = None
        """for results: what `reactive_sqlite.incremental.patch_of` found, False for nothing"""
        self.window: Window | None = None
        """for a SELECT of which only the first rows count, if it is understood"""
        self.access = access
        self.reads = reads
        self.writes = writes
        self.volatile = volatile
        self.main_only = main_only
        self._everything = everything
        self._references = tuple(references)
        self._fixed: Region | None = None
        if everything or all(reference.template is None for reference in references):
            self._fixed = self._region(())

    def region(self, params: Sequence[Any] | Mapping[str, Any] = ()) -> Region:
        """What a run with these parameters looks at. A missing parameter narrows nothing."""
        fixed = self._fixed
        return self._region(self._positional(params)) if fixed is None else fixed

    def window_size(self, params: Sequence[Any] | Mapping[str, Any] = ()) -> int | None:
        """How many rows fill the window, None without one, or without a certain LIMIT."""
        return None if self.window is None else self.window.size(self._positional(params))

    def _positional(self, params: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        if not isinstance(params, Mapping):
            return params
        names = self.access.bindings
        return [UNSURE if name is None else params.get(name, UNSURE) for name in names]

    def _region(self, values: Sequence[Any]) -> Region:
        if self._everything:
            return Region.whole()
        if len(self._references) == 1:
            return Region((self._references[0].region(values),))
        return Region.of(*[reference.region(values) for reference in self._references])

    def __repr__(self) -> str:
        return f"<Statement {self.kind.value} {self.sql!r}>"
