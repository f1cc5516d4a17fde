"""Templates: the terms of a predicate before the parameters are known; `bind` makes the term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from reactive_sqlite.understanding.analysis.operands import Operand
from reactive_sqlite.values.comparison import UNSURE, Bound, Column, Key, bound_of
from reactive_sqlite.values.predicate import (
    ALWAYS,
    NEVER,
    Differs,
    Equals,
    IsNull,
    NotNull,
    OneOf,
    Predicate,
    Range,
    Truth,
    all_of,
    any_of,
)


class Term(ABC):
    """One template."""

    __slots__: tuple[str, ...] = ()

    @abstractmethod
    def bind(self, values: Sequence[Any]) -> Predicate:
        """The predicate for these parameters, by position."""

    def is_strict(self) -> bool:
        """Whether a row of NULLs, as an outer join makes them up, surely fails."""
        return True

    @abstractmethod
    def columns(self) -> Iterator[Column]:
        """The columns that it judges."""


class OfColumn(Term):
    """A term about one column."""

    __slots__ = ("column",)

    column: Column

    def columns(self) -> Iterator[Column]:
        yield self.column


class Equality(OfColumn):
    """`column = operand`."""

    __slots__ = ("operand",)

    def __init__(self, column: Column, operand: Operand) -> None:
        self.column = column
        self.operand = operand

    def bind(self, values: Sequence[Any]) -> Predicate:
        key = self.column.constant(self.operand.value(values))
        if key is UNSURE:
            return ALWAYS
        return NEVER if key is None else Equals(self.column, key)


def _differs(column: Column, key: Key) -> Predicate:
    return Differs(column, key)


def _below(inclusive: bool) -> Callable[[Column, Key], Predicate]:
    return lambda column, key: Range(column, None, False, bound_of(key), inclusive)


def _above(inclusive: bool) -> Callable[[Column, Key], Predicate]:
    return lambda column, key: Range(column, bound_of(key), inclusive, None, False)


COMPARISONS: Final[dict[str, Callable[[Column, Key], Predicate]]] = {
    "<>": _differs,
    "<": _below(False),
    "<=": _below(True),
    ">": _above(False),
    ">=": _above(True),
}


class Comparison(OfColumn):
    """`column <op> operand` for `<>`, `<`, `<=`, `>`, `>=`."""

    __slots__ = ("operand", "operator")

    def __init__(self, column: Column, operator: str, operand: Operand) -> None:
        self.column = column
        self.operator = operator
        self.operand = operand

    def bind(self, values: Sequence[Any]) -> Predicate:
        key = self.column.constant(self.operand.value(values))
        if key is UNSURE:
            return ALWAYS
        if key is None:
            return NEVER
        if self.operator != "<>" and isinstance(key, str) and not self.column.utf8:
            return ALWAYS
        return COMPARISONS[self.operator](self.column, key)


class Identity(OfColumn):
    """`column IS operand`, or `IS NOT`."""

    __slots__ = ("negated", "operand")

    def __init__(self, column: Column, operand: Operand, negated: bool) -> None:
        self.column = column
        self.operand = operand
        self.negated = negated

    def bind(self, values: Sequence[Any]) -> Predicate:
        key = self.column.constant(self.operand.value(values))
        if key is UNSURE:
            return ALWAYS
        if key is None:
            return NotNull(self.column) if self.negated else IsNull(self.column)
        return Differs(self.column, key, True) if self.negated else Equals(self.column, key)

    def is_strict(self) -> bool:
        return False


class Membership(OfColumn):
    """`column IN (operands)`, or `NOT IN`."""

    __slots__ = ("negated", "operands")

    def __init__(self, column: Column, operands: Sequence[Operand], negated: bool) -> None:
        self.column = column
        self.operands = tuple(operands)
        self.negated = negated

    def bind(self, values: Sequence[Any]) -> Predicate:
        column = self.column
        keys = [column.constant(operand.value(values)) for operand in self.operands]
        if self.negated:
            # One NULL among them, and nothing is surely different from all.
            if None in keys:
                return NEVER
            return all_of([Differs(column, key) for key in keys if key is not UNSURE])
        if UNSURE in keys:
            return ALWAYS
        found = {key for key in keys if key is not None}
        if len(found) < 2:
            return Equals(column, found.pop()) if found else NEVER
        return OneOf(column, found)


class OfConstant(Term):
    """A term about a constant, `? = 'all'`: all rows or none. It is judged as a row of itself."""

    __slots__ = ("operand", "term")

    def __init__(self, term: Term, operand: Operand) -> None:
        self.term = term
        self.operand = operand

    def columns(self) -> Iterator[Column]:
        return iter(())

    def bind(self, values: Sequence[Any]) -> Predicate:
        value = self.operand.value(values)
        key: Any = UNSURE if value != value else PLAIN.constant(value)
        if key is UNSURE:
            return ALWAYS
        return ALWAYS if self.term.bind(values).may_match((key,)) else NEVER

    def is_strict(self) -> bool:
        return False


PLAIN: Final = Column("value", 0, "BLOB", utf8=False)
"""How a constant compares: without affinity. In what encoding is not known here."""


class Settled(Term):
    """A term without parameters."""

    __slots__ = ("predicate", "strict")

    def __init__(self, predicate: IsNull | NotNull | Truth, strict: bool) -> None:
        self.predicate = predicate
        self.strict = strict

    def columns(self) -> Iterator[Column]:
        yield self.predicate.column

    def bind(self, values: Sequence[Any]) -> Predicate:
        return self.predicate

    def is_strict(self) -> bool:
        return self.strict


class _Several(Term):
    __slots__ = ("terms",)

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)

    def columns(self) -> Iterator[Column]:
        return chain.from_iterable(term.columns() for term in self.terms)


class Conjunction(_Several):
    """All of the terms. Ranges over one column become one range."""

    __slots__ = ()

    def bind(self, values: Sequence[Any]) -> Predicate:
        bound: list[Predicate] = []
        for term in self.terms:
            predicate = term.bind(values)
            if isinstance(predicate, Range):
                for place, other in enumerate(bound):
                    if isinstance(other, Range) and other.column == predicate.column:
                        bound[place] = _intersection(other, predicate)
                        break
                else:
                    bound.append(predicate)
            else:
                bound.append(predicate)
        return all_of(bound)

    def is_strict(self) -> bool:
        return any(term.is_strict() for term in self.terms)


class Disjunction(_Several):
    """Any of the terms."""

    __slots__ = ()

    def bind(self, values: Sequence[Any]) -> Predicate:
        return any_of([term.bind(values) for term in self.terms])

    def is_strict(self) -> bool:
        return all(term.is_strict() for term in self.terms)


def _intersection(one: Range, other: Range) -> Predicate:
    low, low_inclusive = _tighter(one.low, one.low_inclusive, other.low, other.low_inclusive, True)
    high, high_inclusive = _tighter(
        one.high, one.high_inclusive, other.high, other.high_inclusive, False
    )
    if low is not None and high is not None and low > high:
        return NEVER
    return Range(one.column, low, low_inclusive, high, high_inclusive)


def _tighter(
    one: Bound | None, one_inclusive: bool, other: Bound | None, other_inclusive: bool, low: bool
) -> tuple[Bound | None, bool]:
    if one is None or other is None:
        return (other, other_inclusive) if one is None else (one, one_inclusive)
    if one == other:
        return one, one_inclusive and other_inclusive
    return (one, one_inclusive) if (one > other) is low else (other, other_inclusive)


def conjunction(terms: Sequence[Term]) -> Term | None:
    """All of the terms; None if there are none."""
    if len(terms) < 2:
        return terms[0] if terms else None
    return Conjunction(terms)
