"""How SQLite compares a column with a constant (https://sqlite.org/datatype3.html section 4).

The affinity of the column is applied to the constant, numbers come before text before blobs, text
compares by the collation of the column. What is not certain to be as SQLite does it is `UNSURE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from reactive_sqlite.values.change import Image

Key: TypeAlias = int | float | str | bytes
Folder: TypeAlias = Callable[[str], Any]
Bound: TypeAlias = tuple[int, Key]

ROWID: Final = -1
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: upper for upper, lower in _LOWER.items()}
_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:(\d+)(\.\d*)?|(\.\d+))([eE][+-]?\d+)?[ \t\n\v\f\r]*", re.ASCII
)


def fold(text: str) -> str:
    """The lower-case form of a name. SQLite folds ASCII letters only, so `Ä` and `ä` differ.

    >>> fold("Tasks"), fold("ÄB")
    ('tasks', 'Äb')
    """
    return text.lower() if text.isascii() else text.translate(_LOWER)


class _Unsure:
    """What stands for a value whose comparison SQLite alone can decide."""

    def __repr__(self) -> str:
        return "UNSURE"


UNSURE: Final = _Unsure()


def to_number(text: str) -> Any:
    """What NUMERIC affinity makes of a text: a number, the text itself, or `UNSURE`.

    >>> to_number(" 01"), to_number("1.50"), to_number("x1")
    (1, 1.5, 'x1')
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return UNSURE if "\0" in text else text
    sign, whole, decimals, bare_decimals, exponent = found.groups()
    fraction = (decimals or bare_decimals or ".")[1:]
    if whole and decimals is None and exponent is None:
        return int(sign + whole) if len(whole) <= 18 else UNSURE
    # With 15 digits and a power of ten up to 22 there is one correctly rounded double.
    digits = ((whole or "") + fraction).lstrip("0")
    if len(digits) > 15 or abs(int((exponent or "e0")[1:])) + len(fraction) > 22:
        return UNSURE
    return float(text)


def _nocase(text: str) -> Any:
    # SQLite's NOCASE stops at a NUL character.
    return UNSURE if "\0" in text else fold(text)


def _rtrim(text: str) -> str:
    return text.rstrip(" ")


def _unsure(_: str) -> Any:
    return UNSURE


_COLLATIONS: dict[str, Folder | None] = {"BINARY": None, "NOCASE": _nocase, "RTRIM": _rtrim}


class Column:
    """How one column of a table compares: its position, affinity and collation.

    `position` is `ROWID` for the rowid itself; `utf8` the encoding of the database: BINARY
    compares bytes, so that in another one `<` on text cannot be judged here. Columns that compare
    alike are equal.
    """

    __slots__ = ("affinity", "collation", "fold", "name", "position", "utf8")

    def __init__(
        self,
        name: str,
        position: int,
        affinity: str,
        collation: str = "BINARY",
        utf8: bool = True,
    ) -> None:
        self.name = name
        self.position = position
        self.affinity = affinity
        self.collation = collation
        self.utf8 = utf8
        self.fold: Folder | None = self._folder()

    def _folder(self) -> Folder | None:
        collate = _COLLATIONS.get(self.collation, _unsure)
        if self.affinity in ("TEXT", "BLOB"):
            return collate

        def numeric(text: str) -> Any:
            value = to_number(text)
            return collate(value) if collate is not None and type(value) is str else value

        return numeric

    def constant(self, value: Any) -> Any:
        """A constant as it is compared with this column: a key, None for NULL, or `UNSURE`."""
        kind = type(value)
        if kind is int:
            if not -(1 << 63) <= value < 1 << 63:
                return UNSURE
            return self.constant(str(value)) if self.affinity == "TEXT" else value
        if kind is str:
            return value if self.fold is None else self.fold(value)
        if value is None or kind is bytes:
            return value
        if kind is float:
            # SQLite binds NaN as NULL; how it prints a REAL is its own affair.
            return UNSURE if value != value or self.affinity == "TEXT" else value
        return self._constant_of_subclass(value)

    def _constant_of_subclass(self, value: Any) -> Any:
        # bool, IntEnum, StrEnum and the like are bound as what they are made of.
        if isinstance(value, int):
            return self.constant(int(value))
        if isinstance(value, float):
            return self.constant(float(value))
        if isinstance(value, str):
            return self.constant(str.__str__(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        return UNSURE

    def collated(self, name: str | None) -> Column:
        """The same column with another collation, if one is named."""
        if name is None:
            return self
        return Column(self.name, self.position, self.affinity, name, self.utf8)

    def key(self, image: Image, rowid: int | None) -> Any:
        """The value of this column in a row, comparable by `==` with `constant`."""
        value = rowid if self.position < 0 else image[self.position]
        if value is None:
            return UNSURE if self.position < 0 else None
        if type(value) is str and self.fold is not None:
            return self.fold(value)
        if self.affinity == "TEXT" and type(value) in (int, float):
            return UNSURE
        return value

    def _identity(self) -> tuple[object, ...]:
        kind = "NUMERIC" if self.affinity in ("INTEGER", "REAL") else self.affinity
        return (self.position, kind, self.collation, self.utf8)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Column) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return self.name


class Integers(Column):
    """A column of which only whole numbers are judged: what is calculated with others is SQLite's.

    `column + 2 = 5` is `column = 3` for them, also where the sum overflows.
    """

    __slots__ = ()

    @classmethod
    def of(cls, column: Column) -> Integers:
        """The column, by its whole numbers."""
        return cls(column.name, column.position, "NUMERIC")

    def constant(self, value: Any) -> Any:
        return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else UNSURE

    def key(self, image: Image, rowid: int | None) -> Any:
        value = rowid if self.position < 0 else image[self.position]
        return value if type(value) is int or (value is None and self.position >= 0) else UNSURE

    def _identity(self) -> tuple[object, ...]:
        return ("integers", self.position)


class Recased(Column):
    """`lower(column)`, or `upper(column)`, of a text: the letters of ASCII, and no others.

    https://sqlite.org/lang_corefunc.html#lower
    """

    __slots__ = ("upper",)

    def __init__(self, column: Column, upper: bool) -> None:
        # Nothing is compared as it is, not even an integer.
        super().__init__(column.name, column.position, "TEXT", "BINARY", column.utf8)
        self.upper = upper
        self.fold = self._recased

    def _recased(self, text: str) -> Any:
        if "\0" in text:
            return UNSURE
        return text.translate(_UPPER) if self.upper else fold(text)

    def constant(self, value: Any) -> Any:
        return value if value is None or type(value) is str else UNSURE

    def key(self, image: Image, rowid: int | None) -> Any:
        value = UNSURE if self.position < 0 else image[self.position]
        if type(value) is str:
            return self._recased(value)
        return None if value is None else UNSURE

    def _identity(self) -> tuple[object, ...]:
        return ("upper" if self.upper else "lower", self.position, self.utf8)

    def __repr__(self) -> str:
        return f"{'upper' if self.upper else 'lower'}({self.name})"


def bound_of(key: Key) -> Bound:
    """A key that sorts as SQLite sorts: numbers, then text, then blobs."""
    if isinstance(key, str):
        return (2, key)
    return (3, key) if isinstance(key, bytes) else (1, key)


def literal(key: Any) -> str:
    """A constant as SQL writes it."""
    if key is None:
        return "NULL"
    if isinstance(key, str):
        return "'" + key.replace("'", "''") + "'"
    return f"x'{key.hex()}'" if isinstance(key, bytes) else repr(key)
