"""The rows that users receive: immutable tuples whose values also have names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from keyword import iskeyword
from operator import itemgetter
from typing import Any, ClassVar


class Row(tuple[Any, ...]):
    """One row of a result: a tuple whose values can also be had by name.

    ``row["id"]``, ``row.id`` and ``row[0]`` are the same value; iteration gives the values, as
    ``sqlite3.Row`` does, so ``tuple(row)`` is the plain tuple; rows compare by content. A name is
    looked up exactly, then without regard to case; of equal names the first one wins.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> row = ReactiveDatabase().query("SELECT 1 AS id, 'x' AS name").get()[0]
    >>> row["id"], row.name, row[1], dict(zip(row.keys(), row))
    (1, 'x', 'x', {'id': 1, 'name': 'x'})
    >>> row
    Row(id=1, name='x')
    """

    __slots__ = ()
    _columns: ClassVar[tuple[str, ...]] = ()
    _positions: ClassVar[dict[str, int]] = {}

    def keys(self) -> tuple[str, ...]:
        """The column names, in order."""
        return self._columns

    def as_dict(self) -> dict[str, Any]:
        """The row as a new dict; of equal names the first one wins."""
        return {name: self[position] for name, position in self._exact_positions()}

    def _exact_positions(self) -> Iterator[tuple[str, int]]:
        return ((name, self._positions[name]) for name in dict.fromkeys(self._columns))

    def __getitem__(self, key: Any) -> Any:
        if type(key) is str:
            position = self._positions.get(key)
            if position is None:
                position = self._positions.get(key.lower())
                if position is None:
                    raise KeyError(f"no column {key!r}; the columns are {', '.join(self._columns)}")
            return tuple.__getitem__(self, position)
        return tuple.__getitem__(self, key)

    def __getattr__(self, name: str) -> Any:
        # Reached only when the class has no such attribute: a name in another case, or none.
        if not name.startswith("__"):
            position = self._positions.get(name.lower())
            if position is not None:
                return tuple.__getitem__(self, position)
        raise AttributeError(f"no column {name!r}; the columns are {', '.join(self._columns)}")

    def __repr__(self) -> str:
        pairs = zip(self._columns, self, strict=True)
        return f"Row({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._columns, tuple(self))


def _restore(columns: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    return row_class(columns)(values)


@lru_cache(maxsize=1024)
def row_class(columns: tuple[str, ...]) -> type[Row]:
    """The row type of results with these columns; the same columns give the same type."""
    positions: dict[str, int] = {}
    for position, name in enumerate(columns):
        positions.setdefault(name, position)
    for position, name in enumerate(columns):
        positions.setdefault(name.lower(), position)
    attributes: dict[str, Any] = {
        name: property(itemgetter(positions[name]))
        for name in columns
        if name.isidentifier() and not iskeyword(name) and not name.startswith("_")
    }
    attributes |= {"__slots__": (), "_columns": columns, "_positions": positions}
    # `keys` and `as_dict` stay methods: a column of that name is had by row["keys"].
    for method in ("keys", "as_dict"):
        attributes.pop(method, None)
    return type("Row", (Row,), attributes)


@lru_cache(maxsize=1024)
def row_maker(columns: tuple[str, ...]) -> Callable[[Iterable[Any]], Row]:
    """Makes rows with these columns from plain tuples, at C speed."""
    return partial(tuple.__new__, row_class(columns))
