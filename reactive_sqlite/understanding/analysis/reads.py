"""What the engine's word means for watching: which tables, which columns, or everything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

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


class Reads(NamedTuple):
    """Table key → folded columns read, None for all of them.

    `hidden` are those of them that the text need not name: the content of an FTS table, the
    owner of a shadow table, all that a name without a database could mean. `views` are the views
    gone through; `names` the plain names for the public `reads`;
    `everything` says that what is read cannot be watched by table; `elsewhere` that a database
    other than main is read, or something of the connection.
    """

    tables: dict[str, frozenset[str] | None]
    hidden: frozenset[str]
    views: tuple[TableInfo, ...]
    names: frozenset[str]
    everything: bool
    elsewhere: bool


def reads_of(access: Access, catalog: Catalog, unnamed: Iterable[TableInfo] = ()) -> Reads:
    """Interpret the reads of one statement against the schema.

    `unnamed` are tables that it reads although the engine did not say so.
    """
    tables: dict[str, frozenset[str] | None] = {}
    views: dict[str, TableInfo] = {}
    names: set[str] = set()
    hidden: set[str] = set()
    everything = elsewhere = False

    def add(table: TableInfo, columns: frozenset[str] | None) -> bool:
        nonlocal elsewhere
        elsewhere = elsewhere or table.database != "main"
        names.add(fold(table.name))
        if table.kind == "view":
            views[table.key] = table
            return True
        if table.kind == "table":
            before = tables.get(table.key, frozenset())
            tables[table.key] = None if columns is None or before is None else before | columns
            # SQLite keeps sqlite_sequence behind the back of the preupdate hook.
            return fold(table.name) != "sqlite_sequence"
        tables[catalog.owner_of(table.key)] = None
        if table.kind == "shadow":
            return True
        return table.module in _SELF_CONTAINED and all(
            source is not None and source.kind != "view" and add_hidden(source)
            for source in _content_tables(table, catalog)
        )

    def add_hidden(table: TableInfo) -> bool:
        hidden.add(table.key)
        return add(table, None)

    def add_unlisted(name: str, placed: bool) -> None:
        nonlocal everything, elsewhere
        if name in SCHEMA_TABLES:
            names.add(name)
            elsewhere |= "temp" in name
        elif name.startswith("pragma_"):
            everything |= name not in _OF_THE_SCHEMA
            elsewhere = True
        elif name not in _PURE and (placed or name not in access.views):
            # A module of the application, or one that looks at the file itself (dbstat).
            everything = elsewhere = True

    for key in access.placed:
        columns, found = access.reads[key], catalog.table(key)
        if found is None:
            add_unlisted(plain_name(key), placed=True)
            continue
        everything |= not add(found, columns)
        if found.kind == "shadow":
            hidden.add(catalog.owner_of(key))
    through_views = any(
        table.kind == "view" for name in access.views for table in catalog.named(name)
    )
    for name in access.unplaced:
        meant = catalog.resolve(name)
        # Inside a view of another database it could be any table of this name.
        candidates = catalog.named(name) if through_views else (meant,) if meant else ()
        for table in candidates:
            everything |= not add(table, frozenset())
            if table.kind == "shadow" or len(candidates) > 1:
                hidden.add(catalog.owner_of(table.key))
        if not candidates:
            add_unlisted(name, placed=False)
    # `SELECT count(*) FROM view` names the view only as the place where its tables are read.
    for name in access.views:
        for table in catalog.named(name):
            if table.kind == "view":
                add(table, None)
    for table in unnamed:
        everything |= not add(table, None)
    elsewhere |= bool(access.databases - {"main"})
    return Reads(
        tables,
        frozenset(hidden),
        tuple(views.values()),
        frozenset(names),
        everything,
        elsewhere,
    )


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
