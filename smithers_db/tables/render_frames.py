"""Render frames: the workflow tree, frame by frame, numbered without gaps."""

from __future__ import annotations

from collections.abc import Sequence

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import natural, number_of_rows, text, whole
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import NotFound
from smithers_db.ledger import ITERATION
from smithers_db.rows import RenderFrame
from smithers_db.table import Table

# Numbered inside the write itself: two writers cannot read the same last number.
_STORE = (
    "INSERT INTO render_frames "
    "(id, execution_id, sequence_number, tree_xml, iteration, created_at) "
    "SELECT ?, e.id, (SELECT coalesce(max(f.sequence_number) + 1, 0) FROM render_frames f "
    "WHERE f.execution_id = e.id), ?, "
    f"coalesce(?, {ITERATION}, 0), ? FROM executions e WHERE e.id = ?"
)


class RenderFrames:
    """The frames of runs (``db.render_frames``), numbered from 0.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> frame = db.render_frames.store("<Workflow/>")
    >>> _ = db.render_frames.store("<Workflow><Phase/></Workflow>")
    >>> db.render_frames.get(frame).sequence_number, db.render_frames.count(run)
    (0, 2)
    >>> db.render_frames.latest(run) == db.render_frames.get_by_sequence(1)
    True
    >>> [frame.tree_xml for frame in db.render_frames.list(run, before=1)]
    ['<Workflow/>']
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "render_frames", RenderFrame)

    def store(
        self, tree_xml: str, iteration: int | None = None, *, execution_id: str | None = None
    ) -> str:
        """Stores the next frame of a run; returns its id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: there is no such run.
        """
        execution_id = self._ambient.execution_id(execution_id)
        frame_id = new_id()
        if iteration is not None:
            natural("iteration", iteration)
        stored = self._db.execute(
            _STORE, (frame_id, text("tree_xml", tree_xml), iteration, now(), execution_id)
        )
        if not stored.changes:
            raise NotFound(f"no execution has the id {execution_id!r}")
        return frame_id

    def get(self, id: str) -> RenderFrame | None:
        """The frame with this id, or None."""
        return self._table.get(id)

    def get_by_sequence(
        self, sequence_number: int, *, execution_id: str | None = None
    ) -> RenderFrame | None:
        """The frame with this number, or None."""
        return self._table.first(
            "WHERE execution_id = ? AND sequence_number = ?",
            (self._ambient.execution_id(execution_id), sequence_number),
        )

    def list(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: int | None = None,
    ) -> Sequence[RenderFrame]:
        """The frames of a run, in order, or a page of them.

        A page is the last ``limit`` of them, of those with a number below ``before``.
        """
        last = 2**63 - 1 if before is None else whole("before", before)
        rows = -1 if limit is None else number_of_rows("limit", limit)
        return self._table.all(
            "WHERE execution_id = ? AND sequence_number < ? ORDER BY sequence_number DESC LIMIT ?",
            (self._ambient.execution_id(execution_id), last, rows),
        )[::-1]

    def latest(self, execution_id: str | None = None) -> RenderFrame | None:
        """The last frame of a run, or None."""
        return self._table.first(
            "WHERE execution_id = ? ORDER BY sequence_number DESC LIMIT 1",
            (self._ambient.execution_id(execution_id),),
        )

    def count(self, execution_id: str | None = None) -> int:
        """How many frames a run has."""
        rows = self._db.execute(
            "SELECT count(*) FROM render_frames WHERE execution_id = ?",
            (self._ambient.execution_id(execution_id),),
        ).rows
        return int(rows[0][0])
