"""RegionIndex: which of many regions does a commit touch, at the cost of the touched ones.

For each table the regions are filed by how their predicate can be looked up: `column = value` and
IN under a hash of the value, ranges and prefixes in an interval structure, the rest one by one.
What is found that way is then asked itself, so the answer is exactly that of `Region.touched_by`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from reactive_sqlite.change import ChangeSet, RowChange
from reactive_sqlite.comparison import UNSURE, Column, bound_of
from reactive_sqlite.intervals import IntervalSet
from reactive_sqlite.predicate import (
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
from reactive_sqlite.region import Region, TableRegion, differ

T = TypeVar("T", bound=Hashable)
Positions: TypeAlias = "tuple[int, ...] | None"


class _Entry:
    """One `TableRegion` of one owner; `number` is the owner's place in order of registration."""

    __slots__ = ("number", "part")

    def __init__(self, number: int, part: TableRegion) -> None:
        self.number = number
        self.part = part


class _Equalities:
    """Entries by the value that one column must have; None is the key of IS NULL."""

    __slots__ = ("buckets", "column")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.buckets: dict[Any, _Entry | dict[_Entry, None]] = {}

    def add(self, term: Any, entry: _Entry) -> None:
        for key in _keys(term):
            bucket = self.buckets.get(key)
            # A key of its own is the usual case, and a dict for each would be the largest part.
            if bucket is None:
                self.buckets[key] = entry
            elif isinstance(bucket, dict):
                bucket[entry] = None
            else:
                self.buckets[key] = {bucket: None, entry: None}

    def discard(self, term: Any, entry: _Entry) -> None:
        for key in _keys(term):
            bucket = self.buckets.get(key)
            if isinstance(bucket, dict):
                bucket.pop(entry, None)
                if bucket:
                    continue
            elif bucket is not entry:
                continue
            del self.buckets[key]

    def candidates(self, change: RowChange) -> Iterator[_Entry]:
        column = self.column
        before = after = UNSURE
        if change.old is not None:
            before = column.key(change.old, change.old_rowid)
            yield from self._at(before)
        if change.new is not None:
            after = column.key(change.new, change.new_rowid)
            if change.old is None or after is UNSURE or after != before:
                yield from self._at(after)

    def _at(self, key: Any) -> Iterable[_Entry]:
        if key is UNSURE:
            return [entry for bucket in self.buckets.values() for entry in _entries(bucket)]
        return _entries(self.buckets.get(key))


class _Ranges:
    """Entries by the interval in which one column must lie."""

    __slots__ = ("column", "intervals")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.intervals: IntervalSet[_Entry] = IntervalSet()

    def add(self, term: Any, entry: _Entry) -> None:
        self.intervals.add(term.low, term.high, entry)

    def discard(self, term: Any, entry: _Entry) -> None:
        self.intervals.discard(term.low, term.high, entry)

    def candidates(self, change: RowChange) -> Iterator[_Entry]:
        for image, rowid in ((change.old, change.old_rowid), (change.new, change.new_rowid)):
            if image is None:
                continue
            key = self.column.key(image, rowid)
            if key is UNSURE:
                yield from self.intervals
            elif key is not None:
                yield from self.intervals.at(bound_of(key))


class _Prefixes:
    """Entries by the beginning that one column must have."""

    __slots__ = ("entries", "lengths", "sample")

    def __init__(self, sample: Prefix) -> None:
        self.sample = sample
        self.entries: dict[str, dict[_Entry, None]] = {}
        self.lengths: dict[int, int] = {}

    def add(self, term: Any, entry: _Entry) -> None:
        bucket = self.entries.setdefault(term.prefix, {})
        if not bucket:
            size = len(term.prefix)
            self.lengths[size] = self.lengths.get(size, 0) + 1
        bucket[entry] = None

    def discard(self, term: Any, entry: _Entry) -> None:
        bucket = self.entries.get(term.prefix)
        if bucket is None or bucket.pop(entry, entry) is entry:
            return
        if not bucket:
            del self.entries[term.prefix]
            size = len(term.prefix)
            self.lengths[size] -= 1
            if not self.lengths[size]:
                del self.lengths[size]

    def candidates(self, change: RowChange) -> Iterator[_Entry]:
        for image, rowid in ((change.old, change.old_rowid), (change.new, change.new_rowid)):
            if image is None:
                continue
            text = self.sample.subject(image, rowid)
            if isinstance(text, str):
                for length in self.lengths:
                    yield from self.entries.get(text[:length], ())
            elif text is UNSURE:
                for bucket in self.entries.values():
                    yield from bucket


_Group: TypeAlias = "_Equalities | _Ranges | _Prefixes"
_Path: TypeAlias = tuple[Hashable, Predicate]


def _keys(term: Any) -> Iterable[Any]:
    if isinstance(term, Equals):
        return (term.value,)
    return term.values if isinstance(term, OneOf) else (None,)


def _entries(bucket: _Entry | dict[_Entry, None] | None) -> Iterable[_Entry]:
    if bucket is None:
        return ()
    return bucket if isinstance(bucket, dict) else (bucket,)


