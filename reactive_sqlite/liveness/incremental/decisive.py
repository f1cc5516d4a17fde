"""Which columns of a table decide what rows a SELECT shows, and in what order.

An update that leaves those alone neither adds a row to the result nor removes or moves one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

from reactive_sqlite.understanding.analysis.from_clause import name_of
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.shape import Shape
from reactive_sqlite.understanding.catalog import TableInfo
from reactive_sqlite.values.change import Image, RowChange
from reactive_sqlite.values.region import differ
from reactive_sqlite.values.row import Row


class RowKey(NamedTuple):
    """What tells the rows of a table apart: places in the result, and positions in the table."""

    places: tuple[int, ...]
    positions: tuple[int, ...]

    def shown(self, value: Sequence[Row]) -> Iterable[Any]:
        """The keys of the rows of a result, in order."""
        if len(self.places) == 1:
            return column_of(value, self.places[0])
        if not value:
            return ()
        columns = tuple(zip(*value, strict=True))
        return zip(*(columns[place] for place in self.places), strict=True)

    def numbered(self, value: Sequence[Row]) -> dict[Any, int]:
        """The place of each row of a result, by its key."""
        return dict(zip(self.shown(value), count(), strict=False))

    def of(self, image: Image) -> Any:
        """The key of a row of the table."""
        if len(self.positions) == 1:
            return image[self.positions[0]]
        return tuple([image[position] for position in self.positions])


def column_of(value: Sequence[Row], place: int) -> tuple[Any, ...]:
    """One column of a result."""
    # Not by `Row.__getitem__`, which takes names too.
    return next(islice(zip(*value, strict=True), place, None), ())


class Places:
    """Where the rows of a result are, by their keys; remembered as long as they stay there."""

    __slots__ = ("_by_key", "_value")

    def __init__(self) -> None:
        self._value: tuple[Row, ...] | None = None
        self._by_key: dict[Any, int] = {}

    def of(self, value: tuple[Row, ...], key: RowKey) -> dict[Any, int]:
        """The places in this value."""
        if value is not self._value:
            self._by_key = key.numbered(value)
            self._value = value
        return self._by_key

    def stay(self, value: tuple[Row, ...]) -> None:
        """The rows of this value have the same keys at the same places."""
        self._value = value


class Decisive:
    """The decisive columns of the one table of a SELECT."""

    __slots__ = ("_compared", "_nullable", "key", "positions", "table")

    def __init__(self, table: TableInfo, key: RowKey, positions: Iterable[int]) -> None:
        self.table = table.key
        self.key = key
        self.positions = frozenset({*positions, *key.positions})
        # An update of the rowid is none, but two other changes.
        self._compared = tuple(sorted(self.positions - {table.rowid_column}))
        # Beside a rowid any number of rows may have a key with a NULL.
        has_nulls = table.rowid_column is None and not table.without_rowid
        self._nullable = key.positions if has_nulls else ()

    def leaves(self, row: RowChange) -> bool:
        """Whether the change is an update that leaves every row of the result in its place."""
        old, new = row.old, row.new
        return (
            old is not None
            and new is not None
            and row.old_rowid == row.new_rowid
            and not (self._compared and differ(old, new, self._compared))
            and not (self._nullable and any(new[position] is None for position in self._nullable))
        )


def decisive_of(shape: Shape) -> Decisive | None:
    """The decisive columns of a SELECT of rows of one table; None when they are not certain."""
    if shape.distinct or shape.aggregated or len(shape.tables) != 1:
        return None
    table = shape.tables[0].info
    if shape.tables[0].derived:
        return None
    key = _key_of(shape, table)
    if table.database != "main" or key is None:
        return None
    found = set(_named(shape, table))
    # By another collation than that of the key, which need not be its column's, two may be equal.
    ordered = {
        term.item.column[1]
        for term in shape.order
        if term.item.column is not None
        and (term.collation == "BINARY" or term.item.column[1] == table.rowid_column)
    }
    # A rowid or the key of a table without is unique and never NULL.
    if (table.rowid_column is not None or table.without_rowid) and ordered >= set(key.positions):
        # No two rows are equal to the ORDER BY.
        return Decisive(table, key, found)
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
    return Decisive(table, key, found)


def _key_of(shape: Shape, table: TableInfo) -> RowKey | None:
    """The primary key, if it is shown."""
    columns = [None if item.column is None else item.column[1] for item in shape.outputs]
    positions = table.primary_key if table.rowid_column is None else (table.rowid_column,)
    if not positions or not set(positions) <= set(columns):
        return None
    return RowKey(tuple(columns.index(position) for position in positions), positions)


def _named(shape: Shape, table: TableInfo) -> Iterable[int]:
    """The columns that WHERE and ORDER BY name, or may name."""
    # Whatever might be the name of a column counts as one, and so does that of a result column.
    aliases: dict[str | None, list[Token]] = {}
    for item in shape.outputs:
        aliases.setdefault(item.alias, []).extend(item.tokens)
    tokens = [*shape.where]
    for term in shape.order:
        tokens += term.item.tokens
    while tokens:
        name = name_of(tokens.pop())
        tokens += aliases.pop(name, ())
        position = table.position(name)
        if position is not None:
            yield position
