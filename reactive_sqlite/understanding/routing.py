"""RegionIndex: which of many regions does a commit touch, at the cost of the touched ones.

For each table the regions are filed by how their predicate can be looked up (see `filing`):
`column = value` and IN under a hash of the value, ranges in an interval tree, prefixes under their
text, the rest one by one. What is found that way is then asked itself, so the answer is exactly
that of `Region.touched_by`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from reactive_sqlite.understanding.filing import (
    Drawer,
    Entry,
    Equalities,
    Residue,
    drawer_for,
    slips_for,
)
from reactive_sqlite.values.change import ChangeSet
from reactive_sqlite.values.region import Region

T = TypeVar("T", bound=Hashable)

#: Drawers of one table in which each changed row is looked for at once; of more it is recorded.
FEW = 4


class TableReaders:
    """All that is registered on one table."""

    __slots__ = ("by_columns", "by_value", "drawers", "residue")

    def __init__(self) -> None:
        self.by_columns: dict[tuple[int, ...] | None, dict[Entry, None]] = {}
        """all entries, by the positions of the columns that they read; no empty ones"""
        self.drawers: dict[Hashable, Drawer] = {}
        self.residue = Residue()
        self.by_value: tuple[Equalities, ...] | None = None
        """the drawers, if everything lies in a few that go by value

        Of a row whose value in the column of each is not among its ``buckets``, before and after a
        change, nobody needs to hear.
        """

    def add(self, entry: Entry) -> None:
        self.by_columns.setdefault(entry.part.positions, {})[entry] = None
        slips = slips_for(entry.part.predicate)
        if slips is None:
            self.residue.add(entry)
            self.by_value = None
            return
        for key, term in slips:
            drawer = self.drawers.get(key)
            if drawer is None:
                drawer = self.drawers[key] = drawer_for(term)
                self._sum_up()
            drawer.add(term, entry)

    def discard(self, entry: Entry) -> None:
        left = self.by_columns[entry.part.positions]
        del left[entry]
        if not left:
            del self.by_columns[entry.part.positions]
        slips = slips_for(entry.part.predicate)
        if slips is None:
            self.residue.discard(entry)
            self._sum_up()
            return
        for key, term in slips:
            drawer = self.drawers.get(key)
            if drawer is not None:
                drawer.discard(term, entry)
                if not drawer:  # it may be of a column that is gone
                    del self.drawers[key]
                    self._sum_up()

    def _sum_up(self) -> None:
        found = tuple([d for d in self.drawers.values() if isinstance(d, Equalities)])
        few = len(found) == len(self.drawers) <= FEW and not self.residue.by_columns
        self.by_value = found if few else None

    def readers_of(self, columns: frozenset[int] | None) -> list[dict[Entry, None]]:
        """Those who read any of these columns, in groups; None: of all columns."""
        return [
            entries
            for positions, entries in list(self.by_columns.items())
            if columns is None or positions is None or not columns.isdisjoint(positions)
        ]


class RegionIndex(Generic[T]):
    """Owners (live queries) by region. Not thread-safe: its user holds a lock.

    >>> from reactive_sqlite.values.region import TableRegion
    >>> index = RegionIndex()
    >>> index.add("a query", Region.of(TableRegion("tasks")))
    >>> index.touched(ChangeSet(1, tables=frozenset({"tasks"})))
    ['a query']
    """

    def __init__(self) -> None:
        self.by_table: dict[str, TableReaders] = {}
        """who reads a table, by its key; no empty ones"""
        self._owners: dict[int, T] = {}
        self._filed: dict[T, tuple[int, tuple[Entry, ...]]] = {}
        self.everything: dict[int, None] = {}
        """the numbers of those who read everything"""
        self._next = 0
        self.additions = 0
        """how often something was registered: what was asked before may have another answer"""

    def add(self, owner: T, region: Region) -> None:
        """Register an owner; one that is known already gets this region, in the place it has."""
        number, before = self._filed.get(owner, (self._next, ()))
        if number == self._next:
            self._next += 1
        if region.everything:
            self.everything[number] = None
        entries = tuple([Entry(number, part) for part in region.tables])
        for entry in entries:
            table = self.by_table.get(entry.part.table)
            if table is None:
                table = self.by_table[entry.part.table] = TableReaders()
            table.add(entry)
        self._owners[number] = owner
        self._filed[owner] = (number, entries)
        # Only now: `watches` is asked without a lock, and nobody may find the owner absent.
        if not region.everything:
            self.everything.pop(number, None)
        self._remove(before)
        self.additions += 1  # last: see `ChangeRecorder`, which looks at it first, without a lock

    def discard(self, owner: T) -> None:
        """Forget an owner; nothing happens if it is not known."""
        number, entries = self._filed.pop(owner, (-1, ()))
        if number >= 0:
            del self._owners[number]
            self.everything.pop(number, None)
            self._remove(entries)

    def clear(self) -> None:
        """Forget all owners."""
        for known in (self.by_table, self._owners, self._filed, self.everything):
            known.clear()

    def _remove(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            table = self.by_table[entry.part.table]
            table.discard(entry)
            if not table.by_columns:
                del self.by_table[entry.part.table]

    def watches(self, table: str) -> bool:
        """Whether a region names this table, by its key, or everything."""
        return table in self.by_table or bool(self.everything)

    def touches(self, change: ChangeSet) -> bool:
        """Whether somebody reads a table that it changes. Without a lock."""
        if change.everything or change.schema or self.everything:
            return True
        read = self.by_table.keys()
        return not (read.isdisjoint(change.rows) and read.isdisjoint(change.tables))

    def count(self, table: str, columns: frozenset[int] | None) -> int:
        """How often any of these columns of a table is read; None: any at all. Without a lock."""
        found = self.by_table.get(table)
        readers = 0 if found is None else sum(map(len, found.readers_of(columns)))
        return readers + len(self.everything)

    def touched(self, *changes: ChangeSet) -> list[T]:
        """The owners for which ``region.touched_by`` one of these, in order of registration."""
        hits: set[int] = set()
        for change in changes:
            if change.everything or change.schema:
                return list(self._owners.values())
            if self.everything and change:
                hits.update(self.everything)
            for key in change.tables:
                table = self.by_table.get(key)
                if table is not None:
                    for entries in table.readers_of(change.columns.get(key)):
                        hits.update([entry.number for entry in entries])
            for key, rows in change.rows.items():
                table = self.by_table.get(key)
                if table is not None and key not in change.tables:
                    for drawer in table.drawers.values():
                        drawer.collect(rows, hits)
                    if table.residue.by_columns:
                        table.residue.collect(rows, hits)
        if len(hits) < 2:  # as it is after most commits
            return [self._owners[number] for number in hits]
        return [self._owners[number] for number in sorted(hits)]

    def __len__(self) -> int:
        return len(self._filed)
