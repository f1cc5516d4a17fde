"""What the engine's word means for watching: which tables, which columns, or everything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from reactive_sqlite.understanding.access import Access
from reactive_sqlite.understanding.catalog import SCHEMA_TABLES, Catalog, TableInfo, table_key
from reactive_sqlite.values.comparison import fold

# Virtual tables whose rows are all in shadow tables of their own, where writes are seen.
_SELF_CONTAINED: Final = frozenset({"fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"})
# Table-valued functions that look at nothing but their arguments.
_PURE: Final = frozenset(
    {
        "json_each",
        "json_tree",
        "jsonb_each",
        "jsonb_tree",
        "generate_series",
        "carray",
        "fts3tokenize",
    }
)
_OF_THE_SCHEMA: Final = frozenset(
    {
        "pragma_table_info",
        "pragma_table_xinfo",
        "pragma_table_list",
        "pragma_index_list",
        "pragma_index_info",
        "pragma_index_xinfo",
        "pragma_foreign_key_list",
    }
)
_CONTENT = re.compile(
    r"\bcontent\s*=\s*(?:'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"|`([^`]*)`|\[([^\]]*)\]|([^\s,)]*))",
    re.IGNORECASE,
)


class Reads:
    """What one statement reads, as it can be watched."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._virtual: set[str] = set()
        self.tables: dict[str, frozenset[str] | None] = {}
        """by table key the folded columns read, None for all of them"""
        self.hidden: set[str] = set()
        """those of them that the text need not name: the content of an FTS table, the owner of a
        shadow table, all that a name without a database could mean"""
        self.views: dict[str, TableInfo] = {}
        """the views gone through, by their keys"""
        self.names: set[str] = set()
        """the plain names for the public `reads`"""
        self.everything = False
        """what is read cannot be watched by table"""
        self.elsewhere = False
        """a database other than main is read, or something of the connection"""

    def add(self, table: TableInfo, columns: frozenset[str] | None) -> None:
        """Some columns of a table are read; None: all."""
        self.elsewhere |= table.database != "main"
        self.names.add(fold(table.name))
        if table.kind == "view":
            self.views[table.key] = table
        elif table.kind == "table":
            before = self.tables.get(table.key, frozenset())
            both = None if columns is None or before is None else before | columns
            self.tables[table.key] = both
            # SQLite keeps sqlite_sequence behind the back of the preupdate hook.
            self.everything |= fold(table.name) == "sqlite_sequence"
        else:
            self.tables[self._catalog.owner_of(table.key)] = None
            # Two FTS tables may name each other as their content.
            if table.kind == "virtual" and table.key not in self._virtual:
                self._virtual.add(table.key)
                self._add_content(table)

    def _add_content(self, table: TableInfo) -> None:
        """The rows of a virtual table lie in its shadow tables, or in tables that it names."""
        self.everything |= table.module not in _SELF_CONTAINED
        for source in _content_tables(table, self._catalog):
            if source is None or source.kind == "view":
                self.everything = True
            else:
                self.hidden.add(source.key)
                self.add(source, None)

    def add_unlisted(self, name: str, *, common: bool) -> None:
        """A table is read that the schema does not list; ``common``: it may be a common one."""
        if name in SCHEMA_TABLES:
            self.names.add(name)
            self.elsewhere |= "temp" in name
        elif name.startswith("pragma_"):
            self.everything |= name not in _OF_THE_SCHEMA
            self.elsewhere = True
        elif name not in _PURE and not common:
            # A module of the application, or one that looks at the file itself (dbstat).
            self.everything = self.elsewhere = True


def reads_of(access: Access, catalog: Catalog, unnamed: Iterable[TableInfo] = ()) -> Reads:
    """Interpret the reads of one statement against the schema.

    `unnamed` are tables that it reads although the engine did not say so.
    """
    reads = Reads(catalog)
    for key in access.placed:
        found = catalog.table(key)
        if found is None:
            reads.add_unlisted(plain_name(key), common=False)
            continue
        reads.add(found, access.reads[key])
        if found.kind == "shadow":
            reads.hidden.add(catalog.owner_of(key))
    views = [t for name in access.views for t in catalog.named(name) if t.kind == "view"]
    for name in access.unplaced:
        meant = catalog.resolve(name)
        # Inside a view of another database it could be any table of this name.
        candidates = catalog.named(name) if views else (meant,) if meant else ()
        for table in candidates:
            reads.add(table, frozenset())
            if table.kind == "shadow" or len(candidates) > 1:
                reads.hidden.add(catalog.owner_of(table.key))
        if not candidates:
            reads.add_unlisted(name, common=name in access.views)
    # `SELECT count(*) FROM view` names the view only as the place where its tables are read.
    for table in (*views, *unnamed):
        reads.add(table, None)
    reads.elsewhere |= bool(access.databases - {"main"})
    return reads


def plain_name(key: str) -> str:
    """The name of a table without its database."""
    return key.partition(".")[2] or key


def _content_tables(table: TableInfo, catalog: Catalog) -> list[TableInfo | None]:
    """The tables that an external-content FTS table takes its values from (None: not found)."""
    if table.module not in ("fts3", "fts4", "fts5") or table.sql is None:
        return []
    found = []
    for quoted in _CONTENT.findall(table.sql):
        name = next((part for part in quoted if part), "")
        name = name.replace("''", "'").replace('""', '"')
        if name:
            found.append(catalog.table(table_key(table.database, name)))
    return found
