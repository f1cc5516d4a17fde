"""The picture of a schema: tables, columns with affinity and collation, shadow tables, indexes.

A `Catalog` is read once per schema version and never changes afterwards, so it may be shared
between threads. It answers what the parser and the regions need to know and what SQLite's
authorizer does not say: which real table a name means, how a column compares, which virtual table
a shadow table belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reactive_sqlite.comparison import fold

Run = Callable[..., Sequence[tuple[Any, ...]]]
ColumnMetadata = Callable[[str, str, str], tuple[Any, Any, Any, Any, Any]]

SCHEMA_TABLES = frozenset(
    {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"}
)


def table_key(database: str, name: str) -> str:
    """The key of a table: its folded name, prefixed by the database unless that is `main`.

    >>> table_key("main", "Tasks"), table_key("temp", "t")
    ('tasks', 'temp.t')
    """
    database, name = fold(database), fold(name)
    if database == "main" and "." not in name:
        return name
    return f"{database}.{name}"


def affinity_of(declared: str | None) -> str:
    """The affinity of a declared type, by https://sqlite.org/datatype3.html section 3.1.

    >>> affinity_of("VARCHAR(9)"), affinity_of("FLOATING POINT"), affinity_of(None)
    ('TEXT', 'INTEGER', 'BLOB')
    """
    kind = fold(declared or "")
    if "int" in kind:
        return "INTEGER"
    if "char" in kind or "clob" in kind or "text" in kind:
        return "TEXT"
    if "blob" in kind or not kind:
        return "BLOB"
    if "real" in kind or "floa" in kind or "doub" in kind:
        return "REAL"
    return "NUMERIC"


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column: folded name, affinity (`INTEGER`, `TEXT`, …), collation in upper case.

    `not_null` says that it is declared NOT NULL.
    """

    name: str
    affinity: str
    collation: str
    generated: bool
    not_null: bool


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index: its folded column names, whether there are expressions among them, and whether
    it holds some rows only.
    """

    columns: frozenset[str]
    has_expressions: bool
    partial: bool = False


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table, view, virtual table or shadow table.

    `columns` are those of an ordinary table in the order of `PRAGMA table_xinfo`; it is empty for
    views and virtual tables. `rowid_column` is the position of the INTEGER PRIMARY KEY that is an
    alias of the rowid.
    """

    key: str
    name: str
    database: str
    kind: str
    columns: tuple[ColumnInfo, ...] = ()
    without_rowid: bool = False
    rowid_column: int | None = None
    primary_key: tuple[int, ...] = ()
    has_virtual_columns: bool = False
    module: str | None = None
    sql: str | None = None
    indexes: tuple[IndexInfo, ...] = ()

    def position(self, name: str) -> int | None:
        """The position of a column by its folded name, None if there is no such column."""
        for position, column in enumerate(self.columns):
            if column.name == name:
                return position
        return None


