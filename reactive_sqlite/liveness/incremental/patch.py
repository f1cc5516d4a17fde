"""Patches rows of a result in place, when a commit can have changed nothing but their values.

When no column changes that decides which rows are shown, and where, what is left is to write the
new values into the rows that are shown. Nothing is kept for that. Where plain columns are shown no
query is run; expressions, and subqueries in the select list, SQLite evaluates for the few rows that
the commit can have touched: those of a subquery's table are found by its `Link`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, Protocol

from reactive_sqlite.driver.errors import DatabaseError
from reactive_sqlite.liveness.incremental.decisive import (
    Decisive,
    Places,
    RowKey,
    column_of,
    decisive_of,
)
from reactive_sqlite.liveness.incremental.step import NotMaintainable, Step
from reactive_sqlite.liveness.incremental.texts import (
    Extended,
    Read,
    below,
    flat,
    in_batches,
    positional,
)
from reactive_sqlite.understanding.analysis.nested import HARMLESS, Link
from reactive_sqlite.understanding.analysis.parse import NotUnderstoodError
from reactive_sqlite.understanding.analysis.shape import Shape, shape_of
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet, Image, same_image
from reactive_sqlite.values.delta import Delta
from reactive_sqlite.values.row import Row, row_class

logger = logging.getLogger("reactive_sqlite")

Params = Sequence[Any] | Mapping[str, Any]
#: A row of a result: its place, what it was, what it is.
Update = tuple[int, Row, Row]

#: Changed rows that are patched at most, and rows of a result in which they are looked for.
FEW: Final = 16
SMALL: Final = 1000


class Patch(Protocol):
    """What is to be known of a statement to patch its result. Immutable."""

    asks: bool
    """whether it runs queries"""

    def apply(
        self,
        value: tuple[Row, ...],
        change: ChangeSet,
        places: Places | None,
        read: Read,
        params: Params,
    ) -> Step | None:
        """The next state of the rows ``value``; None when the change may have done more to them.

        ``places`` is what was remembered from one patch of this result to the next; None for a
        result of one row, which is found without.
        """


class ImagePatch:
    """Of plain columns of one table; ``columns`` are their positions in it."""

    __slots__ = ("_decisive", "_row", "_shown")

    asks = False

    def __init__(self, decisive: Decisive, columns: Sequence[int], row: type[Row]) -> None:
        self._decisive = decisive
        self._row = row
        self._shown: Callable[[Image], Image] = (
            itemgetter(*columns) if len(columns) > 1 else lambda image: (image[columns[0]],)
        )

    def apply(
        self,
        value: tuple[Row, ...],
        change: ChangeSet,
        places: Places | None,
        read: Read,
        params: Params,
    ) -> Step | None:
        """See `Patch`. Runs no query."""
        decisive = self._decisive
        if change.schema or change.everything or decisive.table in change.tables:
            return None
        rows = change.rows.get(decisive.table, ())
        if not 0 < len(rows) <= FEW or len(value) > SMALL:
            return None
        for row in rows:
            if not decisive.leaves(row):
                return None
        by_key = _places_of(value, decisive.key, places)
        updated: list[Update] = []
        for row in rows:
            old, new = row.old, row.new
            assert old is not None
            assert new is not None
            place = by_key.get(decisive.key.of(new))
            if place is None:
                continue  # not shown, and will not be
            shown, values = value[place], self._shown(new)
            if type(shown) is not self._row or shown != self._shown(old):
                return None  # the value is not what it should have been
            if not same_image(shown, values):
                updated.append((place, shown, tuple.__new__(self._row, values)))
        return _patched(value, updated, places)


class QueryPatch:
    """Of expressions and subqueries over the rows of one table."""

    __slots__ = ("_decisive", "_few", "_links", "_loose", "_row", "_statement", "_tables")

    asks = True

    def __init__(self, statement: Statement, shape: Shape, decisive: Decisive) -> None:
        self._decisive = decisive
        self._statement = statement
        self._row = row_class(statement.access.columns)
        self._few = Extended(shape, len(statement.access.bindings))
        columns = [item.column for item in shape.outputs]
        nested = shape.nested
        self._links: list[tuple[Link, int]] = [
            (link, columns.index(link.outer)) for link in nested.links if link.outer in columns
        ]
        unseen = {link.table for link in nested.links if link.outer not in columns}
        self._loose = nested.loose | unseen
        self._tables = nested.tables | {decisive.table}

    def check(self, read: Read, params: Params) -> None:
        """Raise `NotMaintainable` if SQLite goes about one row in another way than about all."""
        shape, values = self._few.shape, positional(params, self._statement)
        whole = read(f"EXPLAIN QUERY PLAN {shape.text}", values)
        some = read(f"EXPLAIN QUERY PLAN {self._sql(1)}", (*values, *self._identity(1)))
        if below(whole) != below(some):
            raise NotMaintainable("a subquery that is run in another way for one row")
        # To sort them it may evaluate rows that are not shown in the end, and find an error.
        sorts = any(line[-1].startswith("USE TEMP B-TREE") for line in whole)
        if shape.limit is not None and sorts and not self._statement.access.functions <= HARMLESS:
            raise NotMaintainable("functions of rows that are not shown")

    def _identity(self, count: int) -> list[Any]:
        return [None] * (count * len(self._decisive.key.positions))

    def _sql(self, count: int) -> str:
        return self._few.some(0, count, self._decisive.key.positions)

    def apply(
        self,
        value: tuple[Row, ...],
        change: ChangeSet,
        places: Places | None,
        read: Read,
        params: Params,
    ) -> Step | None:
        """See `Patch`. Runs a query for the touched rows, none when they are not shown."""
        if change.schema or change.everything or not change.tables.isdisjoint(self._tables):
            return None
        if len(value) > SMALL or (value and type(value[0]) is not self._row):
            return None
        by_key = _places_of(value, self._decisive.key, places)
        if len(by_key) != len(value):
            return None  # rows of one key, which is NULL; or it is not what it should have been
        touched = self._touched(value, by_key, change)
        if touched is None or len(touched) > FEW:
            return None
        if not touched:
            return _patched(value, [], places)
        try:
            updated = self._updated(value, by_key, touched, read, params)
        except (NotMaintainable, DatabaseError, UnicodeDecodeError):
            return None  # the fresh run will say what is wrong, if anything is
        except Exception:
            # Whoever commits must not suffer for it, and the fresh run is right.
            logger.exception("a result could not be patched: %s", self._statement.sql)
            return None
        return None if updated is None else _patched(value, updated, places)

    def _touched(
        self, value: tuple[Row, ...], by_key: dict[Any, int], change: ChangeSet
    ) -> set[Any] | None:
        """The keys of the rows that a change can have touched, None when it may do more."""
        decisive = self._decisive
        touched: set[Any] = set()
        for table, rows in change.rows.items():
            if table not in self._tables:
                continue
            if table in self._loose or len(rows) > FEW:
                return None
            if table == decisive.table:
                if not all(map(decisive.leaves, rows)):
                    return None
                touched.update(decisive.key.of(row.new) for row in rows if row.new is not None)
            for link, place in self._links:
                if link.table == table:
                    values = link.values(rows)
                    if values is None:
                        return None
                    if decisive.key.places == (place,):
                        touched |= values
                    else:
                        shown = zip(column_of(value, place), by_key, strict=True)
                        touched.update(key for outer, key in shown if outer in values)
        return touched & by_key.keys()

    def _updated(
        self,
        value: tuple[Row, ...],
        by_key: dict[Any, int],
        touched: set[Any],
        read: Read,
        params: Params,
    ) -> list[Update] | None:
        bound = positional(params, self._statement)
        fresh: list[Row] = []
        for piece in in_batches(touched):
            found = read(self._sql(len(piece)), (*bound, *flat(piece)))
            fresh += [tuple.__new__(self._row, row) for row in found]
        now = dict(zip(self._decisive.key.shown(fresh), fresh, strict=True))
        if len(now) != len(fresh) or now.keys() != touched:
            return None  # the value is not what it should have been
        updates = [(by_key[key], value[by_key[key]], row) for key, row in now.items()]
        return [update for update in updates if not same_image(update[1], update[2])]


def _places_of(value: tuple[Row, ...], key: RowKey, places: Places | None) -> dict[Any, int]:
    if places is not None:
        return places.of(value, key)
    if len(value) == 1 and len(key.places) == 1:
        return {tuple.__getitem__(value[0], key.places[0]): 0}
    return key.numbered(value)


def _patched(value: tuple[Row, ...], updated: list[Update], places: Places | None) -> Step:
    if not updated:
        return Step(value, None)
    if len(updated) > 1:
        updated.sort()
    after = list(value)
    for place, _, now in updated:
        after[place] = now
    result = tuple(after)
    if places is not None:
        places.stay(result)
    return Step(result, partial(_delta, updated))


def _delta(updated: Sequence[Update], version: int) -> Delta[Row]:
    return Delta(
        (),
        (),
        tuple((old, new) for _, old, new in updated),
        version,
        tuple(place for place, _, _ in updated),
        tuple((place, new) for place, _, new in updated),
    )


def patch_of(statement: Statement, catalog: Catalog, read: Read, params: Params) -> Patch | None:
    """How the result of a statement is patched, None if it cannot be."""
    shape = shape_of(statement, catalog)
    decisive = decisive_of(shape) if shape is not None else None
    if shape is None or decisive is None:
        return None
    table = shape.tables[0].info
    columns = [item.column[1] for item in shape.outputs if item.column is not None]
    if len(columns) == len(shape.outputs):
        # What the engine reads and is neither shown nor decisive was not understood.
        known = {*columns, *decisive.positions}
        if all(table.position(n) in known for n in statement.access.reads[table.key] - {"rowid"}):
            return ImagePatch(decisive, columns, row_class(statement.access.columns))
        return None
    try:
        patch = QueryPatch(statement, shape, decisive)
        patch.check(read, params)
    except (NotMaintainable, NotUnderstoodError, DatabaseError, UnicodeDecodeError):
        return None
    except Exception:
        # As in `QueryPatch.apply`: the query is run as ever.
        logger.exception("a result could not be patched: %s", statement.sql)
        return None
    return patch
