"""The queue of version-control operations: one worker at a time has an item, for a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import optional_text, whole
from smithers_db.clock import later, new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import InvalidTransition, InvalidValue
from smithers_db.rows import VcsQueueItem
from smithers_db.table import Table

# `completed_at IS NULL` is the index's one key: the open items, in the order of their ids.
_DEQUEUE = (
    "UPDATE vcs_queue SET status = 'running', lease_id = ?, lease_until = ?, started_at = ?, "
    "attempts = attempts + 1 WHERE id = (SELECT id FROM vcs_queue WHERE completed_at IS NULL "
    "AND (status = 'pending' OR (status = 'running' AND coalesce(lease_until, '') < ?)) "
    "ORDER BY id LIMIT 1)"
)
_COMPLETE = (
    "UPDATE vcs_queue SET status = ?, error = ?, completed_at = ?, lease_until = NULL "
    "WHERE id = ? AND status = 'running' AND "
)


class VcsQueue:
    """Operations to be done one after the other (``db.vcs_queue``).

    An item is leased while it is worked on. The item of a worker that died comes back when its
    lease runs out, and that worker's late answer is refused.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> first = db.vcs_queue.enqueue("commit", {"message": "fix it"})
    >>> second = db.vcs_queue.enqueue("push", {"remote": "origin"})
    >>> item = db.vcs_queue.dequeue(lease=60)  # seconds
    >>> item.operation, [waiting.operation for waiting in db.vcs_queue.get_pending()]
    ('commit', ['push'])
    >>> db.vcs_queue.complete(item.id)
    >>> db.vcs_queue.complete(db.vcs_queue.dequeue().id, error="no such remote")
    >>> db.vcs_queue.get(first).status, db.vcs_queue.get(second).status
    ('completed', 'failed')
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "vcs_queue", VcsQueueItem)
        self._worker = new_id()  # what the leases of this object begin with

    def enqueue(self, operation: str, payload: Any, *, execution_id: str | None = None) -> int:
        """Puts an operation at the end; returns its id. It belongs to a run if there is one."""
        return self._table.insert(
            execution_id=self._ambient.known_execution_id(execution_id),
            operation=operation,
            payload={} if payload is None else payload,
            created_at=now(),
        ).last_insert_rowid

    def dequeue(self, lease: timedelta | float = 300.0) -> VcsQueueItem | None:
        """Leases the first item that nobody has, for this long (seconds); None if there is none."""
        seconds: Any = lease.total_seconds() if isinstance(lease, timedelta) else lease
        if not isinstance(seconds, int | float) or not 0 < seconds < 10**8:
            raise InvalidValue(f"a lease lasts more than 0 seconds, not {lease!r}")
        lease_id = f"{self._worker}/{new_id()}"
        moment = now()
        with self._db.transaction():
            self._db.execute(_DEQUEUE, (lease_id, later(int(seconds * 1000)), moment, moment))
            return self._table.first("WHERE completed_at IS NULL AND lease_id = ?", (lease_id,))

    def complete(self, id: int, error: str | None = None, *, lease_id: str | None = None) -> None:
        """Ends a leased item, well or with an error.

        The lease is the one that this object got for it, or the given one.

        Raises:
            NotFound: there is no such item. InvalidTransition: its lease is another's by now, or
            it has ended.
        """
        status = "completed" if error is None else "failed"
        values = (status, optional_text("error", error), now(), whole("id", id))
        optional_text("lease_id", lease_id)
        if lease_id is None:
            ended = self._db.execute(_COMPLETE + "lease_id GLOB ?", (*values, f"{self._worker}/*"))
        else:
            ended = self._db.execute(_COMPLETE + "lease_id = ?", (*values, lease_id))
        if not ended.changes:
            item = self._table.one(id)
            raise InvalidTransition(f"item {id} is {item.status}, and not leased by this worker")

    def get(self, id: int) -> VcsQueueItem | None:
        """The item with this id, or None."""
        return self._table.get(id)

    def get_pending(self) -> Sequence[VcsQueueItem]:
        """The items that nobody has worked on yet, first come first."""
        return self._table.all("WHERE completed_at IS NULL AND status = 'pending' ORDER BY id")
