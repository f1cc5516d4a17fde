"""Who may use the writing connection: one thread at a time, and inside it one asyncio task."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from reactive_sqlite.errors import TransactionError


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class OpenTransaction:
    """A transaction that stays open between statements, and whose it is.

    Opened inside an event loop it notices when the loop turns while it is open: that is an
    ``await`` in the middle of a transaction, in which other tasks would have joined it unasked.
    """

    __slots__ = ("_loop_turned", "_probe", "_task", "ended", "manual", "thread")

    def __init__(self, *, manual: bool) -> None:
        self.manual = manual
        """begun by BEGIN or SAVEPOINT as text, not by ``transaction()``"""
        self.ended = False
        self.thread = threading.get_ident()
        self._loop_turned = False
        self._task: asyncio.Task[Any] | None = None
        self._probe: asyncio.Handle | None = None
        loop = _running_loop()
        if loop is not None:
            self._task = asyncio.current_task(loop)
            self._probe = loop.call_soon(self._turned)

    def _turned(self) -> None:
        self._loop_turned = True

    @property
    def orphaned(self) -> bool:
        """Whether the task that opened it is over, so that nobody can finish it any more."""
        return self._task is not None and self._task.done()

    @property
    def left_open(self) -> bool:
        """Whether the event loop turned while it was open."""
        return self._loop_turned

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread and task opened it."""
        if self.thread != threading.get_ident():
            return False
        loop = _running_loop()
        return (None if loop is None else asyncio.current_task(loop)) is self._task

    def check(self) -> None:
        """Raise `TransactionError` unless the caller is its owner and never let go of it."""
        if self.thread != threading.get_ident():
            raise TransactionError("this transaction belongs to another thread")
        if not self.is_mine:
            raise TransactionError(
                "a transaction is open in another task of this event loop: it was left open across "
                "an await. Do the awaiting before or after the `with db.transaction()` block"
            )
        if self._loop_turned:
            raise TransactionError(
                "this transaction was left open across an await; it is rolled back. Do the "
                "awaiting before or after the `with db.transaction()` block"
            )

    def finish(self) -> None:
        """It is over: stop watching the loop."""
        self.ended = True
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
