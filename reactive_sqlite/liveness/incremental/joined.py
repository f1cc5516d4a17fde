"""Which rows of a SELECT come from which rows of its tables, and so which a change may touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.liveness.incremental.texts import Extended, Read, flat, identity_of, in_batches
from reactive_sqlite.values.change import ChangeSet, RowChange

FEW: Final = 64
"""Changed rows that are always worth following; of more, only a part of the result."""


def check_size(changed: int, kept: int) -> None:
    """Raise `NotMaintainable` if so much has changed that running the query again is better."""
    if changed > FEW and changed * 8 > kept:
        raise NotMaintainable("a large part of the result has changed")


class JoinedRows:
    """The rows of a SELECT by the rows of the tables that make them.

    A row is known by its identity: of one table what identifies its row, of several a tuple.
    """

    def __init__(self, extended: Extended, params: Sequence[Any]) -> None:
        self._extended = extended
        self._tables = extended.shape.tables
        self._params = tuple(params)
        self._identify = [identity_of(table) for table in self._tables]
        self.single = len(self._tables) == 1
        self.identity = itemgetter(*sum(extended.identities, ()))
        """the identity of a row, from its values, hidden columns included"""
        nested = extended.shape.nested
        rowid = [(0, position) for position in self._tables[0].identity]
        self._links = [link for link in nested.links if [link.outer] == rowid]
        self._loose = nested.loose | {
            link.table for link in nested.links if link not in self._links
        }
        self._by_row: list[dict[Any, set[Any]]] = []
        self._size = 0

    def reset(self, identities: Sequence[Any]) -> None:
        """These are all rows."""
        self._size = len(identities)
        if not self.single:
            self._by_row = [{} for _ in self._tables]
            for identity in identities:
                self._enter(identity)

    def note(self, identity: Any) -> None:
        """A row has come."""
        self._size += 1
        if not self.single:
            self._enter(identity)

    def _enter(self, identity: Any) -> None:
        for by_row, row in zip(self._by_row, identity, strict=True):
            by_row.setdefault(row, set()).add(identity)

    def forget(self, identity: Any) -> None:
        """A row has gone."""
        self._size -= 1
        for by_row, row in zip(self._by_row, identity, strict=True) if self._by_row else ():
            by_row[row].discard(identity)
            if not by_row[row]:
                del by_row[row]

    def changed_of(self, change: ChangeSet) -> tuple[set[Any], dict[Any, RowChange]]:
        """Of one table: the rows that were there before, and those that are there now."""
        identify, (table,) = self._identify[0], self._tables
        touched: set[Any] = set()
        present: dict[Any, RowChange] = {}
        for row in change.rows.get(table.info.key, ()):
            if row.old is not None:
                touched.add(identify(row, False))
            if row.new is not None:
                present[identify(row, True)] = row
        check_size(len(touched) + len(present), self._size)
        return touched, present

    def _linked(self, change: ChangeSet) -> set[Any]:
        """The rows to which changed rows of subqueries matter."""
        if not self._loose.isdisjoint(change.rows):
            raise NotMaintainable("rows of a subquery that may matter to any row")
        found: set[Any] = set()
        for link in self._links:
            values = link.values(change.rows.get(link.table, ()))
            if values is None:
                raise NotMaintainable("a value that SQLite alone can compare")
            found |= values
        check_size(len(found), self._size)
        return found

    def changed(self, change: ChangeSet, read: Read) -> tuple[set[Any], dict[Any, tuple[Any, ...]]]:
        """The identities of rows that may have gone, and all of these that are there now."""
        if self.single:
            before, present = self.changed_of(change)
            linked = self._linked(change)
            return before | linked, self.fetch(0, {*present, *linked}, read)
        touched: set[Any] = set()
        found: dict[Any, tuple[Any, ...]] = {}
        for number, table in enumerate(self._tables):
            identify, by_row = self._identify[number], self._by_row[number]
            rows = change.rows.get(table.info.key, ())
            check_size(len(rows), self._size)
            before = {identify(row, False) for row in rows if row.old is not None}
            after = {identify(row, True) for row in rows if row.new is not None}
            if not table.nullable:
                for identity in before | after:
                    touched |= by_row.get(identity, set())
                found |= self.fetch(number, after, read)
                continue
            # A row that NULLs stood for may have come, or gone: ask again for all that the rows
            # of the first table are joined with, of which there always is something.
            firsts = {result[0] for i in before | after for result in by_row.get(i, ())}
            for piece in in_batches(after):
                sql = self._extended.partners(number, len(piece))
                firsts.update(row[0] for row in read(sql, (*self._params, *flat(piece))))
            check_size(len(firsts), self._size)
            for identity in firsts:
                touched |= self._by_row[0].get(identity, set())
            found |= self.fetch(0, firsts, read)
        return touched, found

    def fetch(
        self, number: int, identities: Iterable[Any], read: Read
    ) -> dict[Any, tuple[Any, ...]]:
        """The rows that come from these rows of one table."""
        found = {}
        for piece in in_batches(identities):
            sql = self._extended.some(number, len(piece))
            for values in read(sql, (*self._params, *flat(piece))):
                found[self.identity(values)] = values
        return found
