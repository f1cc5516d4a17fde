"""What was done for whom, and why: the counters behind ``db.stats``, the trace of each commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from reactive_sqlite.values.change import ChangeSet, RowChange
from reactive_sqlite.values.region import Region, TableRegion


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
    verified: int = 0
    """results compared with a fresh run, see `verify` of `ReactiveDatabase`"""
    differences: int = 0
    """of these, how many were wrong; 0, or this package has a bug"""

    @property
    def queries(self) -> int:
        """SELECTs run for live queries, all in all."""
        return self.opened + self.refetched

    def copy(self) -> Stats:
        """The counters as they are now."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class Wake:
    """One live query that a commit touches: how it is brought up to date, and why.

    ``how`` is ``maintained`` (from the changed rows) or ``run again``; ``why`` names the regions
    that are touched, and by which rows; ``outcome`` is ``changed``, ``unchanged``, ``failed`` or
    ``failing still``, and empty for what only would happen.

    >>> print(Wake("SELECT x FROM t", "maintained", ("t(x): row 1 updated",), "changed"))
    SELECT x FROM t: maintained, changed: t(x): row 1 updated
    """

    query: str
    how: str
    why: tuple[str, ...]
    outcome: str = ""

    def __str__(self) -> str:
        outcome = f", {self.outcome}" if self.outcome else ""
        return f"{self.query}: {self.how}{outcome}: {'; '.join(self.why)}"


@dataclass(frozen=True, slots=True)
class Trace:
    """What one commit has woken. ``change`` is its `ChangeSet` in short.

    >>> print(Trace(3, "#3 t×1", (Wake("SELECT x FROM t", "run again", ("t(x): row 1 updated",)),)))
    #3 t×1
      SELECT x FROM t: run again: t(x): row 1 updated
    """

    version: int
    change: str
    wakes: tuple[Wake, ...]

    def __str__(self) -> str:
        return "\n  ".join((self.change, *map(str, self.wakes)))


@dataclass(frozen=True, slots=True)
class Difference:
    """A live result that was not what a fresh run gave (an exception, if that failed).

    >>> Difference("SELECT count(*) FROM t", 2, 3, version=7).fresh
    3
    """

    query: str
    held: Any
    fresh: Any
    version: int


_SHOWN = 3


def reasons(region: Region, change: ChangeSet) -> tuple[str, ...]:
    """Why a commit touches a region.

    >>> from reactive_sqlite.values.change import RowChange
    >>> change = ChangeSet(1, {"t": (RowChange((1, "a"), (1, "b"), 1, 1),)})
    >>> reasons(Region.of(TableRegion("t", frozenset({"x"}), positions=(1,))), change)
    ('t(x): row 1 updated',)
    """
    if change.everything:
        return ("anything may have changed",)
    found = ["the schema changed"] if change.schema else []
    if region.everything:
        found.append("it may read anything")
    for part in region.tables:
        found += _reasons_of(part, change)
    return tuple(found)


def _reasons_of(part: TableRegion, change: ChangeSet) -> Iterator[str]:
    columns = change.columns.get(part.table)
    if part.table in change.tables and part.reads_any_of(columns):
        yield f"{part!r}: {part.table} was written, which rows is not known"
    rows = [row for row in change.rows.get(part.table, ()) if part.touched_by_row(row)]
    if rows:
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        yield f"{part!r}: {', '.join(map(_told, rows[:_SHOWN]))}{more}"


def _told(row: RowChange) -> str:
    rowid = row.new_rowid if row.old is None else row.old_rowid
    name = f"row {rowid}" if rowid is not None else "a row"
    return f"{name} {row.kind.removesuffix('e')}ed"
