"""Who wants to hear of every commit, whatever it changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from reactive_sqlite.values.change import ChangeSet


class Listeners:
    """Calls for each commit, and one at the end, queued in the order in which they happen."""

    def __init__(self, enqueue: Callable[[Callable[[], None]], None]) -> None:
        self._enqueue = enqueue
        self.calls: tuple[Callable[[ChangeSet], None], ...] = ()
        self._farewells: tuple[Callable[[], None], ...] = ()

    def add(self, call: Callable[[ChangeSet], None]) -> None:
        """From here on have it called with each commit."""
        self.calls = (*self.calls, call)

    def remove(self, call: Callable[[ChangeSet], None]) -> None:
        """Not any more."""
        self.calls = tuple(kept for kept in self.calls if kept is not call)

    def tell(self, change: ChangeSet) -> None:
        """A commit."""
        for call in self.calls:
            self._enqueue(partial(call, change))

    def at_end(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have it called when the database is closed; the result takes it away again."""
        self._farewells = (*self._farewells, call)

        def stop() -> None:
            self._farewells = tuple(kept for kept in self._farewells if kept is not call)

        return stop

    def end(self) -> None:
        """The database is closed."""
        farewells, self._farewells = self._farewells, ()
        for call in farewells:
            self._enqueue(call)
