"""What the plan of a statement may be: no walk of a growing table, no sorting for a list."""

from __future__ import annotations

import re
from functools import cache

import apsw

from smithers_db.migrations import known

#: Statements that walk a table in its own order or an index's, and why they may.
WALKS = {
    r"FROM executions ORDER BY rowid DESC LIMIT": "the newest rows by rowid: stops at the limit",
    r"FROM memories WHERE .* ORDER BY seq LIMIT": "the first rows by key: stops at the limit",
    r"SELECT category, scope FROM memories": "counts all memories",
    r"FROM tickets (WHERE source = \? )?ORDER BY priority": "the whole catalogue, by its index",
    r"FROM discarded_outputs": "a table that is emptied each time it is read",
}
#: SQLite's own rowid walk of these is the walk of a list that came out of an index already.
HARMLESS = re.compile(
    r"SCAN (d VIRTUAL TABLE|json_each|memories_fts|f VIRTUAL TABLE|CONSTANT ROW|\d+ CONSTANT)"
)


@cache
def schema() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for migration in known():
        connection.execute(migration.sql)
    return connection


@cache
def plan(sql: str) -> tuple[str, ...]:
    marks = len(re.findall(r"\?", re.sub(r"'[^']*'", "", sql)))
    steps = schema().execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * marks).fetchall()
    return tuple(step[3] for step in steps)


def faults(sql: str) -> list[str]:
    """The steps of this statement's plan that get slower as the tables grow."""
    if sql.startswith(("PRAGMA", "VACUUM")):
        return []
    allowed = any(re.search(pattern, sql) for pattern in WALKS)
    return [
        step
        for step in plan(sql)
        if "TEMP B-TREE" in step
        or (step.startswith("SCAN") and not HARMLESS.match(step) and not allowed)
    ]
