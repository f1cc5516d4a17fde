"""Around a fork: what other threads have begun on a database is waited for, a moment long.

The child has to close the connections that it inherits (`driver.forks`), and cannot close one that
is in use.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Protocol
from weakref import WeakSet

from reactive_sqlite.driver.mutex import Lock
from reactive_sqlite.driver.ownership import WriterLock

#: Seconds for which a fork waits, for all databases together.
FORK_WAITS = 0.25


class Database(Protocol):
    """The part of an `Engine` that is used here."""

    lock: WriterLock

    def hold_still(self, timeout: float) -> bool: ...
    def go_on(self) -> None: ...


_databases: WeakSet[Database] = WeakSet()
_still: list[Database] = []
"""those that are held still, while a fork is under way"""
_forking = Lock()


def waits_for(database: Database) -> None:
    """From here on forks wait for this one."""
    with _forking:
        _databases.add(database)


def _hold_still() -> None:
    _forking.acquire()
    until = monotonic() + FORK_WAITS
    # One by one: should this be interrupted, those that are held still are known.
    _still.extend(d for d in list(_databases) if d.hold_still(max(0.0, until - monotonic())))


def _go_on() -> None:
    for database in _still:
        database.go_on()
    _still.clear()
    _forking.release()


def _go_on_in_child() -> None:
    for database in _still:
        database.lock.release()  # and no more: all else belongs to the parent
    _still.clear()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_go_on_in_child)
