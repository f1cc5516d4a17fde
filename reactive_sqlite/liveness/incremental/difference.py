"""From one state of a maintained result to the next; a difference is made when it is wanted."""

from __future__ import annotations

from collections import Counter
from operator import is_not, itemgetter
from typing import Final, NamedTuple, TypeAlias

from reactive_sqlite.liveness.incremental.ordered import OrderedRows
from reactive_sqlite.liveness.incremental.sortkey import Key
from reactive_sqlite.liveness.incremental.step import Deferred, Step
from reactive_sqlite.values.change import same_images
from reactive_sqlite.values.delta import Delta, same_rows
from reactive_sqlite.values.row import Row

_STRIDE: Final = 1024


class Entry(NamedTuple):
    """A row of the result and the key by which it sorts."""

    key: Key
    row: Row


#: What was and what is, None where there was or is nothing.
Edits: TypeAlias = list[tuple[Entry | None, Entry | None]]


def edited(rows: OrderedRows, edits: Edits) -> OrderedRows:
    """The rows after these edits."""
    return rows.changed(
        [before.key for before, _ in edits if before is not None],
        [after for _, after in edits if after is not None],
    )


def ordered_step(old: OrderedRows, new: OrderedRows, edits: Edits) -> Step:
    """From all rows as they were to all rows as they are."""
    rows = Deferred(new.values)
    if _shows_nothing(old, new, edits):
        return Step(rows, None)
    return Step(rows, lambda seq: _ordered_delta(old, new, edits, seq))


def window_step(was: tuple[Row, ...], now: tuple[Row, ...], edits: Edits) -> Step:
    """From the rows that a window showed to those that it shows."""
    if len(was) == len(now) and (not any(map(is_not, was, now)) or same_images(was, now)):
        return Step(now, None)
    pairs = {id(a.row): id(b.row) for b, a in edits if a is not None and b is not None}
    return Step(now, lambda seq: _window_delta(was, now, pairs, seq))


def _shows_nothing(old: OrderedRows, new: OrderedRows, edits: Edits) -> bool:
    """Whether the same rows stand at the same places all the same.

    A key may change and its row stay where it is; a row may give way to one that looks like it.
    """
    gone = [before for before, _ in edits if before is not None]
    come = [after for _, after in edits if after is not None]
    if len(gone) != len(come):
        return False
    if Counter(_mark(entry.row) for entry in gone) != Counter(_mark(entry.row) for entry in come):
        return False
    places = [old.position(entry.key) for entry in gone]
    places += [new.position(entry.key) for entry in come]
    first, last = min(places), max(places) + 1
    while first < last:
        some = min(first + _STRIDE, last)
        if not same_rows(old.values(first, some), new.values(first, some)):
            return False
        first = some
    return True


def _mark(row: Row) -> tuple[object, ...]:
    return (*row, *map(type, row))


def _ordered_delta(
    old: OrderedRows,
    new: OrderedRows,
    edits: Edits,
    version: int,
) -> Delta[Row]:
    """The difference that edits make, at the price of the edits."""
    taken = [(old.position(before.key), before.row) for before, _ in edits if before is not None]
    placed = [(new.position(after.key), after.row) for _, after in edits if after is not None]
    gone = [(old.position(b.key), b.row) for b, after in edits if b is not None and after is None]
    come = [(new.position(a.key), a.row) for before, a in edits if a is not None and before is None]
    pairs = [
        (new.position(after.key), before.row, after.row)
        for before, after in edits
        if before is not None and after is not None and before.row is not after.row
    ]
    first = itemgetter(0)
    return Delta(
        tuple(row for _, row in sorted(come, key=first)),
        tuple(row for _, row in sorted(gone, key=first)),
        tuple((was, now) for _, was, now in sorted(pairs, key=first)),
        version,
        tuple(sorted(place for place, _ in taken)),
        tuple(sorted(placed, key=first)),
    )


def _window_delta(
    was: tuple[Row, ...], now: tuple[Row, ...], pairs: dict[int, int], version: int
) -> Delta[Row]:
    """The difference of two short results that share the objects of their unchanged rows.

    ``pairs`` says of which old row (by ``id``) a new row is the update.
    """

    def partners(gone: list[int], come: list[int]) -> dict[int, int]:
        before = {id(was[place]): place for place in gone}
        found = {}
        for place in come:
            old = before.get(pairs.get(id(now[place]), 0))
            if old is not None:
                found[place] = old
        return found

    return Delta.matched(was, now, 0, list(map(id, was)), list(map(id, now)), version, partners)
