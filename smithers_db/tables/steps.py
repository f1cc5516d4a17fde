"""Steps: the fine-grained steps of a phase."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import optional_text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient, Context
from smithers_db.errors import NotFound
from smithers_db.lifecycle import Lifecycle
from smithers_db.rows import Step
from smithers_db.table import Table

_START = (
    "INSERT INTO steps (id, execution_id, phase_id, name, status, started_at, created_at) "
    "SELECT ?, e.id, ?, ?, 'running', ?, ? FROM executions e WHERE e.id = ? "
    "AND (? IS NULL OR EXISTS (SELECT 1 FROM phases p WHERE p.id = ? AND p.execution_id = e.id))"
)


class Steps:
    """The steps of phases (``db.steps``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> phase = db.phases.start("build")
    >>> step = db.steps.start("compile")
    >>> db.steps.current().name
    'compile'
    >>> db.steps.complete(step, commit_created="abc123")
    >>> db.steps.get(step).commit_created
    'abc123'
    >>> db.steps.fail(db.steps.start("test"), "2 tests failed")
    >>> db.steps.skip(db.steps.start("package"))
    >>> with db.steps.running("publish"):
    ...     [(step.name, step.status) for step in db.steps.list(phase, limit=2)]
    [('package', 'skipped'), ('publish', 'running')]
    >>> len(db.steps.list_for_execution(run))
    4
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "steps", Step)
        self._life = Lifecycle(self._table, ambient, "step_id")
        self._complete = self._life.ending(
            "completed", "snapshot_before", "snapshot_after", "commit_created"
        )
        self._fail = self._life.ending("failed", "error")
        self._skip = self._life.ending("skipped")

    def start(
        self,
        name: str | None = None,
        *,
        execution_id: str | None = None,
        phase_id: str | None = None,
    ) -> str:
        """Starts a step and makes it the calling task's current one; returns its id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run, or the
            phase is not one of it.
        """
        execution_id = self._ambient.execution_id(execution_id)
        if phase_id is None:
            phase_id = self._ambient.phase_id(execution_id)
        optional_text("phase_id", phase_id)
        step_id = new_id()
        moment = now()
        name = optional_text("name", name)
        started = self._db.execute(
            _START, (step_id, phase_id, name, moment, moment, execution_id, phase_id, phase_id)
        )
        if not started.changes:
            raise NotFound(f"no execution {execution_id!r} with a phase {phase_id!r}")
        # An agent at hand stays at hand, unless it is of another phase.
        same_phase = phase_id == self._ambient.phase_id(execution_id)
        agent_id = self._ambient.agent_id(execution_id) if same_phase else None
        self._life.enter(Context(execution_id, phase_id, agent_id, step_id))
        return step_id

    def complete(
        self,
        id: str,
        snapshot_before: str | None = None,
        snapshot_after: str | None = None,
        commit_created: str | None = None,
    ) -> None:
        """Ends a step well. Raises `NotFound`, and `InvalidTransition` when it has ended."""
        self._complete(id, snapshot_before, snapshot_after, commit_created)

    def fail(self, id: str, error: str) -> None:
        """Ends a step with an error. Raises as `complete` does."""
        self._fail(id, error)

    def skip(self, id: str) -> None:
        """Ends a step that need not be done. Raises as `complete` does."""
        self._skip(id)

    def running(
        self,
        name: str | None = None,
        *,
        execution_id: str | None = None,
        phase_id: str | None = None,
    ) -> AbstractContextManager[str]:
        """``with db.steps.running("compile") as id:`` starts a step and ends it with the block."""
        return self._life.running(
            lambda: self.start(name, execution_id=execution_id, phase_id=phase_id),
            self.complete,
            self.fail,
        )

    def current(self) -> Step | None:
        """The calling task's step, or None."""
        return self._life.current()

    def get(self, id: str) -> Step | None:
        """The step with this id, or None."""
        return self._table.get(id)

    def list(
        self, phase_id: str, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[Step]:
        """The steps of a phase, in the order in which they were started, or a page of them.

        A page is the last ``limit`` of them, of those started before the step ``before``.
        """
        return self._table.page("phase_id = ?", phase_id, limit, before)

    def list_for_execution(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[Step]:
        """The steps of a run, or a page of them: as `list`."""
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)
