"""Decides how the result of a statement can be kept from the changes, if it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Protocol

from reactive_sqlite.liveness.incremental.contributions import (
    Contributions,
    ImageContributions,
    JoinContributions,
)
from reactive_sqlite.liveness.incremental.groups import GroupsMaintainer, groups_text
from reactive_sqlite.liveness.incremental.rows import RowsMaintainer, Slice
from reactive_sqlite.liveness.incremental.scratch import Scratch
from reactive_sqlite.liveness.incremental.sortkey import Direction
from reactive_sqlite.liveness.incremental.step import Deferred, NotMaintainable, Step
from reactive_sqlite.liveness.incremental.texts import Extended, Read, below, details_of, positional
from reactive_sqlite.understanding.analysis.aggregates import Grouping
from reactive_sqlite.understanding.analysis.from_clause import name_of
from reactive_sqlite.understanding.analysis.lexer import Token
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.analysis.shape import Shape, shape_of
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.comparison import fold
from reactive_sqlite.values.row import Row, row_maker

_ENDLESS: Final = 1 << 60
_ROWID_RANGES: Final = tuple(
    f"USING INTEGER PRIMARY KEY (rowid{operator}" for operator in ("<", ">")
)
_BY_SORTING: Final = "USE TEMP B-TREE FOR GROUP BY"


class Maintainer(Protocol):
    """Keeps one result. Everything is called under the writing lock, in one snapshot."""

    tables: frozenset[str]
    """the keys of the tables whose changes it must be told, all of them"""

    def seed(self, read: Read) -> None:
        """Run the query once. Raises `NotMaintainable`."""

    def rows(self) -> Deferred | tuple[Row, ...]:
        """The rows of the result now."""

    def edge(self) -> Row | None:
        """The last of the rows that are kept; what sorts behind it does not matter.

        None when all rows are kept.
        """

    def apply(self, change: ChangeSet, read: Read) -> Step:
        """The next state. Raises `NotMaintainable`; the state is of no use then."""


def plan(
    statement: Statement,
    params: Sequence[Any] | Mapping[str, Any],
    catalog: Catalog,
    read: Read,
    scratch: Callable[[TableInfo], Scratch],
    *,
    narrow: bool,
    simple: bool,
) -> Maintainer:
    """A maintainer, seeded. Raises `NotMaintainable` when there is none for this statement.

    ``scratch`` gives an empty copy of a table; ``narrow`` refuses results that may have more than
    one row, ``simple`` those that take more than one short query to follow.
    """
    shape = shape_of(statement, catalog)
    if shape is None:
        raise NotMaintainable("not surely understood")
    if narrow and (not shape.aggregated or shape.group):
        raise NotMaintainable("perhaps more than one row, of which only the first is asked for")
    several = len(shape.tables) > 1 or shape.nested.tables
    if simple and (shape.aggregated or shape.distinct or several):
        raise NotMaintainable("not worth it")
    values = positional(params, statement)
    maintainer: Maintainer
    if shape.distinct or shape.aggregated:
        maintainer = _groups(statement, shape, values, read, scratch)
    else:
        maintainer = _rows(statement, shape, values, read)
    maintainer.seed(read)
    return maintainer


def _rows(
    statement: Statement, shape: Shape, params: tuple[Any, ...], read: Read
) -> RowsMaintainer:
    nullable = any(table.nullable for table in shape.tables)
    window = _window(shape, params)
    _check_join(shape)
    if nullable and window is not None:
        # A row behind the window must not come into it because its partner has gone.
        terms = [token for term in shape.order for token in term.item.tokens]
        if not terms or _asks_nullable(shape, terms):
            raise NotMaintainable("a window ordered by an outer join")
    extended = Extended(shape, len(params))
    if shape.nested.tables:
        _check_nested(extended, params, read)
    tie = _scans_by_rowid(extended, params, read)
    if not tie and not shape.order:
        raise NotMaintainable("in the order of an index")
    return RowsMaintainer(extended, params, row_maker(statement.access.columns), window, tie=tie)


def _check_nested(extended: Extended, params: tuple[Any, ...], read: Read) -> None:
    shape = extended.shape
    if len(shape.tables) > 1 or shape.tables[0].info.without_rowid:
        raise NotMaintainable("subqueries beside a join")
    one = f"EXPLAIN QUERY PLAN {extended.some(0, 1)}"
    whole = read(f"EXPLAIN QUERY PLAN {shape.text}", params)
    if below(whole) != below(read(one, (*params, None))):
        raise NotMaintainable("a subquery that is run in another way for one row")


def _scans_by_rowid(extended: Extended, params: tuple[Any, ...], read: Read) -> bool:
    """Whether rows that the ORDER BY leaves equal come in the order of their rowids.

    SQLite's sorter is stable (https://sqlite.org/src/file/src/vdbesort.c), so they come in the
    order of the scan.
    """
    shape, limited = extended.shape, extended.shape.limit is not None
    if len(shape.tables) != 1 or shape.tables[0].info.without_rowid:
        return False
    if read("PRAGMA reverse_unordered_selects", ()) != [(0,)]:
        return False
    whole, more = extended.whole(limited=limited), (*params, 1) if limited else params
    return _is_scan(details_of(shape.text, params, read)) and _is_scan(
        details_of(whole, more, read)
    )


def _is_scan(details: Sequence[str]) -> bool:
    """Whether rows are taken in the order in which the table stores them."""
    for detail in details:
        words = detail.split(" ", 2)
        if not (
            detail.startswith("USE TEMP B-TREE FOR ")
            or (words[0] == "SCAN" and len(words) == 2)
            or (words[0] == "SEARCH" and words[-1].startswith(_ROWID_RANGES))
        ):
            return False
    return True


def _groups(
    statement: Statement,
    shape: Shape,
    params: tuple[Any, ...],
    read: Read,
    scratch: Callable[[TableInfo], Scratch],
) -> GroupsMaintainer:
    if read("PRAGMA reverse_unordered_selects", ()) != [(0,)]:
        raise NotMaintainable("in reverse order")
    try:
        grouping = Grouping(shape)
    except NotUnderstoodError as error:
        raise NotMaintainable(str(error)) from error
    if not grouping.terms and (shape.having or shape.order):
        raise NotMaintainable("a condition on everything")
    details = details_of(shape.text, params, read)
    if not _tells_apart(shape, grouping):
        if shape.distinct:
            if not _meets_by_rowid(shape, details):
                raise NotMaintainable("distinct rows in the order of an index")
            grouping.order_by_first()
        # Without sorting, the terms are walked in whichever order an index has them, or the rowid.
        elif _BY_SORTING not in details and (
            grouping.grouped > 1 or _have_descending_index(shape, read)
        ):
            raise NotMaintainable("groups in the order of an index")
    items = (*grouping.terms, *grouping.arguments)
    first = scratch(shape.tables[0].stored)
    single = len(shape.tables) == 1
    contributions: Contributions
    if single:
        placed = any(aggregate.function != "count" for aggregate in grouping.aggregates)
        contributions = ImageContributions(shape, items, params, first, placed=placed)
    else:
        _check_join(shape)
        contributions = JoinContributions(shape, items, params)
    in_order = (
        single
        and not shape.tables[0].derived
        and _is_scan(details)
        and _is_scan(details_of(groups_text(shape, grouping), params, read))
    )
    return GroupsMaintainer(
        shape,
        grouping,
        params,
        row_maker(statement.access.columns),
        _window(shape, params),
        contributions,
        first,
        keeps=not in_order or any(aggregate.distinct for aggregate in grouping.aggregates),
        in_order=in_order,
        ties=_ties(shape, grouping, sorting=_BY_SORTING in details),
    )


def _tells_apart(shape: Shape, grouping: Grouping) -> bool:
    """Whether no two groups are equal to the ORDER BY.

    By another collation than they are grouped by, two may be.
    """
    ordered_by = {
        result.term
        for result, order in zip(grouping.order, shape.order, strict=True)
        if result.term is not None
        and order.collation in ("BINARY", grouping.terms[result.term].collation)
    }
    return ordered_by >= set(range(grouping.grouped))


def _meets_by_rowid(shape: Shape, details: Sequence[str]) -> bool:
    """Whether distinct rows that the ORDER BY leaves equal come as they are met in the table."""
    table = shape.tables[0]
    return (
        len(shape.tables) == 1
        and not table.derived
        and not table.info.without_rowid
        and _is_scan(details)
        # What a sorter that keeps the first few only does with equal rows is its own affair.
        and not (shape.order and shape.limit is not None)
    )


def _check_join(shape: Shape) -> None:
    if len(shape.tables) > 1 and any(table.info.without_rowid for table in shape.tables):
        raise NotMaintainable("a join of a table without rowid")
    if _asks_nullable(shape, shape.where):
        raise NotMaintainable("an outer join under a condition")


def _ties(shape: Shape, grouping: Grouping, *, sorting: bool) -> list[Direction]:
    """In which order groups come that the ORDER BY leaves equal.

    When ORDER BY has as many terms as GROUP BY, SQLite sorts the rows for the latter in the
    directions of the former, whatever its terms are (`sqlite3Select` in
    https://sqlite.org/src/file/src/select.c).
    """
    count = grouping.grouped
    copied = sorting and len(shape.order) == count
    return [
        Direction(descending, not descending, term.collation or "BINARY")
        for term, descending in zip(
            grouping.terms[:count],
            [t.descending for t in shape.order] if copied else [False] * count,
            strict=True,
        )
    ]


def _have_descending_index(shape: Shape, read: Read) -> bool:
    sql = (
        "SELECT 1 FROM pragma_index_list(?1) AS i JOIN pragma_index_xinfo(i.name) AS c"
        ' WHERE c."desc" LIMIT 1'
    )
    return any(read(sql, (table.info.name,)) for table in shape.tables)


def _window(shape: Shape, params: tuple[Any, ...]) -> Slice | None:
    if shape.limit is None:
        return None
    limit = _number(shape.limit, params)
    start = 0 if shape.offset is None else max(_number(shape.offset, params), 0)
    # A negative LIMIT is none (https://sqlite.org/lang_select.html section 5).
    return Slice(start, start + limit if 0 <= limit < _ENDLESS else _ENDLESS)


def _number(token: Token, params: tuple[Any, ...]) -> int:
    value = params[int(token.text[1:]) - 1] if token.kind == "variable" else token.text
    if type(value) is str and value.isdigit() and token.kind == "number":
        value = int(value)
    if type(value) is not int or value >= _ENDLESS:
        raise NotMaintainable("a LIMIT that is no integer")
    return value


def _asks_nullable(shape: Shape, tokens: Sequence[Token]) -> bool:
    """Whether these look at a table for which NULLs may stand."""
    nullable = [table for table in shape.tables if table.nullable]
    aliases = {fold(table.alias) for table in nullable}
    before = after = ""
    for token, following in zip_longest(tokens, tokens[1:]):
        before, after = after, token.text
        if token.kind not in ("word", "quoted"):
            continue
        name = fold(name_of(token))
        if following is not None and following.text == ".":
            if f'"{name}"' in aliases:
                return True
        elif before != "." and any(table.column(name) is not None for table in nullable):
            return True
    return False
