"""What SQLite says of the tables of a database, as rows: its pragmas, asked for all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Run = Callable[..., Sequence[tuple[Any, ...]]]
ColumnMetadata = Callable[[str, str, str], tuple[Any, Any, Any, Any, Any]]


class Found(NamedTuple):
    """What SQLite said of one table."""

    database: str
    name: str
    kind: str
    without_rowid: bool
    strict: bool
    sql: str | None
    columns: list[tuple[Any, ...]]
    """(position, name, declared type, NOT NULL, place in the primary key, hidden)"""
    indexes: dict[tuple[str, int], list[str | None]]
    has_primary_key_index: bool
    collations: Sequence[str | None]
    """of the columns; empty if all are the usual one"""


def quoted(name: str) -> str:
    """A name as SQL reads it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def find_tables(
    run: Run, column_metadata: ColumnMetadata, database: str, listed: Sequence[tuple[Any, ...]]
) -> Iterable[Found]:
    """The tables of one database, of which `listed` are the rows of `pragma_table_list`."""
    if not listed:
        return
    schema = quoted(database)
    entries = run(f"SELECT name, sql FROM {schema}.sqlite_schema WHERE type IN ('table', 'view')")
    sql: dict[str, str | None] = dict(entries)
    columns: dict[str, list[tuple[Any, ...]]] = {}
    keys: dict[str, dict[tuple[str, int], list[str | None]]] = {}
    primary_key_indexes = set()
    if entries:
        # A page of its own keeps away from views, and from modules that cannot be opened.
        of_tables = f"FROM {schema}.sqlite_schema AS l JOIN"
        for table, *column in run(
            f'SELECT l.name, x.cid, x.name, x.type, x."notnull", x.pk, x.hidden {of_tables}'
            " pragma_table_xinfo(l.name, ?) AS x WHERE l.type = 'table' AND l.rootpage > 0",
            (database,),
        ):
            columns.setdefault(table, []).append(tuple(column))
        for table, index, partial, origin, name in run(
            "SELECT l.name, i.name, i.partial, i.origin, iif(x.cid = -2, NULL, x.name)"
            f" {of_tables} pragma_index_list(l.name, ?1) AS i"
            " JOIN pragma_index_xinfo(i.name, ?1) AS x"
            " WHERE l.type = 'table' AND l.rootpage > 0 AND x.key",
            (database,),
        ):
            if origin == "pk":
                primary_key_indexes.add(table)
            keys.setdefault(table, {}).setdefault((index, partial), []).append(name)
    for _, name, kind, without_rowid, strict in listed:
        text = sql.get(name)
        mine = columns.get(name, []) if kind == "table" else []
        collations: list[str | None] = []
        # Any but the usual one has been asked for by that word.
        if mine and (text is None or "collate" in text.lower()):
            collations = [column_metadata(database, name, column[1])[1] for column in mine]
        yield Found(
            database,
            name,
            kind,
            bool(without_rowid),
            bool(strict),
            text,
            mine,
            keys.get(name, {}) if kind == "table" else {},
            name in primary_key_indexes,
            collations,
        )
