"""The reading connections of a file: they read beside the writer, each its own snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reactive_sqlite.connection import Connection
from reactive_sqlite.errors import ClosedError

#: Idle connections kept; more may be open at a time when more threads read at once.
KEPT = 4


class ReaderPool:
    """Reading connections, opened when needed and kept for the next reader.

    ``prepare`` makes a new connection like the others: functions, collations, pragmas that
    shape results. Any thread may borrow; what is borrowed is its own until given back.
    """

    def __init__(
        self, open_reader: Callable[[], Connection], setup: list[Callable[[Connection], None]]
    ) -> None:
        self._open_reader = open_reader
        self._setup = setup
        self._lock = threading.Condition()
        self._borrowed = 0
        self._idle: list[tuple[Connection, int]] = []
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[Connection]:
        """A connection for the length of the block."""
        with self._lock:
            if self._closed:
                raise ClosedError("the database is closed")
            connection, done = self._idle.pop() if self._idle else (None, 0)
            self._borrowed += 1
        try:
            if connection is None:
                connection = self._open_reader()
            while done < len(self._setup):
                self._setup[done](connection)
                done += 1
            yield connection
        finally:
            if connection is not None:
                self._give_back(connection, done)
            with self._lock:
                self._borrowed -= 1
                self._lock.notify_all()

    def _give_back(self, connection: Connection, done: int) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < KEPT:
                self._idle.append((connection, done))
                return
        connection.close()

    def close(self, timeout: float) -> None:
        """Close all, waiting for those in use: the writer must be the last to leave a file."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._lock.wait_for(lambda: self._borrowed == 0, timeout)
        for connection, _ in idle:
            connection.close()
