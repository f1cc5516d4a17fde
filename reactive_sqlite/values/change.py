"""A commit as a value: which rows it changed, and what they were before.

`ChangeSet` is one of the two values that the package is about; the other one is
`reactive_sqlite.values.region.Region`. Tables are named by *key*: the lower-case name for the main
database (``tasks``), with the database in front for others (``temp.tasks``, ``aux.tasks``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import copysign
from operator import is_not
from types import MappingProxyType
from typing import TypeAlias

import msgspec

Value: TypeAlias = int | float | str | bytes | None
Image: TypeAlias = tuple[Value, ...]

_NO_COLUMNS: Mapping[str, frozenset[int]] = MappingProxyType({})
_NO_ROWS: Mapping[str, tuple[RowChange, ...]] = MappingProxyType({})


# gc=False: it holds plain values, and a long transaction makes thousands of it.
class RowChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The net change of one row: what it was and what it is, one value per table column.

    ``old`` is None for an inserted row, ``new`` is None for a deleted one. A row whose key moved
    is two changes: the deletion of the one and the insertion of the other. The rowids are None
    for the absent side and for tables WITHOUT ROWID.

    >>> RowChange((1, 'todo'), (1, 'done'), 1, 1).kind
    'update'
    """

    old: Image | None
    new: Image | None
    old_rowid: int | None = None
    new_rowid: int | None = None

    @property
    def kind(self) -> str:
        """``insert``, ``update`` or ``delete``."""
        if self.old is None:
            return "insert"
        return "delete" if self.new is None else "update"


class ChangeSet(msgspec.Struct, frozen=True):
    """The net difference that one commit made to the database.

    ``rows`` holds, by table key, every row that differs from before the commit, with both
    images; ``tables`` the keys of tables of which only *that* they were written is known (bulk
    statements, virtual tables, failed statements inside a transaction); ``schema`` is true when
    tables, views, indexes or triggers may have changed, and ``everything`` when anything may
    have (VACUUM, a stranger's commit). Of some of the ``tables`` it is known that only the values
    in some ``columns`` (positions) may differ. ``seq`` is the number of the commit in this process.

    >>> ChangeSet(7, {'t': (RowChange(None, (1,), None, 1),)}).exact
    True
    >>> ChangeSet.whole(8).exact
    False
    """

    seq: int
    rows: Mapping[str, tuple[RowChange, ...]] = _NO_ROWS
    tables: frozenset[str] = frozenset()
    schema: bool = False
    everything: bool = False
    columns: Mapping[str, frozenset[int]] = _NO_COLUMNS

    @classmethod
    def whole(cls, seq: int) -> ChangeSet:
        """The change of which nothing is known: anything may be different."""
        return cls(seq, schema=True, everything=True)

    @property
    def exact(self) -> bool:
        """Whether ``rows`` tells the whole story."""
        return not (self.tables or self.schema or self.everything)

    def __bool__(self) -> bool:
        return bool(self.rows or self.tables or self.schema or self.everything)

    def __str__(self) -> str:
        if self.everything:
            return f"#{self.seq} everything"
        parts = [f"{key}×{len(changes)}" for key, changes in self.rows.items()]
        parts += [f"{key}×?" for key in sorted(self.tables)]
        if self.schema:
            parts.append("schema")
        return f"#{self.seq} " + (", ".join(parts) or "nothing")


def same_image(left: Sequence[object], right: Sequence[object]) -> bool:
    """Whether two rows are equal to SQLite, types included.

    In Python ``1 == 1.0`` and ``0.0 == -0.0``; in the database an INTEGER that became a REAL, or
    a zero that changed its sign, is a change.

    >>> same_image((1, 'a'), (1.0, 'a')), same_image((0.0,), (-0.0,)), same_image((1,), (1,))
    (False, False, True)
    """
    if left != right or any(map(is_not, map(type, left), map(type, right))):
        return False
    return 0.0 not in left or _same_zeros(left, right)


def same_images(left: Sequence[Sequence[object]], right: Sequence[Sequence[object]]) -> bool:
    """`same_image` of all rows of two results, at C speed unless there are floats."""
    if left != right:
        return False
    types = [*map(type, chain.from_iterable(left))]
    if any(map(is_not, types, map(type, chain.from_iterable(right)))):
        return False
    return float not in types or _same_zeros(chain.from_iterable(left), chain.from_iterable(right))


def _same_zeros(left: Iterable[object], right: Iterable[object]) -> bool:
    return all(
        copysign(1.0, one) == copysign(1.0, other)
        for one, other in zip(left, right, strict=True)
        if type(one) is float and type(other) is float and one == 0.0
    )
