"""The reading connections of a file: they read beside the writer, each its own snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from reactive_sqlite.driver.connection import Connection
from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.errors import ClosedError

#: Idle connections kept; more may be open at a time when more threads read at once.
KEPT = 4


class Setup:
    """What makes all connections alike: functions, collations, pragmas that shape results.

    Of what goes by one name the last is kept. Added to under the writer's lock, read by any thread.
    """

    def __init__(self) -> None:
        self._steps: dict[Hashable, tuple[int, Callable[[Connection], None]]] = {}
        self.last = 0
        """the number of the newest"""

    def add(self, name: Hashable, step: Callable[[Connection], None]) -> None:
        """Have this done to each connection, in the place of what was to be done by that name."""
        number = self.last + 1
        # Another dict: a reader may be going through this one.
        kept = {known: made for known, made in self._steps.items() if known != name}
        self._steps = {**kept, name: (number, step)}
        self.last = number

    def run(self, connection: Connection) -> None:
        """Do to a connection what has not been done to it yet."""
        for number, step in self._steps.values():
            if number > connection.set_up:
                step(connection)
                connection.set_up = number

    def __len__(self) -> int:
        return len(self._steps)


class ReaderPool:
    """Reading connections, opened when needed and kept for the next reader.

    ``setup`` makes a new one like the others. Any thread may take one; it is its own until given
    back.
    """

    def __init__(self, open_reader: Callable[[], Connection], setup: Setup) -> None:
        self._open_reader = open_reader
        self._setup = setup
        self._lock = Lock()
        self._changed = threading.Condition(self._lock)
        self._borrowed = 0
        self._idle: list[Connection] = []
        self._closed = False
        self._held_off = False
        """none is to be open for the moment"""

    def take(self) -> Connection:
        """A connection of one's own until `give_back`."""
        connection, borrowed = None, False
        try:
            with self._lock:
                if self._held_off:
                    self._changed.wait_for(lambda: not self._held_off)
                if self._closed:
                    raise ClosedError("the database is closed")
                self._borrowed += 1
                borrowed = True
                if self._idle:
                    connection = self._idle.pop()
            if connection is None:
                connection = self._open_reader()
            if connection.set_up < self._setup.last:
                self._setup.run(connection)
        except BaseException:  # Ctrl-C too: else it stayed borrowed for ever
            if borrowed:
                self.give_back(connection)
            raise
        return connection

    def give_back(self, connection: Connection | None) -> None:
        """The connection that `take` gave; None when there was none to be had."""
        with self._lock:
            keep = not (self._closed or self._held_off) and len(self._idle) < KEPT
            if connection is not None and keep:
                self._idle.append(connection)
                self._borrowed -= 1
                return
        if connection is not None:
            connection.close()
        with self._lock:
            self._borrowed -= 1
            if self._closed or self._held_off:
                self._changed.notify_all()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that sees one state of the database for the length of the block.

        It knows the schema of that state also for what is only prepared: SQLite compares the one
        that it has in memory with the file's when a statement is run.
        """
        connection = self.take()
        try:
            connection.run("BEGIN")
            connection.run("SELECT 1 FROM sqlite_schema LIMIT 1")  # opens the snapshot
            yield connection
            connection.run("COMMIT")
        except BaseException:  # Ctrl-C: whoever is next must not see this state for ever
            if connection.in_transaction:
                connection.run("ROLLBACK")
            raise
        finally:
            self.give_back(connection)

    @contextmanager
    def held_off(self, timeout: float) -> Iterator[None]:
        """For the length of the block no connection is open; whoever wants one waits.

        Unless one is in use for longer than the timeout.
        """
        try:
            self.hold_off(timeout)
            yield
        finally:
            self.let_in()

    def hold_off(self, timeout: float) -> None:
        """Begin what `held_off` does; `let_in` ends it."""
        with self._lock:
            self._held_off = True
        self._close_all(timeout)

    def let_in(self) -> None:
        """Connections may be open again."""
        with self._lock:
            self._held_off = False
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        """Close all, waiting for those in use: the writer must be the last to leave a file."""
        with self._lock:
            self._closed = True
        self._close_all(timeout)

    def _close_all(self, timeout: float) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            self._changed.wait_for(lambda: self._borrowed == 0, timeout)
        for connection in idle:
            connection.close()
