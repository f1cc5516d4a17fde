"""For tests of programs that use live queries: a subscriber that remembers."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from reactive_sqlite.liveness.observable import LiveStream


class Emissions:
    """Subscribes to a live query and keeps all that it delivers. Leaving the block unsubscribes.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> _ = db.execute("CREATE TABLE t(x)")
    >>> with Emissions(db.query_value("SELECT count(*) FROM t")) as seen:
    ...     _ = db.execute("INSERT INTO t VALUES (1)")
    >>> seen.values
    [0, 1]
    """

    def __init__(self, stream: LiveStream[Any]) -> None:
        self.values: list[Any] = []
        self.errors: list[Exception] = []
        self.completed = False
        self._subscription = stream.subscribe(
            self.values.append, self.errors.append, self._complete
        )

    def _complete(self) -> None:
        self.completed = True

    @property
    def last(self) -> Any:
        """The newest value; IndexError when there was none."""
        return self.values[-1]

    def clear(self) -> None:
        """Forget the values seen so far."""
        self.values.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._subscription.dispose()
