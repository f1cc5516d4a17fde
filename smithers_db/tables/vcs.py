"""Version control: commits, snapshots, reviews, and what agents report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import listed, number_of_rows
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.rows import Commit, Report, Review, Snapshot
from smithers_db.table import Table

# A commit seen again keeps its id, its execution and whatever the second look left out.
_SAME_COMMIT = (
    "ON CONFLICT (vcs_type, commit_hash) DO UPDATE SET message = excluded.message, "
    "change_id = coalesce(excluded.change_id, change_id), "
    "author = coalesce(excluded.author, author), "
    "files_changed = coalesce(excluded.files_changed, files_changed), "
    "insertions = coalesce(excluded.insertions, insertions), "
    "deletions = coalesce(excluded.deletions, deletions), "
    "smithers_metadata = coalesce(excluded.smithers_metadata, smithers_metadata) RETURNING id"
)
R = TypeVar("R", bound=msgspec.Struct)


class Vcs:
    """What happened in version control, and reports (``db.vcs``).

    Lists come newest first; those that take a ``limit`` end after so many rows, 100 if it is left
    out.

    Methods that record a row take its columns as keywords; the run, and the agent if there is one,
    come from the context where they are left out.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> commit = db.vcs.log_commit(vcs_type="git", commit_hash="abc", message="fix it")
    >>> db.vcs.get_commit("abc").id == commit == db.vcs.get_commits(run)[0].id
    True
    >>> _ = db.vcs.log_snapshot(change_id="kx", files_modified=["a.py"])
    >>> [snapshot.files_modified for snapshot in db.vcs.get_snapshots(run)]
    [['a.py']]
    >>> review = db.vcs.log_review(
    ...     target_type="commit", approved=False, summary="no", issues=["a.py:3"], blocking=True
    ... )
    >>> len(db.vcs.get_blocking_reviews(run))
    1
    >>> db.vcs.update_review(review, approved=True)
    >>> len(db.vcs.get_blocking_reviews(run)), len(db.vcs.get_reviews(run))
    (0, 1)
    >>> _ = db.vcs.add_report(type="risk", title="disk", content="full", severity="critical")
    >>> [report.title for report in db.vcs.get_critical_reports()] == [
    ...     report.title for report in db.vcs.get_reports("risk")
    ... ]
    True
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._ambient = ambient
        self._commits = Table(db, "commits", Commit)
        self._snapshots = Table(db, "snapshots", Snapshot)
        self._reviews = Table(db, "reviews", Review)
        self._reports = Table(db, "reports", Report)

    def _new(self, execution_id: str) -> dict[str, Any]:
        return {"id": new_id(), "execution_id": execution_id, "created_at": now()}

    def _new_by_agent(self, execution_id: str | None, agent_id: str | None) -> dict[str, Any]:
        execution_id = self._ambient.execution_id(execution_id)
        return {
            **self._new(execution_id),
            "agent_id": self._ambient.agent_id(execution_id, agent_id),
        }

    def _newest(self, table: Table[R], execution_id: str | None, limit: int) -> Sequence[R]:
        execution_id = self._ambient.execution_id(execution_id)
        tail = "WHERE execution_id = ? ORDER BY rowid DESC LIMIT ?"
        return table.all(tail, (execution_id, number_of_rows("limit", limit)))

    def log_commit(
        self,
        *,
        vcs_type: str,
        commit_hash: str,
        message: str,
        execution_id: str | None = None,
        agent_id: str | None = None,
        **columns: Any,
    ) -> str:
        """Records a commit, or what more is known of one; returns its id, which stays the same.

        ``columns``: change_id, author, files_changed, insertions, deletions, smithers_metadata.

        Raises:
            NoActiveExecution: no run is given or current. NotFound: the run or agent is unknown.
        """
        row = self._commits.insert(
            _SAME_COMMIT,
            **self._new_by_agent(execution_id, agent_id),
            vcs_type=vcs_type,
            commit_hash=commit_hash,
            message=message,
            **columns,
        ).rows[0]
        return str(row[0])

    def get_commits(self, execution_id: str | None = None, limit: int = 100) -> Sequence[Commit]:
        """The newest commits of a run."""
        return self._newest(self._commits, execution_id, limit)

    def get_commit(self, commit_hash: str, vcs_type: str | None = None) -> Commit | None:
        """The commit with this hash, or None.

        Without a kind of version control: of the kind that comes first in the alphabet.
        """
        if vcs_type is None:
            tail = "WHERE commit_hash = ? ORDER BY vcs_type LIMIT 1"
            return self._commits.first(tail, (commit_hash,))
        return self._commits.first(
            "WHERE commit_hash = ? AND vcs_type = ?", (commit_hash, vcs_type)
        )

    def log_snapshot(
        self, *, change_id: str, execution_id: str | None = None, **columns: Any
    ) -> str:
        """Records a snapshot of the working copy; returns its id.

        ``columns``: commit_hash, description, files_modified, files_added, files_deleted,
        has_conflicts. Raises as `log_commit` does.
        """
        row = self._new(self._ambient.execution_id(execution_id))
        self._snapshots.insert(**row, change_id=change_id, **columns)
        return str(row["id"])

    def get_snapshots(
        self, execution_id: str | None = None, limit: int = 100
    ) -> Sequence[Snapshot]:
        """The newest snapshots of a run."""
        return self._newest(self._snapshots, execution_id, limit)

    def log_review(
        self,
        *,
        target_type: str,
        approved: bool,
        summary: str,
        issues: Any = (),
        execution_id: str | None = None,
        agent_id: str | None = None,
        **columns: Any,
    ) -> str:
        """Records a review; returns its id.

        ``columns``: target_ref, approvals, reviewer_model, blocking, posted_to_github,
        posted_to_git_notes. Raises as `log_commit` does, and `InvalidValue` for issues in one text.
        """
        issues = listed("issues", issues)
        row = self._new_by_agent(execution_id, agent_id)
        self._reviews.insert(
            **row,
            target_type=target_type,
            approved=approved,
            summary=summary,
            issues=issues,
            **columns,
        )
        return str(row["id"])

    def update_review(self, id: str, **columns: Any) -> None:
        """Sets columns of a review. Raises `NotFound`, and `InvalidValue` for a misfit."""
        if "issues" in columns:
            columns["issues"] = listed("issues", columns["issues"])
        self._reviews.update(id, **columns)

    def get_reviews(self, execution_id: str | None = None, limit: int = 100) -> Sequence[Review]:
        """The newest reviews of a run."""
        return self._newest(self._reviews, execution_id, limit)

    def get_blocking_reviews(self, execution_id: str | None = None) -> Sequence[Review]:
        """The reviews of a run that block it: blocking, and not approved."""
        return self._reviews.all(
            "WHERE execution_id = ? AND blocking = 1 AND approved = 0 ORDER BY rowid DESC",
            (self._ambient.execution_id(execution_id),),
        )

    def add_report(
        self,
        *,
        type: str,
        title: str,
        content: str,
        data: Any = None,
        severity: str = "info",
        execution_id: str | None = None,
        agent_id: str | None = None,
    ) -> str:
        """Records what an agent reports; returns its id. Raises as `log_commit` does."""
        row = self._new_by_agent(execution_id, agent_id)
        self._reports.insert(
            **row, type=type, title=title, content=content, data=data, severity=severity
        )
        return str(row["id"])

    def get_reports(
        self, type: str | None = None, *, execution_id: str | None = None, limit: int = 100
    ) -> Sequence[Report]:
        """The newest reports of a run, all or of one type."""
        if type is None:
            return self._newest(self._reports, execution_id, limit)
        return self._reports.all(
            "WHERE execution_id = ? AND type = ? ORDER BY rowid DESC LIMIT ?",
            (self._ambient.execution_id(execution_id), type, number_of_rows("limit", limit)),
        )

    def get_critical_reports(self, execution_id: str | None = None) -> Sequence[Report]:
        """The reports of a run whose severity is critical."""
        return self._reports.all(
            "WHERE execution_id = ? AND severity = 'critical' ORDER BY rowid DESC",
            (self._ambient.execution_id(execution_id),),
        )
