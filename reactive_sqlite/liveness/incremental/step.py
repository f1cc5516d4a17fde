"""What keeping a result from the changes gives: its new value, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactive_sqlite.values.delta import Delta
from reactive_sqlite.values.row import Row


class NotMaintainable(Exception):
    """The query must be run again. A finding and not an error: it is never seen outside."""


class Deferred:
    """A value that is built when somebody wants it, once."""

    __slots__ = ("_build", "_value")

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build: Callable[[], Any] | None = build
        self._value: Any = None

    def get(self) -> Any:
        """The value. Any thread may ask; two at once may both build it, of the same rows."""
        build = self._build
        if build is not None:
            self._value = build()
            self._build = None
        return self._value


class Step:
    """One new state of a maintained result, and how it differs from the state before."""

    __slots__ = ("_delta", "changed", "rows")

    def __init__(
        self, rows: Deferred | tuple[Row, ...], delta: Callable[[int], Delta[Row]] | None
    ) -> None:
        self.rows = rows
        """all rows of the result, a tuple"""
        self.changed = delta is not None
        """whether any row or position differs"""
        self._delta = delta

    def delta(self, version: int) -> Delta[Row]:
        """The difference to the state before."""
        assert self._delta is not None
        return self._delta(version)
