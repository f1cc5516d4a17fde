"""Who wants to hear of every commit, whatever it changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from reactive_sqlite.driver.mutex import RLock
from reactive_sqlite.values.change import ChangeSet


class Listeners:
    """Calls for each commit, and one at the end, queued in the order in which they happen.

    They come and go on any thread.
    """

    def __init__(self, enqueue: Callable[[Callable[[], None]], None]) -> None:
        self._enqueue = enqueue
        self._lock = RLock()
        self.calls: tuple[Callable[[ChangeSet], None], ...] = ()
        self.wanted: Callable[[bool], object] = bool
        """is told whether there are any, whenever that may have changed"""
        self._farewells: tuple[Callable[[], None], ...] = ()

    def add(self, call: Callable[[ChangeSet], None]) -> None:
        """From here on have it called with each commit."""
        with self._lock:
            self.calls = (*self.calls, call)
            self.wanted(True)

    def remove(self, call: Callable[[ChangeSet], None]) -> None:
        """Not any more."""
        with self._lock:
            self.calls = tuple(kept for kept in self.calls if kept is not call)
            self.wanted(bool(self.calls))

    def tell(self, change: ChangeSet) -> None:
        """A commit."""
        for call in self.calls:
            self._enqueue(partial(call, change))

    def at_end(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have it called when the database is closed; the result takes it away again."""
        with self._lock:
            self._farewells = (*self._farewells, call)

        def stop() -> None:
            with self._lock:
                self._farewells = tuple(kept for kept in self._farewells if kept is not call)

        return stop

    def end(self) -> None:
        """The database is closed."""
        with self._lock:
            farewells, self._farewells = self._farewells, ()
        for call in farewells:
            self._enqueue(call)
