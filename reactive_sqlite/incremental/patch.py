"""Patches rows of a result in place, when a commit can have changed nothing but their values.

Of a SELECT of plain columns of one table, an update that leaves alone the columns of WHERE and
ORDER BY, and those of the indexes by which rows may come, neither adds a row to the result nor
removes or moves one. What is left is to write the new values into the rows that are shown. Nothing
is kept for that and no query is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

from reactive_sqlite.analysis.lexer import Token, string_value
from reactive_sqlite.analysis.shape import Shape, shape_of
from reactive_sqlite.catalog import Catalog, TableInfo
from reactive_sqlite.change import ChangeSet, RowChange, same_image
from reactive_sqlite.comparison import fold
from reactive_sqlite.delta import Delta
from reactive_sqlite.incremental.step import Deferred, Step
from reactive_sqlite.region import differ
from reactive_sqlite.row import Row, row_class
from reactive_sqlite.statement import Statement

#: Changed rows that are patched at most, and rows of a result in which they are looked for.
FEW: Final = 16
SMALL: Final = 1000


class Patch:
    """What is to be known of a statement to patch its result. Immutable.

    ``key`` is the place of the INTEGER PRIMARY KEY in the result, ``columns`` are the positions in
    the table of all its columns, ``decisive`` those on which depend which rows come, and where.
    """

    __slots__ = ("_columns", "_decisive", "_key", "_row", "_table")

    def __init__(
        self,
        table: str,
        key: int,
        columns: Sequence[int],
        decisive: Iterable[int],
        row: type[Row],
    ) -> None:
        self._table = table
        self._key = key
        self._columns = tuple(columns)
        self._decisive = tuple(sorted(decisive))
        self._row = row

    def apply(self, value: tuple[Row, ...], change: ChangeSet) -> Step | None:
        """The next state of the rows ``value``; None when the change may have done more to them."""
        table = self._table
        if change.schema or change.everything or table in change.tables or len(value) > SMALL:
            return None
        rows = change.rows.get(table, ())
        if not rows or len(rows) > FEW or not all(map(self._only_values, rows)):
            return None
        keys = [*map(tuple.__getitem__, value, repeat(self._key))]
        updated: list[tuple[int, Row, Row]] = []
        for row in rows:
            if row.new_rowid not in keys:
                continue  # not shown, and will not be
            place = keys.index(row.new_rowid)
            old, new, shown = row.old, row.new, value[place]
            assert old is not None
            assert new is not None
            if type(shown) is not self._row or not same_image(
                shown, tuple([old[column] for column in self._columns])
            ):
                return None  # the value is not what it should have been
            values = tuple([new[column] for column in self._columns])
            if not same_image(shown, values):
                updated.append((place, shown, tuple.__new__(self._row, values)))
        if not updated:
            return Step(Deferred(lambda: value), None)
        updated.sort()
        after = list(value)
        for place, _, now in updated:
            after[place] = now
        result = tuple(after)
        return Step(Deferred(lambda: result), lambda version: _delta(updated, version))

    def _only_values(self, row: RowChange) -> bool:
        old, new = row.old, row.new
        return (
            old is not None
            and new is not None
            and row.old_rowid == row.new_rowid is not None
            and not differ(old, new, self._decisive)
        )


def _delta(updated: Sequence[tuple[int, Row, Row]], version: int) -> Delta:
    return Delta(
        (),
        (),
        tuple((old, new) for _, old, new in updated),
        version,
        tuple(place for place, _, _ in updated),
        tuple((place, new) for place, _, new in updated),
    )


def patch_of(statement: Statement, catalog: Catalog) -> Patch | None:
    """How the result of a statement is patched, None if it cannot be."""
    shape = shape_of(statement, catalog)
    if shape is None or shape.distinct or shape.aggregated or len(shape.tables) != 1:
        return None
    table = shape.tables[0].info
    if table.database != "main" or table.without_rowid or table.rowid_column is None:
        return None
    columns = [item.column[1] for item in shape.outputs if item.column is not None]
    if len(columns) != len(shape.outputs) or table.rowid_column not in columns:
        return None
    decisive = _decisive(shape, table, columns)
    if decisive is None:
        return None
    # What the engine reads and is neither shown nor decisive was not understood.
    read = {table.position(name) for name in statement.access.reads[table.key]}
    if not read - {None} <= {*columns, *decisive}:
        return None
    names = statement.access.columns
    return Patch(table.key, columns.index(table.rowid_column), columns, decisive, row_class(names))


def _decisive(shape: Shape, table: TableInfo, columns: Sequence[int]) -> set[int] | None:
    """The columns on which depend which rows come, and where; None when that is not certain."""
    # Whatever might be the name of a column counts as one, and so does that of a result column.
    aliases = {i.alias: column for i, column in zip(shape.outputs, columns, strict=True) if i.alias}
    ordered = {columns[term.output] for term in shape.order if term.output is not None}
    tokens = [*shape.where]
    for term in shape.order:
        if term.item.column is not None:
            ordered.add(term.item.column[1])
        tokens += term.item.tokens
    found = set(ordered)
    for name in map(_name, tokens):
        position = table.position(name)
        if position is not None:
            found.add(position)
        if name in aliases:
            found.add(aliases[name])
    if table.rowid_column in ordered:
        return found  # no two rows are equal to the ORDER BY
    # Rows that are come in the order of what SQLite walks: the table, or any of its indexes (a
    # partial one need not even hold a column that the statement names).
    for index in table.indexes:
        if index.has_expressions:
            return None
        for column in index.columns:
            position = table.position(column)
            if position is None:
                return None
            found.add(position)
    return found


def _name(token: Token) -> str:
    """What a token names, if it names something: also strings can, as in ``t.'x'``."""
    return fold(string_value(token) if token.kind in ("quoted", "string") else token.text)
