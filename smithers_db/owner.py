"""Who works on an execution: this process, another one, or one that is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import later, new_id, now
from smithers_db.rows import Execution, ExecutionOwner
from smithers_db.table import Table

#: How old the heartbeat of a worker on another host may be, in milliseconds.
STALE_MS = 60_000


class Incomplete(msgspec.Struct, frozen=True):
    """An execution that has not ended: somebody works on it, or it is abandoned."""

    execution: Execution
    owner: ExecutionOwner | None
    abandoned: bool

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.execution.id

    @property
    def running(self) -> bool:
        """Whether somebody works on it."""
        return not self.abandoned


def process_started(process_id: int) -> str | None:
    """When a process of this host started, in the kernel's ticks; None when there is none.

    Together with the process id this names a process for good: ids are used again. Empty where
    that is not told: without /proc, or of another user's process where it hides those (hidepid).
    """
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _without_proc(process_id)
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]  # a zombie works on nothing


def _without_proc(process_id: int) -> str | None:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:  # another user's
        return ""
    return ""


def is_abandoned(owner: ExecutionOwner | None, host: str, stale_ms: int) -> bool:
    """Whether nobody works on an unfinished execution any more.

    On this host the process itself is asked: a beat may be late, a dead process is dead. For
    another host only the heartbeat speaks.
    """
    if owner is None or owner.owner_id is None:
        return True
    if owner.host == host:
        return process_started(owner.process_id) not in (owner.process_started, "")
    return owner.heartbeat_at < later(-stale_ms)


def is_dead(owner: ExecutionOwner | None) -> bool:
    """The same, seen from this host."""
    return is_abandoned(owner, socket.gethostname(), STALE_MS)


_OWN = (
    "INSERT INTO execution_owners (execution_id, owner_id, host, process_id, process_started, "
    "acquired_at, heartbeat_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (execution_id) DO UPDATE SET owner_id = excluded.owner_id, host = excluded.host, "
    "process_id = excluded.process_id, process_started = excluded.process_started, "
    "acquired_at = excluded.acquired_at, heartbeat_at = excluded.heartbeat_at"
)
_BEAT = "UPDATE execution_owners SET heartbeat_at = ? WHERE execution_id = ? AND owner_id = ?"
_RELEASE = (
    "UPDATE execution_owners SET owner_id = NULL WHERE owner_id = ? AND execution_id IN "
    "(SELECT id FROM executions WHERE completed_at IS NULL)"
)


class Owner:
    """One open database object of one process, as the owner of the executions that it runs."""

    def __init__(self, db: ReactiveDatabase) -> None:
        self._db = db
        self._table = Table(db, "execution_owners", ExecutionOwner)
        self._id = new_id()
        self._host = socket.gethostname()
        self._process_id = os.getpid()
        self._process_started = process_started(self._process_id) or ""
        self._has_owned = False

    def of(self, execution_id: str) -> ExecutionOwner | None:
        """Who works on an execution, or did last."""
        return self._table.get(execution_id)

    def is_mine(self, owner: ExecutionOwner | None) -> bool:
        """Whether this is me."""
        return owner is not None and owner.owner_id == self._id

    def is_gone(self, owner: ExecutionOwner | None, stale_ms: int) -> bool:
        """Whether nobody works there any more: `is_abandoned`, seen from this host."""
        return is_abandoned(owner, self._host, stale_ms)

    def own(self, execution_id: str, moment: str) -> None:
        """Writes down that I work on an execution from now on."""
        self._has_owned = True
        me = (self._id, self._host, self._process_id, self._process_started)
        self._db.execute(_OWN, (execution_id, *me, moment, moment))

    def beat(self, execution_id: str) -> bool:
        """Says that I am alive; False if the execution is not mine."""
        return bool(self._db.execute(_BEAT, (now(), execution_id, self._id)).changes)

    def release(self) -> None:
        """Gives up all that I own and that has not ended."""
        if self._has_owned:  # who only looked at a file leaves it unwritten
            self._db.execute(_RELEASE, (self._id,))
