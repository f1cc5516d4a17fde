"""What changed between two values of a live query."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import Any, Generic, TypeVar

from reactive_sqlite.values.change import same_image, same_images

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Delta(Generic[R]):
    """The difference between a value and the one before it.

    ``added`` and ``removed`` are rows, ``updated`` pairs of (old row, new row) of the same key;
    rows without a known key are removed and added. ``version`` is the number of the commit.
    Rows are compared as SQLite's values are, types included; equal rows count as often as they
    occur.

    Positions: ``taken`` are the places, ascending, in the value before of the rows to take out;
    ``placed`` are pairs (place in the new value, row), ascending, of the rows to put in then. An
    updated row is taken and placed; so is one that is the same and only comes at another place,
    which is in neither of the other three. `apply` does it.

    >>> Delta.between([(1, 'a'), (2, 'b')], [(2, 'B'), (3, 'c')], version=5, key=(0,))
    Delta(added=((3, 'c'),), removed=((1, 'a'),), updated=(((2, 'b'), (2, 'B')),), version=5)
    """

    added: tuple[R, ...]
    removed: tuple[R, ...]
    updated: tuple[tuple[R, R], ...]
    version: int
    taken: tuple[int, ...] = field(default=(), repr=False, compare=False)
    placed: tuple[tuple[int, R], ...] = field(default=(), repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.updated or self.taken or self.placed)

    def apply(self, rows: Iterable[R]) -> tuple[R, ...]:
        """The value after, from the value before: all deltas in order, from ``()``, give the value.

        >>> old, new = [(1, 'a'), (2, 'b')], [(2, 'B'), (1, 'a'), (2, 'b')]
        >>> Delta.between(old, new, version=1).apply(old)
        ((2, 'B'), (1, 'a'), (2, 'b'))
        """
        result = list(rows)
        if len(self.taken) + len(self.placed) <= 64:
            for place in reversed(self.taken):
                del result[place]
            for place, row in self.placed:
                result.insert(place, row)
            return tuple(result)
        gone = set(self.taken)
        kept = (row for place, row in enumerate(result) if place not in gone)
        after: list[R] = []
        for place, row in self.placed:
            after += islice(kept, place - len(after))
            after.append(row)
        after += kept
        return tuple(after)

    @classmethod
    def between(
        cls,
        old: Sequence[R],
        new: Sequence[R],
        *,
        version: int,
        key: tuple[int, ...] | None = None,
    ) -> Delta[R]:
        """The difference of two results; ``key`` says which columns tell rows apart."""
        start, end = same_ends(old, new)
        was, now = old[start : len(old) - end], new[start : len(new) - end]
        if not was:
            return cls(tuple(now), (), (), version, (), tuple(enumerate(now, start)))
        if not now:
            return cls((), tuple(was), (), version, tuple(range(start, start + len(was))))
        partners = None if key is None else _same_key(was, now, key)
        before, after = list(map(_exact, was)), list(map(_exact, now))
        try:
            return cls.matched(was, now, start, before, after, version, partners)
        except TypeError:  # dicts, sets and the like, as a function may return them
            before, after = _numbered(was, now)
            return cls.matched(was, now, start, before, after, version, partners)

    @classmethod
    def matched(
        cls,
        was: Sequence[R],
        now: Sequence[R],
        start: int,
        marks_before: Sequence[Hashable],
        marks_after: Sequence[Hashable],
        version: int,
        partners: Callable[[list[int], list[int]], dict[int, int]] | None,
    ) -> Delta[R]:
        """The difference of two parts of results that begin at place ``start``.

        Rows of equal marks are the same row. Of the places of those that have no equal,
        ``partners`` says which new one (the key) is an old one (the value) that was updated.
        """
        there: dict[Hashable, list[int]] = {}
        for place in range(len(was) - 1, -1, -1):
            there.setdefault(marks_before[place], []).append(place)
        kept: list[tuple[int, int]] = []
        come: list[int] = []
        for place, mark in enumerate(marks_after):
            places = there.get(mark)
            if places:
                kept.append((places.pop(), place))
            else:
                come.append(place)
        gone = sorted(chain.from_iterable(there.values()))
        moved = _out_of_order(kept)
        updates = partners(gone, come) if partners is not None and gone and come else {}
        updated_before = set(updates.values())
        taken = sorted([*gone, *(before for before, _ in moved)])
        placed = sorted([*come, *(after for _, after in moved)])
        return cls(
            tuple(now[place] for place in come if place not in updates),
            tuple(was[place] for place in gone if place not in updated_before),
            tuple((was[updates[place]], now[place]) for place in come if place in updates),
            version,
            tuple(start + place for place in taken),
            tuple((start + place, now[place]) for place in placed),
        )

    def converted(self, convert: Callable[[R], S]) -> Delta[S]:
        """The same difference with every row converted."""
        return Delta(
            tuple(map(convert, self.added)),
            tuple(map(convert, self.removed)),
            tuple((convert(old), convert(new)) for old, new in self.updated),
            self.version,
            self.taken,
            tuple((place, convert(row)) for place, row in self.placed),
        )


def same_rows(old: Sequence[Any], new: Sequence[Any]) -> bool:
    """Whether two results are equal, types included: 1 is not 1.0 here."""
    if all(issubclass(kind, tuple) for kind in {*map(type, old), *map(type, new)}):
        return same_images(old, new)
    return old == new and all(map(_alike, old, new))


def _alike(old: Any, new: Any) -> bool:
    if old is new:
        return True
    if isinstance(old, tuple):
        return same_image(old, new)
    return same_image((old,), (new,))


_STRIDE = 256


def same_ends(old: Sequence[Any], new: Sequence[Any]) -> tuple[int, int]:
    """How many rows are the same at the start and, of the rest, at the end."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and same_rows(old[start : start + _STRIDE], new[start : start + _STRIDE]):
        start += _STRIDE
    start = min(start, shorter)
    while start < shorter and old[start] == new[start] and _alike(old[start], new[start]):
        start += 1
    shorter -= start
    end = 0
    before, after = len(old), len(new)
    while end + _STRIDE <= shorter and same_rows(
        old[before - end - _STRIDE : before - end], new[after - end - _STRIDE : after - end]
    ):
        end += _STRIDE
    while end < shorter:
        was, now = old[before - end - 1], new[after - end - 1]
        if was != now or not _alike(was, now):
            break
        end += 1
    return start, end


