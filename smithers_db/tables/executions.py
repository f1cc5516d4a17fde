"""Executions: the runs themselves, who works on them, and what becomes of the dead ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import identifier, natural, number_of_rows, optional_text, text, whole
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient, Context
from smithers_db.errors import InvalidTransition, NotFound
from smithers_db.ledger import FRESH, state_at
from smithers_db.lifecycle import OPEN, Lifecycle, interrupt
from smithers_db.owner import STALE_MS, Incomplete, Owner
from smithers_db.rows import Execution, ExecutionOwner, StateEntry
from smithers_db.table import Table
from smithers_db.values import encode, encode_optional

_START = (
    "INSERT INTO executions (id, name, file_path, config, forked_from, forked_transition, "
    "status, started_at, created_at) VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?) "
    "ON CONFLICT (id) DO NOTHING"
)
_TRANSITION = (
    "INSERT INTO transitions (id, execution_id, key, new_value, trigger, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_ADVANCE = (
    "INSERT INTO transitions (id, execution_id, key, old_value, new_value, trigger, created_at) "
    "SELECT ?, e.id, 'iteration', s.value, coalesce(s.value, 0) + 1, 'iteration', ? "
    "FROM executions e LEFT JOIN state s ON s.execution_id = e.id AND s.key = 'iteration' "
    "WHERE e.id = ? AND (s.value IS NULL "
    "OR (s.value NOT GLOB '*[^0-9]*' AND length(s.value) < 19)) RETURNING new_value"
)


class Executions:
    """The runs of this database (``db.execution``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> with db.execution.running("nightly", "workflow.py") as run:
    ...     db.execution.heartbeat()
    ...     db.state.get("iteration"), db.execution.advance_iteration()
    ...     db.execution.current().status
    (0, 1)
    'running'
    >>> copy = db.execution.fork(run)
    >>> [found.id == copy for found in db.execution.find_incomplete() if found.running]
    [True]
    >>> db.execution.end(copy, {"tests": 12}, reason="all passed", exit_code=0)
    >>> db.execution.complete(db.execution.start("a", "f"), {"ok": True})
    >>> db.execution.fail(db.execution.start("b", "f"), "no luck")
    >>> db.execution.cancel(db.execution.start("c", "f"))
    >>> db.execution.delete(run)
    >>> [row.status for row in db.execution.list()], db.execution.get(run), db.execution.owner(run)
    (['cancelled', 'failed', 'completed', 'completed'], None, None)
    """

    def __init__(
        self,
        db: ReactiveDatabase,
        ambient: Ambient,
        owner: Owner,
        sweep: Callable[[], object],
    ) -> None:
        self._db = db
        self._ambient = ambient
        self._owner = owner
        self._sweep = sweep
        self._table = Table(db, "executions", Execution)
        self._life = Lifecycle(self._table, ambient, "execution_id")
        self._complete = self._life.ending("completed", "result")
        self._fail = self._life.ending("failed", "error")
        self._cancel = self._life.ending("cancelled")
        self._end_well = self._life.ending("completed", "end_summary", "end_reason", "exit_code")
        self._end_badly = self._life.ending("failed", "end_summary", "end_reason", "exit_code")

    def start(
        self, name: str | None, file_path: str, config: Any = None, *, id: str | None = None
    ) -> str:
        """Starts a run, seeds its state, and makes it the calling task's current one.

        Returns the id. Raises `InvalidTransition` when an execution has the given id already.
        """
        execution_id = new_id() if id is None else identifier("id", id)
        config = {} if config is None else config
        with self._db.transaction():
            moment = self._insert(execution_id, name, file_path, encode(config))
            self._db.executemany(
                _TRANSITION,
                [
                    (new_id(), execution_id, key, encode(value), "init", moment)
                    for key, value in FRESH.items()
                ],
            )
        self._life.enter(Context(execution_id))
        return execution_id

    def _insert(
        self,
        execution_id: str,
        name: str | None,
        file_path: str,
        config: str,
        forked_from: str | None = None,
        transition: str | None = None,
    ) -> str:
        """Inserts a run that is this worker's; returns the moment."""
        moment = now()
        inserted = self._db.execute(
            _START,
            (
                execution_id,
                optional_text("name", name),
                text("file_path", file_path),
                config,
                forked_from,
                transition,
                moment,
                moment,
            ),
        )
        if not inserted.changes:
            raise InvalidTransition(
                f"an execution {execution_id!r} exists already; resume(id) goes on with it"
            )
        self._owner.own(execution_id, moment)
        return moment

    def complete(self, id: str, result: Any = None) -> None:
        """Ends a run well; what a dead worker left running in it is interrupted, its questions too.

        Raises `NotFound`, and `InvalidTransition` when it has ended.
        """
        self._end(self._complete, id, result)

    def fail(self, id: str, error: str) -> None:
        """Ends a run with an error, as `complete` does."""
        self._end(self._fail, id, error)

    def cancel(self, id: str) -> None:
        """Ends a run that is not wanted any more, as `complete` does."""
        self._end(self._cancel, id)

    def end(self, id: str, summary: Any, reason: str, exit_code: int = 0) -> None:
        """Ends a run by the workflow's own word: completed when the exit code is 0, else failed."""
        end = self._end_well if whole("exit_code", exit_code) == 0 else self._end_badly
        self._end(end, id, summary, reason, exit_code)

    def _end(self, end: Callable[..., None], id: str, *values: Any) -> None:
        with self._db.transaction():
            end(id, *values)
            owner = self._owner.of(id)
            if not self._owner.is_mine(owner) and self._owner.is_gone(owner, STALE_MS):
                interrupt(self._db, id, now(), for_good=True)  # else for ever running, or asking

    def running(
        self, name: str | None, file_path: str, config: Any = None, *, id: str | None = None
    ) -> AbstractContextManager[str]:
        """``with db.execution.running(…) as id:`` starts a run and ends it with the block."""
        return self._life.running(
            lambda: self.start(name, file_path, config, id=id), self.complete, self.fail
        )

    def current(self) -> Execution | None:
        """The calling task's run, or None."""
        return self._life.current()

    def get(self, id: str) -> Execution | None:
        """The run with this id, or None."""
        return self._table.get(id)

    def list(self, limit: int = 20) -> Sequence[Execution]:
        """The newest ``limit`` runs, newest first; a limit of -1 gives all."""
        rows = number_of_rows("limit", limit, or_all=True)
        return self._table.all("ORDER BY rowid DESC LIMIT ?", (rows,))

    def owner(self, id: str) -> ExecutionOwner | None:
        """Who works on a run, or did last; None for a run of an older file."""
        return self._owner.of(id)

    def find_incomplete(self, stale_ms: int = STALE_MS) -> Sequence[Incomplete]:
        """The runs that have not ended, newest first, and whether anybody works on them.

        ``stale_ms`` is how old the heartbeat of a worker on another host may be; a worker on this
        host is running as long as its process is. A live query of this hears of every beat, but
        not of a process that dies: that changes nothing in the file, so ask again now and then.
        """
        natural("stale_ms", stale_ms)
        tail = f"WHERE completed_at IS NULL AND {OPEN} ORDER BY rowid DESC"
        found = []
        for execution in self._table.all(tail):
            owner = self._owner.of(execution.id)
            found.append(Incomplete(execution, owner, self._owner.is_gone(owner, stale_ms)))
        return found

    def resume(self, id: str, stale_ms: int = STALE_MS) -> Execution:
        """Takes over an abandoned run: one caller gets it, whoever else tries at the same instant.

        What its dead worker left running is marked failed as interrupted; what had finished stays
        finished. The run becomes the calling task's current one.

        Raises:
            NotFound: there is no such run. InvalidTransition: it has ended, or is being run.

        >>> from smithers_db import create_smithers_db
        >>> with create_smithers_db("interrupted.db") as db:
        ...     run, step = db.execution.start("nightly", "workflow.py"), db.steps.start("compile")
        >>> with create_smithers_db("interrupted.db") as db:
        ...     [found.id == run for found in db.execution.find_incomplete() if found.abandoned]
        ...     db.execution.resume(run).status, db.steps.get(step).error
        [True]
        ('running', 'interrupted: its worker died')
        """
        natural("stale_ms", stale_ms)
        with self._db.transaction():
            execution = self._table.one(id)
            if execution.status not in ("pending", "running"):
                raise InvalidTransition(
                    f"execution {id!r} is {execution.status}: nothing to resume"
                )
            owner = self._owner.of(id)
            if owner is not None and not self._owner.is_gone(owner, stale_ms):
                raise InvalidTransition(
                    f"execution {id!r} is being run by process {owner.process_id} on {owner.host}"
                )
            moment = now()
            interrupt(self._db, id, moment)
            self._db.execute("UPDATE executions SET status = 'running' WHERE id = ?", (id,))
            self._owner.own(id, moment)
        self._ambient.set(Context(id), lambda: self._owner.is_mine(self._owner.of(id)))
        return self._table.one(id)

    def heartbeat(self, id: str | None = None) -> None:
        """Says that this run is alive; one row is updated, however often.

        Raises:
            NotFound: there is no such run. InvalidTransition: another worker has taken it over.
        """
        execution_id = self._ambient.execution_id(id)
        if not self._owner.beat(execution_id):
            self._table.one(execution_id)
            raise InvalidTransition(f"execution {execution_id!r} is not this worker's any more")

    def advance_iteration(self, execution_id: str | None = None) -> int:
        """Raises the run's iteration, in its state and its total at once; returns the new one.

        Raises:
            NotFound: there is no such run. InvalidTransition: its state holds no whole number.
        """
        execution_id = self._ambient.execution_id(execution_id)
        rows = self._db.execute(_ADVANCE, (new_id(), now(), execution_id)).rows
        if not rows:
            self._table.one(execution_id)
            raise InvalidTransition(f"the iteration of {execution_id!r} is no whole number")
        return int(rows[0][0])

    def delete(self, id: str) -> None:
        """Deletes a run with all that belongs to it, its output files too.

        Inside a transaction the files stay for now: the next `delete` or prune removes them.

        Raises:
            NotFound: there is no such run. InvalidTransition: another worker is at it.
        """
        with self._db.transaction():
            owner = self._owner.of(id)
            mine = self._owner.is_mine(owner)
            if not mine and self._life.is_open(id) and not self._owner.is_gone(owner, STALE_MS):
                raise InvalidTransition(
                    f"execution {id!r} is running; cancel it before deleting it"
                )
            if not self._db.execute("DELETE FROM executions WHERE id = ?", (id,)).changes:
                self._table.missing(id)
        self._life.leave(id)
        self._sweep()

    def fork(self, id: str, at: str | None = None) -> str:
        """Starts a new run with another run's state, as it is or as of a transition.

        ``at`` is the id of a transition of that run. Returns the new run's id; it becomes the
        calling task's current one.

        Raises:
            NotFound: there is no such run, or it has no such transition.
        """
        execution_id = new_id()
        with self._db.transaction():
            origin = self._table.one(id)
            last = self._sequence(id, at)
            config = encode_optional(origin.config) or "{}"
            moment = self._insert(execution_id, origin.name, origin.file_path, config, id, at)
            kept = state_at(self._db, id, last)
            if at is None:  # state that predates the ledger, in files of the original
                state = Table(self._db, "state", StateEntry)
                rows = state.values("key, value", "WHERE execution_id = ? ORDER BY key", (id,))
                kept = [(row.key, row.value) for row in rows]
            self._db.executemany(
                _TRANSITION,
                [(new_id(), execution_id, key, value, "fork", moment) for key, value in kept],
            )
        self._life.enter(Context(execution_id))
        return execution_id

    def _sequence(self, execution_id: str, transition_id: str | None) -> int:
        if transition_id is None:
            return 2**63 - 1
        rows = self._db.execute(
            "SELECT seq FROM transitions WHERE id = ? AND execution_id = ?",
            (text("at", transition_id), execution_id),
        ).rows
        if not rows:
            raise NotFound(f"execution {execution_id!r} has no transition {transition_id!r}")
        return int(rows[0][0])
