"""Artifacts: the files that runs produce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.rows import Artifact
from smithers_db.table import Table


class Artifacts:
    """The files that runs produced (``db.artifacts``); the rows say where, not what is in them.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> artifact = db.artifacts.add("report", "html", "out/report.html", byte_size=1200)
    >>> db.artifacts.get(artifact).byte_size
    1200
    >>> [artifact.name for artifact in db.artifacts.list(run)]
    ['report']
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._ambient = ambient
        self._table = Table(db, "artifacts", Artifact)

    def add(
        self,
        name: str,
        type: str,
        file_path: str,
        *,
        execution_id: str | None = None,
        agent_id: str | None = None,
        git_hash: str | None = None,
        git_commit: str | None = None,
        summary: str | None = None,
        line_count: int | None = None,
        byte_size: int | None = None,
        metadata: Any = None,
    ) -> str:
        """Records a file of a run; returns the row's id.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: the run or agent is unknown.
        """
        execution_id = self._ambient.execution_id(execution_id)
        artifact_id = new_id()
        self._table.insert(
            id=artifact_id,
            execution_id=execution_id,
            agent_id=self._ambient.agent_id(execution_id, agent_id),
            name=name,
            type=type,
            file_path=file_path,
            git_hash=git_hash,
            git_commit=git_commit,
            summary=summary,
            line_count=line_count,
            byte_size=byte_size,
            metadata={} if metadata is None else metadata,
            created_at=now(),
        )
        return artifact_id

    def get(self, id: str) -> Artifact | None:
        """The artifact with this id, or None."""
        return self._table.get(id)

    def list(
        self,
        execution_id: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Sequence[Artifact]:
        """The artifacts of a run, in the order in which they were recorded, or a page of them.

        A page is the last ``limit`` of them, of those recorded before the artifact ``before``.
        """
        execution_id = self._ambient.execution_id(execution_id)
        return self._table.page("execution_id = ?", execution_id, limit, before)