def _exact(row: Any) -> Hashable:
    # 1 and 1.0, or 0.0 and -0.0, are equal in Python and two values in a database.
    values = row if isinstance(row, tuple) else (row,)
    exact = (*values, *map(type, values))
    return (*exact, repr(values)) if 0.0 in values else exact


def _numbered(was: Sequence[Any], now: Sequence[Any]) -> tuple[list[Hashable], list[Hashable]]:
    """Marks for rows that have no hash: each is compared with those that may equal it."""
    known: dict[Hashable, list[tuple[int, Any]]] = {}
    numbers = count()

    def number(row: Any) -> Hashable:
        drawer = known.setdefault(_like(row), [])
        for found, other in drawer:
            if _alike(row, other):
                return found
        drawer.append((next(numbers), row))
        return drawer[-1][0]

    return [number(row) for row in was], [number(row) for row in now]


def _like(value: Any) -> Hashable:
    """The same for values that are equal, and seldom so for others."""
    if isinstance(value, Mapping):
        return frozenset((name, _like(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_like, value))
    if isinstance(value, Set):
        return frozenset(value)
    marked: Hashable = value
    try:
        hash(marked)
    except TypeError:
        return type(value).__name__
    return marked


def _same_key(
    was: Sequence[Any], now: Sequence[Any], key: tuple[int, ...]
) -> Callable[[list[int], list[int]], dict[int, int]]:
    def partners(gone: list[int], come: list[int]) -> dict[int, int]:
        by_key = {tuple(was[place][column] for column in key): place for place in gone}
        found = {}
        for place in come:
            before = by_key.pop(tuple(now[place][column] for column in key), None)
            if before is not None:
                found[place] = before
        return found

    return partners


def _out_of_order(kept: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of pairs (place before, place after), sorted by the latter, the fewest that must move."""
    if all(left[0] < right[0] for left, right in zip(kept, islice(kept, 1, None), strict=False)):
        return []
    # What stays is a longest ascending run of places before (patience sorting).
    tops: list[int] = []
    piles: list[int] = []
    back: list[int] = []
    for number, (before, _) in enumerate(kept):
        pile = bisect_left(tops, before)
        back.append(piles[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(before)
            piles.append(number)
        else:
            tops[pile], piles[pile] = before, number
    stays = set()
    number = piles[-1]
    while number >= 0:
        stays.add(number)
        number = back[number]
    return [pair for number, pair in enumerate(kept) if number not in stays]
