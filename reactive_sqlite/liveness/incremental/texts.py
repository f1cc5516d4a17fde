"""The texts of the restricted queries: a SELECT with hidden columns, for some rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.understanding.analysis.clauses import text_of
from reactive_sqlite.understanding.analysis.from_clause import FromTable
from reactive_sqlite.understanding.analysis.items import Item
from reactive_sqlite.understanding.analysis.lexer import tokens_of
from reactive_sqlite.understanding.analysis.shape import Shape
from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import RowChange
from reactive_sqlite.values.comparison import ROWID

#: Runs a query in the present snapshot: its text and parameters by position → plain tuples.
Read: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_BATCHES: Final = (1, 8, 64)
"""Numbers of rows that are asked for at a time; each is a statement that SQLite keeps prepared."""


class Extended:
    """A SELECT with hidden columns behind its own: what identifies its rows, what sorts them."""

    def __init__(self, shape: Shape, parameters: int) -> None:
        self.shape = shape
        self.hidden: list[str] = []
        self.columns: list[tuple[int, int] | None] = [item.column for item in shape.outputs]
        """(table, position) of each column that is nothing but a column of a table"""
        self._parameters = parameters
        self._texts: dict[tuple[object, ...], str] = {}
        self.identities = [self._identity(n) for n in range(len(shape.tables))]
        """for each table, the places of the columns that identify its rows"""
        self.order = [
            self.place(term.item) if term.output is None else term.output for term in shape.order
        ]

    def place(self, item: Item) -> int:
        """The place of a column with this value, added when there is none."""
        if item.column is not None:
            return self._column(*item.column)
        self.hidden.append(item.text)
        self.columns.append(None)
        return len(self.columns) - 1

    def _column(self, number: int, position: int) -> int:
        if (number, position) not in self.columns:
            self.hidden.append(column_text(self.shape.tables[number], position))
            self.columns.append((number, position))
        return self.columns.index((number, position))

    def _identity(self, number: int) -> tuple[int, ...]:
        return tuple(self._column(number, c) for c in identity_columns(self.shape.tables[number]))

    @property
    def _head(self) -> str:
        select = ", ".join((self.shape.select, *self.hidden))
        return f"SELECT {select} FROM {self.shape.source}"

    def whole(self, *, limited: bool) -> str:
        """All rows in order; ``limited`` takes their number as one more parameter."""
        shape = self.shape
        where = f" WHERE {text_of(shape.where)}" if shape.where else ""
        order = f" ORDER BY {shape.order_text}" if shape.order else ""
        limit = f" LIMIT ?{self._parameters + 1}" if limited else ""
        return f"{self._head}{where}{order}{limit}"

    def some(self, number: int, count: int, by: tuple[int, ...] | None = None) -> str:
        """The rows that come from so many rows of one table, which further parameters identify.

        By its identity, or by the columns ``by`` and then without hidden columns.
        """
        text = self._texts.get((number, count, by))
        if text is None:
            shape = self.shape
            where = f"({text_of(shape.where)}) AND " if shape.where else ""
            head = f"SELECT {shape.select} FROM {shape.source}" if by else self._head
            text = f"{head} WHERE {where}{self._identified(number, count, by)}"
            self._texts[number, count, by] = text
        return text

    def partners(self, number: int, count: int) -> str:
        """The rowids in the first table that so many rows of another one are joined with."""
        first = column_text(self.shape.tables[0], *identity_columns(self.shape.tables[0]))
        return f"SELECT {first} FROM {self.shape.source} WHERE {self._identified(number, count)}"

    def _identified(self, number: int, count: int, by: tuple[int, ...] | None = None) -> str:
        table = self.shape.tables[number]
        columns = [column_text(table, position) for position in by or identity_columns(table)]
        first = self._parameters + 1
        if len(columns) == 1:
            marks = ", ".join(f"?{first + place}" for place in range(count))
            return f"{columns[0]} IN ({marks})"
        ones = []
        for row in range(count):
            start = first + row * len(columns)
            pairs = (f"{column} = ?{start + n}" for n, column in enumerate(columns))
            ones.append("(" + " AND ".join(pairs) + ")")
        return "(" + " OR ".join(ones) + ")"


def identity_columns(table: FromTable) -> tuple[int, ...]:
    """The columns that identify a row of a table, if they can be looked up by their values."""
    info = table.info
    if info.without_rowid and any(info.columns[p].collation != "BINARY" for p in table.identity):
        raise NotMaintainable("a primary key of another collation than BINARY")
    return table.identity


def identity_of(table: FromTable) -> Callable[[RowChange, bool], Any]:
    """Says which row of the table a change is about: before it (False) or after it (True)."""
    if not table.info.without_rowid:
        return lambda change, new: change.new_rowid if new else change.old_rowid
    columns = table.info.primary_key

    def of(change: RowChange, new: bool) -> Any:
        image = change.new if new else change.old
        if image is None:
            return None
        return image[columns[0]] if len(columns) == 1 else tuple(image[c] for c in columns)

    return of


def column_text(table: FromTable, position: int) -> str:
    """A column of a table as SQL writes it."""
    if position == ROWID:
        return table.rowid_text()
    return f"{table.alias}.{quoted(table.info.columns[position].name)}"


def in_batches(identities: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut into pieces of a few fixed sizes; the last identity fills what is left over."""
    left = list(identities)
    while left:
        size = next((size for size in _BATCHES if size >= len(left)), _BATCHES[-1])
        piece, left = left[:size], left[size:]
        yield piece + piece[-1:] * (size - len(piece))


def flat(identities: Iterable[Any]) -> list[Any]:
    """Identities as parameters."""
    found: list[Any] = []
    for identity in identities:
        if isinstance(identity, tuple):
            found += identity
        else:
            found.append(identity)
    return found


def positional(params: Sequence[Any] | Mapping[str, Any], statement: Statement) -> tuple[Any, ...]:
    """The parameters of a statement by position."""
    names = statement.access.bindings
    if isinstance(params, Mapping):
        if None in names:
            raise NotMaintainable("parameters without a name")
        try:
            return tuple(params[name] for name in names if name is not None)
        except KeyError as error:
            raise NotMaintainable("a name without a value") from error
    if len(params) != len(names):
        raise NotMaintainable("another number of parameters than the statement has")
    return tuple(params)


def taken_by(sql: str, params: Sequence[Any]) -> Sequence[Any]:
    """The parameters of a statement that a part of it takes: SQLite refuses more."""
    numbers = [int(token.text[1:]) for token in tokens_of(sql) if token.kind == "variable"]
    return params[: max(numbers, default=0)]


def details_of(sql: str, params: Sequence[Any], read: Read) -> list[str]:
    """How SQLite runs a query, line by line (https://sqlite.org/eqp.html).

    Without the subqueries that it runs once for each row that it shows.
    """
    plan = read(f"EXPLAIN QUERY PLAN {sql}", taken_by(sql, params))
    hidden: set[Any] = set()
    for number, parent, _, detail in plan:
        if parent in hidden or detail.startswith("CORRELATED SCALAR SUBQUERY"):
            hidden.add(number)
    return [detail for number, _, _, detail in plan if number not in hidden]


def below(plan: Sequence[tuple[Any, ...]]) -> list[str]:
    """The lines of a query plan that are parts of others: how subqueries are run."""
    return [detail for _, parent, _, detail in plan if parent]
