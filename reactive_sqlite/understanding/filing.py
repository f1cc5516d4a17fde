"""The drawers of a `RegionIndex`: entries of one table filed by a value, an interval or a prefix.

A drawer finds the entries that a changed row may concern, and asks each of them; what it does not
find surely says no.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, TypeAlias

from reactive_sqlite.values.change import Image, RowChange
from reactive_sqlite.values.comparison import UNSURE, Column, bound_of
from reactive_sqlite.values.intervals import IntervalSet
from reactive_sqlite.values.predicate import (
    NEVER,
    All,
    AnyOf,
    Equals,
    IsNull,
    OneOf,
    Predicate,
    Prefix,
    Range,
)
from reactive_sqlite.values.region import TableRegion, differ

Slip: TypeAlias = tuple[Hashable, Predicate]
"""Where to file an entry: the drawer, and the term that says where in it."""

_ABSENT: Final = object()


class Entry:
    """One `TableRegion` of one owner; `number` is the owner's place in order of registration."""

    __slots__ = ("by_value", "number", "part")

    def __init__(self, number: int, part: TableRegion) -> None:
        self.number = number
        self.part = part
        self.by_value = isinstance(part.predicate, Equals | OneOf | IsNull)
        """the predicate says no more than the values under which it is filed"""


Bucket: TypeAlias = "Entry | dict[Entry, None]"


class Equalities:
    """Entries by the value that one column must have; None is the key of IS NULL."""

    __slots__ = ("buckets", "column")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.buckets: dict[Any, Bucket] = {}

    def __len__(self) -> int:
        return len(self.buckets)

    def add(self, term: Any, entry: Entry) -> None:
        for key in _keys(term):
            bucket = self.buckets.get(key)
            # A key of its own is the usual case, and a dict for each would be the largest part.
            if bucket is None:
                self.buckets[key] = entry
            elif isinstance(bucket, dict):
                bucket[entry] = None
            else:
                self.buckets[key] = {bucket: None, entry: None}

    def discard(self, term: Any, entry: Entry) -> None:
        for key in _keys(term):
            bucket = self.buckets.get(key)
            if isinstance(bucket, dict):
                bucket.pop(entry, None)
                if bucket:
                    continue
            elif bucket is not entry:
                continue
            del self.buckets[key]

    def surely_lacks(self, image: Image | None) -> bool:
        """Whether nothing is filed under the value of this row, at a glance; no when in doubt."""
        if image is None:
            return True
        column = self.column
        value = image[column.position]
        kind = type(value)
        plain = (
            (kind is str and column.fold is None)
            or (kind is int and column.affinity != "TEXT")
            or value is None
        )
        return plain and value not in self.buckets

    def collect(self, changes: Iterable[RowChange], hits: set[int]) -> None:
        key_of, buckets, position = self.column.key, self.buckets, self.column.position
        # What most keys are, and then they compare as they are.
        as_it_is = int if self.column.affinity != "TEXT" else None
        for change in changes:
            before = after = _ABSENT
            old, new = change.old, change.new
            if old is not None:
                before = change.old_rowid if position < 0 else old[position]
                if type(before) is not as_it_is:
                    before = key_of(old, change.old_rowid)
            if new is not None:
                after = change.new_rowid if position < 0 else new[position]
                if type(after) is not as_it_is:
                    after = key_of(new, change.new_rowid)
            if before is UNSURE or after is UNSURE:
                for bucket in buckets.values():
                    _ask_each(bucket if isinstance(bucket, dict) else (bucket,), change, hits)
                continue
            moved = before != after
            if before in buckets:
                _ask(buckets[before], change, hits, moved)
            if moved and after in buckets:
                _ask(buckets[after], change, hits, moved)


class Ranges:
    """Entries by the interval in which one column must lie."""

    __slots__ = ("column", "intervals")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.intervals: IntervalSet[Entry] = IntervalSet()

    def __len__(self) -> int:
        return len(self.intervals)

    def add(self, term: Any, entry: Entry) -> None:
        self.intervals.add(term.low, term.high, entry)

    def discard(self, term: Any, entry: Entry) -> None:
        self.intervals.discard(term.low, term.high, entry)

    def collect(self, changes: Iterable[RowChange], hits: set[int]) -> None:
        for change in changes:
            before = _ABSENT
            for image, rowid in ((change.old, change.old_rowid), (change.new, change.new_rowid)):
                if image is None:
                    continue
                key = self.column.key(image, rowid)
                if key is UNSURE:
                    _ask_each(self.intervals, change, hits)
                elif key is not None and key != before:
                    _ask_each(self.intervals.at(bound_of(key)), change, hits)
                before = key


