"""The engine as an oracle: what SQLite says of a statement, and what a statement returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from reactive_sqlite.understanding.access import Access, Action
from reactive_sqlite.understanding.analysis import analyse
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet, RowChange

Params = Sequence[Any] | Mapping[str, Any]
Rows = dict[object, tuple[Any, ...]]


class Engine:
    """One connection, asked directly."""

    def __init__(self, *schema: str) -> None:
        self.connection = apsw.Connection(":memory:")
        for sql in schema:
            self.connection.execute(sql)
        self.catalog = self.load()

    def load(self) -> Catalog:
        self.catalog = Catalog.load(self.run, self.connection.column_metadata)
        return self.catalog

    def run(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, params).fetchall()

    def actions(self, sql: str) -> tuple[list[Action], Access]:
        """The raw calls of the authorizer, and what `Access` makes of them."""
        actions: list[Action] = []
        found: list[Access] = []

        def authorize(*action: Any) -> int:
            actions.append(action)
            return apsw.SQLITE_OK

        def look(cursor: apsw.Cursor, _text: str, _bindings: object) -> bool:
            try:
                columns = tuple(column[0] for column in cursor.get_description())
            except apsw.ExecutionCompleteError:
                columns = ()
            found.append(
                Access.from_actions(
                    actions,
                    columns=columns,
                    is_explain=cursor.is_explain,
                    bindings=cursor.bindings_names,
                )
            )
            return False

        cursor = self.connection.cursor()
        cursor.exec_trace = look
        self.connection.authorizer = authorize
        try:
            cursor.execute(sql, apsw._null_bindings, can_cache=False)
        except apsw.ExecTraceAbort:
            pass
        finally:
            self.connection.authorizer = None
        return actions, found[0]

    def analyse(self, sql: str) -> Statement:
        return analyse(sql, self.actions(sql)[1], self.catalog)

    def rows(self, table: TableInfo) -> Rows:
        """All rows of a table by their key: the rowid, or the primary key WITHOUT ROWID."""
        name = '"' + table.name.replace('"', '""') + '"'
        if table.without_rowid:
            found = self.run(f"SELECT * FROM {name}")
            return {tuple(row[i] for i in table.primary_key): row for row in found}
        return {row[0]: row[1:] for row in self.run(f"SELECT rowid, * FROM {name}")}

    def images(self, keys: Sequence[str]) -> dict[str, Rows]:
        tables = [self.catalog.table(key) for key in keys]
        return {table.key: self.rows(table) for table in tables if table is not None}


def difference(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> ChangeSet:
    """The exact change between two states of some tables."""
    changes = {}
    for key, old_rows in before.items():
        new_rows = after[key]
        found = []
        for row_key in {**old_rows, **new_rows}:
            old, new = old_rows.get(row_key), new_rows.get(row_key)
            if old is not None and new is not None and same(old, new):
                continue
            rowid = row_key if isinstance(row_key, int) else None
            found.append(
                RowChange(
                    old, new, rowid if old is not None else None, rowid if new is not None else None
                )
            )
        if found:
            changes[key] = tuple(found)
    return ChangeSet(1, changes)


def same(left: object, right: object) -> bool:
    """Equal as SQLite prints it: 1 is not 1.0, 0.0 is not -0.0."""
    return repr(left) == repr(right)
