"""Following a run: each phase, step, agent, tool call and question as it changes."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

from smithers_db.facade import SmithersDB
from smithers_db.owner import is_dead
from smithers_db.rows import Execution, HumanInteraction
from smithers_db.table import Table

#: Seconds without news after which a run that has ended has no more of them.
QUIET = 0.05


def changes(
    db: SmithersDB,
    execution_id: str,
    follow: bool = True,
    is_read: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[str, Any]]:
    """A pair (kind, row) for each row of a run, and again whenever its status changes.

    When nobody works on the run any more, which changes no row, a pair of the kind ``dead`` says
    so: it has not ended, and may yet be taken over.
    Ends when the run has ended, with ``follow=False`` when all there is now has been given, and
    when ``is_read``, which is asked again and again, says that nobody wants more.
    Raises what keeps a query from being answered, such as that the file was deleted.
    """
    arrived: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def receiver(kind: str) -> Callable[[Any], None]:
        return lambda rows: arrived.put((kind, rows))

    # The first values are there when subscribe returns: what there is now, in the order of time.
    watching = [
        db.observe(read).subscribe(receiver(kind), receiver(kind))
        for kind, read in _families(db, execution_id).items()
    ]
    told: dict[tuple[str, str], str] = {}  # an id is of one kind's, and may be another's too
    ended = dead = False
    try:
        present = [(kind, row) for kind, rows in _drained(arrived) for row in rows if row]
        for kind, row in sorted(present, key=lambda pair: moment_of(pair[1])):
            told[kind, row.id] = row.status
            yield kind, row
            ended = ended or (kind == "run" and _has_ended(row))
        while True:
            if not is_read():
                return
            try:
                kind, rows = _answered(arrived.get(timeout=QUIET))
            except queue.Empty:
                # Its worker first: one that ends the run and goes is none that died over it.
                gone = is_dead(db.execution.owner(execution_id))
                run = db.execution.get(execution_id)
                if run is not None and not _has_ended(run) and gone != dead:
                    dead = gone
                    if dead:
                        yield "dead", run
                elif ended or not follow:
                    return
                continue
            for row in rows:
                if row is None:  # the run was deleted
                    ended = True
                elif told.get((kind, row.id)) != row.status:
                    told[kind, row.id] = row.status
                    yield kind, row
                    ended = ended or (kind == "run" and _has_ended(row))
    finally:
        for subscription in watching:
            subscription.dispose()


def _families(db: SmithersDB, execution_id: str) -> dict[str, Callable[[], Any]]:
    """What is followed of a run: by kind, what reads all its rows."""
    questions = Table(db.db, "human_interactions", HumanInteraction)
    return {
        "phase": lambda: db.phases.list(execution_id),
        "step": lambda: db.steps.list_for_execution(execution_id),
        "agent": lambda: db.agents.list(execution_id),
        "tool": lambda: db.tools.list_for_execution(execution_id),
        "question": lambda: questions.all("WHERE execution_id = ?", (execution_id,)),
        "run": lambda: [db.execution.get(execution_id)],
    }


def _has_ended(run: Execution) -> bool:
    """Whether a run has ended; in files of other programs also at a time that nobody knows."""
    return run.completed_at is not None or run.status not in ("pending", "running")


def _drained(arrived: queue.SimpleQueue[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    while not arrived.empty():
        yield _answered(arrived.get())


def _answered(news: tuple[str, Any]) -> tuple[str, Any]:
    if isinstance(news[1], Exception):
        raise news[1]
    return news


def label(row: Any) -> str:
    """What a row is called: its name, or what stands for one."""
    names = ("name", "tool_name", "component_name", "prompt", "component_type")
    return next((value for name in names if (value := getattr(row, name, None))), "")


def moment_of(row: Any) -> str:
    """When a row came to what it is now."""
    names = ("completed_at", "resolved_at", "started_at", "created_at")
    return next((value for name in names if (value := getattr(row, name, None))), "")