class Prefixes:
    """Entries by the beginning that one column must have."""

    __slots__ = ("buckets", "lengths", "sample")

    def __init__(self, sample: Prefix) -> None:
        self.sample = sample
        self.buckets: dict[str, dict[Entry, None]] = {}
        # How many of the prefixes have a length: a text begins with one prefix of each.
        self.lengths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.buckets)

    def add(self, term: Any, entry: Entry) -> None:
        bucket = self.buckets.setdefault(term.prefix, {})
        if not bucket:
            size = len(term.prefix)
            self.lengths[size] = self.lengths.get(size, 0) + 1
        bucket[entry] = None

    def discard(self, term: Any, entry: Entry) -> None:
        bucket = self.buckets.get(term.prefix)
        if bucket is None or entry not in bucket:
            return
        del bucket[entry]
        if not bucket:
            del self.buckets[term.prefix]
            size = len(term.prefix)
            self.lengths[size] -= 1
            if not self.lengths[size]:
                del self.lengths[size]

    def collect(self, changes: Iterable[RowChange], hits: set[int]) -> None:
        for change in changes:
            for image, rowid in ((change.old, change.old_rowid), (change.new, change.new_rowid)):
                if image is None:
                    continue
                text = self.sample.subject(image, rowid)
                if isinstance(text, str):
                    for length in self.lengths:
                        bucket = self.buckets.get(text[:length])
                        if bucket is not None:
                            _ask_each(bucket, change, hits)
                elif text is UNSURE:
                    for bucket in self.buckets.values():
                        _ask_each(bucket, change, hits)


Drawer: TypeAlias = Equalities | Ranges | Prefixes


class Residue:
    """Entries that cannot be looked up, by the columns they read: decided for all at once."""

    __slots__ = ("by_columns",)

    def __init__(self) -> None:
        self.by_columns: dict[tuple[int, ...] | None, dict[Entry, None]] = {}

    def add(self, entry: Entry) -> None:
        self.by_columns.setdefault(entry.part.positions, {})[entry] = None

    def discard(self, entry: Entry) -> None:
        left = self.by_columns[entry.part.positions]
        del left[entry]
        if not left:
            del self.by_columns[entry.part.positions]

    def collect(self, changes: Iterable[RowChange], hits: set[int]) -> None:
        for positions, entries in self.by_columns.items():
            waiting = [entry for entry in entries if entry.number not in hits]
            for change in changes:
                if not waiting:
                    break
                old, new = change.old, change.new
                # The columns of a predicate are among those read: if none of them differs, both
                # images are judged alike.
                if positions is None or old is None or new is None or differ(old, new, positions):
                    _ask_each(waiting, change, hits)
                    waiting = [entry for entry in waiting if entry.number not in hits]


def slips_for(predicate: Predicate) -> list[Slip] | None:
    """The drawers in which to file a predicate so that no match is missed; None: there are none."""
    if isinstance(predicate, Equals | OneOf | IsNull):
        return [((Equalities, predicate.column), predicate)]
    if isinstance(predicate, Range):
        return [((Ranges, predicate.column), predicate)]
    if isinstance(predicate, Prefix):
        return [((Prefixes, predicate.column, predicate.glob), predicate)]
    if isinstance(predicate, All):
        found = [slips for slips in map(slips_for, predicate.terms) if slips is not None]
        return min(found, key=_cost, default=None)
    if isinstance(predicate, AnyOf):
        branches = [slips_for(term) for term in predicate.terms]
        if None not in branches:
            return [slip for slips in branches for slip in slips or ()]
    return [] if predicate is NEVER else None


def drawer_for(term: Predicate) -> Drawer:
    """An empty drawer of the kind that a term is filed in."""
    if isinstance(term, Prefix):
        return Prefixes(term)
    if isinstance(term, Range):
        return Ranges(term.column)
    assert isinstance(term, Equals | OneOf | IsNull)
    return Equalities(term.column)


def _keys(term: Any) -> Iterable[Any]:
    if isinstance(term, Equals):
        return (term.value,)
    return term.values if isinstance(term, OneOf) else (None,)


def _ask(bucket: Bucket, change: RowChange, hits: set[int], moved: bool) -> None:
    """Ask what is filed under the value of a row; ``moved``: it had another before or after."""
    old, new = change.old, change.new
    for entry in bucket if isinstance(bucket, dict) else (bucket,):
        if entry.number in hits:
            continue
        part = entry.part
        if entry.by_value:
            # The predicate is satisfied before or after, and both times unless it has moved.
            touched = (
                moved
                or old is None
                or new is None
                or part.positions is None
                or differ(old, new, part.positions)
            )
        else:
            touched = part.touched_by_row(change)
        if touched:
            hits.add(entry.number)


def _ask_each(entries: Iterable[Entry], change: RowChange, hits: set[int]) -> None:
    for entry in entries:
        if entry.number not in hits and entry.part.touched_by_row(change):
            hits.add(entry.number)


def _cost(slips: list[Slip]) -> tuple[int, int]:
    # A value is worth more than an interval, one place to look in more than several.
    values = all(isinstance(term, Equals | OneOf | IsNull) for _, term in slips)
    return (0 if values else 1, len(slips))
