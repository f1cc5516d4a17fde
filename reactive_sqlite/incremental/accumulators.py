"""What is kept of one group so that its aggregates follow from the rows that come and go.

Sums are kept while all their values are integers: those SQLite adds exactly, in any order, and a
float makes the result depend on the order (https://sqlite.org/lang_aggfunc.html#sumunc). A group
in which there is anything else, or whose extreme has gone, is asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from reactive_sqlite.analysis.aggregates import Aggregate
from reactive_sqlite.incremental.sortkey import Direction, Key, SortKeys
from reactive_sqlite.incremental.step import NotMaintainable

#: A sum of absolute values below this cannot overflow, whatever the order.
SAFE: Final = 1 << 62
_SUMS: Final = frozenset({"sum", "total", "avg"})


class Argument:
    """The values of one argument in one group."""

    __slots__ = ("integers", "magnitude", "present", "total")

    def __init__(self, present: int, integers: int, total: int, magnitude: int) -> None:
        self.present = present
        """how many are not NULL"""
        self.integers = integers
        """how many are integers"""
        self.total = total
        """the sum of the integers"""
        self.magnitude = magnitude
        """at least the sum of their absolute values"""

    def count(self, value: Any, sign: int) -> None:
        """A value comes (1) or goes (-1)."""
        if value is None:
            return
        self.present += sign
        if type(value) is int:
            self.integers += sign
            self.total += sign * value
            self.magnitude += sign * abs(value)


class Group:
    """One group: its terms as they are shown, its size, its arguments, its results when asked."""

    __slots__ = ("arguments", "given", "rows", "stale", "terms")

    def __init__(
        self, terms: tuple[Any, ...], rows: int, arguments: list[Argument], given: list[Any]
    ) -> None:
        self.terms = terms
        self.rows = rows
        self.arguments = arguments
        self.given = given
        """the results of the aggregates as SQLite gave them; of extremes, kept up to date"""
        self.stale = False
        """whether a result can only be had by asking again"""


class Accumulators:
    """The aggregates of a statement, over any of its groups."""

    def __init__(self, aggregates: Sequence[Aggregate], collations: Sequence[str | None]) -> None:
        self._aggregates = tuple(aggregates)
        self._arguments = len(collations)
        self._keys = [SortKeys([Direction(collation=c or "BINARY")]) for c in collations]
        self._extremes = [
            (place, aggregate.argument, aggregate.function == "min")
            for place, aggregate in enumerate(self._aggregates)
            if aggregate.function in ("min", "max") and aggregate.argument is not None
        ]
        self._summed = {a.argument for a in self._aggregates if a.function in _SUMS}

    def empty(self, terms: tuple[Any, ...]) -> Group:
        """A group without rows."""
        arguments = [Argument(0, 0, 0, 0) for _ in range(self._arguments)]
        return Group(terms, 0, arguments, [None] * len(self._aggregates))

    def add(self, group: Group, values: Sequence[Any]) -> None:
        """A row with these arguments has come. All that come, before any goes."""
        group.rows += 1
        for argument, value in zip(group.arguments, values, strict=True):
            argument.count(value, 1)
        for place, number, least in self._extremes:
            value, extreme = values[number], group.given[place]
            if value is None or (extreme is value and type(value) is not float):
                continue
            if extreme is None:
                group.given[place] = value
                continue
            key, best = self._key(number, value), self._key(number, extreme)
            if key < best if least else best < key:
                group.given[place] = value
            elif key == best and (type(value) is not type(extreme) or value != extreme):
                group.stale = True  # which of the two is shown depends on which comes first

    def remove(self, group: Group, values: Sequence[Any]) -> None:
        """A row with these arguments has gone."""
        group.rows -= 1
        for argument, value in zip(group.arguments, values, strict=True):
            argument.count(value, -1)
        for place, number, _ in self._extremes:
            value = values[number]
            if value is None:
                continue
            if self._key(number, value) == self._key(number, group.given[place]):
                group.stale = True

    def _key(self, number: int, value: Any) -> Key:
        return self._keys[number].one((value,))

    def must_ask(self, group: Group) -> bool:
        """Whether only SQLite can say what the results of the group are now."""
        if group.rows < 0:
            raise NotMaintainable("a group has lost more rows than it had")
        for number in self._summed:
            argument = group.arguments[number or 0]
            if argument.magnitude >= SAFE:
                raise NotMaintainable("a sum that may overflow")
            if argument.integers != argument.present:
                return True
        return group.stale

    def results(self, group: Group) -> list[Any]:
        """The results of the aggregates."""
        return [
            self._result(aggregate, group, place)
            for place, aggregate in enumerate(self._aggregates)
        ]

    def _result(self, aggregate: Aggregate, group: Group, place: int) -> Any:
        function = aggregate.function
        if aggregate.argument is None:
            return group.rows
        argument = group.arguments[aggregate.argument]
        if function == "count":
            return argument.present
        if function in ("min", "max") or argument.integers != argument.present:
            return group.given[place]
        if function == "total":
            return float(argument.total)
        if not argument.present:
            return None
        return argument.total if function == "sum" else float(argument.total) / argument.present
