"""Rows in order, as a value: a change makes a new one that shares nearly everything with the old.

Blocks of a few hundred rows; a change copies the blocks that it touches and the list of blocks.
So the value of an earlier commit can still be read, on any thread, while later ones are made.
(`sortedcontainers.SortedKeyList` is as fast to change, but changes in place.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import ge
from typing import Any, Final

from reactive_sqlite.liveness.incremental.sortkey import Key
from reactive_sqlite.liveness.incremental.step import NotMaintainable

BLOCK: Final = 512


class OrderedRows:
    """Rows under distinct keys, in the order of the keys. Immutable.

    >>> rows = OrderedRows.of([(1,), (3,)], ["a", "c"])
    >>> rows.changed([(1,)], [((2,), "b")]).values()
    ('b', 'c')
    >>> rows.values()
    ('a', 'c')
    """

    __slots__ = ("_keys", "_lasts", "_rows", "_size")

    def __init__(
        self, keys: list[list[Key]], rows: list[list[Any]], lasts: list[Key], size: int
    ) -> None:
        self._keys = keys
        self._rows = rows
        self._lasts = lasts
        self._size = size

    @classmethod
    def of(cls, keys: Sequence[Key], rows: Sequence[Any]) -> OrderedRows:
        """Rows with their keys, which must be in ascending order without duplicates."""
        if any(map(ge, keys, islice(keys, 1, None))):
            raise NotMaintainable("the rows are not in the order of their keys")
        starts = range(0, max(len(keys), 1), BLOCK)
        blocks = [list(keys[start : start + BLOCK]) for start in starts]
        return cls(
            blocks,
            [list(rows[start : start + BLOCK]) for start in starts],
            [block[-1] if block else () for block in blocks],
            len(keys),
        )

    def __len__(self) -> int:
        return self._size

    def last(self) -> tuple[Key, Any]:
        """The greatest key and its row. There must be one."""
        block = -1
        while not self._keys[block]:
            block -= 1
        return self._keys[block][-1], self._rows[block][-1]

    def position(self, key: Key) -> int:
        """How many rows come before the key."""
        block = self._block(key)
        return sum(map(len, self._keys[:block])) + bisect_left(self._keys[block], key)

    def values(self, start: int = 0, stop: int | None = None) -> tuple[Any, ...]:
        """The rows in order, or those from one position to another."""
        every = chain.from_iterable(self._rows)
        if start == 0 and (stop is None or stop >= self._size):
            return tuple(every)
        if stop is None:
            stop = self._size
        found: list[Any] = []
        for rows in self._rows:
            if start < len(rows):
                found += rows[start:stop]
            start, stop = max(start - len(rows), 0), stop - len(rows)
            if stop <= 0:
                break
        return tuple(found)

    def changed(self, gone: Iterable[Key], come: Iterable[tuple[Key, Any]]) -> OrderedRows:
        """The rows without these keys and with these rows.

        Raises `NotMaintainable` for a key that is there already: which of two rows comes first is
        then not a matter of the keys.
        """
        keys, rows, lasts = self._keys.copy(), self._rows.copy(), self._lasts.copy()
        size = self._size
        own: set[int] = set()
        result = OrderedRows(keys, rows, lasts, size)
        for key in gone:
            block = result._own(key, own)
            place = bisect_left(keys[block], key)
            if place == len(keys[block]) or keys[block][place] != key:
                raise LookupError(f"no row has the key {key!r}")
            del keys[block][place], rows[block][place]
            size -= 1
        for key, row in come:
            block = result._own(key, own)
            place = bisect_left(keys[block], key)
            if place < len(keys[block]) and keys[block][place] == key:
                raise NotMaintainable("two rows of one key")
            keys[block].insert(place, key)
            rows[block].insert(place, row)
            if key > lasts[block]:
                lasts[block] = key
            size += 1
        for block in sorted(own, reverse=True):
            result._balance(block)
        result._size = size
        return result

    def _block(self, key: Key) -> int:
        return min(bisect_left(self._lasts, key), len(self._lasts) - 1)

    def _own(self, key: Key, own: set[int]) -> int:
        """The block of a key, copied if it is still shared."""
        block = self._block(key)
        if block not in own:
            own.add(block)
            self._keys[block] = self._keys[block].copy()
            self._rows[block] = self._rows[block].copy()
        return block

    def _balance(self, block: int) -> None:
        keys, rows, lasts = self._keys[block], self._rows[block], self._lasts
        if not keys:
            if len(lasts) > 1:
                del self._keys[block], self._rows[block], lasts[block]
        elif len(keys) > 2 * BLOCK:
            starts = range(0, len(keys), BLOCK)
            parts = [keys[start : start + BLOCK] for start in starts]
            lasts[block : block + 1] = [*(part[-1] for part in parts[:-1]), lasts[block]]
            self._keys[block : block + 1] = parts
            self._rows[block : block + 1] = [rows[start : start + BLOCK] for start in starts]
