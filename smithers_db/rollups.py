"""The counters of executions, phases and agents, against a count of the rows themselves."""

from __future__ import annotations

import msgspec

from reactive_sqlite import ReactiveDatabase


class Drift(msgspec.Struct, frozen=True):
    """One counter that is not what the rows say."""

    table: str
    id: str
    column: str
    stored: int
    counted: int


_TOKENS = "coalesce(tokens_input, 0) + coalesce(tokens_output, 0)"
#: Table, column, and the count that the column must equal, of the row ``r``.
_COUNTS = (
    ("executions", "total_agents", "(SELECT count(*) FROM agents WHERE execution_id = r.id)"),
    (
        "executions",
        "total_tool_calls",
        "(SELECT count(*) FROM tool_calls WHERE execution_id = r.id)",
    ),
    (
        "executions",
        "total_tokens_used",
        f"(SELECT coalesce(sum({_TOKENS}), 0) FROM agents WHERE execution_id = r.id)",
    ),
    (
        "executions",
        "total_iterations",
        "coalesce((SELECT CASE WHEN length(value) < 19 AND json_valid(value) "
        "AND json_type(value) = 'integer' THEN json_extract(value, '$') END "
        "FROM state WHERE execution_id = r.id AND key = 'iteration'), r.total_iterations)",
    ),
    ("phases", "agents_count", "(SELECT count(*) FROM agents WHERE phase_id = r.id)"),
    ("agents", "tool_calls_count", "(SELECT count(*) FROM tool_calls WHERE agent_id = r.id)"),
)


def verify(db: ReactiveDatabase, *, repair: bool = False) -> list[Drift]:
    """Recounts every counter; returns those that drifted, and with ``repair`` mends them."""
    if not repair:
        return db.observe(_drifts, db).get()  # all of one snapshot
    with db.transaction():
        drifts = _drifts(db)
        for drift in drifts:
            mend(db, drift)
    return drifts


def _drifts(db: ReactiveDatabase) -> list[Drift]:
    return [
        Drift(table, row_id, column, stored, counted)
        for table, column, count in _COUNTS
        for row_id, stored, counted in db.execute(
            f"SELECT id, stored, counted FROM (SELECT r.id, r.{column} AS stored, "
            f"{count} AS counted FROM {table} r) WHERE stored IS NOT counted"
        ).rows
    ]


def mend(db: ReactiveDatabase, drift: Drift) -> None:
    """Sets a counter to what was counted."""
    db.execute(
        f"UPDATE {drift.table} SET {drift.column} = ? WHERE id = ?", (drift.counted, drift.id)
    )
