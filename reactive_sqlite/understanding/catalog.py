"""The picture of a schema: tables, columns with affinity and collation, shadow tables, indexes.

A `Catalog` is read once per schema version and tells the same ever after, so it may be shared
between threads. It answers what the parser and the regions need to know and what SQLite's
authorizer does not say: which real table a name means, how a column compares, which virtual table
a shadow table belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reactive_sqlite.understanding.listing import ColumnMetadata, Found, Run, find_tables
from reactive_sqlite.values.comparison import fold

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
    """The tables of all databases of one connection, as they were when it was loaded.

    What SQLite said is kept as it came; a `TableInfo` is made of it when it is first asked for.
    """

    __slots__ = (
        "_by_name",
        "_column_names",
        "_found",
        "_owners",
        "_tables",
        "application_functions",
        "databases",
        "utf8",
    )

    def __init__(
        self,
        found: Iterable[Found] = (),
        databases: Sequence[str] = ("main", "temp"),
        *,
        application_functions: Iterable[str] = (),
        utf8: bool = True,
    ) -> None:
        self._found: dict[str, Found] = {}
        self._by_name: dict[str, list[str]] = {}
        self._tables: dict[str, TableInfo] = {}
        for table in found:
            name = fold(table.name)
            if name in SCHEMA_TABLES:
                continue  # what they hold is the schema
            key = table_key(table.database, name)
            self._found[key] = table
            self._by_name.setdefault(name, []).append(key)
        # The order in which SQLite looks for an unqualified name: TEMP, main, then as attached.
        others = [fold(name) for name in databases if fold(name) not in ("main", "temp")]
        self.databases = ("temp", "main", *others)
        self.application_functions = frozenset(map(fold, application_functions))
        self._column_names: frozenset[str] | None = None
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
        found: list[Found] = []
        listed = run("SELECT schema, name, type, wr, strict FROM pragma_table_list")
        for database in databases:
            mine = [row for row in listed if row[0] == database]
            found += find_tables(run, column_metadata, database, mine)
        return cls(
            found,
            databases,
            application_functions=(
                row[0]
                for row in run("SELECT DISTINCT name FROM pragma_function_list WHERE NOT builtin")
            ),
            utf8=run("PRAGMA encoding")[0][0] == "UTF-8",
        )

    @property
    def column_names(self) -> frozenset[str]:
        """The folded names of all columns of all tables."""
        if self._column_names is None:
            self._column_names = frozenset(
                fold(column[1]) for table in self._found.values() for column in table.columns
            )
        return self._column_names

    def table(self, key: str) -> TableInfo | None:
        """The table, view or virtual table with this key."""
        table = self._tables.get(key)
        if table is None:
            found = self._found.get(key)
            if found is not None:
                # Two threads may both make it; they make the same.
                table = self._tables[key] = _table_info(key, found)
        return table

    def owner_of(self, key: str) -> str:
        """The key under which a table is watched: of a shadow table its virtual table's key."""
        return self._owners.get(key, key)

    def named(self, name: str) -> tuple[TableInfo, ...]:
        """All tables with this name, in whatever database."""
        keys = self._by_name.get(fold(name), ())
        return tuple([table for table in map(self.table, keys) if table is not None])

    def resolve(self, name: str, database: str | None = None) -> TableInfo | None:
        """The table that SQLite means by a name: TEMP first, then main, then as attached."""
        if database is not None:
            return self.table(table_key(database, name))
        for candidate in self.databases:
            found = self.table(table_key(candidate, name))
            if found is not None:
                return found
        return None

    def _find_owners(self) -> Mapping[str, str]:
        owners = {}
        virtual = [table for table in self._found.values() if table.kind == "virtual"]
        for key, table in self._found.items() if virtual else ():
            if table.kind != "shadow":
                continue
            name, best = fold(table.name), ""
            for candidate in virtual:
                prefix = fold(candidate.name)
                if candidate.database == table.database and name.startswith(prefix + "_"):
                    best = max(best, prefix, key=len)
            if best:
                owners[key] = table_key(table.database, best)
        return owners


def _index_info(names: Sequence[str | None], partial: bool) -> IndexInfo:
    columns = [fold(name) for name in names if name is not None]
    return IndexInfo(frozenset(columns), len(columns) < len(names), partial)


def _table_info(key: str, found: Found) -> TableInfo:
    columns, keys = [], []
    for position, name, declared, not_null, pk, hidden in found.columns:
        # ANY has no affinity in a STRICT table (https://sqlite.org/stricttables.html).
        affinity = "BLOB" if found.strict and fold(declared) == "any" else affinity_of(declared)
        collation = (found.collations and found.collations[position]) or "BINARY"
        columns.append(
            ColumnInfo(fold(name), affinity, collation.upper(), hidden in (2, 3), bool(not_null))
        )
        if pk:
            keys.append((pk, position))
    primary_key = tuple(position for _, position in sorted(keys))
    rowid_column = None
    # `INTEGER PRIMARY KEY DESC` is no alias of the rowid, and has an index of its own for it.
    if len(primary_key) == 1 and not found.without_rowid and not found.has_primary_key_index:
        rowid_column = primary_key[0]
    module = None
    if found.kind == "virtual" and found.sql:
        module = re.search(r"\busing\s+([^\s(;]+)", found.sql, re.IGNORECASE)
    return TableInfo(
        key=key,
        name=found.name,
        database=fold(found.database),
        kind=found.kind,
        columns=tuple(columns),
        without_rowid=found.without_rowid,
        rowid_column=rowid_column,
        primary_key=primary_key,
        has_virtual_columns=any(column[5] == 2 for column in found.columns),
        module=fold(module[1].strip("\"'`[]")) if module else None,
        sql=found.sql,
        indexes=tuple([_index_info(names, bool(k[1])) for k, names in found.indexes.items()]),
    )
