"""Phases: the named stages of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import natural, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient, Context
from smithers_db.errors import NotFound
from smithers_db.ledger import ITERATION
from smithers_db.lifecycle import Lifecycle
from smithers_db.rows import Phase
from smithers_db.table import Table

_START = (
    "INSERT INTO phases (id, execution_id, name, iteration, status, started_at, created_at) "
    f"SELECT ?, e.id, ?, coalesce(?, {ITERATION}, 0), 'running', ?, ? "
    "FROM executions e WHERE e.id = ?"
)


class Phases:
    """The phases of runs (``db.phases``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> phase = db.phases.start("plan")
    >>> db.phases.current().name
    'plan'
    >>> db.phases.complete(phase)
    >>> db.phases.get(phase).status
    'completed'
    >>> db.phases.fail(db.phases.start("build", iteration=2), "it does not compile")
    >>> db.phases.skip(db.phases.start("deploy"))
    >>> with db.phases.running("review"):
    ...     [(phase.name, phase.status) for phase in db.phases.list(run, limit=2)]
    [('deploy', 'skipped'), ('review', 'running')]
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "phases", Phase)
        self._life = Lifecycle(self._table, ambient, "phase_id")
        self._complete = self._life.ending("completed")
        self._fail = self._life.ending("failed", "error")
        self._skip = self._life.ending("skipped")

    def start(
        self, name: str, iteration: int | None = None, *, execution_id: str | None = None
    ) -> str:
        """Starts a phase and makes it the calling task's current one; returns its id.

        Without an iteration it belongs to the run's current one.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run.
        """
        execution_id = self._ambient.execution_id(execution_id)
        phase_id = new_id()
        moment = now()
        if iteration is not None:
            natural("iteration", iteration)
        started = self._db.execute(
            _START, (phase_id, text("name", name), iteration, moment, moment, execution_id)
        )
        if not started.changes:
            raise NotFound(f"no execution has the id {execution_id!r}")
        self._life.enter(Context(execution_id, phase_id))
        return phase_id

    def complete(self, id: str) -> None:
        """Ends a phase well. Raises `NotFound`, and `InvalidTransition` when it has ended."""
        self._complete(id)

    def fail(self, id: str, error: str) -> None:
        """Ends a phase with an error. Raises as `complete` does."""
        self._fail(id, error)

    def skip(self, id: str) -> None:
        """Ends a phase that need not be done. Raises as `complete` does."""
        self._skip(id)

    def running(
        self, name: str, iteration: int | None = None, *, execution_id: str | None = None
    ) -> AbstractContextManager[str]:
        """``with db.phases.running("build") as id:`` starts a phase and ends it with the block."""
        return self._life.running(
            lambda: self.start(name, iteration, execution_id=execution_id), self.complete, self.fail
        )

    def current(self) -> Phase | None:
        """The calling task's phase, or None."""
        return self._life.current()

    def get(self, id: str) -> Phase | None:
        """The phase with this id, or None."""
        return self._table.get(id)

    def list(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[Phase]:
        """The phases of a run, in the order in which they were started, or a page of them.

        A page is the last ``limit`` of them, of those started before the phase ``before``.
        """
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)
