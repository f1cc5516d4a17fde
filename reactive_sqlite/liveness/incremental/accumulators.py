"""What is kept of one group so that its aggregates follow from the rows that come and go.

Sums are kept while all their values are integers: those SQLite adds exactly, in any order, and a
float makes the result depend on the order (https://sqlite.org/lang_aggfunc.html#sumunc). A group
in which there is anything else, or whose extreme has gone, is asked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from reactive_sqlite.liveness.incremental.sortkey import Direction, Key, SortKeys
from reactive_sqlite.liveness.incremental.step import NotMaintainable
from reactive_sqlite.understanding.analysis.aggregates import Aggregate
from reactive_sqlite.values.change import same_image

#: A sum of absolute values below this cannot overflow, whatever the order.
SAFE: Final = 1 << 62
#: Stands for values that are equal and not the same, such as 1 and 1.0.
MIXED: Final = object()
_SUMS: Final = frozenset({"sum", "total", "avg"})


class Argument:
    """The values of one argument in one group."""

    __slots__ = ("integers", "magnitude", "present", "total", "values")

    def __init__(self, present: int, integers: int, total: int, magnitude: int) -> None:
        self.present = present
        """how many are not NULL"""
        self.integers = integers
        """how many are integers"""
        self.total = total
        """the sum of the integers"""
        self.magnitude = magnitude
        """at least the sum of their absolute values"""
        self.values: dict[Key, list[Any]] | None = None
        """if they are kept: how often each comes, and the value, `MIXED` if equals differ"""

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
    """The aggregates of a statement, over any of its groups.

    ``keeps`` says that the values are kept of which an extreme is asked for, or how many there
    are; else, when an extreme has gone, SQLite must be asked.
    """

    def __init__(
        self, aggregates: Sequence[Aggregate], collations: Sequence[str | None], *, keeps: bool
    ) -> None:
        self._aggregates = tuple(aggregates)
        self._arguments = len(collations)
        self._keys = [SortKeys([Direction(collation=c or "BINARY")]) for c in collations]
        self._extremes = [
            (place, aggregate.argument, aggregate.function == "min")
            for place, aggregate in enumerate(self._aggregates)
            if aggregate.function in ("min", "max") and aggregate.argument is not None
        ]
        self._keeps = keeps
        self._kept: set[int] = set()
        if keeps:
            self._kept = {argument for _, argument, _ in self._extremes}
            self._kept |= {
                a.argument for a in self._aggregates if a.distinct and a.argument is not None
            }
        self._summed = {a.argument for a in self._aggregates if a.function in _SUMS}

    def empty(self, terms: tuple[Any, ...]) -> Group:
        """A group without rows."""
        arguments = [Argument(0, 0, 0, 0) for _ in range(self._arguments)]
        for number in self._kept:
            arguments[number].values = {}
        return Group(terms, 0, arguments, [None] * len(self._aggregates))

    def fill(self, group: Group, rows: Sequence[Sequence[Any]]) -> None:
        """These are all rows of a group; what they give are their arguments."""
        group.rows = len(rows)
        columns = zip(*rows, strict=True) if rows else ()
        for number, (argument, column) in enumerate(zip(group.arguments, columns, strict=False)):
            present = [value for value in column if value is not None]
            integers = [value for value in present if type(value) is int]
            argument.present, argument.integers = len(present), len(integers)
            argument.total, argument.magnitude = sum(integers), sum(map(abs, integers))
            if argument.values is None:
                continue
            if len(integers) == len(present):
                counted = Counter(integers).items()
                argument.values = {self._key(number, v): [times, v] for v, times in counted}
            else:
                for value in present:
                    self._keep(argument, number, value)
        group.stale = bool(self._extremes)

    def add(self, group: Group, values: Sequence[Any]) -> None:
        """A row with these arguments has come. All that come, before any goes."""
        group.rows += 1
        for argument, value in zip(group.arguments, values, strict=True):
            argument.count(value, 1)
        for number in self._kept:
            self._keep(group.arguments[number], number, values[number])
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
        for kept in self._kept:
            self._drop(group.arguments[kept], kept, values[kept])
        for place, number, _ in self._extremes:
            value = values[number]
            if value is None:
                continue
            if self._key(number, value) == self._key(number, group.given[place]):
                group.stale = True

    def _keep(self, argument: Argument, number: int, value: Any) -> None:
        if value is None or argument.values is None:
            return
        known = argument.values.setdefault(self._key(number, value), [0, value])
        known[0] += 1
        if known[1] is not value and not same_image((known[1],), (value,)):
            known[1] = MIXED

    def _drop(self, argument: Argument, number: int, value: Any) -> None:
        if value is None or argument.values is None:
            return
        key = self._key(number, value)
        known = argument.values.get(key)
        if known is None:
            raise NotMaintainable("a value has gone that was not there")
        known[0] -= 1
        if not known[0]:
            del argument.values[key]

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
        if group.stale and self._keeps:
            self._look_up(group)
        return group.stale

    def _look_up(self, group: Group) -> None:
        """Find the extremes among the values that are kept."""
        for place, number, least in self._extremes:
            values = group.arguments[number].values
            best = None
            if values:
                best = values[min(values) if least else max(values)][1]
            if best is MIXED:
                raise NotMaintainable("an extreme of values that are equal and not the same")
            group.given[place] = best
        group.stale = False

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
        if aggregate.distinct:
            return len(argument.values or ())
        if function == "count":
            return argument.present
        if function in ("min", "max") or argument.integers != argument.present:
            return group.given[place]
        if function == "total":
            return float(argument.total)
        if not argument.present:
            return None
        return argument.total if function == "sum" else float(argument.total) / argument.present
