"""Windows: of a result that LIMIT has filled, the last row says which rows cannot matter.

A row that sorts strictly behind the last row of a full result, by the first term of the ORDER BY,
before and after a change, is neither in the result nor before it, whatever the OFFSET; and how the
rows before it are ordered does not depend on it. Of `max(column)` and `min(column)` the same is
true: they are the first row by that column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reactive_sqlite.understanding.analysis.clauses import word
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.nested import HARMLESS
from reactive_sqlite.understanding.analysis.shape import OrderTerm, Shape, shape_of
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import Value
from reactive_sqlite.values.comparison import ROWID, UNSURE, Column, bound_of
from reactive_sqlite.values.predicate import IsNull, Predicate, Range, all_of, any_of
from reactive_sqlite.values.region import Region, TableRegion

_WORDS: Final = frozenset({"order", "max", "min"})
_EXTREMES: Final = {"max": True, "min": False}


class FirstRows:
    """The first rows by a column of one table; see `statement.Window`."""

    __slots__ = ("_column", "_descending", "_limit", "_nulls_first", "_table", "output")

    def __init__(
        self,
        table: str,
        column: Column,
        output: int,
        limit: Token | int | None,
        *,
        descending: bool,
        nulls_first: bool,
    ) -> None:
        self._table = table
        self._column = column
        self._limit = limit
        self._descending = descending
        self._nulls_first = nulls_first
        self.output = output

    def size(self, values: Sequence[Any]) -> int | None:
        """How many rows a full result has with these parameters, None if that is not certain."""
        limit: Any = self._limit
        if isinstance(limit, Token):
            place = int(limit.text[1:]) - 1
            limit = values[place] if place < len(values) else None
        # A negative LIMIT is none (https://sqlite.org/lang_select.html section 5).
        return limit if type(limit) is int and limit > 0 else None

    def narrowed(self, region: Region, last: Value) -> Region:
        """The region without the rows that sort behind `last`, the same one if it stays as it is.

        `last` is the value of the column in the last row of a full result.
        """
        places = [n for n, part in enumerate(region.tables) if part.table == self._table]
        reached = self._reached(last)
        if reached is None or len(places) != 1:
            return region
        tables, place = list(region.tables), places[0]
        part = tables[place]
        # First, as its place in a `RegionIndex` is better than that of another range.
        predicate = all_of((reached, part.predicate))
        tables[place] = TableRegion(part.table, part.columns, predicate, part.positions)
        return Region(tuple(tables))

    def _reached(self, last: Value) -> Predicate | None:
        """What is true of the rows up to those that sort like `last`; None if of all rows."""
        column = self._column
        key = column.constant(last)
        if key is UNSURE:
            return None
        if key is None:
            return IsNull(column) if self._nulls_first else None
        bound = bound_of(key)
        if self._descending:
            reached = Range(column, bound, True, None, False)
        else:
            reached = Range(column, None, False, bound, True)
        return any_of((reached, IsNull(column))) if self._nulls_first else reached


def window_of(statement: Statement, tokens: Sequence[Token], catalog: Catalog) -> FirstRows | None:
    """The window that a SELECT may be, None if it is none or if there is any doubt."""
    if _WORDS.isdisjoint(map(word, tokens)) or not statement.access.functions <= HARMLESS:
        return None
    shape = shape_of(statement, catalog)
    if shape is None or shape.distinct or shape.group or shape.having or shape.nested.tables:
        return None
    if any(table.derived for table in shape.tables):
        return None
    return _extreme(shape, statement) if shape.aggregated else _ordered(shape, statement)


def _ordered(shape: Shape, statement: Statement) -> FirstRows | None:
    """SELECT … ORDER BY column …, with or without a LIMIT."""
    if not shape.order:
        return None
    term = shape.order[0]
    column, output = term.item.column, term.output
    if output is None and column is not None:
        shown = [item.column for item in shape.outputs]
        output = shown.index(column) if column in shown else None
    if column is None or output is None:
        return None
    limit: Token | int | None = shape.limit
    if shape.limit is not None and shape.limit.kind == "number":
        limit = int(shape.limit.text) if shape.limit.text.isdecimal() else None
    return _by_column(shape, statement, column, output, limit, term)


def _extreme(shape: Shape, statement: Statement) -> FirstRows | None:
    """SELECT max(column), or min(column), and nothing else."""
    tokens = shape.outputs[0].tokens
    alone = len(shape.outputs) == 1 and not shape.order and shape.limit is None
    if not alone or len(tokens) < 4 or tokens[1].text != "(" or tokens[-1].text != ")":
        return None
    descending = _EXTREMES.get(word(tokens[0]))
    item = shape.item(tokens[2:-1])
    if descending is None or item.column is None or item.collation is None:
        return None
    term = OrderTerm(item, 0, descending, nulls_first=False, collation=item.collation)
    return _by_column(shape, statement, item.column, 0, 1, term)


def _by_column(
    shape: Shape,
    statement: Statement,
    column: tuple[int, int],
    output: int,
    limit: Token | int | None,
    term: OrderTerm,
) -> FirstRows | None:
    number, position = column
    table = shape.tables[number]
    key, info = table.info.key, table.info
    # A row may make way for one of NULLs, or stand in two places of one row.
    if table.nullable or sum(other.info.key == key for other in shape.tables) > 1:
        return None
    name = "rowid" if position == ROWID else info.columns[position].name
    is_rowid = position in (ROWID, info.rowid_column)
    if not is_rowid and name not in statement.access.reads[key]:
        return None
    has_nulls = not is_rowid and not info.columns[position].not_null
    return FirstRows(
        key,
        # Values are sorted as they are stored: without an affinity.
        Column(name, position, "BLOB", term.collation),
        output,
        limit,
        descending=term.descending,
        nulls_first=term.nulls_first and has_nulls,
    )
