"""What rows give to their groups: the terms they are grouped by, and the arguments of aggregates.

A commit leaves nothing of a deleted row but its image. Of one table SQLite evaluates the
expressions on that (`Scratch`); what the rows of a join gave is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from reactive_sqlite.liveness.incremental.joined import JoinedRows, check_size
from reactive_sqlite.liveness.incremental.scratch import Scratch
from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.liveness.incremental.texts import Extended, Read, taken_by
from reactive_sqlite.understanding.analysis.clauses import text_of
from reactive_sqlite.understanding.analysis.items import Item
from reactive_sqlite.understanding.analysis.shape import Shape
from reactive_sqlite.values.change import ChangeSet, RowChange, same_image
from reactive_sqlite.values.comparison import ROWID
from reactive_sqlite.values.delta import same_rows

Given: TypeAlias = tuple[Any, ...]


class Contributions(Protocol):
    """What the rows of a SELECT give, and how a change alters it."""

    def every(self, read: Read) -> list[Given]:
        """What all rows give."""

    def changed(self, change: ChangeSet, read: Read, size: int) -> tuple[list[Given], list[Given]]:
        """What has come and what has gone, of so many; raises `NotMaintainable` if it is much."""


class ImageContributions:
    """Of the rows of one table, from their images.

    ``placed`` says that it may matter in which order rows come: a row that gives the same from
    another place is then not what it was.
    """

    def __init__(
        self,
        shape: Shape,
        items: Sequence[Item],
        params: Sequence[Any],
        scratch: Scratch,
        *,
        placed: bool,
    ) -> None:
        (table,) = shape.tables
        self._key = table.info.key
        self._scratch = scratch
        self._placed = placed
        where = f" WHERE {text_of(shape.where)}" if shape.where else ""
        wanted = ", ".join(item.text for item in items) or "1"
        self._sql = f"SELECT {wanted} FROM {shape.source}{where}"
        self._params = taken_by(self._sql, params)
        self._columns: list[int] | None = None
        """the places in an image, if columns of all rows are all that is given"""
        if not shape.where and not table.derived and all(item.column is not None for item in items):
            self._columns = [item.column[1] for item in items if item.column is not None]

    def every(self, read: Read) -> list[Given]:
        """See `Contributions`."""
        return read(self._sql, self._params)

    def changed(self, change: ChangeSet, read: Read, size: int) -> tuple[list[Given], list[Given]]:
        """See `Contributions`."""
        changes = change.rows.get(self._key, ())
        check_size(len(changes), size)
        come, gone = self._given(changes, True), self._given(changes, False)
        stays = len(changes) == 1 and changes[0].old_rowid == changes[0].new_rowid
        return _without_equals(come, gone) if stays or not self._placed else (come, gone)

    def _given(self, changes: Sequence[RowChange], new: bool) -> list[Given]:
        images = [(row.new, row.new_rowid) if new else (row.old, row.old_rowid) for row in changes]
        present = [(image, rowid) for image, rowid in images if image is not None]
        if not present:
            return []
        if self._columns is None:
            return self._scratch.run(self._sql, self._params, present)
        columns = self._columns
        return [
            tuple(rowid if place == ROWID else image[place] for place in columns)
            for image, rowid in present
        ]


class JoinContributions:
    """Of the rows of a join, kept."""

    def __init__(self, shape: Shape, items: Sequence[Item], params: Sequence[Any]) -> None:
        wanted = ", ".join(item.text for item in items) or "1"
        plain = replace(shape, select=wanted, outputs=tuple(items) or (Item(()),), order=())
        self._extended = Extended(plain, len(params))
        self._params = tuple(params)
        self._joined = JoinedRows(self._extended, params)
        self._width = len(items)
        self._given: dict[Any, Given] = {}

    def every(self, read: Read) -> list[Given]:
        """See `Contributions`."""
        query = self._extended.whole(limited=False)
        found = read(query, taken_by(query, self._params))
        identities = list(map(self._joined.identity, found))
        given = [values[: self._width] for values in found]
        self._given = dict(zip(identities, given, strict=True))
        if len(self._given) != len(found):
            raise NotMaintainable("two rows from the same rows")
        self._joined.reset(identities)
        return given

    def changed(self, change: ChangeSet, read: Read, size: int) -> tuple[list[Given], list[Given]]:
        """See `Contributions`."""
        touched, found = self._joined.changed(change, read)
        come: list[Given] = []
        gone: list[Given] = []
        for identity in {*touched, *found}:
            before, values = self._given.get(identity), found.get(identity)
            after = None if values is None else values[: self._width]
            if before is not None and after is not None and same_image(before, after):
                continue
            if before is not None:
                gone.append(before)
            if after is not None:
                come.append(after)
                self._given[identity] = after
                if before is None:
                    self._joined.note(identity)
            elif before is not None:
                del self._given[identity]
                self._joined.forget(identity)
        return come, gone


def _without_equals(come: list[Given], gone: list[Given]) -> tuple[list[Given], list[Given]]:
    """What comes and goes, without what does both."""
    if len(come) == len(gone) == 1:
        return ([], []) if same_rows(come, gone) else (come, gone)
    left = Counter((*row, *map(type, row)) for row in gone)
    kept = []
    for row in come:
        mark = (*row, *map(type, row))
        if left[mark] > 0:
            left[mark] -= 1
        else:
            kept.append(row)
    return kept, [mark[: len(mark) // 2] for mark in left.elements()]
