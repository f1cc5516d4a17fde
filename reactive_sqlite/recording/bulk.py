"""Bulk writes: how many rows to look at one by one, and what is known of those left out.

The engine's own word (the authorizer's) names each column that an UPDATE sets. A live query that
reads none of these is not touched, however many rows were written.
"""

from __future__ import annotations

from typing import Any

from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.routing import RegionIndex
from reactive_sqlite.understanding.statement import Statement

#: Rows of a statement that are looked at in any case, and while somebody wants to know them all.
ROWS_AT_LEAST = 100
ROWS_IF_WANTED = 200
#: To look at so many rows costs less than to run one query again.
ROWS_PER_QUERY = 2


def columns_set(statement: Statement, catalog: Catalog) -> frozenset[int] | None:
    """The positions of the columns that an UPDATE of one table can have changed, and no more.

    None when rows may have come, gone or moved, or when anything else follows from it: triggers,
    foreign-key actions (the authorizer tells of both), REPLACE, generated columns.
    """
    access = statement.access
    if len(access.writes) != 1 or access.views:
        return None
    [(key, operations)] = access.writes.items()
    table = catalog.table(key)
    if operations != {"update"} or table is None or table.kind != "table" or table.sql is None:
        return None
    if "replace" in statement.sql.lower() or "replace" in table.sql.lower():
        return None  # rows in conflict are deleted, of which the authorizer says nothing
    if any(column.generated for column in table.columns):
        return None
    positions = frozenset(map(table.position, access.updates[key]))
    if None in positions or table.rowid_column in positions:
        return None  # the rowid, by any of its names
    if table.without_rowid and not positions.isdisjoint(table.primary_key):
        return None
    return frozenset(position for position in positions if position is not None)


def further_rows(
    statement: Statement, catalog: Catalog, index: RegionIndex[Any], *, wanted: bool
) -> int:
    """How many more rows to look at after the first `ROWS_AT_LEAST` of a statement.

    If its rows are not known, all queries have to be run again that read what it writes. As in the
    ski-rental problem, looking goes on until it has cost as much as that would: the price is
    at most twice the least, whatever is still to come. ``wanted`` says that others want the rows.
    """
    columns = columns_set(statement, catalog)
    queries = sum(index.count(key, columns) for key in statement.access.writes)
    least = ROWS_IF_WANTED if wanted else 0
    return max(ROWS_PER_QUERY * queries, least) - ROWS_AT_LEAST
