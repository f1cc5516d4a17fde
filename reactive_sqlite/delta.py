"""What changed between two values of a live query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Delta:
    """The difference between a value and the one before it.

    ``added`` and ``removed`` are rows, ``updated`` pairs of (old row, new row) of the same key;
    rows without a known key are removed and added. ``version`` is the number of the commit.
    Rows are compared as SQLite's values are, types included; equal rows count as often as they
    occur.

    >>> Delta.between([(1, 'a'), (2, 'b')], [(2, 'B'), (3, 'c')], version=5, key=(0,))
    Delta(added=((3, 'c'),), removed=((1, 'a'),), updated=(((2, 'b'), (2, 'B')),), version=5)
    """

    added: tuple[Any, ...]
    removed: tuple[Any, ...]
    updated: tuple[tuple[Any, Any], ...]
    version: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.updated)

    @classmethod
    def between(
        cls,
        old: Sequence[Any],
        new: Sequence[Any],
        *,
        version: int,
        key: tuple[int, ...] | None = None,
    ) -> Delta:
        """The difference of two results; ``key`` says which columns tell rows apart."""
        gone = _missing_from(old, new)
        come = _missing_from(new, old)
        updated: list[tuple[Any, Any]] = []
        if key is not None and gone and come:
            by_key = {_key_of(row, key): row for row in gone}
            for row in come:
                before = by_key.pop(_key_of(row, key), None)
                if before is not None:
                    updated.append((before, row))
            moved_old = {id(before) for before, _ in updated}
            moved_new = {id(after) for _, after in updated}
            gone = [row for row in gone if id(row) not in moved_old]
            come = [row for row in come if id(row) not in moved_new]
        return cls(tuple(come), tuple(gone), tuple(updated), version)

    def converted(self, convert: Callable[[Any], Any]) -> Delta:
        """The same difference with every row converted."""
        return Delta(
            tuple(map(convert, self.added)),
            tuple(map(convert, self.removed)),
            tuple((convert(old), convert(new)) for old, new in self.updated),
            self.version,
        )


def _key_of(row: Any, key: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(row[position] for position in key)


def _exact(row: Any) -> tuple[Any, ...]:
    # 1 and 1.0 are equal in Python and two values in a database.
    return (*row, *map(type, row)) if isinstance(row, tuple) else (row,)


def _missing_from(these: Sequence[Any], others: Iterable[Any]) -> list[Any]:
    """The rows of ``these`` that ``others`` lacks, as often as it lacks them, in order."""
    there = Counter(map(_exact, others))
    missing = []
    for row in these:
        exact = _exact(row)
        if there[exact] > 0:
            there[exact] -= 1
        else:
            missing.append(row)
    return missing
