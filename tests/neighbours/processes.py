"""Other processes for the tests, and waiting for what they cause."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Long enough that only a fault reaches it, on however busy a machine.
PATIENCE = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def watchers() -> list[str]:
    """The threads that watch a file; not one that Ctrl-C has kept from starting."""
    return [t.name for t in threading.enumerate() if "watcher" in t.name and t.is_alive()]


_PARTICIPANT = """
import sys
from reactive_sqlite import ReactiveDatabase
db = ReactiveDatabase(sys.argv[1], **eval(sys.argv[2]))
run = db.execute
"""
_STRANGER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
run = db.execute
"""
_SERVE = """
print("ready", flush=True)
for line in sys.stdin:
    exec(eval(line))
    print("done", flush=True)
db.close()
"""


class Other:
    """Another Python process that runs what it is told, one piece after the other.

    In it, ``db`` is a `ReactiveDatabase` (or, for a stranger, a connection of another driver) and
    ``run`` executes one statement.
    """

    def __init__(self, path: Path, prelude: str, options: str = "{}") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", prelude + _SERVE, str(path), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer("ready")

    def answer(self, expected: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == expected + "\n"

    def start(self, code: str) -> None:
        """Have it run the code, without waiting for the end."""
        assert self.process.stdin is not None
        self.process.stdin.write(repr(code) + "\n")
        self.process.stdin.flush()

    def does(self, code: str) -> None:
        """Have it run the code to its end."""
        self.start(code)
        self.answer("done")

    def runs(self, sql: str) -> None:
        """Have it execute one statement."""
        self.does(f"run({sql!r})")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def leave(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@contextmanager
def participant(path: Path, options: str = "{}") -> Iterator[Other]:
    """A process that uses this package."""
    other = Other(path, _PARTICIPANT, options)
    try:
        yield other
    finally:
        other.leave()


@contextmanager
def stranger(path: Path) -> Iterator[Other]:
    """A process that uses another driver."""
    other = Other(path, _STRANGER)
    try:
        yield other
    finally:
        other.leave()
