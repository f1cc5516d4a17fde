"""What was done for whom: the counters behind ``db.stats``."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(slots=True)
class Stats:
    """Counters since the database was opened. ``db.stats`` hands out a copy.

    >>> from reactive_sqlite import ReactiveDatabase
    >>> db = ReactiveDatabase()
    >>> _ = db.execute("CREATE TABLE t(x)")
    >>> db.stats.commits
    1
    """

    commits: int = 0
    """commits seen that changed something"""
    skipped: int = 0
    """commits that touched no live query: no SELECT was run for them"""
    opened: int = 0
    """SELECTs run because a live query was opened"""
    maintained: int = 0
    """results brought up to date from the changed rows"""
    refetched: int = 0
    """results brought up to date by running the query again"""
    unchanged: int = 0
    """refreshed results that turned out equal, so that nothing was delivered"""
    emitted: int = 0
    """values handed to subscribers"""
    failed: int = 0
    """subscribers' exceptions and queries' errors"""

    @property
    def queries(self) -> int:
        """SELECTs run for live queries, all in all."""
        return self.opened + self.refetched

    def copy(self) -> Stats:
        """The counters as they are now."""
        return replace(self)
