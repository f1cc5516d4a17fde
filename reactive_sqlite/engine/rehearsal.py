"""Runs a statement to see what it would change, and undoes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from reactive_sqlite.driver.connection import Params
from reactive_sqlite.engine.engine import Engine
from reactive_sqlite.errors import TransactionError
from reactive_sqlite.understanding.statement import Statement
from reactive_sqlite.values.change import ChangeSet

T = TypeVar("T")


class _Undone(Exception):
    """Ends the transaction."""


def rehearse(
    engine: Engine, statement: Statement, params: Params, look: Callable[[ChangeSet], T]
) -> T | None:
    """What ``look`` finds in the changes of a statement, which are then rolled back.

    None when it would change nothing. ``look`` is called under the lock.
    """
    if engine.lock.in_own_transaction:
        raise TransactionError("a rehearsal needs a transaction of its own, and one is open")
    found = None
    with engine.lock, suppress(_Undone), engine.transactions.block():
        engine.writes.run(statement, params)
        change = engine.recorder.net(engine.writes.version + 1)
        if change is not None:
            if engine.reads.schema_moved():  # by columns that others have moved, rows say nothing
                change = ChangeSet.whole(change.seq)
            found = look(change)
        raise _Undone
    return found
