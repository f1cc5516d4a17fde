"""The database of an orchestrator: one attribute for each family of tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from reactive_sqlite import LiveQuery, ReactiveDatabase, Row
from smithers_db import growth, migrations, rollups
from smithers_db.context import Ambient, Context
from smithers_db.errors import InvalidValue
from smithers_db.file import make_incremental, path_of
from smithers_db.growth import DatabaseStats, PruneReport
from smithers_db.outputs import Outputs
from smithers_db.owner import Owner
from smithers_db.progress import Progress, silent
from smithers_db.table import Params
from smithers_db.tables.agents import Agents
from smithers_db.tables.artifacts import Artifacts
from smithers_db.tables.build_state import Builds
from smithers_db.tables.executions import Executions
from smithers_db.tables.human import Human
from smithers_db.tables.memories import Memories
from smithers_db.tables.phases import Phases
from smithers_db.tables.rate_limits import RateLimits
from smithers_db.tables.render_frames import RenderFrames
from smithers_db.tables.state import State
from smithers_db.tables.steps import Steps
from smithers_db.tables.supersmithers import Supersmithers
from smithers_db.tables.tasks import Tasks
from smithers_db.tables.ticket_reports import TicketReports
from smithers_db.tables.tickets import Tickets
from smithers_db.tables.tools import Tools
from smithers_db.tables.vcs import Vcs
from smithers_db.tables.vcs_queue import VcsQueue

logger = logging.getLogger("smithers_db")

P = ParamSpec("P")
T = TypeVar("T")


class SmithersDB:
    """An open Smithers database. Made by `create_smithers_db`; usable as a context manager.

    Any number of threads and asyncio tasks may use one. Every read method is live:
    ``db.observe(db.phases.list, execution_id).subscribe(print)``.

    In every family the same errors say the same: `NoActiveExecution` that a run or an agent is
    needed, and neither given nor current; `NotFound` that no row has an id, that of ``before`` and
    ``after`` in pages included (a list of an unknown run is empty); `InvalidTransition` that a row
    does not allow this step, for it has ended, or is another's; `InvalidValue` that no column keeps
    such a value; TypeError that there is no such column; `UnreadableRow` that another program wrote
    what cannot be read. An ``execution_id`` that is left out is that of the current run.

    >>> with create_smithers_db() as db:
    ...     run = db.execution.start("nightly", "workflow.py")
    ...     with db.phases.running("build"):
    ...         agent = db.agents.start("fix the tests")
    ...     [(phase.name, phase.status) for phase in db.phases.list(run)]
    ...     with db.context(execution_id=run):
    ...         whose = db.bind(lambda: db.current.execution_id)
    ...     db.execution.complete(run)
    ...     whose() == run, db.current.execution_id  # in a thread of its own, say
    ...     db.query("SELECT count(*) FROM agents").get()
    ...     db.verify_rollups(), [found.rows for found in db.stats().runs]
    ...     db.prune(keep=0).rows["agents"]
    [('build', 'completed')]
    (True, None)
    (Row(count(*)=1),)
    ([], [10])
    1
    """

    def __init__(self, db: ReactiveDatabase, outputs: Outputs) -> None:
        self.db = db
        self._ambient = ambient = Ambient(db)
        self.outputs = outputs
        self._owner = owner = Owner(db)
        self.execution = Executions(db, ambient, owner, self._sweep)
        self.phases = Phases(db, ambient)
        self.steps = Steps(db, ambient)
        self.tasks = Tasks(db, ambient)
        self.agents = Agents(db, ambient)
        self.tools = Tools(db, ambient, outputs)
        self.state = State(db, ambient)
        self.memories = Memories(db, ambient)
        self.artifacts = Artifacts(db, ambient)
        self.human = Human(db, ambient)
        self.vcs = Vcs(db, ambient)
        self.vcs_queue = VcsQueue(db, ambient)
        self.render_frames = RenderFrames(db, ambient)
        self.build_state = Builds(db)
        self.tickets = Tickets(db)
        self.ticket_reports = TicketReports(db, ambient)
        self.rate_limits = RateLimits(db)
        self.supersmithers = Supersmithers(db, ambient)

    def context(
        self,
        execution_id: str | None = None,
        phase_id: str | None = None,
        agent_id: str | None = None,
        step_id: str | None = None,
    ) -> AbstractContextManager[Context]:
        """``with db.context(execution_id=…):`` works under these ids, then under the former again.

        Ids left out stay as they are, except below one that changes: another run has other phases.
        """
        return self._ambient.entered(
            self._ambient.within(execution_id, phase_id, agent_id, step_id)
        )

    @property
    def current(self) -> Context:
        """The ids that the calling task works under."""
        return self._ambient.get()

    def bind(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function with the calling task's context, for a thread to call."""
        return self._ambient.bind(function)

    def query(self, sql: str, params: Params = ()) -> LiveQuery[tuple[Row, ...]]:
        """A live query in plain SQL: `reactive_sqlite.ReactiveDatabase.query`."""
        return self.db.query(sql, params)

    def observe(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> LiveQuery[T]:
        """A live query of what a read method returns, in the caller's context.

        >>> from smithers_db import create_smithers_db
        >>> db = create_smithers_db()
        >>> run = db.execution.start("nightly", "main.tsx")
        >>> seen = db.observe(db.phases.list, run).subscribe(lambda rows: print(len(rows)))
        0
        >>> phase = db.phases.start("build")
        1
        """
        return self.db.observe(function, *args, **kwargs)

    def verify_rollups(self, *, repair: bool = False) -> list[rollups.Drift]:
        """Recounts every counter of runs, phases and agents; returns those that drifted.

        With ``repair`` they are set to what was counted.
        """
        return rollups.verify(self.db, repair=repair)

    def prune(
        self,
        *,
        keep: int | None = None,
        older_than: str | datetime | timedelta | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> PruneReport:
        """Removes finished runs with all their rows and files, and gives the room back.

        ``keep`` spares the newest so many finished runs, ``older_than`` (an age, or a time) those
        that ended since; with both, a run goes only if neither spares it. A run that has not ended
        is never touched. Expired memories go too, and limits and queue items that are older than
        ``older_than``, or, without it, than every run that stays; triaged reports on tickets that
        are done, of runs that are gone; and the files of calls whose completion was undone, by a
        crash or a rollback. What is nobody's to forget stays: memories without an expiry, tickets,
        and plan modules with their versions.

        With ``dry_run`` nothing is removed, only reported; ``progress`` is called with the runs
        done, the runs in all, and the id of the one that is next.

        Raises:
            InvalidValue: neither ``keep`` nor ``older_than``, or no such number or time.
            TransactionError: the calling thread has a transaction open, and it is no dry run.
        """
        return growth.prune(
            self.db,
            self.outputs,
            keep=keep,
            older_than=older_than,
            dry_run=dry_run,
            progress=progress,
        )

    def stats(self, *, progress: Progress = silent) -> DatabaseStats:
        """What takes the room: by table, by run, and in output files.

        ``progress`` is called with what is done, how much there is, and what is next.
        """
        return growth.stats(self.db, self.outputs, progress)

    def reset(self) -> None:
        """Deletes every row of every table, and the output files.

        Raises:
            TransactionError: the calling thread has a transaction open.
        """
        growth.empty(self.db, self.outputs)
        self._ambient.set(Context())

    def _sweep(self) -> int:
        return growth.sweep(self.db, self.outputs)

    def close(self) -> None:
        """Gives up the runs of this object, so that others may resume them, and closes the file."""
        if self.db.is_closed:
            return
        try:
            self.memories.flush_access()
            self._owner.release()
        finally:
            self._ambient.set(Context())
            self.db.close()
            self.outputs.close()

    def __enter__(self) -> SmithersDB:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def create_smithers_db(
    path: str | os.PathLike[str] = ":memory:",
    *,
    reset: bool = False,
    outputs: str | os.PathLike[str] | None = None,
) -> SmithersDB:
    """Opens a Smithers database, making or migrating the file as needed.

    Args:
        path: the file, as a path or as a ``file:`` URI, or ``":memory:"``.
        reset: empty it first: every table, and the output files.
        outputs: the folder for large tool outputs; else ``.smithers/outputs`` beside the file.

    Raises:
        InvalidValue: the path is empty.
        MigrationError: the file is newer than this version, was made by a changed one, or is no
            Smithers database. SQLite's own errors where it is no database at all.

    >>> with create_smithers_db("run.db") as db:
    ...     run = db.execution.start("nightly", "workflow.py")
    >>> with create_smithers_db("run.db") as db:
    ...     db.execution.get(run).name
    'nightly'
    """
    name = os.fspath(path)
    if not name:  # SQLite would open a database that is gone when it is closed
        raise InvalidValue('an empty path names no file; ":memory:" is a database in memory')
    in_memory = name == ":memory:"
    folder = Path(outputs).absolute() if outputs is not None else None
    if not in_memory:
        migrations.check(name)
    db = ReactiveDatabase(name)
    try:
        # Without it the triggers that keep the counters miss the rows that REPLACE deletes;
        # https://sqlite.org/lang_conflict.html
        db.execute("PRAGMA recursive_triggers = ON")
        report = migrations.migrate(db)
        if report.applied and not in_memory:
            make_incremental(db)
        if report.backup is not None:
            logger.warning(
                "%s was a file of the original: converted, and kept as %s; %d conversion_notes",
                name,
                report.backup,
                report.notes,
            )
        if report.dangling:
            logger.warning(
                "%s holds references to no row (%d): `smithers-db doctor` says which",
                name,
                report.dangling,
            )
        opened = SmithersDB(db, Outputs(folder or _beside(db, name)))
        if reset:
            opened.reset()
    except BaseException:
        db.close()
        raise
    return opened


def _beside(db: ReactiveDatabase, name: str) -> Path | None:
    """The folder for outputs beside a database's file; None when it has none."""
    if name.startswith("file:"):  # a URI; SQLite knows what file that is
        name = path_of(db)
    if name in ("", ":memory:"):
        return None
    return Path(name).absolute().parent / ".smithers" / "outputs"
