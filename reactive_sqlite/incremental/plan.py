"""Decides how the result of a statement can be kept from the changes, if it can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Protocol

from reactive_sqlite.analysis.from_clause import name_of
from reactive_sqlite.analysis.lexer import Token
from reactive_sqlite.analysis.shape import Shape, shape_of
from reactive_sqlite.catalog import Catalog
from reactive_sqlite.change import ChangeSet
from reactive_sqlite.comparison import fold
from reactive_sqlite.incremental.rows import RowsMaintainer, Window
from reactive_sqlite.incremental.step import Deferred, NotMaintainable, Step
from reactive_sqlite.incremental.texts import Read
from reactive_sqlite.row import row_maker
from reactive_sqlite.statement import Statement

_ENDLESS: Final = 1 << 60
_ROWID_SCAN: Final = "USING INTEGER PRIMARY KEY (rowid"


class Maintainer(Protocol):
    """Keeps one result. Everything is called under the writing lock, in one snapshot."""

    tables: frozenset[str]
    """the keys of the tables whose changes it must be told, all of them"""

    def seed(self, read: Read) -> None:
        """Run the query once. Raises `NotMaintainable`."""

    def rows(self) -> Deferred:
        """The rows of the result now."""

    def apply(self, change: ChangeSet, read: Read) -> Step:
        """The next state. Raises `NotMaintainable`; the state is of no use then."""


def plan(
    statement: Statement,
    params: Sequence[Any] | Mapping[str, Any],
    catalog: Catalog,
    read: Read,
    *,
    narrow: bool = False,
) -> Maintainer:
    """A maintainer, seeded. Raises `NotMaintainable` when there is none for this statement.

    ``narrow`` refuses results that may have more than one row.
    """
    shape = shape_of(statement, catalog)
    if shape is None:
        raise NotMaintainable("not surely understood")
    if narrow and (not shape.aggregated or shape.group):
        raise NotMaintainable("perhaps more than one row, of which only the first is asked for")
    values = _positional(params, statement)
    maintainer = _rows(statement, shape, values, read)
    maintainer.seed(read)
    return maintainer


def _positional(params: Sequence[Any] | Mapping[str, Any], statement: Statement) -> tuple[Any, ...]:
    names = statement.access.bindings
    if isinstance(params, Mapping):
        if None in names:
            raise NotMaintainable("parameters without a name")
        return tuple(params[name] for name in names if name is not None)
    if len(params) != len(names):
        raise NotMaintainable("another number of parameters than the statement has")
    return tuple(params)


def _rows(
    statement: Statement, shape: Shape, params: tuple[Any, ...], read: Read
) -> RowsMaintainer:
    if shape.distinct or shape.aggregated:
        raise NotMaintainable("not row by row")
    nullable = any(table.nullable for table in shape.tables)
    window = _window(shape, params)
    if len(shape.tables) > 1 and any(table.info.without_rowid for table in shape.tables):
        raise NotMaintainable("a join of a table without rowid")
    if nullable and (window is not None or _asks_nullable(shape)):
        raise NotMaintainable("an outer join under a condition or a window")
    make = row_maker(statement.access.columns)
    maintainer = RowsMaintainer(shape, params, make, window, tie=False)
    if _scans_by_rowid(shape, params, maintainer, read):
        return RowsMaintainer(shape, params, make, window, tie=True)
    if not shape.order:
        raise NotMaintainable("in the order of an index")
    return maintainer


def _scans_by_rowid(
    shape: Shape, params: tuple[Any, ...], maintainer: RowsMaintainer, read: Read
) -> bool:
    """Whether rows that the ORDER BY leaves equal come in the order of their rowids.

    SQLite's sorter is stable (https://sqlite.org/src/file/src/vdbesort.c), so they come in the
    order of the scan.
    """
    if len(shape.tables) != 1 or shape.tables[0].info.without_rowid:
        return False
    if read("PRAGMA reverse_unordered_selects", ()) != [(0,)]:
        return False
    extended = maintainer.extended.whole(limited=shape.limit is not None)
    more = (*params, 1) if shape.limit is not None else params
    for sql, values in ((shape.text, params), (extended, more)):
        for *_, detail in read(f"EXPLAIN QUERY PLAN {sql}", values):
            if detail.startswith("USE TEMP B-TREE FOR ") and detail.endswith("ORDER BY"):
                continue
            words = detail.split(" ", 2)
            if words[0] == "SCAN" and len(words) == 2:
                continue
            if words[0] == "SEARCH" and words[2].startswith((_ROWID_SCAN + ">", _ROWID_SCAN + "<")):
                continue
            return False
    return True


def _window(shape: Shape, params: tuple[Any, ...]) -> Window | None:
    if shape.limit is None:
        return None
    limit = _number(shape.limit, params)
    start = 0 if shape.offset is None else max(_number(shape.offset, params), 0)
    # A negative LIMIT is none (https://sqlite.org/lang_select.html section 5).
    return Window(start, start + limit if 0 <= limit < _ENDLESS else _ENDLESS)


def _number(token: Token, params: tuple[Any, ...]) -> int:
    value = params[int(token.text[1:]) - 1] if token.kind == "variable" else token.text
    if type(value) is str and value.isdigit() and token.kind == "number":
        value = int(value)
    if type(value) is not int or value >= _ENDLESS:
        raise NotMaintainable("a LIMIT that is no integer")
    return value


def _asks_nullable(shape: Shape) -> bool:
    """Whether the WHERE looks at a table for which NULLs may stand."""
    nullable = [table for table in shape.tables if table.nullable]
    aliases = {fold(table.alias) for table in nullable}
    before = after = ""
    for token, following in zip_longest(shape.where, shape.where[1:]):
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
