"""Predicate: what must be true of a row for a query to look at it; only a sure "no" is a no.

A predicate is a closed set of small terms over the columns of one table. `may_match(image, rowid)`
judges one image of a row as SQLite would (see `comparison`), NULLs by three-valued
logic. There is no NOT: a negated term is another term, so that a part which cannot be judged can
always be replaced by `ALWAYS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from reactive_sqlite.values.change import Image
from reactive_sqlite.values.comparison import UNSURE, Bound, Column, Key, bound_of, fold, literal


class Predicate:
    """One term. Equal terms judge alike; `str(term)` is its SQL."""

    __slots__: tuple[str, ...] = ()

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        """False only if a row with these values is surely not looked at."""
        raise NotImplementedError

    def _identity(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self._identity()))


class Always(Predicate):
    """Every row, or one that cannot be judged."""

    __slots__ = ()

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        return True

    def __repr__(self) -> str:
        return "TRUE"


class Never(Predicate):
    """No row: a comparison with NULL."""

    __slots__ = ()

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        return False

    def __repr__(self) -> str:
        return "FALSE"


ALWAYS: Final[Predicate] = Always()
NEVER: Final[Predicate] = Never()


class Equals(Predicate):
    """`column = value`."""

    __slots__ = ("column", "value")

    def __init__(self, column: Column, value: Key) -> None:
        self.column = column
        self.value = value

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        return key is UNSURE or key == self.value

    def __repr__(self) -> str:
        return f"{self.column}={literal(self.value)}"


class Differs(Predicate):
    """`column <> value`, or with `nulls` the NULLs too: `column IS NOT value`."""

    __slots__ = ("column", "nulls", "value")

    def __init__(self, column: Column, value: Key, nulls: bool = False) -> None:
        self.column = column
        self.value = value
        self.nulls = nulls

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        if key is None:
            return self.nulls
        return key is UNSURE or bool(key != self.value)

    def __repr__(self) -> str:
        return f"{self.column}{' IS NOT ' if self.nulls else '<>'}{literal(self.value)}"


class OneOf(Predicate):
    """`column IN (values)`."""

    __slots__ = ("column", "values")

    def __init__(self, column: Column, values: Iterable[Key]) -> None:
        self.column = column
        self.values = frozenset(values)

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        return key is UNSURE or key in self.values

    def __repr__(self) -> str:
        return f"{self.column} IN ({', '.join(map(literal, sorted(self.values, key=bound_of)))})"


class IsNull(Predicate):
    """`column IS NULL`."""

    __slots__ = ("column",)

    def __init__(self, column: Column) -> None:
        self.column = column

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        return key is None or (key is UNSURE and self.column.position < 0)

    def __repr__(self) -> str:
        return f"{self.column} IS NULL"


class NotNull(Predicate):
    """`column IS NOT NULL`."""

    __slots__ = ("column",)

    def __init__(self, column: Column) -> None:
        self.column = column

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        return self.column.key(image, rowid) is not None

    def __repr__(self) -> str:
        return f"{self.column} IS NOT NULL"


class Truth(Predicate):
    """The column itself as a condition: a number other than 0, or with `wanted` false, 0."""

    __slots__ = ("column", "wanted")

    def __init__(self, column: Column, wanted: bool) -> None:
        self.column = column
        self.wanted = wanted

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        if key is None:
            return False
        return (key != 0) is self.wanted if isinstance(key, int | float) else True

    def __repr__(self) -> str:
        return f"{'' if self.wanted else 'NOT '}{self.column}"


class Range(Predicate):
    """`low < column < high`, either end open (`None`), inclusive or not. NULL is never inside."""

    __slots__ = ("column", "high", "high_inclusive", "low", "low_inclusive")

    def __init__(
        self,
        column: Column,
        low: Bound | None,
        low_inclusive: bool,
        high: Bound | None,
        high_inclusive: bool,
    ) -> None:
        self.column = column
        self.low = low
        self.low_inclusive = low_inclusive
        self.high = high
        self.high_inclusive = high_inclusive

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        key = self.column.key(image, rowid)
        if key is None:
            return False
        return key is UNSURE or self.contains(bound_of(key))

    def contains(self, key: Bound) -> bool:
        """Whether a value lies inside."""
        low, high = self.low, self.high
        if low is not None and (key < low or (key == low and not self.low_inclusive)):
            return False
        return high is None or key < high or (key == high and self.high_inclusive)

    def __repr__(self) -> str:
        ends = []
        if self.low is not None:
            ends.append(f"{self.column}>{'=' * self.low_inclusive}{literal(self.low[1])}")
        if self.high is not None:
            ends.append(f"{self.column}<{'=' * self.high_inclusive}{literal(self.high[1])}")
        return " AND ".join(ends)


class Prefix(Predicate):
    """`column LIKE 'prefix%'`, or with `glob` `column GLOB 'prefix*'`.

    LIKE is judged without regard to ASCII case, whatever `PRAGMA case_sensitive_like` says.
    Numbers and blobs are not judged.
    """

    __slots__ = ("column", "glob", "prefix")

    def __init__(self, column: Column, prefix: str, glob: bool) -> None:
        self.column = column
        self.prefix = prefix if glob else fold(prefix)
        self.glob = glob

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        subject = self.subject(image, rowid)
        if isinstance(subject, str):
            return subject.startswith(self.prefix)
        return subject is not None

    def subject(self, image: Image, rowid: int | None) -> Any:
        """The text that must begin with `prefix`, None for NULL, `UNSURE` for anything else."""
        value = UNSURE if self.column.position < 0 else image[self.column.position]
        if isinstance(value, str):
            return value if self.glob else fold(value)
        return None if value is None else UNSURE

    def __repr__(self) -> str:
        pattern = self.prefix + ("*" if self.glob else "%")
        return f"{self.column} {'GLOB' if self.glob else 'LIKE'} {literal(pattern)}"


class All(Predicate):
    """Every one of `terms`."""

    __slots__ = ("terms",)

    def __init__(self, terms: tuple[Predicate, ...]) -> None:
        self.terms = terms

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        for term in self.terms:  # noqa: SIM110 - twice as fast as all(), and runs per changed row
            if not term.may_match(image, rowid):
                return False
        return True

    def __repr__(self) -> str:
        return " AND ".join(f"({t})" if isinstance(t, AnyOf) else repr(t) for t in self.terms)


class AnyOf(Predicate):
    """At least one of `terms`."""

    __slots__ = ("terms",)

    def __init__(self, terms: tuple[Predicate, ...]) -> None:
        self.terms = terms

    def may_match(self, image: Image, rowid: int | None = None) -> bool:
        for term in self.terms:  # noqa: SIM110 - as above
            if term.may_match(image, rowid):
                return True
        return False

    def __repr__(self) -> str:
        return " OR ".join(f"({t})" if isinstance(t, All) else repr(t) for t in self.terms)


def all_of(terms: Sequence[Predicate]) -> Predicate:
    """The conjunction, without what goes without saying."""
    kept: list[Predicate] = []
    for term in terms:
        if term is NEVER:
            return NEVER
        if term is not ALWAYS and term not in kept:
            kept.append(term)
    if len(kept) < 2:
        return kept[0] if kept else ALWAYS
    return All(tuple(kept))


def any_of(terms: Sequence[Predicate]) -> Predicate:
    """The disjunction, without what goes without saying."""
    kept: list[Predicate] = []
    for term in terms:
        if term is ALWAYS:
            return ALWAYS
        if term is not NEVER and term not in kept:
            kept.append(term)
    if len(kept) < 2:
        return kept[0] if kept else NEVER
    return AnyOf(tuple(kept))
