"""Access: the engine's word on a statement: the calls of SQLite's authorizer while preparing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
_WRITES: Final = {INSERT: "insert", UPDATE: "update", DELETE: "delete"}
CHANGES_SCHEMA: Final = CREATES | DROPS | {ATTACH, DETACH, ALTER_TABLE, REINDEX, ANALYZE}
# How the shadow tables of FTS3, FTS4, FTS5, R*Tree and Geopoly end.
_SHADOWS = (
    *("_config", "_content", "_data", "_docsize", "_idx", "_segdir", "_segments", "_stat"),
    *("_node", "_parent", "_rowid"),
)
# CREATE INDEX, TABLE, TRIGGER and VIEW, in a database that is not TEMP.
_CREATES_FOR_GOOD: Final = frozenset({1, 2, 7, 8})
_SCHEMA: Final = frozenset({"sqlite_master", "sqlite_schema"})
_key: Final = lru_cache(4096)(table_key)


@dataclass(slots=True, kw_only=True, eq=False)
class Access:
    """What SQLite said of one statement while preparing it.

    Tables are named by their keys (see `catalog.table_key`), columns by their folded names.
    """

    reads: Mapping[str, frozenset[str]]
    """the columns read of each table, the rowid as `rowid`; none where rows are only counted"""
    writes: Mapping[str, frozenset[str]]
    """what is done to each table: `insert`, `update`, `delete`"""
    updates: Mapping[str, frozenset[str]]
    """the columns that UPDATEs set"""
    unplaced: frozenset[str]
    """names of tables that SQLite mentioned without a database, as it does when no column but the
    rowid is read; they count as main's in `reads`"""
    placed: frozenset[str]
    """the keys of the tables that it did name with one"""
    views: frozenset[str]
    """the names inside which reads happened: views, common tables, triggers"""
    functions: frozenset[str]
    databases: frozenset[str]
    operations: frozenset[int]
    first: int | None
    """the first INSERT, UPDATE or DELETE that is not a trigger's"""
    transaction: str | None
    savepoint: tuple[str, str] | None
    pragma: tuple[str, str | None] | None
    columns: tuple[str, ...]
    """the names of the result's columns"""
    bindings: tuple[str | None, ...]
    """the names of the parameters, None for one without"""
    is_explain: int

    @property
    def changes_schema(self) -> bool:
        """Whether it may change the schema. An EXPLAIN only tells what would be done."""
        return not self.is_explain and bool(self.operations & CHANGES_SCHEMA)

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
        reads: dict[str, set[str]] = {}
        writes: dict[str, set[str]] = {}
        updates: dict[str, set[str]] = {}
        views, functions, databases = set(), set(), set()
        operations, unplaced, placed = set(), set(), set()
        first = transaction = savepoint = pragma = None
        for code, one, other, database, inside in dict.fromkeys(actions):
            operations.add(code)
            if code == ALTER_TABLE:
                database = one  # where the others have it, a column may be named
            if inside is not None:
                views.add(inside)
            if database is not None:
                databases.add(database)
            if code == READ:
                assert one is not None
                key = _key(database or "main", one)
                if database is None:
                    unplaced.add(one)
                else:
                    placed.add(key)
                found = reads.setdefault(key, set())
                if other:
                    found.add(fold(other))
            elif code in _WRITES:
                assert one is not None
                key = _key(database or "main", one)
                writes.setdefault(key, set()).add(_WRITES[code])
                if code == UPDATE:
                    updates.setdefault(key, set()).add(fold(other or ""))
                if first is None and inside is None:
                    first = code
            elif code == FUNCTION:
                functions.add(other or "")
            elif code == TRANSACTION:
                transaction = one
            elif code == SAVEPOINT:
                savepoint = (one or "", other or "")
            elif code == PRAGMA:
                pragma = (fold(one or ""), other)
        return cls(
            reads={key: frozenset(names) for key, names in reads.items()},
            writes={key: frozenset(names) for key, names in writes.items()},
            updates={key: frozenset(names) for key, names in updates.items()},
            unplaced=frozenset(map(fold, unplaced)),
            placed=frozenset(placed),
            views=frozenset(map(fold, views)),
            functions=frozenset(map(fold, functions)),
            databases=frozenset(map(fold, databases)),
            operations=frozenset(operations),
            first=first,
            transaction=transaction,
            savepoint=savepoint,
            pragma=pragma,
            columns=columns,
            bindings=bindings,
            is_explain=is_explain,
        )


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
        if code in _CREATES_FOR_GOOD:
            creates = True
        elif code in (INSERT, UPDATE, DELETE):
            if name is None or fold(name) not in _SCHEMA:
                return False
        elif code not in (READ, SELECT, FUNCTION, REINDEX):  # an index is filled
            return False
    return creates
