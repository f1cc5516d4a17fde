"""The ledger of states: what a new run's state is, and what any run's state was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.rows import Transition
from smithers_db.table import Table

#: The state of a new run, and of one that was reset.
FRESH: Mapping[str, Any] = {"phase": "initial", "iteration": 0, "data": None}

#: The iteration of the execution ``e``, as its state says; NULL when that is no whole number.
ITERATION = (
    "(SELECT s.value FROM state s WHERE s.execution_id = e.id AND s.key = 'iteration' "
    "AND s.value NOT GLOB '*[^0-9]*' AND length(s.value) < 19)"
)

# IS, for transitions of older files that belong to no run. `+seq` keeps SQLite from ordering by it:
# the index on (execution_id, key) groups without sorting.
# The bare columns are those of the row with the maximum; https://sqlite.org/lang_select.html#bareagg
_AT = "WHERE execution_id IS ? AND +seq <= ? GROUP BY key"


def state_at(db: ReactiveDatabase, execution_id: str | None, seq: int) -> list[tuple[str, str]]:
    """The keys of a run and their JSON, as of the transition with this sequence number."""
    transitions = Table(db, "transitions", Transition)
    rows = transitions.values("key, new_value, deleted, max(seq)", _AT, (execution_id, seq))
    return [(row.key, row.new_value) for row in rows if not row.deleted]
