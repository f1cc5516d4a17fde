"""SQLite's order of values as keys that Python compares.

NULL comes before numbers, numbers before text, text before blobs
(https://sqlite.org/datatype3.html section 4.1); text compares by its collation, an integer and a
float by their exact values, as in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import total_ordering
from operator import neg
from typing import Any, Final, NamedTuple, TypeAlias

from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.values.comparison import fold

Key: TypeAlias = tuple[Any, ...]

_CLASSES: Final = {type(None): 0, int: 1, float: 1, str: 2, bytes: 3}
_NUMBERS: Final = frozenset({int, float, type(None)})


class Direction(NamedTuple):
    """How one term orders: `collation` is BINARY, NOCASE or RTRIM."""

    descending: bool = False
    nulls_first: bool = True
    collation: str = "BINARY"


@total_ordering
class _Reversed:
    """A text or a blob that comes before what it would come after."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self.value == other.value)

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _ranks(direction: Direction) -> dict[type, int]:
    ranks = {kind: -n if direction.descending else n for kind, n in _CLASSES.items()}
    ranks[type(None)] = -9 if direction.nulls_first else 9
    return ranks


def _nocase(text: str) -> str:
    if "\0" in text:
        raise NotMaintainable("NOCASE stops at a NUL character")
    return fold(text)


def _rtrim(text: str) -> str:
    return text.rstrip(" ")


_FOLDERS: Final[dict[str, Callable[[str], str]]] = {"NOCASE": _nocase, "RTRIM": _rtrim}


class SortKeys:
    """Makes the keys by which rows sort.

    >>> keys = SortKeys([Direction(descending=True, nulls_first=False)])
    >>> sorted([1, None, "a", 2.5, b""], key=lambda value: keys.one((value,)))
    [b'', 'a', 2.5, 1, None]
    """

    def __init__(self, directions: Sequence[Direction]) -> None:
        self._terms = [
            (_ranks(term).__getitem__, term.descending, _FOLDERS.get(term.collation))
            for term in directions
        ]

    def one(self, values: Iterable[Any], tie: Key = ()) -> Key:
        """The key of one row, from the values of its terms; `tie` decides between equals."""
        key: list[Any] = []
        for (rank, descending, folder), value in zip(self._terms, values, strict=True):
            kind = type(value)
            key.append(rank(kind))
            if kind is str and folder is not None:
                value = folder(value)
            if descending and value is not None:
                value = -value if kind in _NUMBERS else _Reversed(value)
            key.append(value)
        return (*key, *tie)

    def many(self, columns: Sequence[Sequence[Any]], tie: Sequence[Any] | None = None) -> list[Key]:
        """The keys of many rows, from the column of each term."""
        parts: list[Iterable[Any]] = []
        for (rank, descending, folder), column in zip(self._terms, columns, strict=True):
            kinds = list(map(type, column))
            present = set(kinds)
            parts.append(map(rank, kinds))
            if str in present and folder is not None:
                column = [folder(v) if type(v) is str else v for v in column]
            if descending and present <= {int, float}:
                column = list(map(neg, column))
            elif descending:
                column = [
                    v if v is None else -v if type(v) in _NUMBERS else _Reversed(v) for v in column
                ]
            parts.append(column)
        if tie is not None:
            parts.append(tie)
        return list(zip(*parts, strict=True))
