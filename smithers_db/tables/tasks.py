"""Tasks: the components at work in one iteration of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import natural, optional_text, text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import NotFound
from smithers_db.ledger import ITERATION
from smithers_db.lifecycle import Lifecycle
from smithers_db.rows import Task
from smithers_db.table import Table

_ITERATION = f"SELECT {ITERATION} FROM executions e WHERE e.id = ?"
_START = (
    "INSERT INTO tasks (id, execution_id, iteration, scope_id, scope_rev, component_type, "
    "component_name, status, started_at) "
    f"SELECT ?, e.id, coalesce(?, {ITERATION}, 0), "
    "?, ?, ?, ?, 'running', ? FROM executions e WHERE e.id = ?"
)


class Tasks:
    """The tasks of runs (``db.tasks``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> task = db.tasks.start("Claude", "writer")
    >>> db.tasks.running_count(), db.tasks.current_iteration()
    (1, 0)
    >>> db.tasks.complete(task)
    >>> db.tasks.get(task).status
    'completed'
    >>> db.tasks.fail(db.tasks.start("Claude", "tester"), "no luck")
    >>> db.tasks.cancel(db.tasks.start("Claude", "helper"))
    >>> with db.tasks.running("Claude", "reviewer"):
    ...     db.tasks.running_count(0), db.tasks.total_count(0)
    (1, 4)
    >>> [task.component_name for task in db.tasks.list(run)]
    ['writer', 'tester', 'helper', 'reviewer']
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "tasks", Task)
        self._life = Lifecycle(self._table, ambient)
        self._complete = self._life.ending("completed")
        self._fail = self._life.ending("failed", "error")
        self._cancel = self._life.ending("cancelled")

    def start(
        self,
        component_type: str,
        component_name: str | None = None,
        scope_id: str | None = None,
        scope_rev: str | None = None,
        *,
        execution_id: str | None = None,
        iteration: int | None = None,
    ) -> str:
        """Starts a task in the run's current iteration, or the given one; returns its id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run.
        """
        execution_id = self._ambient.execution_id(execution_id)
        task_id = new_id()
        started = self._db.execute(
            _START,
            (
                task_id,
                None if iteration is None else natural("iteration", iteration),
                optional_text("scope_id", scope_id),
                optional_text("scope_rev", scope_rev),
                text("component_type", component_type),
                optional_text("component_name", component_name),
                now(),
                execution_id,
            ),
        )
        if not started.changes:
            raise NotFound(f"no execution has the id {execution_id!r}")
        return task_id

    def complete(self, id: str) -> None:
        """Ends a task well. Raises `NotFound`, and `InvalidTransition` when it has ended."""
        self._complete(id)

    def fail(self, id: str, error: str) -> None:
        """Ends a task with an error. Raises as `complete` does."""
        self._fail(id, error)

    def cancel(self, id: str) -> None:
        """Ends a task that is not wanted any more. Raises as `complete` does."""
        self._cancel(id)

    def running(
        self,
        component_type: str,
        component_name: str | None = None,
        scope_id: str | None = None,
        scope_rev: str | None = None,
        *,
        execution_id: str | None = None,
        iteration: int | None = None,
    ) -> AbstractContextManager[str]:
        """``with db.tasks.running("Claude") as id:`` starts a task and ends it with the block."""
        return self._life.running(
            lambda: self.start(
                component_type,
                component_name,
                scope_id,
                scope_rev,
                execution_id=execution_id,
                iteration=iteration,
            ),
            self.complete,
            self.fail,
        )

    def running_count(
        self, iteration: int | None = None, *, execution_id: str | None = None
    ) -> int:
        """How many tasks of an iteration (the current one, if none is given) are running."""
        return self._count(" AND status = 'running'", iteration, execution_id)

    def total_count(self, iteration: int | None = None, *, execution_id: str | None = None) -> int:
        """How many tasks an iteration has had, whatever became of them."""
        return self._count("", iteration, execution_id)

    def _count(self, condition: str, iteration: int | None, execution_id: str | None) -> int:
        execution_id = self._ambient.execution_id(execution_id)
        if iteration is None:
            iteration = self.current_iteration(execution_id=execution_id)
        natural("iteration", iteration)
        rows = self._db.execute(
            f"SELECT count(*) FROM tasks WHERE execution_id = ? AND iteration = ?{condition}",
            (execution_id, iteration),
        ).rows
        return int(rows[0][0])

    def current_iteration(self, *, execution_id: str | None = None) -> int:
        """The run's iteration, as its state says; 0 when that is no whole number."""
        execution_id = self._ambient.execution_id(execution_id)
        rows = self._db.execute(_ITERATION, (execution_id,)).rows
        return int(rows[0][0] or 0) if rows else 0

    def get(self, id: str) -> Task | None:
        """The task with this id, or None."""
        return self._table.get(id)

    def list(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[Task]:
        """The tasks of a run, in the order in which they were started, or a page of them.

        A page is the last ``limit`` of them, of those started before the task ``before``.
        """
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)
