"""What runs, and comes to an end once: shared by holding it, whatever else the family does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import text
from smithers_db.clock import now
from smithers_db.context import Ambient, Context
from smithers_db.errors import InvalidTransition, NotFound
from smithers_db.table import Table

R = TypeVar("R", bound=msgspec.Struct)

#: The condition under which a row can still come to an end.
OPEN = "status IN ('pending', 'running')"

#: What runs in a run.
RUNNING_IN = ("phases", "steps", "tasks", "agents", "tool_calls")

#: Milliseconds from the start of a row to the moment given as the one parameter.
DURATION = "max(0, CAST(round((julianday(?) - julianday(started_at)) * 86400000) AS INTEGER))"

_DIED = "error = 'interrupted: its worker died'"
_INTERRUPT = (
    f"UPDATE {{}} SET status = 'failed', completed_at = ?, {_DIED}, "
    f"duration_ms = {DURATION} "
    f"WHERE execution_id = ? AND {OPEN}"
)
_WITHDRAW = (
    f"UPDATE human_interactions SET status = 'cancelled', resolved_at = ?, {_DIED} "
    "WHERE execution_id = ? AND status = 'pending'"
)

#: What of the context goes when the thing in this slot ends.
_LEFT: dict[str, Callable[[Context], Context]] = {
    "execution_id": lambda context: Context(),
    "phase_id": lambda context: Context(context.execution_id),
    "agent_id": lambda context: msgspec.structs.replace(context, agent_id=None),
    "step_id": lambda context: msgspec.structs.replace(context, step_id=None),
}


def described(error: BaseException) -> str:
    """An exception as the text of an ``error`` column."""
    message = str(error).replace("\0", "\\0")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def interrupt(
    db: ReactiveDatabase, execution_id: str, moment: str, *, for_good: bool = False
) -> None:
    """Ends all that a dead worker left running in a run; for use inside a transaction.

    ``for_good``: the run ends, too, so nobody waits for the answers to its questions any more.
    """
    for table in RUNNING_IN:
        db.execute(_INTERRUPT.format(table), (moment, moment, execution_id))
    if for_good:
        db.execute(_WITHDRAW, (moment, execution_id))


class Lifecycle(Generic[R]):
    """Finishing, being current, and ``running()`` blocks, for a table with a status.

    ``slot`` is the field of `Context` that holds the id of the current row, if the family has one.
    """

    def __init__(self, table: Table[R], ambient: Ambient, slot: str | None = None) -> None:
        self._table = table
        self._ambient = ambient
        self._slot = slot

    def ending(self, status: str, *columns: str) -> Callable[..., None]:
        """A function ``(id, *values)`` that ends a row with this status and sets these columns.

        Made once per way of ending, so that ending a row is one prepared statement. It raises
        `NotFound` and `InvalidTransition`.
        """
        table = self._table
        settings = "".join(f", {column} = ?" for column in columns)
        sql = (
            f"UPDATE {table.name} SET status = '{status}', completed_at = ?, "
            f"duration_ms = {DURATION}{settings} WHERE id = ? AND {OPEN}"
        )

        def fits(column: str, value: Any) -> Any:
            # A failure says why; everywhere else the column may be empty.
            return text("error", value) if column == "error" else table.adapted(column, value)

        def end(row_id: str, *values: Any) -> None:
            adapted = [fits(column, value) for column, value in zip(columns, values, strict=True)]
            moment = now()
            if not table.db.execute(sql, (moment, moment, *adapted, text("id", row_id))).changes:
                self.refuse(row_id, status)
            self.leave(row_id)

        return end

    def refuse(self, row_id: str, status: str) -> NoReturn:
        """Raises what explains why this row cannot take this status."""
        found = self._table.values("status", "WHERE id = ?", (row_id,))
        if not found:
            self._table.missing(row_id)
        raise InvalidTransition(
            f"{self._table.name} {row_id!r} is {found[0][0]}, and cannot become {status}"
        )

    def enter(self, context: Context) -> None:
        """Makes the row that a context has in this slot the calling task's current one."""
        row_id = getattr(context, self._slot or "")
        self._ambient.set(context, lambda: self._exists(row_id))

    def leave(self, row_id: str) -> None:
        """Takes the row out of the calling task's context, if it is in it."""
        if self._slot is not None:
            context = self._ambient.get()
            if getattr(context, self._slot) == row_id:
                self._ambient.set(_LEFT[self._slot](context), lambda: not self.is_open(row_id))

    def current(self) -> R | None:
        """The row in the calling task's context, or None."""
        current_id = getattr(self._ambient.get(), self._slot or "")
        return None if current_id is None else self._table.get(current_id)

    def _exists(self, row_id: str) -> bool:
        sql = f"SELECT 1 FROM {self._table.name} WHERE id = ?"
        return bool(self._table.db.execute(sql, (row_id,)).rows)

    def is_open(self, row_id: str) -> bool:
        """Whether the row can still come to an end."""
        sql = f"SELECT 1 FROM {self._table.name} WHERE id = ? AND {OPEN}"
        return bool(self._table.db.execute(sql, (row_id,)).rows)

    @contextmanager
    def running(
        self,
        start: Callable[[], str],
        complete: Callable[[str], object],
        fail: Callable[[str, str], object],
    ) -> Iterator[str]:
        """Starts a row, ends it with the block, and restores the context from before.

        A block that ends the row itself is left at that. Any exception, CancelledError and
        KeyboardInterrupt too, fails the row and goes on its way.
        """
        with self._ambient.entered(self._ambient.get()):
            row_id = start()
            try:
                yield row_id
            except BaseException as error:
                self._fail(row_id, error, fail)
                raise
            with suppress(InvalidTransition, NotFound):  # ended by the block, or by another
                complete(row_id)

    def _fail(self, row_id: str, error: BaseException, fail: Callable[[str, str], object]) -> None:
        try:
            if self.is_open(row_id):
                fail(row_id, described(error))
        except Exception as second:  # noqa: BLE001  the block's own error is the one to be seen
            error.add_note(f"and {self._table.name} {row_id} was not marked failed: {second!r}")
