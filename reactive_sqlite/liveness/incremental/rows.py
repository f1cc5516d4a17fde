"""Keeps the rows of a filter, a projection, a join, in order, with a window on them.

SQLite evaluates the conditions and expressions, for the changed rows only. What is done here is to
know which row of the result comes from which rows of the tables, and where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, NamedTuple

from reactive_sqlite.liveness.incremental.difference import (
    Edits,
    Entry,
    edited,
    ordered_step,
    window_step,
)
from reactive_sqlite.liveness.incremental.joined import JoinedRows
from reactive_sqlite.liveness.incremental.ordered import OrderedRows
from reactive_sqlite.liveness.incremental.sortkey import Direction, Key, SortKeys
from reactive_sqlite.liveness.incremental.step import Deferred, NotMaintainable, Step
from reactive_sqlite.liveness.incremental.texts import Extended, Read
from reactive_sqlite.values.change import ChangeSet, Image, same_image
from reactive_sqlite.values.comparison import ROWID
from reactive_sqlite.values.row import Row

MARGIN: Final = 100
"""Rows kept beyond a window, so that rows can leave it for a while without a query."""


#: Makes entries at C speed.
_ENTRY: Final = partial(tuple.__new__, Entry)


class Slice(NamedTuple):
    """OFFSET and LIMIT."""

    start: int
    stop: int


class RowsMaintainer:
    """The rows of one SELECT without aggregates, given with what identifies and sorts its rows.

    ``tie`` says that rows of equal sort keys come in the order of their rowids, as they do when
    SQLite scans one table by rowid; without it equal keys end the maintenance.
    """

    def __init__(
        self,
        extended: Extended,
        params: Sequence[Any],
        make: Callable[[Iterable[Any]], Row],
        window: Slice | None,
        *,
        tie: bool,
    ) -> None:
        shape = extended.shape
        self.tables = frozenset(table.info.key for table in shape.tables) | shape.nested.tables
        self._params = tuple(params)
        self._make = make
        self._window = window
        self._extended = extended
        self._tie = tie
        self._joined = JoinedRows(extended, self._params)
        self._keys = SortKeys(
            [Direction(t.descending, t.nulls_first, t.collation) for t in shape.order]
        )
        self._identity = self._joined.identity
        self._width = len(shape.outputs)
        self._from_image = self._image_reader()
        self._entries: dict[Any, Entry] = {}
        self._rows = OrderedRows.of((), ())
        self._shown: tuple[Row, ...] = ()
        self._complete = True

    # -- from scratch ---------------------------------------------------------------------------

    def seed(self, read: Read) -> None:
        """Run the whole query once. Raises `NotMaintainable`."""
        kept = self._entries
        if self._window is None:
            found = read(self._extended.whole(limited=False), self._params)
        else:
            most = 2 * self._window.stop + MARGIN
            found = read(self._extended.whole(limited=True), (*self._params, most))
            self._complete = len(found) < most
        columns = list(zip(*found, strict=True))
        if found and len(columns) != len(self._extended.columns):
            raise NotMaintainable("other columns than were expected")
        identities = list(map(self._identity, found))
        keys: list[Key] = []
        if found:
            keys = self._keys.many(
                [columns[place] for place in self._extended.order],
                identities if self._tie else None,
            )
        width, make = self._width, self._make
        if len(columns) > width:
            rows = [make(row[:width]) for row in found]
        else:
            rows = list(map(make, found))
        for place, identity in enumerate(identities if kept else ()):
            before = kept.get(identity)
            if before is not None and same_image(before.row, rows[place]):
                rows[place] = before.row
        self._rows = OrderedRows.of(keys, rows)
        entries = map(_ENTRY, zip(keys, rows, strict=True))
        self._entries = dict(zip(identities, entries, strict=True))
        if len(self._entries) != len(found):
            raise NotMaintainable("two rows from the same rows")
        self._joined.reset(identities)
        if self._window is not None:
            self._shown = self._rows.values(*self._window)

    def rows(self) -> Deferred | tuple[Row, ...]:
        """The rows of the result now."""
        return self._shown if self._window is not None else Deferred(self._rows.values)

    def edge(self) -> Row | None:
        """The last of the rows that are kept, None when all are."""
        return None if self._complete else self._rows.last()[1]

    # -- from the changes -----------------------------------------------------------------------

    def apply(self, change: ChangeSet, read: Read) -> Step:
        """The next state. Raises `NotMaintainable`; the state is of no use then."""
        touched, found = self._found(change, read)
        edits: Edits = []
        entries, last = self._entries, None if self._complete else self._rows.last()[0]
        for identity in {*touched, *found}:
            before, after = entries.get(identity), found.get(identity)
            if last is not None and after is not None and not after.key < last:
                after = None  # beyond what is kept
            if before is not None and after is not None:
                if same_image(before.row, after.row):
                    if before.key == after.key:
                        continue
                    after = Entry(after.key, before.row)
            elif before is after:
                continue
            edits.append((before, after))
            if after is None:
                del entries[identity]
                self._joined.forget(identity)
            else:
                entries[identity] = after
                if before is None:
                    self._joined.note(identity)
        if not edits:
            return Step(self.rows(), None)
        old = self._rows
        self._rows = new = edited(old, edits)
        if self._window is None:
            return ordered_step(old, new, edits)
        return self._windowed(self._window, edits, read)

    def _windowed(self, window: Slice, edits: Edits, read: Read) -> Step:
        was, size = self._shown, len(self._rows)
        if (size <= window.stop and not self._complete) or size > 4 * (window.stop + MARGIN):
            self.seed(read)
        now = self._rows.values(*window)
        self._shown = now
        return window_step(was, now, edits)

    def _found(self, change: ChangeSet, read: Read) -> tuple[set[Any], dict[Any, Entry]]:
        """The identities of rows that may have gone, and the entries of those that are there."""
        if self._from_image is None:
            touched, values = self._joined.changed(change, read)
            return touched, {key: self._entry(key, row) for key, row in values.items()}
        touched, present = self._joined.changed_of(change)
        found = {}
        for identity, row in present.items():
            assert row.new is not None
            found[identity] = self._entry(identity, self._from_image(row.new, row.new_rowid))
        return touched, found

    def _entry(self, identity: Any, values: tuple[Any, ...]) -> Entry:
        terms = [values[place] for place in self._extended.order]
        key = self._keys.one(terms, (identity,) if self._tie else ())
        row = values if len(values) == self._width else values[: self._width]
        return Entry(key, self._make(row))

    def _image_reader(self) -> Callable[[Image, int | None], tuple[Any, ...]] | None:
        """Gives the row of a SELECT of nothing but columns of all rows; None for any other."""
        columns, shape = self._extended.columns, self._extended.shape
        derived = any(table.derived for table in shape.tables)
        if not self._joined.single or derived or shape.where or None in columns:
            return None
        places = [column[1] for column in columns if column is not None]
        if ROWID not in places:
            pick = _getter(tuple(places))
            return lambda image, _: pick(image)
        return lambda image, rowid: tuple(
            rowid if place == ROWID else image[place] for place in places
        )


def _getter(places: tuple[int, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(places) == 1:
        place = places[0]
        return lambda row: (row[place],)
    return itemgetter(*places)
