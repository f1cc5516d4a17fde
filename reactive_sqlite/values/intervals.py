"""IntervalSet: which of many intervals contain a point, at the cost of those that do.

A centred interval tree (https://en.wikipedia.org/wiki/Interval_tree), built when it is asked.
What was added since lies in a short list beside it, and what was discarded is only marked, until
either is worth building anew; so a mixture of n additions, removals and questions costs
O(n log² n) altogether.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

T = TypeVar("T", bound=Hashable)
Point: TypeAlias = tuple[Any, ...]

_FIRST: Final = (0,)
_LAST: Final = (9,)
_PENDING: Final = 32


class _Interval(Generic[T]):
    __slots__ = ("alive", "high", "item", "low")

    def __init__(self, low: Point, high: Point, item: T) -> None:
        self.low = low
        self.high = high
        self.item = item
        self.alive = True


class _Node(Generic[T]):
    """The intervals that contain `centre`, by either end; the others to its left and right."""

    __slots__ = ("by_high", "by_low", "centre", "left", "right")

    def __init__(self, intervals: Sequence[_Interval[T]]) -> None:
        ends = sorted([i.low for i in intervals] + [i.high for i in intervals])
        self.centre = centre = ends[len(ends) // 2]
        here = [i for i in intervals if i.low <= centre <= i.high]
        left = [i for i in intervals if i.high < centre]
        right = [i for i in intervals if i.low > centre]
        self.by_low = sorted(here, key=lambda interval: interval.low)
        self.by_high = sorted(here, key=lambda interval: interval.high, reverse=True)
        self.left: _Node[T] | None = _Node(left) if left else None
        self.right: _Node[T] | None = _Node(right) if right else None


class IntervalSet(Generic[T]):
    """Items, each with a closed interval of sort keys as `comparison.bound_of` makes them.

    An end of None is open to that side.
    """

    __slots__ = ("_dead", "_known", "_pending", "_root")

    def __init__(self) -> None:
        self._known: dict[tuple[Point, Point, T], _Interval[T]] = {}
        self._pending: list[_Interval[T]] = []
        self._root: _Node[T] | None = None
        self._dead = 0

    def add(self, low: Point | None, high: Point | None, item: T) -> None:
        """Add an item; the same one with the same ends is there once."""
        key = (low or _FIRST, high or _LAST, item)
        if key not in self._known and key[0] <= key[1]:
            self._known[key] = interval = _Interval(*key)
            self._pending.append(interval)

    def discard(self, low: Point | None, high: Point | None, item: T) -> None:
        """Remove an item with these ends, if it is there."""
        interval = self._known.pop((low or _FIRST, high or _LAST, item), None)
        if interval is not None:
            interval.alive = False
            self._dead += 1

    def at(self, point: Point) -> Iterator[T]:
        """The items whose interval contains the point."""
        if len(self._pending) > _PENDING + len(self._known) // 8 or (
            self._dead > _PENDING + len(self._known) // 2
        ):
            self._build()
        for interval in self._pending:
            if interval.alive and interval.low <= point <= interval.high:
                yield interval.item
        node = self._root
        while node is not None:
            if point < node.centre:
                for interval in node.by_low:
                    if interval.low > point:
                        break
                    if interval.alive:
                        yield interval.item
                node = node.left
            else:
                for interval in node.by_high:
                    if interval.high < point:
                        break
                    if interval.alive:
                        yield interval.item
                node = node.right

    def __iter__(self) -> Iterator[T]:
        for _, _, item in self._known:
            yield item

    def __len__(self) -> int:
        return len(self._known)

    def _build(self) -> None:
        self._root = _Node(list(self._known.values())) if self._known else None
        self._pending = []
        self._dead = 0