class Catalog:
    """The tables of all databases of one connection, as they were when it was loaded."""

    __slots__ = (
        "_by_name",
        "_owners",
        "_tables",
        "application_functions",
        "column_names",
        "databases",
        "utf8",
    )

    def __init__(
        self,
        tables: Iterable[TableInfo],
        databases: Sequence[str] = ("main", "temp"),
        *,
        application_functions: Iterable[str] = (),
        utf8: bool = True,
    ) -> None:
        self._tables: dict[str, TableInfo] = {}
        self._by_name: dict[str, list[TableInfo]] = {}
        for table in tables:
            if fold(table.name) in SCHEMA_TABLES:
                continue  # what they hold is the schema
            self._tables[table.key] = table
            self._by_name.setdefault(fold(table.name), []).append(table)
        # The order in which SQLite looks for an unqualified name: TEMP, main, then as attached.
        others = [fold(name) for name in databases if fold(name) not in ("main", "temp")]
        self.databases = ("temp", "main", *others)
        self.application_functions = frozenset(map(fold, application_functions))
        self.column_names = frozenset(
            column.name for table in self._tables.values() for column in table.columns
        )
        self.utf8 = utf8
        self._owners = self._find_owners()

    @classmethod
    def load(cls, run: Run, column_metadata: ColumnMetadata) -> Catalog:
        """Read the whole schema through `run(sql, params=())`, which returns the rows as tuples.

        `column_metadata(database, table, column)` is `apsw.Connection.column_metadata` or alike:
        its second item is the collation of the column.
        """
        databases = [row[1] for row in run("PRAGMA database_list")]
        if "temp" not in databases:
            databases.append("temp")
        tables: list[TableInfo] = []
        listed = run("SELECT schema, name, type, wr, strict FROM pragma_table_list")
        for database in databases:
            mine = [row for row in listed if row[0] == database]
            tables.extend(_load_database(run, column_metadata, database, mine))
        return cls(
            tables,
            databases,
            application_functions=(
                row[0]
                for row in run("SELECT DISTINCT name FROM pragma_function_list WHERE NOT builtin")
            ),
            utf8=run("PRAGMA encoding")[0][0] == "UTF-8",
        )

    def table(self, key: str) -> TableInfo | None:
        """The table, view or virtual table with this key."""
        return self._tables.get(key)

    def owner_of(self, key: str) -> str:
        """The key under which a table is watched: of a shadow table its virtual table's key."""
        return self._owners.get(key, key)

    def named(self, name: str) -> tuple[TableInfo, ...]:
        """All tables with this name, in whatever database."""
        return tuple(self._by_name.get(fold(name), ()))

    def resolve(self, name: str, database: str | None = None) -> TableInfo | None:
        """The table that SQLite means by a name: TEMP first, then main, then as attached."""
        if database is not None:
            return self._tables.get(table_key(database, name))
        for candidate in self.databases:
            found = self._tables.get(table_key(candidate, name))
            if found is not None:
                return found
        return None

    def _find_owners(self) -> Mapping[str, str]:
        owners = {}
        virtual = [table for table in self._tables.values() if table.kind == "virtual"]
        for table in self._tables.values():
            if table.kind != "shadow":
                continue
            name, best = fold(table.name), ""
            for candidate in virtual:
                prefix = fold(candidate.name)
                if candidate.database == table.database and name.startswith(prefix + "_"):
                    best = max(best, prefix, key=len)
            if best:
                owners[table.key] = table_key(table.database, best)
        return owners


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _load_database(
    run: Run, column_metadata: ColumnMetadata, database: str, listed: Sequence[tuple[Any, ...]]
) -> Iterable[TableInfo]:
    schema = _quoted(database)
    master = f"SELECT type, name, tbl_name, sql FROM {schema}.sqlite_schema"
    entries = run(master) if listed else ()
    sql = {row[1]: row[3] for row in entries if row[0] in ("table", "view")}
    columns: dict[str, list[tuple[Any, ...]]] = {}
    # `type = 'table'` keeps away from views and modules that cannot be opened.
    for table, *column in run(
        "SELECT l.name, x.name, x.type, x.pk, x.hidden FROM pragma_table_list AS l"
        " JOIN pragma_table_xinfo(l.name, l.schema) AS x"
        " WHERE l.schema = ? AND l.type = 'table' ORDER BY l.name, x.cid",
        (database,),
    ):
        columns.setdefault(table, []).append(tuple(column))
    keys: dict[str, dict[tuple[str, int], list[str | None]]] = {}
    primary_key_indexes = set()
    for table, index, partial, origin, name in run(
        "SELECT l.name, i.name, i.partial, i.origin, iif(x.cid = -2, NULL, x.name)"
        " FROM pragma_table_list AS l"
        " JOIN pragma_index_list(l.name, l.schema) AS i"
        " JOIN pragma_index_xinfo(i.name, l.schema) AS x"
        " WHERE l.schema = ? AND l.type = 'table' AND x.key",
        (database,),
    ):
        if origin == "pk":
            primary_key_indexes.add(table)
        keys.setdefault(table, {}).setdefault((index, partial), []).append(name)
    for _, name, kind, without_rowid, strict in listed:
        yield _table_info(
            database,
            name,
            kind,
            bool(without_rowid),
            bool(strict),
            columns.get(name, []),
            [_index_info(names, bool(key[1])) for key, names in keys.get(name, {}).items()],
            name in primary_key_indexes,
            sql.get(name),
            column_metadata,
        )


def _index_info(names: Sequence[str | None], partial: bool) -> IndexInfo:
    columns = [fold(name) for name in names if name is not None]
    return IndexInfo(frozenset(columns), len(columns) < len(names), partial)


def _table_info(
    database: str,
    name: str,
    kind: str,
    without_rowid: bool,
    strict: bool,
    rows: Sequence[tuple[Any, ...]],
    indexes: Sequence[IndexInfo],
    has_primary_key_index: bool,
    sql: str | None,
    column_metadata: ColumnMetadata,
) -> TableInfo:
    columns, keys = [], []
    for position, (column, declared, pk, hidden) in enumerate(rows):
        _, collation, not_null, _, _ = column_metadata(database, name, column)
        # ANY has no affinity in a STRICT table (https://sqlite.org/stricttables.html).
        affinity = "BLOB" if strict and fold(declared) == "any" else affinity_of(declared)
        collation = (collation or "BINARY").upper()
        generated = hidden in (2, 3)
        columns.append(ColumnInfo(fold(column), affinity, collation, generated, bool(not_null)))
        if pk:
            keys.append((pk, position))
    primary_key = tuple(position for _, position in sorted(keys))
    rowid_column = None
    # `INTEGER PRIMARY KEY DESC` is no alias of the rowid, and has an index of its own for it.
    if len(primary_key) == 1 and not without_rowid and not has_primary_key_index:
        rowid_column = primary_key[0]
    module = re.search(r"\busing\s+([^\s(;]+)", sql, re.IGNORECASE) if sql else None
    return TableInfo(
        key=table_key(database, name),
        name=name,
        database=fold(database),
        kind=kind,
        columns=tuple(columns),
        without_rowid=without_rowid,
        rowid_column=rowid_column,
        primary_key=primary_key,
        has_virtual_columns=any(row[3] == 2 for row in rows),
        module=fold(module[1].strip("\"'`[]")) if kind == "virtual" and module else None,
        sql=sql,
        indexes=tuple(indexes),
    )
