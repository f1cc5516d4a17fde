"""Access: the engine's word on a statement: the calls of SQLite's authorizer while preparing it.

https://sqlite.org/c3ref/c_alter_table.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from reactive_sqlite.understanding.catalog import table_key
from reactive_sqlite.values.comparison import fold

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
CHANGES_SCHEMA: Final = CREATES | DROPS | {ATTACH, DETACH, ALTER_TABLE, REINDEX, ANALYZE}
# How the shadow tables of FTS3, FTS4, FTS5, R*Tree and Geopoly end.
_SHADOWS = (
    *("_config", "_content", "_data", "_docsize", "_idx", "_segdir", "_segments", "_stat"),
    *("_node", "_parent", "_rowid"),
)
# CREATE INDEX, TABLE, TRIGGER and VIEW, in a database that is not TEMP.
_CREATES: Final = frozenset({1, 2, 7, 8})
_SCHEMA: Final = frozenset({"sqlite_master", "sqlite_schema"})


class Access:
    """What SQLite said of one statement while preparing it.

    `reads` and `writes` are by table key (see `catalog.table_key`); columns are folded names, the
    rowid appears as `rowid`, the empty set means that rows are only counted.
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
    is_explain: int
    bindings: tuple[str | None, ...]

    @classmethod
    def from_actions(
        cls,
        actions: Iterable[Action],
        *,
        columns: tuple[str, ...] = (),
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
            if code == ALTER_TABLE:
                database = first  # where the others have it, a column may be named
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
        self.changes_schema = not is_explain and bool(operations & CHANGES_SCHEMA)
        self.columns, self.bindings, self.is_explain = columns, bindings, is_explain
        return self


class Prepared(NamedTuple):
    """What the engine said of the first statement of a text, without running it."""

    access: Access
    empty: bool
    """there is no statement at all: white space and comments only"""
    length: int
    """how much of the text the first statement takes, with what separates it from the next"""


def tell_of_a_module(actions: Sequence[Action]) -> bool:
    """Whether the module of a virtual table may have prepared statements of its own."""
    return len(actions) > 1 and any(
        code == PRAGMA or (table is not None and table.endswith(_SHADOWS))
        for code, table, *_ in actions
    )


def only_create(actions: Sequence[Action]) -> bool:
    """Whether a statement makes a table, view, index or trigger of main, and does nothing else."""
    creates = False
    for code, name, _, database, _ in actions:
        if database not in (None, "main"):
            return False
        if code in _CREATES:
            creates = True
        elif code in (INSERT, UPDATE, DELETE):
            if name is None or fold(name) not in _SCHEMA:
                return False
        elif code not in (READ, SELECT, FUNCTION, REINDEX):  # an index is filled
            return False
    return creates
