"""Waiting for a lock on a database file, and who holds it, as far as the platform tells.

Linux lists POSIX locks in /proc/locks, by inode; nothing is opened but that list. Which byte
means what: https://sqlite.org/walformat.html#locks and https://sqlite.org/lockingv3.html
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import NamedTuple

#: Seconds to sleep at least and at most before a lock that somebody else has is asked for again.
SHORTEST_SLEEP, LONGEST_SLEEP = 0.0002, 0.004
#: Seconds between two waits up to which they are taken for one: there is a crowd.
CROWDED = 0.02

_WAL_WRITE = 120
_WAL_READ = range(123, 128)
_WAL_OPEN = 128
_RESERVED = 0x40000001


class LockWait:
    """SQLite's busy handler: somebody else has the lock; sleep a little, and try again?

    SQLite's own handler sleeps up to 100 ms at a time, in which others come and go: with short
    sleeps of random length a lock is taken soon after it is free. Where many processes write all
    the time each sleep is a longer one from the start, so that who has the lock gets something
    done before it changes hands: waking up costs more than a transaction.
    https://sqlite.org/c3ref/busy_handler.html
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        """seconds"""
        self._since = 0.0
        self._last = 0.0
        self._sleeps = 0

    def __call__(self, tries: int) -> bool:
        """Called with the number of tries before; false to give up."""
        now = time.monotonic()
        if tries == 0:
            self._since = now
            if now - self._last > CROWDED:
                self._sleeps = 0
        elif now - self._since > self.timeout:
            return False
        self._sleeps += 1
        time.sleep(min(LONGEST_SLEEP, SHORTEST_SLEEP * self._sleeps) * (0.5 + random.random()))
        self._last = time.monotonic()
        return self.timeout > 0


class Locks(NamedTuple):
    """Process ids, those of other processes and the own one."""

    open: frozenset[int]
    """have the file open in WAL mode"""
    readers: frozenset[int]
    """have a read transaction open on what the log holds"""
    writer: int | None
    """has the write lock"""


def locks_on(path: str) -> Locks:
    """The locks on this database file at the moment. Empty where the platform does not tell."""
    users: set[int] = set()
    readers: set[int] = set()
    writer: int | None = None
    for pid, first, last in _ranges(path + "-shm"):
        if first <= _WAL_OPEN <= last:
            users.add(pid)
        if first <= _WAL_WRITE <= last:
            writer = pid
        if any(first <= slot <= last for slot in _WAL_READ):
            readers.add(pid)
    for pid, first, last in _ranges(path):
        if first <= _RESERVED <= last:
            writer = pid
    return Locks(frozenset(users), frozenset(readers), writer)


def _ranges(path: str) -> Iterator[tuple[int, int, int]]:
    """Process, first and last byte of each lock on a file."""
    try:
        found = os.stat(path)
        with open("/proc/locks") as lines:
            listed = lines.readlines()
    except OSError:
        return
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in listed:
        # 1: POSIX  ADVISORY  WRITE 2776 fe:00:2148173 120 120   ("1: -> …" is one that waits)
        fields = line.split()
        if len(fields) == 8 and fields[5] == file:
            last = (1 << 63) if fields[7] == "EOF" else int(fields[7])
            yield int(fields[4]), int(fields[6]), last


def process(pid: int) -> str:
    """A process in words: its id and how it was started."""
    if pid == os.getpid():
        return f"{pid} (this process)"
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = " ".join(file.read().replace(b"\0", b" ").decode(errors="replace").split())
    except OSError:
        command = ""
    return f"{pid} ({command[:80]})" if command else str(pid)


def processes(pids: frozenset[int]) -> str:
    """Several processes in words; empty for none."""
    return ", ".join(process(pid) for pid in sorted(pids))