def _paths(predicate: Predicate) -> list[_Path] | None:
    """The groups in which to file a predicate so that no match is missed; None: no such groups."""
    if isinstance(predicate, Equals | OneOf | IsNull):
        return [((_Equalities, predicate.column), predicate)]
    if isinstance(predicate, Range):
        return [((_Ranges, predicate.column), predicate)]
    if isinstance(predicate, Prefix):
        return [((_Prefixes, predicate.column, predicate.glob), predicate)]
    if isinstance(predicate, All):
        found = [paths for paths in map(_paths, predicate.terms) if paths is not None]
        return min(found, key=_cost, default=None)
    if isinstance(predicate, AnyOf):
        branches = [_paths(term) for term in predicate.terms]
        if None not in branches:
            return [path for paths in branches for path in paths or ()]
    return [] if predicate is NEVER else None


def _cost(paths: list[_Path]) -> tuple[int, int]:
    # A value is worth more than an interval, one place to look in more than several.
    worst = max(
        (0 if isinstance(term, Equals | OneOf | IsNull) else 1 for _, term in paths), default=0
    )
    return (worst, len(paths))


class _Table:
    """All that is registered on one table."""

    __slots__ = ("entries", "groups", "residue")

    def __init__(self) -> None:
        self.entries: dict[_Entry, None] = {}
        self.groups: dict[Hashable, _Group] = {}
        # What cannot be looked up, by the columns read: one comparison decides for all of them.
        self.residue: dict[Positions, dict[_Entry, None]] = {}

    def add(self, entry: _Entry) -> None:
        self.entries[entry] = None
        paths = _paths(entry.part.predicate)
        if paths is None:
            self.residue.setdefault(entry.part.positions, {})[entry] = None
            return
        for key, term in paths:
            group = self.groups.get(key)
            if group is None:
                group = self.groups[key] = _group_for(term)
            group.add(term, entry)

    def discard(self, entry: _Entry) -> None:
        del self.entries[entry]
        paths = _paths(entry.part.predicate)
        if paths is None:
            left = self.residue[entry.part.positions]
            del left[entry]
            if not left:
                del self.residue[entry.part.positions]
            return
        for key, term in paths:
            self.groups[key].discard(term, entry)

    def touched(self, change: RowChange, hits: set[int]) -> None:
        """Add the numbers of the owners that this change of a row touches."""
        for group in self.groups.values():
            for entry in group.candidates(change):
                if entry.number not in hits and entry.part.touched_by_row(change):
                    hits.add(entry.number)
        old, new = change.old, change.new
        for positions, entries in self.residue.items():
            # The columns of the predicate are among those read: if none of them differs, both
            # images are judged alike.
            if (
                positions is not None
                and old is not None
                and new is not None
                and not differ(old, new, positions)
            ):
                continue
            for entry in entries:
                if entry.number not in hits and entry.part.touched_by_row(change):
                    hits.add(entry.number)


def _group_for(term: Predicate) -> _Group:
    if isinstance(term, Prefix):
        return _Prefixes(term)
    if isinstance(term, Range):
        return _Ranges(term.column)
    assert isinstance(term, Equals | OneOf | IsNull)
    return _Equalities(term.column)


class RegionIndex(Generic[T]):
    """Owners (live queries) by region. Not thread-safe: its user holds a lock."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self._owners: dict[int, T] = {}
        self._filed: dict[T, tuple[int, Region, tuple[_Entry, ...]]] = {}
        self._everything: dict[int, None] = {}
        self._next = 0

    def add(self, owner: T, region: Region) -> None:
        """Register an owner; one that is known already gets this region, and keeps no other."""
        self.discard(owner)
        number = self._next
        self._next += 1
        if region.everything:
            self._everything[number] = None
        entries = tuple([_Entry(number, part) for part in region.tables])
        for entry in entries:
            table = self._tables.get(entry.part.table)
            if table is None:
                table = self._tables[entry.part.table] = _Table()
            table.add(entry)
        self._owners[number] = owner
        self._filed[owner] = (number, region, entries)

    def discard(self, owner: T) -> None:
        """Forget an owner; nothing happens if it is not known."""
        filed = self._filed.pop(owner, None)
        if filed is None:
            return
        number, _, entries = filed
        del self._owners[number]
        self._everything.pop(number, None)
        for entry in entries:
            table = self._tables[entry.part.table]
            table.discard(entry)
            if not table.entries:
                del self._tables[entry.part.table]

    def watches(self, table: str) -> bool:
        """Whether a region names this table, by its key, or everything."""
        return table in self._tables or bool(self._everything)

    def touched(self, change: ChangeSet) -> list[T]:
        """The owners whose `region.touched_by(change)` is true, in order of registration."""
        if change.everything or change.schema:
            return list(self._owners.values())
        if not change:
            return []
        hits = set(self._everything)
        for key in change.tables:
            table = self._tables.get(key)
            if table is not None:
                hits.update(entry.number for entry in table.entries)
        for key, rows in change.rows.items():
            table = self._tables.get(key)
            if table is not None and key not in change.tables:
                for row in rows:
                    table.touched(row, hits)
        return [self._owners[number] for number in sorted(hits)]

    def __len__(self) -> int:
        return len(self._filed)
