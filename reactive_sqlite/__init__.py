"""Live queries for SQLite: subscribe to a query and its answer stays right.

`ReactiveDatabase` is the door; see its docstring for a first example.
"""

from __future__ import annotations

from reactive_sqlite.current import (
    current_database,
    mutation,
    query,
    query_one,
    query_value,
    use_database,
)
from reactive_sqlite.database import Mutation, ReactiveDatabase
from reactive_sqlite.errors import (
    ClosedError,
    NotAMutation,
    NotAQuery,
    ReactiveSqliteError,
    TransactionError,
)
from reactive_sqlite.journal.journal import ChangesSince
from reactive_sqlite.liveness.observable import LiveQuery, State
from reactive_sqlite.understanding.statement import Statement, StatementKind
from reactive_sqlite.values.change import ChangeSet, RowChange
from reactive_sqlite.values.delta import Delta
from reactive_sqlite.values.region import Region, TableRegion
from reactive_sqlite.values.result import Result
from reactive_sqlite.values.row import Row
from reactive_sqlite.values.trace import Difference, Stats, Trace, Wake

__all__ = [
    "ChangeSet",
    "ChangesSince",
    "ClosedError",
    "Delta",
    "Difference",
    "LiveQuery",
    "Mutation",
    "NotAMutation",
    "NotAQuery",
    "ReactiveDatabase",
    "ReactiveSqliteError",
    "Region",
    "Result",
    "Row",
    "RowChange",
    "State",
    "Statement",
    "StatementKind",
    "Stats",
    "TableRegion",
    "Trace",
    "TransactionError",
    "Wake",
    "current_database",
    "mutation",
    "query",
    "query_one",
    "query_value",
    "use_database",
]
