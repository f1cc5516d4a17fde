"""What a statement can have changed that was not looked at row by row: which columns of its table.

The engine's own word (the authorizer's) names each column that an UPDATE sets. A live query that
reads none of these is not touched, however many rows were written.
"""

from __future__ import annotations

from reactive_sqlite.catalog import Catalog
from reactive_sqlite.statement import Statement


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
